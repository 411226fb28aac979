// Package reader reads a meter that is not on the power line: over the TCP wrapper, HDLC
// on TCP, or HDLC on a serial port.
//
// It joins the association machine (plc/dlms) to the carriers plc/wrapper and plc/hdlc,
// and walks what the object list of the association shows.
//
// Above are the commands get and walk; below are sockets and serial ports.
//
// One goroutine uses a [Session]. A context ends what waits.
//
// It never prints, never keeps a secret longer than its session, and never writes to a
// meter.
package reader
