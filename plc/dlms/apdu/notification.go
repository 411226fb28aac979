package apdu

import (
	"encoding/binary"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// dateTimeSize is the size of a COSEM date-time.
const dateTimeSize = 12

// DataNotification is a value that a meter sends unasked.
type DataNotification struct {
	LongInvoke uint32 // identity in the low 24 bits, flags above
	Time       []byte // COSEM date-time of 12 octets, nil when the meter gives none
	Body       []byte // one encoded COSEM value
}

// ParseDataNotification reads a data notification. Time and Body share memory with b.
func ParseDataNotification(b []byte) (DataNotification, int, error) {
	r := read(b, TagDataNotification)
	d := DataNotification{LongInvoke: r.u32()}
	if r.left() > 1 && r.b[r.off] == byte(axdr.OctetString) && r.b[r.off+1] == dateTimeSize {
		r.u8() // Kaifa meters write the tag of a value before the bare octets
	}
	switch t := r.octets(); len(t) {
	case 0:
	case dateTimeSize:
		d.Time = t
	default:
		r.fail("date-time of %d octets: want 0 or %d", len(t), dateTimeSize)
	}
	d.Body = r.data()
	n, err := r.end()
	if err != nil {
		return DataNotification{}, 0, err
	}
	return d, n, nil
}

// Size is the number of octets Append writes.
func (d DataNotification) Size() int { return 1 + 4 + octetsSize(d.Time) + len(d.Body) }

// Append appends the encoded notification to dst.
func (d DataNotification) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, byte(TagDataNotification)), d.LongInvoke)
	return append(appendOctets(dst, d.Time), d.Body...)
}

// EventNotification is the value of one attribute that a meter sends unasked.
type EventNotification struct {
	Time []byte // COSEM date-time of 12 octets, nil when the meter gives none
	Ref  cosem.Ref
	Data []byte // one encoded COSEM value
}

// ParseEventNotification reads an event notification. Time and Data share memory with b.
func ParseEventNotification(b []byte) (EventNotification, int, error) {
	r := read(b, TagEventNotification)
	var e EventNotification
	if r.flag("presence of a time") {
		if e.Time = r.octets(); len(e.Time) != dateTimeSize {
			r.fail("date-time of %d octets: want %d", len(e.Time), dateTimeSize)
		}
	}
	e.Ref, e.Data = r.descriptor(), r.data()
	n, err := r.end()
	if err != nil {
		return EventNotification{}, 0, err
	}
	return e, n, nil
}

// Size is the number of octets Append writes.
func (e EventNotification) Size() int {
	n := 2 + descriptorSize + len(e.Data)
	if e.Time != nil {
		n += octetsSize(e.Time)
	}
	return n
}

// Append appends the encoded notification to dst.
func (e EventNotification) Append(dst []byte) []byte {
	dst = append(dst, byte(TagEventNotification))
	if e.Time == nil {
		dst = append(dst, absent)
	} else {
		dst = appendOctets(append(dst, present), e.Time)
	}
	return append(appendDescriptor(dst, e.Ref), e.Data...)
}
