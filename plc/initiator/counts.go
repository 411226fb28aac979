package initiator

import "sync"

// Counts are frames and oddities since the start. None of them is an error.
type Counts struct {
	Sent, Received int // frames
	Retries        int // requests sent once more
	Timeouts       int // answers that did not come in time
	Duplicates     int // the same frame again while its repetitions were on the mains
	Late           int // answers to an earlier request
	Unasked        int // reports outside the window of a Discover, as some servers answer a Register
	Foreign        int // frames of another initiator or not for us
	Stray          int // frames from servers that were not asked
	Garbled        int // frames that could not be understood
	Forged         int // answers that are not believed to come from the meter
	Swapped        int // answers with source and destination access point exchanged
	Reopened       int // associations that a meter had lost
	Split          int // lists of attributes that a meter did not take, and that were asked for in parts
}

// tally is written by Run's goroutine and read by others.
type tally struct {
	mu sync.Mutex
	c  Counts
}

func (t *tally) add(what func(*Counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	what(&t.c)
}

func (t *tally) read() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.c
}
