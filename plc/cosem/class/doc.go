// Package class names the attributes and methods of the COSEM interface classes that a
// concentrator meets, with the types of the attributes and the places of the methods
// among the short names.
//
// It is a table of the interface classes of the Blue Book (IEC 62056-6-2), S-FSK classes
// 50 to 56 and their vendor attribute included (sfsk.md 5).
//
// Above are the tools that walk over a meter's objects and show what passes on the line,
// and plc/cosem/object, which needs the places of the methods. Below is plc/cosem.
//
// The table is data that is never changed; it may be read from anywhere.
//
// It never judges an object: an attribute that is not in the table has no name here and
// may exist all the same.
package class
