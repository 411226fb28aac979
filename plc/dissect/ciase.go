package dissect

import (
	"fmt"

	"busbar/plc"
	"busbar/plc/ciase"
)

func (d *dissector) ciase(b []byte, base int) Node {
	n := Node{Name: "CIASE", Offset: base, Size: len(b)}
	a, size, err := ciase.Parse(b, d.TitleSize)
	if err != nil {
		n.wrong(base, err)
		n.field("octets", base, len(b), "%s", bulk(b))
		return n
	}
	at := base + 1
	switch a := a.(type) {
	case ciase.PingRequest:
		n.Text = fmt.Sprintf("Ping request for %v", a.Title)
	case ciase.PingResponse:
		n.Text = fmt.Sprintf("Ping response of %v", a.Title)
	case ciase.Register:
		n.Text = fmt.Sprintf("Register of %d servers by %v", len(a.Servers), a.Initiator)
		at += a.Initiator.Size() + 1
		for _, s := range a.Servers {
			n.field("server", at, s.Title.Size()+2, "%v gets address %v", s.Title, s.Address)
			at += s.Title.Size() + 2
		}
	case ciase.Discover:
		credit := fmt.Sprintf("credit %d", a.ReportCredit)
		if a.EqualCredit {
			credit = "the credit this needed"
		}
		n.Text = fmt.Sprintf("Discover, probability %d %%, %d slots, reports with %s", a.Probability, a.Slots, credit)
	case ciase.DiscoverReport:
		n.Text = "DiscoverReport"
		for i, t := range a.Titles {
			n.field(map[bool]string{true: "reporter", false: "heard"}[i == 0], at+1+i*t.Size(), t.Size(), "%v", t)
		}
		if a.HasAlarm {
			n.field("alarm", base+size-1, 1, "%02Xh", a.Alarm)
		}
	case ciase.RepeaterCall:
		n.Text = fmt.Sprintf("RepeaterCall up to %v, %d slots for new servers", a.MaxAddress, a.SlotsForNew)
		if a.HasThreshold {
			n.Text += fmt.Sprintf(", threshold %d dBµV", a.Threshold)
		}
	case ciase.ClearAlarm:
		n.Text = fmt.Sprintf("ClearAlarm %X of %d servers", a.Alarms, len(a.Titles))
	default:
		n.Text = fmt.Sprintf("%+v", a)
	}
	if size < len(b) {
		n.fault(base+size, "%d octets behind the APDU: %s", len(b)-size, bulk(b[size:]))
	}
	return n
}

// credits are the three counters in words.
func credits(c plc.Credits) string {
	return fmt.Sprintf("credits %d of %d left, delta %d", c.Current, c.Initial, c.Delta)
}
