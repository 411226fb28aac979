package dlms

import (
	"bytes"

	"busbar/plc/cosem"
	"busbar/plc/dlms/apdu"
)

// Notice is something that a meter says unasked, believed as far as the association
// asks for protection. Its octets are copies.
type Notice struct {
	// Event is set for an event notification: one attribute.
	Event bool
	Ref   cosem.Ref // of an event
	// Report is an information report: variables by short names, one Values for each.
	Report []apdu.Variable
	Values [][]byte
	// LongInvoke is the identity of a data notification.
	LongInvoke uint32
	Time       []byte // COSEM date-time of 12 octets (of a report: GeneralizedTime), nil when the meter gives none
	Data       []byte // one encoded COSEM value; nil in a report
}

// parseNotice reads a notification that was verified as far as was asked for.
func parseNotice(b []byte) (Notice, error) {
	if apdu.TagOf(b) == apdu.TagEventNotification {
		e, n, err := apdu.ParseEventNotification(b)
		if err := whole(b, n, err); err != nil {
			return Notice{}, err
		}
		return Notice{Event: true, Ref: e.Ref, Time: bytes.Clone(e.Time), Data: bytes.Clone(e.Data)}, nil
	}
	if apdu.TagOf(b) == apdu.TagInformationReport {
		i, n, err := apdu.ParseInformationReport(bytes.Clone(b))
		if err := whole(b, n, err); err != nil {
			return Notice{}, err
		}
		return Notice{Report: i.Variables, Values: i.Values, Time: i.Time}, nil
	}
	d, n, err := apdu.ParseDataNotification(b)
	if err := whole(b, n, err); err != nil {
		return Notice{}, err
	}
	return Notice{LongInvoke: d.LongInvoke, Time: bytes.Clone(d.Time), Data: bytes.Clone(d.Body)}, nil
}

// notifies are the tags of what a meter says unasked.
func notifies(t apdu.Tag) bool {
	return t == apdu.TagDataNotification || t == apdu.TagEventNotification || t == apdu.TagInformationReport
}

// noticed delivers a notification. It never touches the operation under way.
func (c *Client) noticed(b []byte) (Effects, error) {
	n, err := parseNotice(b)
	if err != nil {
		return Effects{}, err
	}
	c.counts.Notices++
	if c.cfg.Notify == nil {
		return c.ignore(), nil
	}
	c.cfg.Notify(n)
	return Effects{Ignored: true}, nil
}
