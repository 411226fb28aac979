package main

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
)

// bearer stands in for the cellular link: a TCP relay on loopback that can be cut.
// While it is cut, connections die and new ones are refused, as they are without a
// radio cell.
type bearer struct {
	listen net.Listener
	target string

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
	wait  sync.WaitGroup
}

// newBearer relays a loopback port of its own to target.
func newBearer(target string) (*bearer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &bearer{listen: l, target: target, conns: map[net.Conn]bool{}}
	b.wait.Go(b.accept)
	return b, nil
}

func (b *bearer) addr() string { return b.listen.Addr().String() }

// cut takes the link away or gives it back.
func (b *bearer) cut(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
	if down {
		for c := range b.conns {
			c.Close()
		}
	}
}

// close ends the relay and waits for its goroutines.
func (b *bearer) close() {
	b.listen.Close()
	b.cut(true)
	b.wait.Wait()
}

func (b *bearer) accept() {
	for {
		near, err := b.listen.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil && b.keep(near) {
			b.wait.Go(func() { b.relay(near) })
		}
	}
}

// keep remembers a connection so that a cut reaches it. It closes one that comes
// while the link is down.
func (b *bearer) keep(c net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		c.Close()
		return false
	}
	b.conns[c] = true
	return true
}

func (b *bearer) drop(c net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.conns, c)
	c.Close()
}

// relay copies both ways until one side ends.
func (b *bearer) relay(near net.Conn) {
	defer b.drop(near)
	var d net.Dialer
	far, err := d.DialContext(context.Background(), "tcp", b.target)
	if err != nil || !b.keep(far) {
		return
	}
	defer b.drop(far)
	done := make(chan struct{}, 2)
	pump := func(dst, src net.Conn) {
		_, _ = io.Copy(dst, src) // its end, by whatever cause, is the end of the relay
		done <- struct{}{}
	}
	go pump(far, near)
	go pump(near, far)
	<-done
	near.Close()
	far.Close()
	<-done
}
