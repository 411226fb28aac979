package object

import (
	"runtime"
	"testing"
)

// fixedRoom is the memory in octets that a decoder may take whatever its input is: for
// itself and the text of an error.
const fixedRoom = 4 << 10

// bounded fails when f allocates more than limit octets. Other goroutines allocate now
// and then, so f has three attempts.
func bounded(t testing.TB, limit int, f func()) {
	t.Helper()
	var used uint64
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if used = after.TotalAlloc - before.TotalAlloc; used <= uint64(limit) {
			return
		}
	}
	t.Fatalf("%d octets of memory, want at most %d", used, limit)
}
