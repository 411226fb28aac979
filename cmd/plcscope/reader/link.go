package reader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"busbar/plc/wrapper"
)

// ErrSilent tells that nothing came in time.
var ErrSilent = errors.New("no answer in time")

// Link carries APDUs between one client and one logical device.
type Link interface {
	Send(apdu []byte) error
	// Receive waits for an APDU of the meter, at most the time-out.
	Receive(timeout time.Duration) ([]byte, error)
	Close() error
}

// conn is what a link needs of a connection.
type conn interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
}

// silent turns a deadline that passed into ErrSilent.
func silent(err error, timeout time.Duration) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w (%v)", ErrSilent, timeout)
	}
	if errors.Is(err, io.EOF) {
		return errors.New("the other side closed the connection")
	}
	return err
}

// wrapperLink carries APDUs in wrapper frames.
type wrapperLink struct {
	conn           conn
	client, server uint16
	stream         wrapper.Stream
	buffer         [4096]byte
}

func (l *wrapperLink) Send(apdu []byte) error {
	if len(apdu) > wrapper.MaxAPDU {
		return fmt.Errorf("APDU of %d octets: the wrapper carries %d", len(apdu), wrapper.MaxAPDU)
	}
	f := wrapper.Frame{Source: l.client, Destination: l.server, APDU: apdu}
	_, err := l.conn.Write(f.Append(make([]byte, 0, f.Size())))
	return err
}

func (l *wrapperLink) Receive(timeout time.Duration) ([]byte, error) {
	if err := l.conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	for {
		f, ok, err := l.stream.Next()
		switch {
		case err != nil:
			return nil, fmt.Errorf("what the other side says is not the TCP wrapper: %w; try hdlc:// instead of tcp://", err)
		case ok && f.Source == l.server && f.Destination == l.client:
			return f.APDU, nil
		case ok:
			continue // for another client of this connection
		}
		n, err := l.conn.Read(l.buffer[:])
		l.stream.Feed(l.buffer[:n])
		if n == 0 && err != nil {
			return nil, silent(err, timeout)
		}
	}
}

func (l *wrapperLink) Close() error { return l.conn.Close() }

// dial opens a TCP connection.
func dial(ctx context.Context, address string, timeout time.Duration) (net.Conn, error) {
	d := net.Dialer{Timeout: timeout}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to the meter: %w", err)
	}
	return c, nil
}
