package chip

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"busbar/plc"
	"busbar/plc/modem"
	"busbar/plc/street"
)

// tty is what a host has of a serial port: the slave of a pseudo-terminal.
type tty struct {
	*os.File
	t *testing.T
}

func openTTY(t *testing.T, path string) *tty {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SetReadDeadline(time.Now().Add(time.Minute)); err != nil { // a silent chip fails the test, nothing more
		t.Fatal(err)
	}
	return &tty{f, t}
}

func (p *tty) SetTREQ(asserted bool) error {
	raw, err := p.SyscallConn()
	if err != nil {
		return err
	}
	failed := raw.Control(func(fd uintptr) {
		var s *unix.Termios
		if s, err = unix.IoctlGetTermios(int(fd), unix.TCGETS); err != nil {
			return
		}
		s.Cflag &^= unix.CSTOPB
		if asserted {
			s.Cflag |= unix.CSTOPB
		}
		err = unix.IoctlSetTermios(int(fd), unix.TCSETS, s)
	})
	return errors.Join(failed, err)
}

// dialog asks for the version as a host does: poll, frame, ACK, confirm, ACK.
func dialog(t *testing.T, p modem.Port, polled bool) {
	t.Helper()
	expect := func(want []byte) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(p, got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("% X, want % X", got, want)
		}
	}
	say := func(b []byte) {
		t.Helper()
		if _, err := p.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if polled {
		if err := p.SetTREQ(true); err != nil {
			t.Fatal(err)
		}
		expect(octets(t, "3F 02 00 10"))
	}
	say(octets(t, "02 05 41 13 00 59 00"))
	if polled {
		if err := p.SetTREQ(false); err != nil {
			t.Fatal(err)
		}
	}
	expect([]byte{modem.ACK})
	expect(octets(t, "02 06 42 13 00 10 6B 00"))
	say([]byte{modem.ACK})
}

func served(t *testing.T, start time.Time, speed float64) *Server {
	t.Helper()
	cfg := config(start)
	cfg.Profile.Speed, cfg.Faults = speed, nil
	m, err := street.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return NewServer(New(Config{Firmware: 0x10, Timers: FastTimers(speed)}, m))
}

func TestTerminal(t *testing.T) {
	terminal, err := OpenTerminal()
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	s := served(t, time.Now(), 150)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx, terminal) }()

	p := openTTY(t, terminal.Path())
	const dialogs = 300 // some of them poll again before we see that they let go
	for range dialogs {
		dialog(t, p, true)
	}
	dialog(t, p, false) // a host whose T_REQ cannot be seen
	all := make([]byte, 0, 256)
	for i := range 256 { // no octet means anything to the terminal
		all = append(all, byte(i))
	}
	frame := modem.Frame{Command: 0x99, Data: all[:modem.MaxData]}.Append(nil)
	if _, err := p.Write(frame); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 7)
	if _, err := io.ReadFull(p, got); err != nil || !bytes.Equal(got, octets(t, "06 02 04 43 25 6C 00")) {
		t.Fatalf("a frame of all octets: % X, %v", got, err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	// The host comes back, exclusively, is killed, and comes back again.
	p = openTTY(t, terminal.Path())
	raw, err := p.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { _ = unix.IoctlSetInt(int(fd), unix.TIOCEXCL, 0) }); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write([]byte{modem.ACK}); err != nil { // for the frame above
		t.Fatal(err)
	}
	dialog(t, p, true)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = openTTY(t, terminal.Path())
	dialog(t, p, true)
	var n Counters
	if err := s.Do(ctx, func(_ time.Time, c *Chip, _ *street.Mains) { n = c.Counters() }); err != nil {
		t.Fatal(err)
	}
	if n.Polls != dialogs+2 || n.Unpolled != 2 || n.Frames != dialogs+4 || n.BadFrames+n.Garbage+n.Broken > 1 {
		t.Errorf("counters %+v", n)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Serve ended with %v", err)
	}
	if err := s.Do(t.Context(), nil); err == nil {
		t.Error("Do of a server that has ended: no error")
	}
	if _, err := p.Read(got); err == nil {
		t.Error("the host still reads from a chip that is gone")
	}
}

// TestTerminalExchange reads a meter behind a repeater over a pseudo-terminal with slots of 1 ms.
func TestTerminalExchange(t *testing.T) {
	terminal, err := OpenTerminal()
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	s := served(t, time.Now(), 150)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx, terminal) }()
	p := openTTY(t, terminal.Path())
	readMeter(t, p)
	stop()
	<-ended
}

// readMeter configures the chip, lets the servers synchronize and reads the meter at 001.
func readMeter(t *testing.T, p modem.Port) {
	t.Helper()
	var in []byte
	next := func() modem.Frame { // the next frame of the chip, acknowledged
		for {
			f, n, err := modem.ParseFrame(in)
			if err == nil {
				f.Data = bytes.Clone(f.Data)
				in = in[n:]
				if _, err := p.Write([]byte{modem.ACK}); err != nil {
					t.Fatal(err)
				}
				return f
			}
			in = in[n:]
			if n == 0 {
				b := make([]byte, 100)
				n, err := p.Read(b)
				if err != nil {
					t.Fatal(err)
				}
				in = append(in, b[:n]...)
			}
		}
	}
	say := func(f modem.Frame) {
		if _, err := p.Write(f.Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
	radio, err := modem.RConf(modem.ModeInitiator, 2400, 50)
	if err != nil {
		t.Fatal(err)
	}
	conf := resetConfiguration(false)
	conf.Local, conf.Radio = 0xC00, radio
	say(modem.Frame{Command: modem.WriteConfigRequest, Data: conf.Append(nil)})
	if f := next(); f.Command != modem.WriteConfigConfirm {
		t.Fatal(f)
	}
	send := func(d plc.Address, msdu ...byte) {
		data := modem.Data{Credits: plc.Credits{Initial: 1, Current: 1}, Source: 0xC00, Destination: d, MSDU: msdu}
		say(modem.Frame{Command: modem.DataRequest, Data: data.Append(nil, plc.BigEndian)})
		if f := next(); f.Command != modem.DataConfirm || f.Data[0] != 0xFF {
			t.Fatal(f)
		}
	}
	for range 3 {
		send(plc.AllPhysical, octets(t, "90 00 01 1D 00 00 0A 00 00")...)
	}
	for range 10 {
		send(1, octets(t, "90 01 10 C0 01 C1 00 03 01 00 01 08 00 FF 02 00")...)
		f := next()
		if want := octets(t, "21 00 1C 00 0E 90 10 01 C4 01 C1 00 06 00 01 23 45"); f.Command != modem.DataIndication || !bytes.Equal(f.Data, want) {
			t.Fatalf("%v, want % X", f, want)
		}
	}
}

func TestPortInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := served(t, time.Now(), 1)
		p := NewPort(s)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.ServePort(ctx, p) }()
		dialog(t, p, true)
		dialog(t, p, false)
		begin := time.Now()
		readMeter(t, p)
		// Three frames to everybody and ten exchanges of n=1 there and back, credit 1, each at
		// the next slot: what it took is known to the slot.
		if took := time.Since(begin).Round(time.Millisecond); took < 8*time.Second || took > 12*time.Second {
			t.Errorf("the exchanges took %v of virtual time", took)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("reading a closed port: %v", err)
		}
		if _, err := p.Write([]byte{1}); !errors.Is(err, os.ErrClosed) {
			t.Errorf("writing to a closed port: %v", err)
		}
		p.Reopen()
		dialog2 := make(chan error)
		go func() {
			_, err := p.Read(make([]byte, 1))
			dialog2 <- err
		}()
		synctest.Wait()
		stop()
		if err := <-dialog2; !errors.Is(err, errPortGone) {
			t.Errorf("reading when the emulator ends: %v", err)
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestPortBuffersWithinBounds(t *testing.T) {
	p := NewPort(served(t, start, 1))
	for range 100 {
		p.deliver(make([]byte, 1000))
	}
	if len(p.octets) != portSize || p.Dropped() != 100000-portSize {
		t.Errorf("%d octets wait and %d were dropped", len(p.octets), p.Dropped())
	}
}
