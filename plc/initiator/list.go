package initiator

import (
	"errors"

	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
)

// excess says whether a request that failed may succeed when it asks for less.
type excess uint8

const (
	noExcess    excess = iota // less does not help
	overFrame                 // it did not fit a frame: nothing was sent
	overService               // the meter refused it as a service or as too long
	overList                  // the meter reacted as one that knows no lists
	overSilence               // the same, but a burst of noise looks like it
)

// excess sorts how the operation failed. What a meter without lists does with one is not
// told anywhere: it may answer with one result, call the association unknown that it
// just opened, or say nothing after it said yes to opening.
func (o *operation) excess(err error) excess {
	var (
		long    *dlms.TooLongError
		refused *dlms.RefusedError
		silent  noAnswer
	)
	switch {
	case errors.As(err, &long):
		return overFrame
	case errors.As(err, &refused) && refused.Refusal == dlms.RefusedService:
		return overService
	case errors.As(err, &refused) && refused.Refusal == dlms.RefusedLost:
		return overList
	case errors.As(err, &silent) && silent.bad == nil && o.greeted && !o.served:
		return overSilence
	case errors.Is(err, dlms.ErrGarbled) && !o.served:
		return overList
	}
	return noExcess
}

// fewer is how many attributes to ask for after n at once failed.
func (e excess) fewer(n int) int {
	if e == overList || e == overSilence {
		return 1
	}
	return n / 2
}

// get reads refs at once or, when the meter or the frame does not take so many, in
// parts, down to single requests. What a meter takes is remembered, so that finding it out
// costs once; a meter that is opened anew after silence or registered anew is tried again.
func (i *Initiator) get(j *job, p plc.Peer, refs []cosem.Ref) ([]cosem.Result, error) {
	most, refused := len(refs), noExcess
	if a := i.associations.get(p.Title); a != nil && a.most > 0 {
		most = min(most, a.most)
	}
	results := make([]cosem.Result, 0, len(refs))
	for len(results) < len(refs) {
		rest := refs[len(results):]
		n := min(most, len(rest))
		part, err := i.operate(j, p, false, dlms.Get(rest[:n]...))
		switch {
		case err != nil:
			return nil, err
		case j.x.Outcome == plc.Answered:
			results = append(results, part...)
			// Only now: a false refusal that nothing proved right is not remembered.
			if a := i.associations.get(p.Title); a != nil {
				a.learn(refused, most)
			}
		case j.excess == noExcess:
			return nil, nil
		case n > 1:
			most = j.excess.fewer(n)
			if j.excess != overFrame {
				refused = j.excess
				i.counts.add(func(c *Counts) { c.Split++ })
			}
		case j.excess == overService && len(results) > 0:
			// It takes others: this one alone is refused, with an exception instead of a result.
			results = append(results, cosem.Result{Access: cosem.OtherReason})
		default:
			return nil, nil
		}
	}
	j.x.Outcome, j.x.Detail = plc.Answered, ""
	return results, nil
}

// learn remembers that the meter takes no more than most attributes at once, after why
// made us find out. Silence has to come twice: noise must not make a good meter dear.
func (a *association) learn(why excess, most int) {
	switch why {
	case noExcess:
		return
	case overSilence:
		if a.doubts++; a.doubts < 2 {
			return
		}
	}
	a.most = most
}
