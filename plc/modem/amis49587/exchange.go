package amis49587

import (
	"context"
	"errors"
	"fmt"
	"time"

	"busbar/plc"
	"busbar/plc/mac"
	"busbar/plc/modem"
)

const (
	// confirmSlots is how long a request may wait inside the modem for the mains to become
	// free: one frame of the longest size with the highest credit, and the turn of slots.
	confirmSlots = 7*8 + 2
	// retrySlots bounds how long a request is given again while the modem is busy.
	retrySlots = 2 * confirmSlots
	// settleRetries bounds how often "not authorized" is answered by trying again although the
	// status is good.
	settleRetries = 2
)

// transfer moves one frame to the modem.
func (l *life) transfer(f modem.Frame, n needs) (result, error) {
	l.dialog.send(time.Now(), f, n)
	l.perform()
	if _, err := l.until(time.Time{}, func() bool { return l.dialog.step == idle }); err != nil {
		l.dialog.abandon()
		return abandoned, err
	}
	r := l.dialog.result
	if l.dialog.hasStatus || r == acked {
		l.seen = time.Now()
	}
	switch r {
	case silent:
		return r, l.lost("it does not answer", hintSilent, nil)
	case refused:
		return r, l.lost("it refuses every frame as damaged", hintFrames, nil)
	case notSet:
		return r, errNotSet
	case busy:
		return r, errBusy
	case noMains:
		l.judgeMains()
		return r, l.noMains()
	}
	return r, nil
}

// command moves a frame and waits for one of its confirms. A frame that was not
// acknowledged may have arrived all the same: it is sent again only when its confirm does not
// come either.
func (l *life) command(f modem.Frame, n needs, wait time.Duration, match func(modem.Frame) bool) (modem.Frame, error) {
	for attempt := 0; ; attempt++ {
		l.confirm = nil
		r, err := l.transfer(f, n)
		if err != nil {
			return modem.Frame{}, err
		}
		var got modem.Frame
		ok, err := l.until(time.Now().Add(wait), func() bool {
			if l.confirm == nil {
				return false
			}
			got, l.confirm = *l.confirm, nil
			if match(got) {
				return true
			}
			l.counters.Unexpected++
			return false
		})
		if err != nil || ok {
			return got, err
		}
		l.counters.NoConfirm++
		if r != noACK || attempt > 0 {
			l.suspect = true
			return modem.Frame{}, l.fault(fmt.Sprintf("no confirm of a %v within %v", f.Command, wait), hintLater, nil)
		}
	}
}

// access reads or writes one entry of the database.
func (l *life) access(a modem.Access, n needs) ([]byte, error) {
	f := modem.Frame{Command: modem.AccessDBRequest, Data: a.Append(nil)}
	got, err := l.command(f, n, l.cfg.Timers.Confirm, func(c modem.Frame) bool {
		if c.Command == modem.AccessDBError {
			return true
		}
		back, _, err := modem.ParseAccess(c.Data)
		return c.Command == modem.AccessDBConfirm && err == nil && back.Ident == a.Ident
	})
	if err != nil {
		return nil, err
	}
	if got.Command == modem.AccessDBError {
		code, _, err := modem.ParseErrorCode(got.Data)
		if err != nil {
			l.counters.Undecodable++
		}
		return nil, &RefusedError{Ident: a.Ident, Code: code}
	}
	back, _, err := modem.ParseAccess(got.Data)
	return back.Value, err
}

// retryAccess is access for users: it tries again at the next slots while the modem is busy.
func (l *life) retryAccess(ctx context.Context, a modem.Access) (value []byte, err error) {
	err = l.retry(ctx, func() (bool, error) {
		value, err = l.access(a, needsConfiguration)
		return false, err
	})
	return value, err
}

// retry calls try at every slot until it neither wants another one nor fails with
// errBusy, for a bounded time; then the error tells what try said last.
func (l *life) retry(ctx context.Context, try func() (again bool, err error)) error {
	slot := l.cfg.Profile.Slot()
	giveUp := time.Now().Add(retrySlots*slot + l.cfg.Timers.Confirm)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		again, err := try()
		if !again && !errors.Is(err, errBusy) {
			return err
		}
		if !time.Now().Before(giveUp) {
			if err == nil {
				err = errBusy
			}
			return l.fault(fmt.Sprintf("it takes no request for %d slots", retrySlots), hintLater, err)
		}
		l.counters.Retries++
		if err := l.pause(slot); err != nil {
			return err
		}
	}
}

// sendData is MA_Data.request to its confirm: f takes slots to send and then some to repeat.
func (l *life) sendData(ctx context.Context, f modem.Frame, slots, repeats int) error {
	wait := l.cfg.Profile.Slots(slots+confirmSlots) + l.cfg.Timers.Confirm
	doubts := 0
	return l.retry(ctx, func() (bool, error) {
		got, err := l.command(f, needsMains, wait, func(c modem.Frame) bool {
			return c.Command == modem.DataConfirm && len(c.Data) > 0
		})
		if err != nil {
			return false, err
		}
		switch t := mac.Transmission(got.Data[0]); {
		case t == mac.Sent:
			l.free = time.Now().Add(l.cfg.Profile.Slots(repeats))
			l.change(Ready, l.doubt())
			return false, nil
		case t.Retry():
			return true, nil
		case t == mac.NotAuthorized && doubts < settleRetries:
			doubts++
			err := l.notAuthorized()
			return err == nil, err
		default:
			return false, fmt.Errorf("modem on %s: frame of %d subframes not sent: %v", l.cfg.Name, slots, t)
		}
	})
}

// notAuthorized looks at the status after LM_TU2, by a poll even if none was answered
// lately. A modem that tells no status may have lost its configuration: it gets it again.
func (l *life) notAuthorized() error {
	l.dialog.unpolled = false
	_, err := l.access(modem.Access{Ident: modem.IdentVersion}, needsMains)
	if err != nil && !isRefused(err) {
		return err
	}
	if !l.dialog.hasStatus {
		return errNotSet
	}
	return nil
}

// repeaterCall waits for the repetitions of the frame sent last, has the modem send in
// sub-slot 0, and waits until the sub-slots of all addresses are over.
func (l *life) repeaterCall(ctx context.Context, maxAddress plc.Address) error {
	if _, err := l.until(l.free, func() bool { return !time.Now().Before(l.free) }); err != nil {
		return err
	}
	slot := l.cfg.Profile.Slot()
	duration := time.Duration(repeaterSlots(maxAddress)+1) * slot
	f := modem.Frame{Command: modem.RepeaterCallRequest, Data: modem.RepeaterCall{Level: l.cfg.Threshold}.Append(nil)}
	var over time.Time
	err := l.retry(ctx, func() (bool, error) {
		over = time.Now().Add(duration)
		got, err := l.command(f, needsMains, duration+confirmSlots*slot+l.cfg.Timers.Confirm, func(c modem.Frame) bool {
			return c.Command == modem.RepeaterCallConfirm || c.Command == modem.AccessDBError
		})
		if err != nil || got.Command == modem.RepeaterCallConfirm {
			return false, err
		}
		// The mains is not free yet, or the modem never does this.
		code, _, err := modem.ParseErrorCode(got.Data)
		if err == nil {
			err = fmt.Errorf("modem on %s: repeater call refused: %v", l.cfg.Name, code)
		}
		return code == modem.RequestNotAllowed || code == modem.UnavailableResource, err
	})
	if err != nil {
		return err
	}
	_, err = l.until(over, func() bool { return !time.Now().Before(over) })
	return err
}

// subSlots is how many stations call in one slot of a repeater call.
const subSlots = 21

// repeaterSlots is the number of slots a repeater call takes: the initiator has position
// 0, every registered server that of its address.
func repeaterSlots(maxAddress plc.Address) int {
	return (int(maxAddress) + 1 + subSlots - 1) / subSlots
}
