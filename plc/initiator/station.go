package initiator

import (
	"errors"
	"fmt"
	"slices"

	"busbar/plc"
	"busbar/plc/ciase"
	"busbar/plc/llc"
)

// management carries a CIASE APDU to servers (sfsk.md 4.4).
func (i *Initiator) management(a ciase.APDU) llc.LPDU {
	return llc.LPDU{DSAP: i.cfg.Profile.CIASEServerSAP, SSAP: i.cfg.Profile.CIASEClientSAP, APDU: a.Append(make([]byte, 0, a.Size()))}
}

// discover sends one Discover and stays silent for the whole window of its report
// slots, however few reports come: a frame of ours would destroy others (sfsk.md 4.6).
func (i *Initiator) discover(j *job, d plc.DiscoverRequest) ([]plc.Report, error) {
	if d.Probability > ciase.MaxProbability || d.Slots < 1 || d.Slots > ciase.MaxSlots || max(d.Credit, d.ReportCredit) > plc.MaxCredit {
		return nil, fmt.Errorf("discover with probability %d %%, %d slots, credits %d and %d: out of bounds", d.Probability, d.Slots, d.Credit, d.ReportCredit)
	}
	p := i.cfg.Profile
	a := ciase.Discover{Probability: d.Probability, Slots: d.Slots, ReportCredit: d.ReportCredit}
	r, err := i.ask(j, request{
		to: plc.AllPhysical, credit: d.Credit, lpdu: i.management(a),
		answer: p.GapSlots + reportSlots(p, int(d.Slots), d.ReportCredit),
	})
	if err != nil {
		return nil, err
	}
	j.x.Slots += r.answer
	reports, bad, err := i.collect(j, r)
	switch {
	case err != nil:
		return nil, err
	case len(reports) > 0:
		j.x.Outcome = plc.Answered
	case bad != nil:
		j.x.Outcome, j.x.Detail = plc.Garbled, bad.Error()
	default:
		j.x.Outcome, j.x.Detail = plc.Silent, "no report"
		if err := i.blame(j.ctx, nil); err != nil {
			return nil, err
		}
	}
	return reports, nil
}

// collect takes reports until the window is over. bad is the last thing that was none.
func (i *Initiator) collect(j *job, r request) (reports []plc.Report, bad, err error) {
	for {
		h, ok, err := i.mains.listen(j.ctx, r.deadline)
		if err != nil || !ok {
			return reports, bad, err
		}
		if h.err != nil {
			bad = h.err
			continue
		}
		a, _, err := ciase.Parse(h.lpdu.APDU, i.cfg.Profile.TitleSize)
		d, isReport := a.(ciase.DiscoverReport)
		switch {
		case err != nil && h.report():
			i.counts.add(func(c *Counts) { c.Garbled++ })
			bad = err
			continue
		case !isReport:
			i.stray(h)
			continue
		}
		j.x.Answers++
		j.x.Up, j.x.Down = h.Credits.Used(), h.Credits.Delta
		j.x.Signal = i.signal(j.ctx)
		for k, title := range d.Titles {
			if title == i.cfg.Title || slices.Contains(d.Titles[:k], title) {
				continue // no server, or told already
			}
			reports = append(reports, plc.Report{
				Title: title, Address: h.Source, Relayed: k > 0, Alarm: d.Alarm, HasAlarm: d.HasAlarm,
				Credits: h.Credits, Signal: j.x.Signal,
			})
		}
	}
}

// reportSlots is how long n report slots take (sfsk.md 4.6).
func reportSlots(p plc.Profile, n int, credit plc.Credit) int {
	return n * (frameSlots(1, credit) + p.DiscoverSlotExtra)
}

// register broadcasts addresses in as many frames as they need. Nobody is asked to answer,
// but some servers do so with a DiscoverReport (sfsk.md D14).
func (i *Initiator) register(j *job, regs []plc.Registration, credit plc.Credit) error {
	size := i.cfg.Title.Size()
	for _, r := range regs {
		if r.Address == plc.NoBody || r.Address >= i.cfg.Profile.FIMA {
			return fmt.Errorf("register %v at address %v: it is not the address of one server", r.Title, r.Address)
		}
	}
	// A title of another size than ours cannot stand in the same Register.
	fitting := slices.DeleteFunc(slices.Clone(regs), func(r plc.Registration) bool { return r.Title.Size() != size })
	if n := len(regs) - len(fitting); n > 0 {
		j.x.Detail = fmt.Sprintf("%d titles left out: ours has %d octets, theirs differ", n, size)
	}
	if len(fitting) == 0 {
		j.x.Outcome = plc.Refused
		return nil
	}
	profile := i.cfg.Profile
	frame := profile.MaxFrame
	if n := profile.RegisterFrame; n != 0 {
		frame = min(frame, n)
	}
	capacity := ciase.RegisterCapacity(frame-llc.HeaderSize, size)
	if capacity == 0 {
		return errors.New("frames of this segment are too short for a Register: raise the longest frame of the profile")
	}
	for batch := range slices.Chunk(fitting, capacity) {
		if j.x.Requests > 0 {
			i.between(j)
		}
		lpdu := i.management(ciase.Register{Initiator: i.cfg.Title, Servers: batch})
		r := request{to: plc.AllPhysical, credit: credit, lpdu: lpdu}
		if n := profile.RegisterSlots; n > 0 {
			r.answer = profile.GapSlots + reportSlots(profile, n, credit)
		}
		if _, err := i.ask(j, r); err != nil {
			return err
		}
		j.x.Slots += r.answer
		for _, r := range batch {
			i.associations.forget(r.Title)
		}
	}
	j.x.Outcome = plc.Answered
	return nil
}

// ping asks one server for its title. A server with another title may answer too: it is
// the only way to learn that an address is used twice.
func (i *Initiator) ping(j *job, p plc.Peer) error {
	j.x.Credit = p.Credit
	if err := i.individual(p); err != nil {
		return err
	}
	answer := ciase.PingResponse{Title: p.Title}
	r, err := i.ask(j, request{
		to: p.Address, credit: p.Credit, lpdu: i.management(ciase.PingRequest{Title: p.Title}),
		answer: i.patience.slots(i.cfg.Profile, manner{}, p.Credit, llc.HeaderSize+answer.Size()),
	})
	if err != nil {
		return err
	}
	err = i.awaitPing(j, p, r)
	var silent noAnswer
	if errors.As(err, &silent) {
		err = i.blame(j.ctx, err)
	}
	return i.conclude(j, err)
}

func (i *Initiator) awaitPing(j *job, p plc.Peer, r request) error {
	var bad error
	for {
		h, ok, err := i.listen(j, r, &bad)
		if err != nil || !ok {
			return err
		}
		a, _, err := ciase.Parse(h.lpdu.APDU, p.Title.Size())
		switch a := a.(type) {
		case ciase.PingResponse:
			if p := i.cfg.Profile; h.lpdu.DSAP == p.CIASEServerSAP && h.lpdu.SSAP == p.CIASEClientSAP {
				i.counts.add(func(c *Counts) { c.Swapped++ }) // sfsk.md D5
			}
			i.answered(j, r, h)
			if a.Title != p.Title {
				return otherTitle{a.Title}
			}
			return nil
		case ciase.ServiceError:
			bad = errors.New(a.String())
		default:
			i.stray(h)
			if ciase.IsAPDU(h.lpdu.APDU[0]) && err != nil {
				bad = err
			}
		}
	}
}

// otherTitle says that another meter answered at an address.
type otherTitle struct{ title plc.SystemTitle }

// Error names the other meter.
func (o otherTitle) Error() string { return fmt.Sprintf("meter %v answers at this address", o.title) }

// repeaterCall announces the call and has the modem run its slots, which it does as
// soon as the announcement and its repetitions are over (sfsk.md 2.6, 7.6).
func (i *Initiator) repeaterCall(j *job, highest plc.Address) error {
	if highest == plc.NoBody || highest >= i.cfg.Profile.FIMA {
		return fmt.Errorf("repeater call up to address %v: it is not the address of one server", highest)
	}
	a := ciase.RepeaterCall{
		MaxAddress: highest, SlotsForNew: i.cfg.SlotsForNew,
		Threshold: i.cfg.Threshold, HasThreshold: i.cfg.Threshold != 0,
	}
	if _, err := i.ask(j, request{to: plc.AllPhysical, credit: i.cfg.CallCredit, lpdu: i.management(a)}); err != nil {
		return err
	}
	if err := i.line.RepeaterCall(j.ctx, highest); err != nil {
		return fmt.Errorf("repeater call: %w", err)
	}
	i.mains.hold(int(i.cfg.SlotsForNew)) // of which the modem knows nothing
	j.x.Slots += callSlots(highest) + int(i.cfg.SlotsForNew)
	j.x.Outcome = plc.Answered
	return nil
}

// callSlots is how many slots the servers up to an address need: 21 positions in each,
// ours is the first (sfsk.md 2.6).
func callSlots(highest plc.Address) int { return (int(highest) + 1 + 20) / 21 }
