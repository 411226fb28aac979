package amis49587

import (
	"context"
	"errors"
	"time"

	"busbar/plc/mac"
	"busbar/plc/modem"
)

// life is the time from opening the port to its loss. All of it is done by the
// goroutine of Driver.Run; waiting happens in one place, wait, where the modem's
// frames are acknowledged whatever we wait for.
type life struct {
	*Driver
	ctx    context.Context
	port   modem.Port
	dialog dialog
	chunks chan chunk
	gone   error // the port failed while writing

	confirm *modem.Frame // the last confirm of the modem not taken yet
	stored  string       // in what the stored configuration differs from the wanted one, for people; empty: in nothing
	suspect bool         // ask for a status soon: synchronization came or went, or a confirm is missing
	free    time.Time    // when the frame sent last is repeated for the last time
	seen    time.Time    // when a status or an ACK was last seen
}

// chunk is what one Read returned.
type chunk struct {
	octets []byte
	at     time.Time
	err    error
}

// live is one life: open, configure, serve.
func (d *Driver) live(ctx context.Context) error {
	d.change(Configuring, "")
	l := &life{Driver: d, ctx: ctx, chunks: make(chan chunk, 16)}
	port, err := d.cfg.Open()
	if err != nil {
		return l.lost("cannot open the port", hintOpen, err)
	}
	l.port = port
	l.dialog = dialog{timers: d.cfg.Timers, wire: d.cfg.wire, counters: &d.counters}
	stop := make(chan struct{})
	ended := make(chan struct{})
	go l.read(stop, ended)
	defer func() {
		close(stop)
		_ = port.Close() // given up; the reader ends by it
		<-ended
	}()
	if err := l.bringUp(true); err != nil {
		return err
	}
	d.wait = 0
	return l.serve()
}

// read pumps octets from the port to the owner.
func (l *life) read(stop, ended chan struct{}) {
	defer close(ended)
	buf := make([]byte, 512)
	for {
		n, err := l.port.Read(buf)
		if n == 0 && err == nil {
			err = errors.New("read returned nothing")
		}
		c := chunk{octets: append([]byte(nil), buf[:n]...), at: time.Now(), err: err}
		select {
		case l.chunks <- c:
		case <-stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// serve does requests until the port or the modem is lost.
func (l *life) serve() error {
	for {
		r, err := l.wait(l.due(), l.requests)
		if err != nil {
			return err
		}
		switch {
		case r != nil:
			err = l.run(r)
		case l.suspect || !time.Now().Before(l.due()):
			err = l.check()
		}
		if err != nil {
			return err
		}
	}
}

// due is when the modem must be asked for a status.
func (l *life) due() time.Time {
	if l.State().Phase == NoMains {
		return l.seen.Add(l.cfg.Timers.Mains)
	}
	return l.seen.Add(l.cfg.Timers.Watch)
}

// run does one request. Its error is the caller's; the error it returns ends the life.
func (l *life) run(r *request) error {
	err := r.work(l, r.ctx)
	if errors.Is(err, errNotSet) {
		// Power-cycled: configure it and do the request once more.
		if err = l.restart(); err == nil {
			err = r.work(l, r.ctx)
		}
	}
	if errors.Is(err, errNotSet) {
		err = l.lost("it loses its configuration again and again", hintSilent, nil)
	}
	ends := l.gone != nil || l.ctx.Err() != nil || fatal(err)
	if ends && err != nil {
		l.change(Closed, err.Error()) // a caller that looks at State next sees why
	}
	r.done <- err
	if ends {
		return err
	}
	return nil
}

// check asks for a status and draws the conclusions.
func (l *life) check() error {
	l.suspect = false
	_, err := l.access(modem.Access{Ident: modem.IdentVersion}, needsConfiguration)
	switch {
	case errors.Is(err, errNotSet):
		return l.restart()
	case err != nil && !errors.Is(err, errBusy) && !isRefused(err):
		return err
	}
	l.judgeMains()
	return nil
}

// judgeMains publishes whether the status seen last says that there is mains.
func (l *life) judgeMains() {
	if l.dialog.hasStatus && l.dialog.status.NotSync() {
		l.change(NoMains, l.noMains().Error())
		return
	}
	l.change(Ready, l.doubt())
}

func (l *life) noMains() error {
	return l.fault("it sees no mains, not synchronized", hintMains, nil)
}

// wait lets the modem's octets, the dialog's time-outs and, when requests is not nil, one
// request happen, whichever comes first; at wake it returns anyway. The zero wake never comes.
func (l *life) wait(wake time.Time, requests <-chan *request) (*request, error) {
	if l.gone != nil {
		return nil, l.gone
	}
	var alarm <-chan time.Time
	if at := earliest(wake, l.dialog.next()); !at.IsZero() {
		timer := time.NewTimer(time.Until(at))
		defer timer.Stop()
		alarm = timer.C
	}
	select {
	case <-l.ctx.Done():
		return nil, l.ctx.Err()
	case c := <-l.chunks:
		if len(c.octets) > 0 {
			l.trace(c.at, false, c.octets)
			l.dialog.receive(time.Now(), c.at, c.octets)
		}
		if c.err != nil {
			l.gone = l.lost("its port went away", hintUnplug, c.err)
		}
	case <-alarm:
	case r := <-requests:
		return r, nil
	}
	l.dialog.expire(time.Now())
	l.perform()
	return nil, l.gone
}

// until waits for done or the deadline, and reports whether it is done.
func (l *life) until(deadline time.Time, done func() bool) (bool, error) {
	for !done() {
		if !deadline.IsZero() && !time.Now().Before(deadline) {
			return false, nil
		}
		if _, err := l.wait(deadline, nil); err != nil {
			return false, err
		}
	}
	return true, nil
}

// pause lets time pass.
func (l *life) pause(t time.Duration) error {
	_, err := l.until(time.Now().Add(t), func() bool { return false })
	return err
}

// perform does what the dialog decided, in its order: the acknowledgment of a frame leaves
// before the frame is looked at.
func (l *life) perform() {
	for _, e := range l.dialog.take() {
		switch {
		case e.write != nil:
			l.trace(time.Now(), true, e.write)
			if _, err := l.port.Write(e.write); err != nil && l.gone == nil {
				l.gone = l.lost("its port does not take octets", hintUnplug, err)
			}
		case e.frame.Command != 0:
			l.handle(e.frame, e.at)
		default:
			if err := l.port.SetTREQ(e.treq); err != nil && l.gone == nil {
				l.gone = l.lost("T_REQ cannot be set", hintUnplug, err)
			}
		}
	}
	l.publish(nil)
}

func (l *life) trace(at time.Time, toModem bool, b []byte) {
	if l.cfg.Trace != nil {
		l.cfg.Trace(at, toModem, b)
	}
}

// handle takes a frame of the modem that was acknowledged.
func (l *life) handle(f modem.Frame, at time.Time) {
	switch f.Command {
	case modem.DataIndication:
		l.indicate(f.Data, at)
	case modem.DataBadCRC:
		l.counters.BadCRC++
	case modem.SynchroIndication:
		if _, _, err := modem.ParseSynchro(f.Data); err != nil {
			l.counters.Undecodable++
			return
		}
		l.suspect = true
	default:
		if l.confirm != nil {
			l.counters.Unexpected++
		}
		l.confirm = &f
	}
}

// indicate queues a MAC frame; when nobody reads, the oldest makes room.
func (l *life) indicate(data []byte, at time.Time) {
	order := l.cfg.Profile.AddressOrder
	m, _, err := modem.ParseData(data, order)
	if err != nil {
		l.counters.Undecodable++
		return
	}
	l.counters.Indications++
	if swapped, _, err := modem.ParseData(data, 1-order); err == nil && l.strange(m) && swapped.Destination == l.cfg.Profile.Initiator {
		l.counters.WrongOrder++
		l.change(l.State().Phase, l.doubt())
	}
	ind := mac.DataIndication{Source: m.Source, Destination: m.Destination, Credits: m.Credits, MSDU: m.MSDU, At: at}
	for {
		select {
		case l.indications <- ind:
			return
		default:
		}
		select {
		case <-l.indications:
			l.counters.Dropped++
		default:
		}
	}
}

// strange reports that a frame is addressed neither to us nor to a group.
func (l *life) strange(m modem.Data) bool {
	return m.Destination != l.cfg.Profile.Initiator && m.Destination <= l.cfg.Profile.LIMA
}

// doubt is what State says although the modem is ready.
func (l *life) doubt() string {
	if l.counters.WrongOrder == 0 {
		return l.stored
	}
	return "frames come that are for us only when their address octets are turned around: try the other line.address_order"
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
