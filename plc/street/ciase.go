package street

import (
	"slices"

	"busbar/plc"
	"busbar/plc/ciase"
	"busbar/plc/llc"
	"busbar/plc/mac"
)

// ciase is the server's side of IEC 61334-4-511 (sfsk.md 4.6).
func (m *Mains) ciase(s *station, f *flight, in llc.LPDU) {
	a, _, err := ciase.Parse(in.APDU, s.title.Size())
	if err != nil {
		return
	}
	switch a := a.(type) {
	case ciase.Discover:
		m.discover(s, f, a)
	case ciase.Register:
		m.register(s, f, a)
	case ciase.PingRequest:
		if a.Title == s.title && !s.new() && f.frame.Destination == s.address {
			response := ciase.PingResponse{Title: s.title}
			m.respond(s, f, llc.LPDU{DSAP: in.SSAP, SSAP: in.DSAP, APDU: response.Append(nil)})
		}
	case ciase.RepeaterCall:
		s.call = &a
	case ciase.ClearAlarm:
		if s.hasAlarm && clears(a, s) {
			s.alarm, s.hasAlarm = 0, false
		}
	}
}

// discover lets a server that is new or has an alarm report in a slot of its choice.
func (m *Mains) discover(s *station, f *flight, d ciase.Discover) {
	if !s.new() && !s.hasAlarm || d.Slots == 0 {
		return
	}
	if m.seed.below(100, drawReport, f.from, s.index) >= int64(d.Probability) {
		return
	}
	credit := d.ReportCredit
	if d.EqualCredit {
		credit = f.credits().Used()
	}
	report := m.report(s)
	l := llc.LPDU{DSAP: m.cfg.Profile.ReportSAP, SSAP: m.cfg.Profile.CIASEServerSAP, APDU: report.Append(nil)}
	width := int64(1 + int(credit) + m.cfg.Profile.DiscoverSlotExtra)
	slot := m.seed.below(int64(d.Slots), drawReportSlot, f.from, s.index)
	m.answer(s, f.end+int64(m.cfg.Turnaround)+slot*width, mac.Frame{
		Credits: plc.Credits{Initial: credit, Current: credit},
		Source:  s.address, Destination: m.cfg.Profile.ReportDestination, MSDU: l.Append(nil),
	})
}

// report names the server and as many of those it heard as one subframe takes, each
// time others: a report slot is no wider (sfsk.md 4.5).
func (m *Mains) report(s *station) ciase.DiscoverReport {
	r := ciase.DiscoverReport{Titles: []plc.SystemTitle{s.title}, Alarm: s.alarm, HasAlarm: s.hasAlarm}
	for range s.heardTitles {
		s.nextHeard = (s.nextHeard + 1) % len(s.heardTitles)
		more := r
		more.Titles = append(slices.Clip(r.Titles), s.heardTitles[s.nextHeard])
		if mac.Subframes(llc.HeaderSize+more.Size()) > 1 {
			break
		}
		r = more
	}
	return r
}

// register takes the address that a Register gives to this server, and forgets that
// it heard of the others. A server locked on another initiator does not get here.
func (m *Mains) register(s *station, f *flight, a ciase.Register) {
	for _, r := range a.Servers {
		if r.Title != s.title {
			s.heardTitles = without(s.heardTitles, r.Title)
			continue
		}
		if r.Address == plc.NoBody || r.Address >= m.cfg.Profile.FIMA {
			continue
		}
		m.setAddress(s, r.Address)
		s.initiator, s.locked, s.addressed = a.Initiator, f.frame.Source, m.now
	}
}

func without(titles []plc.SystemTitle, t plc.SystemTitle) []plc.SystemTitle {
	if i := slices.Index(titles, t); i >= 0 {
		return slices.Delete(titles, i, i+1)
	}
	return titles
}

// overhear remembers who else reported, for the own report and class 56.
func (m *Mains) overhear(s *station, b []byte) {
	if ciase.Tag(b[0]) != ciase.TagDiscoverReport {
		return
	}
	a, _, err := ciase.Parse(b, s.title.Size())
	if err != nil {
		return
	}
	r, ok := a.(ciase.DiscoverReport)
	if !ok || len(r.Titles) == 0 || r.Titles[0] == s.title || slices.Contains(s.heardTitles, r.Titles[0]) {
		return
	}
	if len(s.heardTitles) == maxHeard {
		s.heardTitles = slices.Delete(s.heardTitles, 0, 1)
	}
	s.heardTitles = append(s.heardTitles, r.Titles[0])
}

// clears reports whether a ClearAlarm concerns the server's alarm.
func clears(c ciase.ClearAlarm, s *station) bool {
	switch c.Form {
	case ciase.AlarmOfAll, ciase.AlarmsOfAll:
		return slices.Contains(c.Alarms, s.alarm)
	case ciase.AlarmsOfSome:
		return slices.Contains(c.Titles, s.title) && slices.Contains(c.Alarms, s.alarm)
	}
	for i, t := range c.Titles {
		if t == s.title && c.Alarms[i] == s.alarm {
			return true
		}
	}
	return false
}

// Raise gives a server an alarm descriptor, told in its next report.
func (m *Mains) Raise(server int, alarm uint8) {
	s := m.stations[server+1]
	s.alarm, s.hasAlarm = alarm, true
}
