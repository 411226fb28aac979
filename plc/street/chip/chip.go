package chip

import (
	"time"

	"busbar/plc"
	"busbar/plc/mac"
	"busbar/plc/modem"
	"busbar/plc/street"
)

// Output is octets to the host that leave the chip at a time.
type Output struct {
	At     time.Time
	Octets []byte
}

// Chip is the modem. Its owner calls Receive and SetTREQ with what the host does,
// Advance no later than Next says, and passes on what Take returns.
type Chip struct {
	// Faults may be changed between two calls.
	Faults Faults

	cfg      Config
	mains    *street.Mains
	counters Counters

	set    bool // configured since the last reset
	conf   modem.Configuration
	minDCr plc.Credit
	wasOn  bool            // the mains was there when we last looked
	base   street.Counters // counters of the mains when the host last reset them
	heard  time.Time       // last good frame, for the time-out frame not OK
	search uint16          // time-out search initiator, s
	fixed  map[modem.Ident]byte

	pending *request // an MA_Data request that is not sent yet
	call    *pendingCall
	link    link
	out     []Output
}

// request is an MA_Data request on its way: sent at the beginning of slot sent.
type request struct{ sent int64 }

// pendingCall is a repeater call: our own position is over at the beginning of slot done.
type pendingCall struct {
	done int64
	echo []byte
}

// New returns a chip without configuration on the street.
func New(cfg Config, mains *street.Mains) *Chip {
	def := DataSheetTimers()
	if speed := mains.Profile().Speed; speed > 1 {
		def = FastTimers(speed)
	}
	cfg.Timers = cfg.Timers.or(def)
	c := &Chip{cfg: cfg, mains: mains, wasOn: true}
	c.reset()
	return c
}

// Mains is the street behind the chip.
func (c *Chip) Mains() *street.Mains { return c.mains }

// Counters is a copy of the counters.
func (c *Chip) Counters() Counters { return c.counters }

// Configured reports whether a host has configured the chip since the last reset.
func (c *Chip) Configured() bool { return c.set }

// reset forgets the configuration and everything under way.
func (c *Chip) reset() {
	c.set, c.conf = false, resetConfiguration(c.cfg.ShortConfig)
	c.minDCr, c.pending, c.call = plc.MaxCredit, nil, nil
	c.fixed = map[modem.Ident]byte{}
	c.link.queue, c.link.waiting = nil, false
}

// PowerCycle takes the chip's power away and gives it back at once: it is not set.
func (c *Chip) PowerCycle(now time.Time) {
	c.Advance(now)
	c.counters.PowerFails++
	c.reset()
	treq := c.link.treq
	c.link = link{treq: treq}
}

// Advance lets happen everything up to now, at the slot it belongs to.
func (c *Chip) Advance(now time.Time) {
	grid := c.mains.Grid()
	last := grid.Index(now)
	for {
		slot, some := c.nextSlot()
		if !some || slot > last {
			break
		}
		c.mains.Advance(slot)
		c.atSlot(now, slot)
	}
	c.mains.Advance(last)
	c.watchMains(now)
	c.pump(now)
}

// nextSlot is the next slot at whose beginning something happens.
func (c *Chip) nextSlot() (int64, bool) {
	slot, some := c.mains.Next()
	if c.pending != nil && (!some || c.pending.sent < slot) {
		slot, some = c.pending.sent, true
	}
	if c.call != nil && (!some || c.call.done < slot) {
		slot, some = c.call.done, true
	}
	return slot, some
}

// atSlot tells the host what is complete at the beginning of a slot.
func (c *Chip) atSlot(now time.Time, slot int64) {
	if c.pending != nil && c.pending.sent <= slot {
		c.pending = nil
		c.confirm(mac.Sent)
	}
	if c.call != nil && c.call.done <= slot {
		c.queue(modem.RepeaterCallConfirm, c.call.echo)
		c.call = nil
	}
	for _, in := range c.mains.Take() {
		c.indicate(now, in)
	}
}

// indicate passes a received frame on.
func (c *Chip) indicate(now time.Time, in street.Indication) {
	if !c.set || c.notSync() {
		return
	}
	c.heard = now
	c.minDCr = min(c.minDCr, in.Credits.Used())
	d := modem.Data{
		Credits: in.Credits, Source: in.Source, Destination: in.Destination,
		Pad: modem.PadFor(len(in.MSDU)), MSDU: in.MSDU,
	}
	if c.cfg.Padding {
		d.MSDU = append(append([]byte(nil), d.MSDU...), make([]byte, d.Pad)...)
	}
	c.queue(modem.DataIndication, d.Append(nil, c.cfg.AddressOrder))
}

// notSync reports that the chip sees no mains that it could follow.
func (c *Chip) notSync() bool {
	p := c.mains.Profile()
	return c.Faults.NotSync || c.mains.Down() || c.set && (c.conf.BitRate() != p.BitRate || c.conf.MainsHz() != p.MainsHz)
}

// watchMains tells the host when synchronization is lost and found again, and when no
// good frame came for the time-out frame not OK.
func (c *Chip) watchMains(now time.Time) {
	if !c.set {
		return
	}
	if on := !c.notSync(); on != c.wasOn {
		c.wasOn = on
		if on {
			c.heard = now
			c.queue(modem.SynchroIndication, modem.Synchro{Event: modem.SynchroFound, Signal: c.mains.Signal(), Factor: 500}.Append(nil))
			return
		}
		if c.pending != nil {
			c.pending = nil
			c.confirm(mac.NotAuthorized)
		}
		c.lost()
	}
	if limit := time.Duration(c.conf.FrameNotOK) * time.Second; limit > 0 && c.wasOn && now.Sub(c.heard) >= limit {
		c.heard = now
		c.lost()
	}
}

func (c *Chip) lost() {
	c.queue(modem.SynchroIndication, modem.Synchro{
		Event: modem.SynchroLost, Cause: modem.LostFrameNotOK, A: c.conf.Local, B: c.conf.Initiator,
	}.Append(nil))
}

// Next is when Advance must be called again at the latest; false for never.
func (c *Chip) Next() (time.Time, bool) {
	var next time.Time
	some := false
	earlier := func(t time.Time) {
		if !some || t.Before(next) {
			next, some = t, true
		}
	}
	if slot, ok := c.nextSlot(); ok {
		earlier(c.mains.Grid().At(slot))
	}
	if t, ok := c.link.next(c.cfg.Timers); ok {
		earlier(t)
	}
	if limit := time.Duration(c.conf.FrameNotOK) * time.Second; c.set && limit > 0 {
		earlier(c.heard.Add(limit))
	}
	return next, some
}

// Take returns the octets for the host since the last call, in order.
func (c *Chip) Take() []Output {
	out := c.out
	c.out = nil
	return out
}

// status is the status message by mode (sfsk.md 7.3).
func (c *Chip) status() modem.Status {
	if !c.set {
		return modem.NotSetStatus(c.cfg.Firmware)
	}
	slot := uint8(c.mains.Now() & 7)
	invalid := uint8(min(c.mains.Counters().Bad, 0xFF))
	s := modem.InitiatorStatus(c.pending != nil || c.call != nil, c.notSync(), slot, invalid)
	switch c.conf.Mode() {
	case modem.ModeServer:
		// Nobody gives this chip an address: it stays new, not locked, and searching.
		s[0] |= 1<<4 | 1<<3 | 1<<2
		s[2] = byte(c.minDCr&7) << 2
	case modem.ModeMonitor:
		s[2] = 0
	}
	return s
}
