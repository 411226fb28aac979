package object

import (
	"fmt"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// reader reads the fields of an attribute one after the other. The first error stays,
// and everything read after it is zero, so that the layout of a structure can be
// written down without a word about errors.
type reader struct {
	d   *axdr.Decoder
	err error
}

// parse reads one value of an attribute and returns the octets it took.
func parse[T any](b []byte, read func(*reader) T) (T, int, error) {
	r := reader{d: axdr.NewDecoder(b)}
	v := read(&r)
	if r.err != nil {
		var none T
		return none, 0, r.err
	}
	return v, r.d.Offset(), nil
}

// fail notes the first error.
func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// structure reads the head of a structure of n elements.
func (r *reader) structure(n int) {
	if r.err == nil {
		r.err = r.d.Structure(n)
	}
}

// next reads an element of one of the tags.
func (r *reader) next(tags ...axdr.Tag) axdr.Element {
	if r.err != nil {
		return axdr.Element{}
	}
	at := r.d.Offset()
	e, err := r.d.Next()
	if err != nil {
		r.err = err
		return axdr.Element{}
	}
	for _, tag := range tags {
		if e.Tag == tag {
			return e
		}
	}
	r.fail("octet %d: %v: want %v", at, e.Tag, tags[0])
	return axdr.Element{}
}

func (r *reader) integer(tag axdr.Tag) int64 { return r.next(tag).Integer() }
func (r *reader) i8() int8                   { return int8(r.integer(axdr.Integer)) }
func (r *reader) u8() uint8                  { return uint8(r.integer(axdr.Unsigned)) }
func (r *reader) u16() uint16                { return uint16(r.integer(axdr.LongU)) }
func (r *reader) u32() uint32                { return uint32(r.integer(axdr.DoubleLongU)) }
func (r *reader) enum() uint8                { return uint8(r.integer(axdr.Enum)) }
func (r *reader) octets() []byte             { return r.next(axdr.OctetString).Octets }

// raw takes one whole value as it is encoded, at most 16 deep.
func (r *reader) raw() []byte {
	if r.err != nil {
		return nil
	}
	b, err := r.d.Raw()
	r.err = err
	return b
}

// fixed reads an octet-string that must have n octets, or a value of the type that
// stands for the same.
func (r *reader) fixed(n int, other axdr.Tag, what string) []byte {
	at := 0
	if r.err == nil {
		at = r.d.Offset()
	}
	b := r.next(axdr.OctetString, other).Octets
	if r.err == nil && len(b) != n {
		r.fail("octet %d: %s of %d octets: want %d", at, what, len(b), n)
	}
	if r.err != nil {
		return nil
	}
	return b
}

func (r *reader) name() (o cosem.OBIS) {
	copy(o[:], r.fixed(len(o), axdr.OctetString, "logical name"))
	return o
}

func (r *reader) dateTime() cosem.DateTime {
	t, _, _ := cosem.ParseDateTime(r.fixed(cosem.DateTimeSize, axdr.DateTime, "date-time"))
	return t
}

func (r *reader) date() cosem.Date {
	d, _, _ := cosem.ParseDate(r.fixed(cosem.DateSize, axdr.Date, "date"))
	return d
}

func (r *reader) timeOfDay() cosem.TimeOfDay {
	t, _, _ := cosem.ParseTimeOfDay(r.fixed(cosem.TimeOfDaySize, axdr.Time, "time"))
	return t
}

// array reads an array. An element takes at least least octets, which bounds what is
// allocated before the elements have been seen; most bounds those that are small on
// the line and large in memory.
func array[T any](r *reader, least, most int, read func(*reader) T) []T {
	if r.err != nil {
		return nil
	}
	n, err := r.d.Array()
	if err != nil {
		r.err = err
		return nil
	}
	switch {
	case n > r.d.Left()/least:
		r.fail("array of %d elements, but only %d octets follow", n, r.d.Left())
		return nil
	case n > most:
		r.fail("array of %d elements: at most %d are read", n, most)
		return nil
	}
	if n == 0 {
		return nil
	}
	list := make([]T, n)
	for i := range list {
		list[i] = read(r)
	}
	if r.err != nil {
		return nil
	}
	return list
}

// unlimited is for arrays whose elements take a quarter of their memory on the line.
const unlimited = 1 << 30

// appendArray appends an array.
func appendArray[T any](dst []byte, list []T, write func([]byte, T) []byte) []byte {
	dst = axdr.AppendArray(dst, len(list))
	for _, v := range list {
		dst = write(dst, v)
	}
	return dst
}

func appendName(dst []byte, o cosem.OBIS) []byte { return axdr.AppendOctets(dst, o[:]) }

func appendDateTime(dst []byte, t cosem.DateTime) []byte {
	return t.Append(append(dst, byte(axdr.OctetString), cosem.DateTimeSize))
}

func appendDate(dst []byte, d cosem.Date) []byte {
	return d.Append(append(dst, byte(axdr.OctetString), cosem.DateSize))
}

func appendTimeOfDay(dst []byte, t cosem.TimeOfDay) []byte {
	return t.Append(append(dst, byte(axdr.OctetString), cosem.TimeOfDaySize))
}

// AppendNone appends integer(0), the parameter of the methods that need none: reset,
// capture, adjust_to_minute, remote_disconnect, image_verify and many more.
func AppendNone(dst []byte) []byte { return axdr.AppendInteger(dst, 0) }
