package object

import (
	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// Push is the method of a push setup (class 40) that sends now.
const Push int8 = 1

// The list of what is pushed (class 40 attribute 2, versions 0 to 2) is an array of
// capture objects: cosem.ParseCaptureObjects.

// Transport is how a push travels.
type Transport uint8

// Transports that a meter on this line may use (Blue Book 4.4.8).
const (
	TransportTCP   Transport = 0
	TransportUDP   Transport = 1
	TransportFTP   Transport = 2
	TransportSMTP  Transport = 3
	TransportSMS   Transport = 4
	TransportHDLC  Transport = 5
	TransportMBus  Transport = 6
	TransportOwner Transport = 200 // from here on: of the maker
)

// Destination says where a push goes (class 40 attribute 3).
type Destination struct {
	Transport Transport
	Address   []byte
	Message   uint8 // 0: an encoded APDU, 1: XML, from 128 on: of the maker
}

// ParseDestination reads send_destination_and_method.
func ParseDestination(b []byte) (Destination, int, error) {
	return parse(b, func(r *reader) Destination {
		r.structure(3)
		return Destination{Transport: Transport(r.enum()), Address: r.octets(), Message: r.enum()}
	})
}

// Append appends the structure.
func (d Destination) Append(dst []byte) []byte {
	dst = axdr.AppendEnum(axdr.AppendStructure(dst, 3), uint8(d.Transport))
	return axdr.AppendEnum(axdr.AppendOctets(dst, d.Address), d.Message)
}

// Window is a time in which a meter may push; its ends may have wildcards.
type Window struct{ Start, End cosem.DateTime }

// ParseWindows reads the communication windows of a push setup (class 40 attribute 4).
func ParseWindows(b []byte) ([]Window, int, error) {
	return parse(b, func(r *reader) []Window {
		return array(r, 28, unlimited, func(r *reader) Window {
			r.structure(2)
			return Window{Start: r.dateTime(), End: r.dateTime()}
		})
	})
}

// AppendWindows appends the communication windows of a push setup.
func AppendWindows(dst []byte, windows []Window) []byte {
	return appendArray(dst, windows, func(dst []byte, w Window) []byte {
		return appendDateTime(appendDateTime(axdr.AppendStructure(dst, 2), w.Start), w.End)
	})
}
