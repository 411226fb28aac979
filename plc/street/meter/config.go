package meter

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
	"busbar/plc/dlms/cipher"
	"busbar/plc/street/load"
)

// Config describes one meter. Title, Home and Installed must be given.
type Config struct {
	Title plc.SystemTitle // 8 octets when the meter is ciphered
	Name  string          // COSEM logical device name; empty makes one of the title
	Home  load.Home       // whose energy it counts
	Line  *LineState      // what its modem knows; nil is a modem that knows nothing

	// Installed is when it began to count. Its registers were 0 then and its profile
	// begins at the first quarter of an hour after it.
	Installed time.Time
	Entries   int      // that the load profile holds; 0 takes DefaultEntries
	Outages   []Outage // without mains, in order and without overlap: nothing is counted or captured

	Zone   time.Duration       // by which local time is ahead of UTC, all year; 0 takes one hour
	Sign   cosem.DeviationSign // how it writes that
	Offset time.Duration       // of its clock at Installed, ahead of true time
	Drift  float64             // of its clock in millionths, more than 0 when it runs fast

	Keys    dlms.Keys              // of client 1, management
	Counter func() (uint32, error) // draws its invocation counters; nil counts in memory from 1
	Rand    io.Reader              // for its challenges; nil is crypto/rand

	Options Options
}

// Options are ways in which real meters differ. The zero value is a plain meter.
type Options struct {
	NoRange    bool // selection by range is refused, by entry is served
	NullData   bool // what repeats the row before is left out of profiles
	Compact    bool // profiles come as compact-arrays, which leaves no room for NullData
	ShortFrame bool // max_frame_length is 134 instead of 242 (class 55)
	NoList     bool // no multiple references in one GET
	Status     bool // every sixteenth entry has a status bit raised
}

// Outage is a time without mains.
type Outage struct{ From, To time.Time }

// DefaultEntries is the depth of a load profile: forty days.
const DefaultEntries = 40 * 96

// Numbers of the line (sfsk.md 6.1 and class 55).
const (
	clientManagement = 1
	clientPublic     = 16
	serverManagement = 1

	longFrame, shortFrame = 242, 134
	llcHeader             = 3
)

// maxFrame is the max_frame_length of class 55: of an LPDU, header included.
func (o Options) maxFrame() int {
	if o.ShortFrame {
		return shortFrame
	}
	return longFrame
}

// complete fills in what was left open.
func (c Config) complete() Config {
	if c.Name == "" {
		t := c.Title.Bytes()
		letters := min(3, len(t))
		n := uint64(0)
		for _, b := range t[letters:] {
			n = n<<8 | uint64(b)
		}
		c.Name = fmt.Sprintf("%s%013d", t[:letters], n)
	}
	if c.Zone == 0 {
		c.Zone = time.Hour
	}
	if c.Entries <= 0 {
		c.Entries = DefaultEntries
	}
	if c.Line == nil {
		c.Line = &LineState{Address: plc.New}
	}
	if c.Counter == nil {
		n := uint32(0)
		c.Counter = func() (uint32, error) {
			n++
			return n, nil
		}
	}
	return c
}

// Variety draws options for meter i of a street: about half of the meters are plain, the
// others have one or more of the options.
func Variety(seed uint64, i int) Options {
	r := rand.New(rand.NewPCG(seed, uint64(i)|1<<61))
	if r.IntN(2) == 0 {
		return Options{}
	}
	one := func(in int) bool { return r.IntN(in) == 0 }
	return Options{NoRange: one(4), NullData: one(2), Compact: one(6), ShortFrame: one(3), NoList: one(6), Status: one(4)}
}

// ClockError draws how wrong the clock of meter i is: up to 20 s at installation and up
// to 5 millionths, which is 13 s a month.
func ClockError(seed uint64, i int) (offset time.Duration, drift float64) {
	r := rand.New(rand.NewPCG(seed, uint64(i)|1<<60))
	offset = time.Duration(r.IntN(40_001)-20_000) * time.Millisecond
	return offset, 10*r.Float64() - 5
}

// SeededKeys makes keys of meter i that anyone who knows the seed can make again. They
// protect nothing and are for simulated streets only.
func SeededKeys(mechanism dlms.Mechanism, seed uint64, i int) dlms.Keys {
	r := rand.New(rand.NewPCG(seed, uint64(i)|1<<59))
	k := dlms.Keys{Mechanism: mechanism}
	switch mechanism {
	case dlms.LLS:
		k.Password = fmt.Appendf(nil, "%08d", r.IntN(100_000_000))
	case dlms.HLSGMAC:
		for _, key := range []*cipher.Key{&k.Encryption, &k.Authentication} {
			for j := range key {
				key[j] = byte(r.Uint32())
			}
		}
	}
	return k
}
