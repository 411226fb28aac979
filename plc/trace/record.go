package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"busbar/plc"
)

// Kind is what the octets of a record are.
type Kind uint8

// The kinds.
const (
	Host    Kind = iota + 1 // between host and modem chip, in pieces as they came
	MSDU                    // of a MAC frame, with addresses and credits beside it
	MAC                     // whole MAC frame
	HDLC                    // octets of an HDLC line
	Wrapper                 // wrapper frame
	APDU                    // bare APDU
	Foreign                 // host frame of foreign programs
)

var kindNames = [...]string{"unknown", "host", "msdu", "mac", "hdlc", "wrapper", "apdu", "foreign"}

// String is the kind in one word.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Sizes of a record in octets.
const (
	MaxOctets  = 2048 // kept of one frame; Whole tells how long it was
	headerSize = 4    // mark and length
	fixedSize  = 8 + 1 + 1 + 4 + 1 + 4 + 4 + 10
	checkSize  = 4
)

// mark begins every record.
const mark uint16 = 0xB1AC

// What ParseRecord says of octets that are no record.
var (
	ErrIncomplete = errors.New("record cut short")
	ErrNotRecord  = errors.New("not a trace record")
)

// Record is one frame as it passed.
type Record struct {
	At                  time.Time // to the nanosecond; its zone is not kept
	Kind                Kind
	Sent                bool        // by us
	Source, Destination plc.Address // of an MSDU
	Credits             plc.Credits
	Signal              plc.Signal // zero: not measured
	Lost                uint32     // records left out just before this one
	Whole               int        // octets of the frame; more than len(Octets) when it was cut
	Octets              []byte     // at most MaxOctets are kept
}

const sentBit = 1

// ParseRecord reads the record that b starts with. Octets shares memory with b.
func ParseRecord(b []byte) (Record, int, error) {
	if len(b) >= 2 && binary.BigEndian.Uint16(b) != mark || len(b) == 1 && b[0] != byte(mark>>8) {
		return Record{}, 0, fmt.Errorf("no mark at offset 0: %w", ErrNotRecord)
	}
	if len(b) < headerSize {
		return Record{}, 0, fmt.Errorf("record header: %w", ErrIncomplete)
	}
	length := int(binary.BigEndian.Uint16(b[2:]))
	if length < fixedSize || length > fixedSize+MaxOctets {
		return Record{}, 0, fmt.Errorf("length %d at offset 2, want %d to %d: %w", length, fixedSize, fixedSize+MaxOctets, ErrNotRecord)
	}
	n := headerSize + length + checkSize
	if len(b) < n {
		return Record{}, 0, fmt.Errorf("record of %d octets, %d are there: %w", n, len(b), ErrIncomplete)
	}
	if crc32.ChecksumIEEE(b[:n-checkSize]) != binary.BigEndian.Uint32(b[n-checkSize:]) {
		return Record{}, 0, fmt.Errorf("wrong check sum: %w", ErrNotRecord)
	}
	r := Record{}
	body := b[headerSize : n-checkSize : n-checkSize]
	r.At = time.Unix(0, int64(binary.BigEndian.Uint64(body)))
	r.Kind, r.Sent = Kind(body[8]), body[9]&sentBit != 0
	address := binary.BigEndian.Uint32(body[10:])
	r.Source, r.Destination = plc.Address(address>>16), plc.Address(address)
	r.Credits = plc.ParseCredits(body[14])
	r.Lost = binary.BigEndian.Uint32(body[15:])
	r.Whole = int(binary.BigEndian.Uint32(body[19:]))
	s := body[23:]
	r.Signal = plc.Signal{
		S0: binary.BigEndian.Uint16(s), N0: binary.BigEndian.Uint16(s[2:]), S1: binary.BigEndian.Uint16(s[4:]), N1: binary.BigEndian.Uint16(s[6:]),
		Method: s[8], Gain: s[9],
	}
	r.Octets = body[fixedSize:]
	return r, n, nil
}

// Size is the number of octets Append writes.
func (r Record) Size() int { return headerSize + fixedSize + min(len(r.Octets), MaxOctets) + checkSize }

// Append appends the encoded record to dst. Octets beyond MaxOctets are left out, and
// Whole then tells how many there were.
func (r Record) Append(dst []byte) []byte {
	start := len(dst)
	octets := r.Octets[:min(len(r.Octets), MaxOctets)]
	whole := max(r.Whole, len(r.Octets))
	dst = binary.BigEndian.AppendUint16(dst, mark)
	dst = binary.BigEndian.AppendUint16(dst, uint16(fixedSize+len(octets)))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.At.UnixNano()))
	flags := byte(0)
	if r.Sent {
		flags |= sentBit
	}
	dst = append(dst, byte(r.Kind), flags)
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.Source)<<16|uint32(r.Destination))
	dst = append(dst, r.Credits.Byte())
	dst = binary.BigEndian.AppendUint32(dst, r.Lost)
	dst = binary.BigEndian.AppendUint32(dst, uint32(whole))
	for _, v := range []uint16{r.Signal.S0, r.Signal.N0, r.Signal.S1, r.Signal.N1} {
		dst = binary.BigEndian.AppendUint16(dst, v)
	}
	dst = append(dst, r.Signal.Method, r.Signal.Gain)
	dst = append(dst, octets...)
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
}
