package round

import "busbar/plc"

// Link is what is remembered of the way to one meter: the initial credit of the
// next request, and the visits in a row without a lost frame.
type Link struct {
	Credit plc.Credit
	Clean  int
}

const (
	trusted = 5  // clean visits after which no margin is added
	decay   = 10 // clean visits after which a kept credit is lowered by one
)

// Credit is the credit control of one meter (sfsk.md 8.3).
//
// An answer shows the repetitions that both directions needed: the next initial
// credit is the larger of the two, plus a margin of one until the last 5 visits were
// clean. A delta credit of 3 means "3 or more", so nothing is known and the credit is
// kept; it falls by one after each 10 clean visits. Silence and garbled answers raise
// the credit by one step of 0, 1, 2, 3, 5, 7, once per visit. A visit that we broke
// off, or that sent nothing, says nothing.
func Credit(l Link, x plc.Exchange) Link {
	switch {
	case x.Outcome == plc.Silent, x.Outcome == plc.Garbled:
		return Link{Credit: louder(l.Credit)}
	case x.Outcome == plc.Aborted, x.Answers == 0:
		return l
	}
	l.Clean++
	if x.Requests > x.Answers {
		l.Clean = 0
	}
	if x.Down >= plc.MaxDelta {
		if l.Clean > 0 && l.Clean%decay == 0 && l.Credit > plc.MaxDelta {
			l.Credit--
		}
		l.Credit = max(l.Credit, x.Up, x.Down)
		return l
	}
	l.Credit = max(x.Down, x.Up)
	if l.Clean < trusted {
		l.Credit = min(plc.MaxCredit, l.Credit+1)
	}
	return l
}

// louder is the next step of the ladder.
func louder(c plc.Credit) plc.Credit {
	switch {
	case c < 3:
		return c + 1
	case c < 5:
		return 5
	}
	return plc.MaxCredit
}
