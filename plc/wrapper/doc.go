// Package wrapper holds the frame that carries APDUs over TCP and UDP: version, two
// wrapper ports that take the place of access points, and a length.
//
// It implements the wrapper sublayer of IEC 62056-47.
//
// Above are the associations (plc/dlms); a wrapper port has the value of the client's
// or logical device's access point. Below is a stream of octets or a datagram.
//
// A [Stream] belongs to the goroutine of its connection. Frames share memory with
// their input.
//
// It never reads an APDU, opens a socket, or looks for the next frame behind octets
// that are none: a stream that lost its step can only be closed.
package wrapper
