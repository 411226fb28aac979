package dlms

import (
	"errors"
	"math"
	"strings"
	"testing"

	"busbar/plc"
)

// store is a CounterStore in memory: what a disk would hold.
type store struct {
	next  uint64
	calls int
	err   error
}

func (s *store) Reserve(_ plc.SystemTitle, n uint32) (uint32, error) {
	s.calls++
	if s.err != nil {
		return 0, s.err
	}
	if s.next > math.MaxUint32 {
		return 0, ErrCounterSpent
	}
	first := uint32(s.next)
	s.next += uint64(n)
	return first, nil
}

func TestStride(t *testing.T) {
	disk := &store{next: 10}
	s := NewStride(disk, meterTitle, 4)
	for want := uint32(10); want < 22; want++ {
		if got, err := s.Next(); got != want || err != nil {
			t.Fatalf("counter %d, %v; want %d", got, err, want)
		}
	}
	if disk.calls != 3 {
		t.Errorf("%d reservations for 12 counters in rows of 4", disk.calls)
	}
	// A restart after any draw loses what is left of the row and repeats nothing.
	for used := range 9 {
		disk := &store{}
		a := NewStride(disk, meterTitle, 4)
		last := uint32(0)
		for range used {
			last, _ = a.Next()
		}
		b := NewStride(disk, meterTitle, 4)
		if got, err := b.Next(); err != nil || used > 0 && got <= last {
			t.Errorf("after %d draws and a restart: counter %d, %v; %d was used", used, got, err, last)
		}
	}
	if got, _ := NewStride(&store{}, meterTitle, 0).Next(); got != 0 {
		t.Errorf("a row of 0: counter %d", got)
	}
}

func TestStrideEnds(t *testing.T) {
	disk := &store{next: math.MaxUint32 - 1}
	s := NewStride(disk, meterTitle, 16)
	for _, want := range []uint32{math.MaxUint32 - 1, math.MaxUint32} {
		if got, err := s.Next(); got != want || err != nil {
			t.Fatalf("counter %d, %v; want %d", got, err, want)
		}
	}
	for range 3 {
		if got, err := s.Next(); !errors.Is(err, ErrCounterSpent) || got != 0 {
			t.Fatalf("behind 2^32-1: %d, %v", got, err)
		}
	}
}

func TestStrideFaults(t *testing.T) {
	disk := &store{err: errors.New("disk full")}
	s := NewStride(disk, meterTitle, 4)
	if _, err := s.Next(); !errors.Is(err, disk.err) || !strings.Contains(err.Error(), meterTitle.String()) {
		t.Errorf("%v", err)
	}
	disk.err = nil
	for range 4 {
		if _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
	}
	disk.next = 2 // an old backup came back
	if got, err := s.Next(); err == nil || !strings.Contains(err.Error(), "backup") {
		t.Errorf("counter %d again: %v", got, err)
	}
}

func TestWindow(t *testing.T) {
	var w window
	if _, ok := w.last(); ok || !w.fresh(0) || w.repeats(0) || w.next() != 0 {
		t.Error("a window that saw nothing takes every counter")
	}
	w.moved(0)
	if last, ok := w.last(); !ok || last != 0 || w.fresh(0) || !w.repeats(0) || !w.fresh(1) {
		t.Error("after counter 0 comes 1")
	}
	w.moved(math.MaxUint32)
	w.moved(5)
	if w.fresh(math.MaxUint32) || w.fresh(6) || !w.repeats(math.MaxUint32) || w.next() != math.MaxUint32 {
		t.Error("after 2^32-1 comes nothing")
	}
	if w := windowAfter(9, true); w.fresh(9) || !w.fresh(10) {
		t.Error("windowAfter")
	}
	if w := windowAfter(9, false); !w.fresh(0) {
		t.Error("windowAfter nothing seen")
	}
}
