package door

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Meter is what a door opens onto. It is called by the goroutine that owns it.
type Meter interface {
	// Handle answers an APDU, nil when there is no answer.
	Handle(now time.Time, client, server byte, request []byte) []byte
	// Release releases the association of a client whose connection is gone.
	Release(client byte)
}

// Config describes the doors of a street.
type Config struct {
	Meters []Meter
	// Do runs f in the goroutine that owns the meters and returns after it.
	Do func(ctx context.Context, f func()) error

	MaxConnections int           // of each door; 0 is 64. One more is closed at once and counted.
	Idle           time.Duration // after which a silent connection is closed; 0 is ten minutes
}

// Bounds of a connection.
const (
	defaultConnections = 64
	defaultIdle        = 10 * time.Minute
	writeTimeout       = 30 * time.Second
	readSize           = 4096
	missedPause        = 100 * time.Millisecond // after a connection that could not be taken
)

// Kind is the protocol spoken at a door.
type Kind uint8

// The protocols.
const (
	Wrapper Kind = iota + 1 // IEC 62056-47
	HDLC                    // IEC 62056-46
	PLC                     // host frames of foreign programs for S-FSK
)

var kindNames = [...]string{"no protocol", "TCP wrapper", "HDLC", "S-FSK host frames"}

// String names the protocol.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// All opens a door onto every meter, told apart by an address in the protocol: the wrapper
// port, the lower HDLC address or the MAC address.
const All = -1

// Doors serves connections. It is made by New and safe for use by several goroutines.
type Doors struct {
	cfg    Config
	counts [countKinds]atomic.Int64
	owners map[opened]*visit // which connection an association belongs to; only touched within cfg.Do
}

const (
	countConnections = iota
	countTurnedAway
	countMissed
	countRequests
	countUnanswered
	countBroken
	countKinds
)

// Counts is what the doors met.
type Counts struct {
	Connections int64 // taken
	TurnedAway  int64 // one too many
	Missed      int64 // could not be taken by this machine
	Requests    int64 // APDUs handed to meters
	Unanswered  int64 // of them: no such meter, client or logical device, or nothing to say
	Broken      int64 // connections closed because what came was no frame
}

// New makes doors; Serve opens them.
func New(cfg Config) (*Doors, error) {
	if len(cfg.Meters) == 0 || cfg.Do == nil {
		return nil, errors.New("doors: want at least one meter and a way to its owner")
	}
	if cfg.MaxConnections <= 0 {
		cfg.MaxConnections = defaultConnections
	}
	if cfg.Idle <= 0 {
		cfg.Idle = defaultIdle
	}
	return &Doors{cfg: cfg, owners: map[opened]*visit{}}, nil
}

// Counts returns what was met so far.
func (d *Doors) Counts() Counts {
	n := func(i int) int64 { return d.counts[i].Load() }
	return Counts{
		Connections: n(countConnections), TurnedAway: n(countTurnedAway), Missed: n(countMissed), Requests: n(countRequests),
		Unanswered: n(countUnanswered), Broken: n(countBroken),
	}
}

// Serve takes connections from l, which it closes, until ctx ends. which is the meter
// behind this door, or All. It returns after the last connection is closed.
func (d *Doors) Serve(ctx context.Context, l net.Listener, kind Kind, which int) error {
	if which != All && (which < 0 || which >= len(d.cfg.Meters)) {
		return errors.Join(fmt.Errorf("door %v: no meter %d", kind, which), l.Close())
	}
	if kind < Wrapper || kind > PLC {
		return errors.Join(fmt.Errorf("door: %v", kind), l.Close())
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // Accept tells
	defer stop()
	var open sync.WaitGroup
	defer open.Wait()
	places := make(chan struct{}, d.cfg.MaxConnections)
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("door %v on %v: %w", kind, l.Addr(), err)
		default: // out of file descriptors, or the caller is gone again: both pass
			d.counts[countMissed].Add(1)
			select {
			case <-ctx.Done():
			case <-time.After(missedPause):
			}
			continue
		}
		select {
		case places <- struct{}{}:
		default:
			d.counts[countTurnedAway].Add(1)
			_ = c.Close() // nothing was said yet
			continue
		}
		d.counts[countConnections].Add(1)
		open.Go(func() {
			d.serve(ctx, c, kind, which)
			<-places
		})
	}
}

// serve is the life of one connection.
func (d *Doors) serve(ctx context.Context, c net.Conn, kind Kind, which int) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() }) // Read tells
	defer stop()
	defer c.Close()
	v := &visit{doors: d, ctx: ctx, which: which, opened: map[opened]bool{}}
	defer v.leave()
	speak := v.speaker(kind)
	buffer := make([]byte, readSize)
	for {
		if c.SetReadDeadline(time.Now().Add(d.cfg.Idle)) != nil {
			return
		}
		n, err := c.Read(buffer)
		if n > 0 {
			answer, wrong := speak.receive(buffer[:n])
			if len(answer) > 0 && !write(c, answer) {
				return
			}
			if wrong != nil {
				d.counts[countBroken].Add(1)
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func write(c net.Conn, b []byte) bool {
	if c.SetWriteDeadline(time.Now().Add(writeTimeout)) != nil {
		return false
	}
	_, err := c.Write(b)
	return err == nil
}
