package concentrator

// VisitRecord is what one visit leaves behind. The engine hands it to its
// journal, which stores all of it or nothing.
type VisitRecord struct {
	Visit    Visit
	Meter    Meter // state after the visit
	Readings []Reading
	Events   []Event
}

// Records are waiting records of one lane: stored, and held by no batch yet.
type Records struct {
	Readings []Reading
	Events   []Event
	Orders   []Order // final ones, with Result
	Through  uint64  // arrival number of the newest record, 0 when there is none
}

// Len is the number of records.
func (r Records) Len() int { return len(r.Readings) + len(r.Events) + len(r.Orders) }
