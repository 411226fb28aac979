package initiator

import (
	"time"

	"busbar/plc"
	"busbar/plc/mac"
)

// frameSlots is how long a frame of n subframes with the given initial credit and its
// repetitions occupy the mains (sfsk.md 1.5).
func frameSlots(n int, credit plc.Credit) int { return n * (1 + int(credit)) }

// margin is d rounded up to whole slots, so that what is added to a time-out does not
// move its end onto the slot grid.
func margin(p plc.Profile, d time.Duration) time.Duration {
	slot := p.Slot()
	return (d + slot - 1) / slot * slot
}

// patience is what we learned of answers. Servers may choose their initial credit
// freely and take their time before they answer (sfsk.md 1.5, 2.4), but waiting for seven
// repetitions that never come makes every silent meter expensive.
type patience struct {
	modest int // answers in a row, from any server, with no more credit than the request
	gap    int // the longest of any server
}

// manner is what we learned of one server.
type manner struct {
	answers int
	loudest plc.Credit // largest credit of an answer that was not that of its request
	gap     int        // most slots between a request's repetitions and its answer
}

// trusted is how many modest answers in a row of other servers let us expect one from
// a server never heard.
const trusted = 16

// maxGap bounds what is learned, so that one odd answer does not slow down all.
const maxGap = 20

// credit is the initial credit that the answer of a server has at most.
func (p patience) credit(m manner, request, limit plc.Credit) plc.Credit {
	if m.loudest == 0 && (m.answers > 0 || p.modest >= trusted) {
		return request
	}
	if m.answers > 0 {
		return max(request, m.loudest)
	}
	return max(request, limit)
}

// learn takes in credit and gap of an answer.
func (p *patience) learn(m *manner, request, answer plc.Credit, gap int) {
	m.answers++
	m.gap = max(m.gap, min(gap, maxGap))
	p.gap = max(p.gap, m.gap)
	if answer == request {
		p.modest++
		return
	}
	m.loudest = max(m.loudest, answer) // it has a mind of its own: a later request may have less
	if answer > request {
		p.modest = 0
	}
}

// slots is the time from the end of a request's repetitions to the end of the longest
// possible answer, an MSDU of the given size, with all its repetitions.
func (p patience) slots(profile plc.Profile, m manner, request plc.Credit, msdu int) int {
	gap := m.gap
	if m.answers == 0 {
		gap = p.gap
	}
	return max(profile.GapSlots, gap) + frameSlots(mac.Subframes(msdu), p.credit(m, request, profile.ResponseCreditMax))
}

// gap is how many slots a server took before its answer.
func (r request) gap(h heard, slot time.Duration) int {
	frame := time.Duration(mac.Subframes(len(h.MSDU))*(1+int(h.Credits.Used()))) * slot
	return int((h.At.Sub(r.repeated) - frame + slot/2) / slot)
}
