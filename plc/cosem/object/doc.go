// Package object reads and writes the attributes and method parameters of the COSEM
// objects that a concentrator drives: clock, scripts, calendar and special days,
// limiter, disconnect control, image transfer, security setup, push setup, the lists of
// objects, the S-FSK objects and the M-Bus client.
//
// It implements the interface classes 8, 9, 11, 12, 15, 18, 20, 22, 40, 50 to 53, 55,
// 56, 64 and 70 to 72 of the Blue Book (IEC 62056-6-2), one file each, and only of those
// attributes that are more than a number: numbers are for cosem.ParseValue.
//
// Above are those who drive a meter (the product's orders, the tools) and those who play
// one. Below are plc/cosem and plc/axdr; plc/cosem/class has the names.
//
// It holds no state and may be called from anywhere. Parsed octets share memory with
// their input; what is built is no larger than four times the input.
//
// It never decides: whether a calendar may be activated, a supply switched or a key
// changed is the caller's matter. It never prints a key.
package object
