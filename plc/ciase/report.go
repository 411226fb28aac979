package ciase

import "busbar/plc"

// DiscoverReport answers a Discover.
type DiscoverReport struct {
	Titles   []plc.SystemTitle // the reporter's own first, then those it heard report
	Alarm    uint8             // alarm descriptor of the reporter, meaningful when HasAlarm
	HasAlarm bool
}

// parseDiscoverReport reads the layout of the standard, one alarm behind the list of
// titles. When that does not fill the octets it tries the other layout in use, an
// optional alarm behind each title (sfsk.md D4).
func parseDiscoverReport(r *reader) APDU {
	other := *r
	d := DiscoverReport{Titles: r.titles()}
	r.reporter(len(d.Titles))
	if d.HasAlarm = r.flag("presence of the alarm descriptor"); d.HasAlarm {
		d.Alarm = r.u8()
	}
	if r.err == nil && r.left() == 0 {
		return d
	}
	if p := parsePaired(&other); other.err == nil && other.left() == 0 {
		*r = other
		return p
	}
	return d
}

// reporter wants at least the reporter's own title.
func (r *reader) reporter(titles int) {
	if titles == 0 {
		r.fail("no title, not even the reporter's own")
	}
}

func parsePaired(r *reader) DiscoverReport {
	n := r.count(r.titleSize + 1)
	r.reporter(n)
	d := DiscoverReport{Titles: make([]plc.SystemTitle, n)}
	for i := range d.Titles {
		d.Titles[i] = r.title()
		if !r.flag("presence of the alarm descriptor") {
			continue
		}
		if alarm := r.u8(); i == 0 {
			d.Alarm, d.HasAlarm = alarm, true
		}
	}
	return d
}

// Tag is TagDiscoverReport.
func (DiscoverReport) Tag() Tag { return TagDiscoverReport }

// Size is the number of octets Append writes.
func (d DiscoverReport) Size() int {
	n := 1 + titlesSize(d.Titles) + 1
	if d.HasAlarm {
		n++
	}
	return n
}

// Append appends the encoded APDU to dst, in the layout of the standard.
func (d DiscoverReport) Append(dst []byte) []byte {
	dst = appendFlag(appendTitles(append(dst, byte(TagDiscoverReport)), d.Titles), d.HasAlarm)
	if d.HasAlarm {
		dst = append(dst, d.Alarm)
	}
	return dst
}
