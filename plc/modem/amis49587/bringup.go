package amis49587

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"busbar/plc"
	"busbar/plc/modem"
)

// restart configures a modem that lost its configuration by itself.
func (l *life) restart() error {
	l.counters.Restarts++
	l.change(Configuring, "")
	return l.bringUp(false)
}

// bringUp makes the modem an initiator (sfsk.md 7.5): reset, read the configuration,
// patch what is known of it, write it, and check that what was stored will do.
func (l *life) bringUp(reset bool) error {
	began := time.Now()
	if reset {
		if err := l.patiently(began, func() error { return l.reset() }); err != nil {
			return err
		}
	}
	var conf modem.Configuration
	err := l.patiently(began, func() (err error) {
		conf, err = l.readConfiguration()
		if err == nil && l.dialog.hasStatus && !l.dialog.status.NotSet() {
			err = l.lost("it does not reset", hintRefused, nil)
		}
		return err
	})
	if err != nil {
		return err
	}
	if conf, err = l.patch(conf); err != nil {
		return err
	}
	if err := l.configure(conf); err != nil {
		return err
	}
	return l.awaitMains()
}

// patiently repeats try while the modem is silent or busy: it may still be starting.
func (l *life) patiently(began time.Time, try func() error) error {
	for {
		err := try()
		if err == nil || l.gone != nil || l.ctx.Err() != nil || time.Since(began) > l.cfg.Timers.Reset {
			if errors.Is(err, errBusy) {
				return l.lost("it stays busy after a reset", hintSilent, nil)
			}
			return err
		}
		if !errors.Is(err, plc.ErrLineDown) && !errors.Is(err, errBusy) {
			return err
		}
		if err := l.pause(l.cfg.Timers.Confirm / 10); err != nil {
			return err
		}
	}
}

// reset has no confirm: the status of the next poll says whether it worked.
func (l *life) reset() error {
	_, err := l.transfer(modem.Frame{Command: modem.ResetRequest}, needsNothing)
	return err
}

// readConfiguration asks the chip for the configuration it has after reset. Its length
// is the truth (D1). A chip that does not tell gets zeros in what we do not know.
func (l *life) readConfiguration() (modem.Configuration, error) {
	value, err := l.access(modem.Access{Ident: modem.IdentConfiguration}, needsBuffer)
	if isRefused(err) {
		return modem.Configuration{}, nil
	}
	if err != nil {
		return modem.Configuration{}, err
	}
	conf, _, err := modem.ParseConfiguration(value)
	if err != nil {
		l.counters.Undecodable++
		return modem.Configuration{}, nil
	}
	return conf, nil
}

// patch sets what makes an initiator of the profile and leaves what only the board or
// the chip's maker knows.
func (l *life) patch(c modem.Configuration) (modem.Configuration, error) {
	p := l.cfg.Profile
	radio, err := modem.RConf(modem.ModeInitiator, p.BitRate, p.MainsHz)
	if err != nil {
		return c, l.lost("it cannot be configured", "change line.bit_rate or line.mains_hz", err)
	}
	c.FIMA, c.LIMA, c.Local, c.Initiator = p.FIMA, p.LIMA, p.Initiator, 0
	c.SynchroConfirm, c.FrameNotOK, c.NotAddressed = 0, 0, 0 // not used by an initiator (D10)
	c.Groups = [5]plc.Address{}
	c.StepS, c.StepM = modem.Step(p.FrequencyS), modem.Step(p.FrequencyM)
	c.Radio = c.Radio&modem.RadioPin | radio
	c.Search |= modem.AutomaticSearch
	if l.cfg.Board != nil {
		l.cfg.Board(&c)
	}
	return c, nil
}

// configure writes the configuration, in the other length when the modem refuses the first.
func (l *life) configure(c modem.Configuration) error {
	err := l.writeConfiguration(c)
	if err == nil || l.gone != nil || l.ctx.Err() != nil {
		return err
	}
	first := err
	c.Short = !c.Short
	if err := l.writeConfiguration(c); err != nil {
		return first
	}
	return nil
}

func (l *life) writeConfiguration(c modem.Configuration) error {
	want := c.Append(nil)
	f := modem.Frame{Command: modem.WriteConfigRequest, Data: want}
	got, err := l.command(f, needsBuffer, l.cfg.Timers.Confirm, func(f modem.Frame) bool {
		return f.Command == modem.WriteConfigConfirm || f.Command == modem.WriteConfigError
	})
	if err != nil {
		return err
	}
	if got.Command == modem.WriteConfigError {
		code, _, err := modem.ParseErrorCode(got.Data)
		if err != nil {
			l.counters.Undecodable++
		}
		return l.lost(fmt.Sprintf("it refuses its configuration of %d octets, %v", len(want), code), hintRefused, nil)
	}
	stored, _, err := modem.ParseConfiguration(got.Data)
	if err != nil || !serves(stored, c) {
		return l.lost(fmt.Sprintf("it stored another configuration, % X instead of % X", got.Data, want), hintRefused, nil)
	}
	l.stored = ""
	if !bytes.Equal(got.Data, want) {
		l.stored = fmt.Sprintf("the modem stored its configuration with changes, % X instead of % X: meters that do not answer may be due to that", got.Data, want)
	}
	l.publish(func(s *State) { s.Configuration = len(want) })
	return nil
}

// serves reports whether what the modem stored makes it the initiator that was wanted:
// address, mode, rate, tones and the addresses of initiators. A chip may round or
// ignore the rest, and the sources explain less than all of it (D1).
func serves(stored, want modem.Configuration) bool {
	return stored.Local == want.Local && stored.LIMA == want.LIMA &&
		stored.StepS == want.StepS && stored.StepM == want.StepM &&
		stored.Mode() == want.Mode() && stored.BitRate() == want.BitRate() && stored.MainsHz() == want.MainsHz()
}

// awaitMains reads the version, whose polls show when the modem is synchronized.
func (l *life) awaitMains() error {
	began := time.Now()
	for {
		version, err := l.access(modem.Access{Ident: modem.IdentVersion}, needsConfiguration)
		switch {
		case errors.Is(err, errNotSet):
			return l.lost("it is still not configured after it confirmed", hintRefused, nil)
		case err != nil && !errors.Is(err, errBusy) && !isRefused(err):
			return err
		}
		l.publish(func(s *State) {
			s.Polled = !l.dialog.unpolled
			if len(version) > 0 {
				s.Firmware = version[0]
			}
		})
		waiting := errors.Is(err, errBusy) || l.dialog.hasStatus && l.dialog.status.NotSync()
		if !waiting || time.Since(began) > l.cfg.Timers.Sync {
			l.judgeMains()
			return nil
		}
		if err := l.pause(l.cfg.Timers.Confirm / 10); err != nil {
			return err
		}
	}
}
