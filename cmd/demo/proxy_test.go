package main

import (
	"io"
	"net"
	"testing"
)

// echo answers every connection with what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); c.Close() }()
		}
	}()
	return l.Addr().String()
}

func TestBearerCutsAndComesBack(t *testing.T) {
	b, err := newBearer(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	talk := func(c net.Conn) error {
		if _, err := c.Write([]byte("hello")); err != nil {
			return err
		}
		_, err := io.ReadFull(c, make([]byte, 5))
		return err
	}
	dial := func() net.Conn {
		c, err := net.Dial("tcp", b.addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	c := dial()
	if err := talk(c); err != nil {
		t.Fatalf("link up: %v", err)
	}
	b.cut(true)
	if _, err := io.ReadAll(c); err == nil {
		if err := talk(c); err == nil {
			t.Error("the connection outlived the cut")
		}
	}
	if err := talk(dial()); err == nil {
		t.Error("a new connection works while the link is cut")
	}
	b.cut(false)
	if err := talk(dial()); err != nil {
		t.Errorf("link back: %v", err)
	}
}
