package amis49587

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"busbar/board"
	"busbar/plc"
	"busbar/plc/modem"
)

// TestForeignPseudoTerminal: a peer that somebody else wrote, behind a plain pseudo-terminal, knows nothing
// of T_REQ over it. The driver sends without polls and says so.
func TestForeignPseudoTerminal(t *testing.T) {
	p := newPeer(t)
	p.unpolled = true
	master, path := plainTerminal(t)
	if _, err := p.open(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for b := range p.out {
			_, _ = master.Write(b) // ends with the test
		}
	}()
	go relay(p, master)
	d, err := New(Config{
		Open: func() (modem.Port, error) { return board.OpenModem(path, 38400) },
		Name: path, Baud: 38400, Profile: plc.DefaultProfile(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.Run(t.Context()) }()
	if err := d.Send(t.Context(), ofSize(10)); err != nil {
		t.Fatal(err)
	}
	p.deliver(indication(5, 0x90, 1, 2))
	if i := <-d.Indications(); i.Source != 5 {
		t.Errorf("%+v", i)
	}
	if s := d.State(); s.Polled || s.Counters.Unpolled == 0 {
		t.Errorf("%+v", s)
	}
	// The peer goes away: the port is lost, which is no fault of a meter.
	if err := master.Close(); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		err = d.Send(t.Context(), ofSize(10))
	}
	if !errors.Is(err, plc.ErrLineDown) {
		t.Error(err)
	}
	t.Log(err)
}

// plainTerminal is a raw pseudo-terminal without packet mode.
func plainTerminal(t *testing.T) (master *os.File, path string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	master = os.NewFile(uintptr(fd), "master")
	t.Cleanup(func() { _ = master.Close() })
	return master, fmt.Sprintf("/dev/pts/%d", n)
}

// relay cuts what the host writes into frames and single octets.
func relay(p *peer, master *os.File) {
	var in []byte
	b := make([]byte, 512)
	for {
		n, err := master.Read(b)
		if errors.Is(err, unix.EIO) { // nobody has the slave open
			time.Sleep(time.Millisecond)
			continue
		}
		if err != nil {
			return
		}
		in = append(in, b[:n]...)
		for len(in) > 0 {
			size := 1
			if in[0] == modem.STX {
				_, size, err = modem.ParseFrame(in)
				if errors.Is(err, modem.ErrIncomplete) {
					break
				}
			}
			_, _ = p.Write(in[:size]) // a peer takes everything
			in = in[size:]
		}
	}
}
