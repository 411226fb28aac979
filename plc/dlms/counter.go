package dlms

import (
	"errors"
	"fmt"
	"math"

	"busbar/plc"
)

// CounterStore keeps, on disk, how far the invocation counters towards each meter
// are spent. Reserve returns the first of n counters in a row that were never
// returned before and never will be, not even after a power cut: two texts under one
// key and counter would give away both and the means to forge.
type CounterStore interface {
	Reserve(title plc.SystemTitle, n uint32) (first uint32, err error)
}

// ErrCounterSpent says that a key has no invocation counters left.
var ErrCounterSpent = errors.New("the invocation counters of this key are spent: give the meter a new encryption key")

// Stride draws counters one by one from rows reserved ahead, so that the disk is
// touched once per row. What is left of a row at a restart is never used.
type Stride struct {
	store CounterStore
	title plc.SystemTitle
	row   uint32
	next  uint64
	end   uint64
}

// NewStride draws counters towards title in rows of the given size, at least 1.
func NewStride(store CounterStore, title plc.SystemTitle, row uint32) *Stride {
	return &Stride{store: store, title: title, row: max(row, 1)}
}

// Next is the next counter; it fits ClientConfig.Counter.
func (s *Stride) Next() (uint32, error) {
	if s.next == s.end {
		first, err := s.store.Reserve(s.title, s.row)
		if err != nil {
			return 0, fmt.Errorf("reserve invocation counters for %v: %w", s.title, err)
		}
		if uint64(first) < s.end {
			return 0, fmt.Errorf("reserve invocation counters for %v: store returned %d again: restore no old backup over it", s.title, first)
		}
		s.next, s.end = uint64(first), uint64(first)+uint64(s.row)
	}
	if s.next > math.MaxUint32 {
		return 0, ErrCounterSpent
	}
	s.next++
	return uint32(s.next - 1), nil
}

// window accepts the invocation counters of one sender under one key: each must be
// higher than all before.
type window struct{ floor uint64 } // lowest acceptable counter

func windowAfter(last uint32, seen bool) window {
	if !seen {
		return window{}
	}
	return window{floor: uint64(last) + 1}
}

func (w window) fresh(counter uint32) bool { return uint64(counter) >= w.floor }

// repeats reports whether counter is the very last one accepted: the same octets
// once more, rather than an old recording.
func (w window) repeats(counter uint32) bool { return uint64(counter)+1 == w.floor }

// next is the lowest counter still acceptable, 2^32-1 when none is.
func (w window) next() uint32 { return uint32(min(w.floor, math.MaxUint32)) }

func (w *window) moved(counter uint32) { w.floor = max(w.floor, uint64(counter)+1) }

func (w window) last() (uint32, bool) {
	if w.floor == 0 {
		return 0, false
	}
	return uint32(w.floor - 1), true
}
