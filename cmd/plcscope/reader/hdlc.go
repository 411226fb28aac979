package reader

import (
	"errors"
	"fmt"
	"time"

	"busbar/plc/hdlc"
)

// hdlcLink carries APDUs over an HDLC link, which repairs what a line loses.
type hdlcLink struct {
	conn    conn
	primary *hdlc.Primary
	stream  hdlc.Stream
	address hdlc.PrimaryConfig
	timeout time.Duration // of setting up and taking down
	ready   []byte        // an APDU that came while something else was awaited
	buffer  [4096]byte
}

// polls is how often a meter is asked again within one time-out.
const polls = 5

// openHDLC sets the link up.
func openHDLC(c conn, cfg hdlc.PrimaryConfig, timeout time.Duration) (*hdlcLink, error) {
	l := &hdlcLink{conn: c, primary: hdlc.NewPrimary(cfg), address: cfg, timeout: timeout}
	if _, err := c.Write(l.primary.Connect()); err != nil {
		return nil, err
	}
	if err := l.until(timeout, func() bool { return l.primary.State() == hdlc.Connected }); err != nil {
		return nil, fmt.Errorf("set up HDLC from %v to %v: %w", cfg.Client, cfg.Server, err)
	}
	return l, nil
}

func (l *hdlcLink) Send(apdu []byte) error {
	down, err := l.primary.Send(apdu)
	if err != nil {
		return err
	}
	_, err = l.conn.Write(down)
	return err
}

func (l *hdlcLink) Receive(timeout time.Duration) ([]byte, error) {
	err := l.until(timeout, func() bool { return l.ready != nil })
	b := l.ready
	l.ready = nil
	return b, err
}

// until exchanges frames until done, at most for the time-out.
func (l *hdlcLink) until(timeout time.Duration, done func() bool) error {
	for asked := 0; ; {
		if err := l.frames(); err != nil || done() {
			return err
		}
		if err := l.conn.SetReadDeadline(time.Now().Add(timeout / polls)); err != nil {
			return err
		}
		n, err := l.conn.Read(l.buffer[:])
		l.stream.Feed(l.buffer[:n])
		if n > 0 {
			continue
		}
		err = silent(err, timeout)
		if asked++; !errors.Is(err, ErrSilent) || asked >= polls {
			return err
		}
		l.stream.Reset() // the rest of a frame does not come any more
		if _, err := l.conn.Write(l.primary.Expire()); err != nil {
			return err
		}
	}
}

// frames works off what came.
func (l *hdlcLink) frames() error {
	for f, ok := l.stream.Next(); ok; f, ok = l.stream.Next() {
		if f.Destination.Upper != l.address.Client.Upper || f.Source.Upper != l.address.Server.Upper {
			continue // for another client of this line, or our own octets come back
		}
		e, err := l.primary.Receive(f)
		if err != nil {
			return err
		}
		if e.APDU != nil {
			l.ready = e.APDU
		}
		if e.Down != nil {
			if _, err := l.conn.Write(e.Down); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close takes the link down, if the meter takes part, and hangs up.
func (l *hdlcLink) Close() error {
	if b := l.primary.Disconnect(); b != nil {
		if _, err := l.conn.Write(b); err == nil {
			_ = l.until(l.timeout/polls, func() bool { return l.primary.State() == hdlc.Disconnected }) // silent or not, we go
		}
	}
	return l.conn.Close()
}
