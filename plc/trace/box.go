package trace

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Config describes a box.
type Config struct {
	Memory int // octets kept in memory; 0 is 256 KiB

	Path  string // file, with older ones behind it as Path.1, Path.2; empty: memory only
	Limit int64  // octets of one file, exceeded by what one write brings at most (64 KiB); 0 is 8 MiB
	Keep  int    // older files kept; 0 is 3
}

// Defaults of a Config.
const (
	defaultMemory = 256 << 10
	defaultLimit  = 8 << 20
	defaultKeep   = 3
	queueOctets   = 64 << 10 // waiting for the disk; what comes when it is full is left out and counted
)

// Box is the black box. Make one with New.
type Box struct {
	cfg Config

	mu      sync.Mutex
	ring    *ring
	queue   []byte // encoded records for the file
	lost    uint32 // records left out since the last one queued
	counts  Counts
	arrived chan struct{} // holds one token while something is queued
}

// Counts is what a box has seen.
type Counts struct {
	Records uint64
	Lost    uint64 // records that did not get into the file
	Cut     uint64 // frames longer than MaxOctets
}

// New makes a box that keeps records in memory; Run keeps them in the file too.
func New(cfg Config) *Box {
	if cfg.Memory <= 0 {
		cfg.Memory = defaultMemory
	}
	if cfg.Limit <= 0 {
		cfg.Limit = defaultLimit
	}
	if cfg.Keep <= 0 {
		cfg.Keep = defaultKeep
	}
	return &Box{cfg: cfg, ring: newRing(cfg.Memory), arrived: make(chan struct{}, 1)}
}

// Record keeps a copy of a record. It never waits for the disk.
func (b *Box) Record(r Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Records++
	if len(r.Octets) > MaxOctets {
		b.counts.Cut++
	}
	b.ring.add(r)
	if b.cfg.Path == "" {
		return
	}
	r.Lost = b.lost
	if len(b.queue)+r.Size() > queueOctets {
		b.lost++
		b.counts.Lost++
		return
	}
	b.lost = 0
	b.queue = r.Append(b.queue)
	select {
	case b.arrived <- struct{}{}:
	default:
	}
}

// Host keeps octets between host and modem chip: it is the hook of a modem driver.
func (b *Box) Host(at time.Time, toModem bool, octets []byte) {
	b.Record(Record{At: at, Kind: Host, Sent: toModem, Octets: octets})
}

// Records are copies of what memory holds, the oldest first.
func (b *Box) Records() []Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ring.records()
}

// Counts returns what was seen so far.
func (b *Box) Counts() Counts {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts
}

// take empties the queue into spare, whose memory it gives to the queue.
func (b *Box) take(spare []byte) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.queue
	b.queue = spare[:0]
	return out
}

// Run writes records to the file until ctx ends, and what is queued then. A box without
// a path only waits. A disk that fails ends it; memory goes on.
func (b *Box) Run(ctx context.Context) error {
	if b.cfg.Path == "" {
		<-ctx.Done()
		return ctx.Err()
	}
	f, err := openFile(b.cfg.Path, b.cfg.Limit, b.cfg.Keep)
	if err != nil {
		return err
	}
	var spare []byte
	for {
		select {
		case <-ctx.Done():
			if err := f.write(b.take(spare)); err != nil {
				return err
			}
			return errors.Join(ctx.Err(), f.close())
		case <-b.arrived:
		}
		spare = b.take(spare)
		if err := f.write(spare); err != nil {
			return errors.Join(err, f.close())
		}
	}
}
