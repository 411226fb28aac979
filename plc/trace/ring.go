package trace

// ring keeps the newest records in a bounded number of octets: two pages, of which the
// older one is emptied when the newer one is full. It holds at least half of its octets.
type ring struct {
	pages [2][]byte
	size  int // of a page
	now   int // page being filled
}

func newRing(octets int) *ring {
	size := max(octets/2, Record{}.Size()+MaxOctets)
	return &ring{size: size}
}

// add copies a record.
func (r *ring) add(rec Record) {
	if len(r.pages[r.now])+rec.Size() > r.size {
		r.now = 1 - r.now
		r.pages[r.now] = r.pages[r.now][:0]
	}
	if r.pages[r.now] == nil {
		r.pages[r.now] = make([]byte, 0, r.size)
	}
	r.pages[r.now] = rec.Append(r.pages[r.now])
}

// records are copies, the oldest first.
func (r *ring) records() []Record {
	var all []Record
	for _, page := range [][]byte{r.pages[1-r.now], r.pages[r.now]} {
		page = append([]byte(nil), page...)
		for len(page) > 0 {
			rec, n, err := ParseRecord(page)
			if err != nil {
				break // cannot be: we wrote it
			}
			all = append(all, rec)
			page = page[n:]
		}
	}
	return all
}
