package chip

import (
	"encoding/binary"
	"math"

	"busbar/plc"
	"busbar/plc/modem"
)

// access reads or writes an entry of the database (sfsk.md 7.5). A request without
// value reads.
func (c *Chip) access(data []byte) {
	a, _, err := modem.ParseAccess(data)
	if err != nil {
		c.fail(modem.AccessDBError, modem.IllegalData)
		return
	}
	if !c.set && a.Ident != modem.IdentConfiguration && a.Ident != modem.IdentVersion {
		c.fail(modem.AccessDBError, modem.RequestNotAllowed)
		return
	}
	code := modem.ErrorCode(0)
	if len(a.Value) > 0 && a.Ident != modem.IdentCounters {
		code = c.write(a)
	}
	if code != 0 {
		c.fail(modem.AccessDBError, code)
		return
	}
	value, ok := c.read(a)
	if !ok {
		c.fail(modem.AccessDBError, modem.UnavailableResource)
		return
	}
	c.queue(modem.AccessDBConfirm, modem.Access{Ident: a.Ident, Value: value}.Append(nil))
}

// words are the entries of one to five 16-bit words that lie in the configuration.
func (c *Chip) words(i modem.Ident) []*uint16 {
	address := func(as ...*plc.Address) []*uint16 {
		out := make([]*uint16, len(as))
		for i, a := range as {
			out[i] = (*uint16)(a)
		}
		return out
	}
	switch conf := &c.conf; i {
	case modem.IdentInitiators:
		return address(&conf.FIMA, &conf.LIMA)
	case modem.IdentAddresses:
		return address(&conf.Local, &conf.Initiator)
	case modem.IdentSynchroConfirm:
		return []*uint16{&conf.SynchroConfirm}
	case modem.IdentFrameNotOK:
		return []*uint16{&conf.FrameNotOK}
	case modem.IdentNotAddressed:
		return []*uint16{&conf.NotAddressed}
	case modem.IdentGroups:
		g := &conf.Groups
		return address(&g[0], &g[1], &g[2], &g[3], &g[4])
	case modem.IdentTones:
		return []*uint16{&conf.StepS, &conf.StepM}
	case modem.IdentSearchInitiator:
		return []*uint16{&c.search}
	}
	return nil
}

// write changes an entry, or says why not.
func (c *Chip) write(a modem.Access) modem.ErrorCode {
	if words := c.words(a.Ident); words != nil {
		if len(a.Value) != 2*len(words) {
			return modem.IllegalData
		}
		before := c.conf
		for i, w := range words {
			*w = binary.LittleEndian.Uint16(a.Value[2*i:])
		}
		if code := judge(c.conf); code != 0 {
			c.conf = before
			return code
		}
		return 0
	}
	switch a.Ident {
	case modem.IdentTransmitGain, modem.IdentSynchro, modem.IdentReceiveGain, modem.IdentRepeater,
		modem.IdentMinReceiveGain, modem.IdentSearchSignalGain:
		if len(a.Value) != 1 {
			return modem.IllegalData
		}
		c.fixed[a.Ident] = a.Value[0]
		return 0
	case modem.IdentAlarm:
		return 0
	}
	return modem.RequestNotAllowed
}

// read is the value of an entry.
func (c *Chip) read(a modem.Access) ([]byte, bool) {
	if words := c.words(a.Ident); words != nil {
		var b []byte
		for _, w := range words {
			b = binary.LittleEndian.AppendUint16(b, *w)
		}
		return b, true
	}
	switch a.Ident {
	case modem.IdentInvalidFrames:
		return []byte{byte(min(c.mains.Counters().Bad, 0xFF))}, true
	case modem.IdentMinDeltaCredit:
		v := byte(c.minDCr)
		c.minDCr = plc.MaxCredit
		return []byte{v}, true
	case modem.IdentTransmitGain: // steps of 3 dB; the confirm tells them halved (D18)
		return []byte{max(c.fixed[a.Ident], 1) / 2}, true
	case modem.IdentReceiveGain:
		if v := c.fixed[a.Ident]; v != 0 {
			return []byte{v / 2}, true
		}
		return []byte{8}, true // unlimited
	case modem.IdentSynchro, modem.IdentRepeater, modem.IdentMinReceiveGain, modem.IdentSearchSignalGain:
		return []byte{c.fixed[a.Ident]}, true
	case modem.IdentCounters:
		return c.readCounters(len(a.Value) > 0 && a.Value[0] != 0), true
	case modem.IdentAlarm:
		return []byte{c.conf.Transmit >> 4}, true
	case modem.IdentStatistics:
		return c.statistics(), true
	case modem.IdentConfiguration:
		return c.conf.Append(nil), true
	case modem.IdentVersion:
		return []byte{c.cfg.Firmware}, true
	}
	return nil, false
}

func (c *Chip) readCounters(reset bool) []byte {
	n := c.mains.Counters()
	v := modem.Counters{
		CRCOK: n.Good - c.base.Good, CRCNotOK: n.Bad - c.base.Bad,
		Repeated: n.Repeated - c.base.Repeated, Transmitted: n.Transmitted - c.base.Transmitted,
	}
	if reset {
		c.base = n
	}
	return v.Append(nil)
}

// statistics tells how the last subframe was received; the history of the five before it
// repeats its method, gain and ratios.
func (c *Chip) statistics() []byte {
	if c.notSync() {
		return make([]byte, modem.StatisticsSearchingSize)
	}
	s := modem.Statistics{Last: c.mains.Signal()}
	if s.Last.Measured() {
		ratio := func(signal, noise uint16) byte {
			return byte(min(20*math.Log10(float64(signal)/float64(max(noise, 1))), 0xFF))
		}
		for i := range 5 {
			copy(s.Rest[4*i:], []byte{s.Last.Method, s.Last.Gain, ratio(s.Last.S0, s.Last.N0), ratio(s.Last.S1, s.Last.N1)})
		}
	}
	return s.Append(nil)
}
