package storage

import (
	"crypto/rand"
	"os"
	"path/filepath"
)

const (
	reserveName = "reserve"
	// reserveSize is what the way out of a full disk needs: a batch, its receipt and the
	// deletion of what it settles, in the write-ahead log and in the file.
	reserveSize = 2 << 20
	// reserveShare of the bound of the file, one part in so many, is not for readings.
	reserveShare = 8
)

// room keeps a way out of a full store. What comes from the line stops while a reserve is
// left: with it batches are sealed, receipts recorded and old records deleted, so that the
// store drains. A store needs room even to delete. Sealing leaves half of the reserve to
// receipts, counters and orders while a receipt is awaited.
//
// Below the bound of the file the reserve is pages, on the disk it is a file that takes
// room and is removed when the disk is full. It is made again before anything comes from
// the line.
type room struct {
	pages   int64 // bound of the file, 0: none
	set     int64 // bound that the connection has now
	reserve string
	held    bool // the reserve file is there
}

func newRoom(path string) *room {
	r := &room{reserve: filepath.Join(filepath.Dir(path), reserveName)}
	r.spare()
	return r
}

// limit is how many pages the file may have, 0 when nothing bounds it.
func (r *room) limit(bulk bool) int64 {
	if bulk {
		return r.pages - r.pages/reserveShare
	}
	return r.pages
}

// sealLimit is limit for a batch while others wait for their receipts.
func (r *room) sealLimit() int64 { return r.pages - r.pages/reserveShare/2 }

// spare reports whether the reserve is there, after trying to make it.
func (r *room) spare() bool {
	if !r.held {
		r.held = allocate(r.reserve) == nil
	}
	return r.held
}

// release gives the reserve file up and reports whether that made room. It keeps it when
// the bound of the file was met and not that of the disk.
func (r *room) release() bool {
	if probe := r.reserve + ".probe"; r.held && r.pages > 0 && allocate(probe) == nil {
		_ = os.Remove(probe) // the disk has room for a second one
		return false
	}
	released := r.held && os.Remove(r.reserve) == nil
	r.held = false
	return released
}

// allocate makes the reserve file, or nothing.
func allocate(path string) error {
	if fileSize(path) == reserveSize {
		return nil
	}
	content := make([]byte, reserveSize)
	if _, err := rand.Read(content); err != nil { // zeros take no room on some file systems
		return err
	}
	err := os.WriteFile(path, content, 0o600)
	if err != nil {
		_ = os.Remove(path) // it may hold a part of the room
	}
	return err
}
