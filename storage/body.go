package storage

import (
	"encoding/json"
	"fmt"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

// Meters and orders are stored as versioned JSON with names of their own, so that
// a field renamed in the product does not change the file. A new field gets a
// new name and may be missing; a changed meaning gets a new version.
const bodyVersion = 1

// millis is a time in milliseconds since 1970, 0 for no time.
type millis int64

func millisOf(t time.Time) millis {
	if t.IsZero() {
		return 0
	}
	return millis(t.UnixMilli())
}

func (m millis) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

type refBody struct {
	Class      cosem.Class `json:"class"`
	Object     cosem.OBIS  `json:"object"`
	Attribute  int8        `json:"attribute"`
	Selector   *byte       `json:"selector,omitempty"`
	Parameters []byte      `json:"parameters,omitempty"`
}

func refBodyOf(r cosem.Ref) refBody {
	b := refBody{Class: r.Class, Object: r.Object, Attribute: r.Attribute}
	if r.Select != nil {
		selector := r.Select.Selector
		b.Selector, b.Parameters = &selector, r.Select.Parameters
	}
	return b
}

func (b refBody) ref() cosem.Ref {
	r := cosem.Ref{Class: b.Class, Object: b.Object, Attribute: b.Attribute}
	if b.Selector != nil {
		r.Select = &cosem.Selection{Selector: *b.Selector, Parameters: b.Parameters}
	}
	return r
}

// columnBody is a column of a load profile or a billing register.
type columnBody struct {
	Ref    refBody `json:"ref"`
	Scaler int8    `json:"scaler"`
	Unit   uint8   `json:"unit"`
}

type meterBody struct {
	Version       int           `json:"v"`
	Address       plc.Address   `json:"address"`
	State         uint8         `json:"state"`
	Name          string        `json:"name,omitempty"`
	Phase         plc.Phase     `json:"phase,omitempty"`
	Credit        plc.Credit    `json:"credit,omitempty"`
	CleanReads    int           `json:"clean,omitempty"`
	Up            plc.Credit    `json:"up,omitempty"`
	Down          plc.Credit    `json:"down,omitempty"`
	Signal        *[6]uint16    `json:"signal,omitempty"` // s0 n0 s1 n1 method gain
	Discovered    millis        `json:"discovered,omitempty"`
	LastHeard     millis        `json:"heard,omitempty"`
	LastAsked     millis        `json:"asked,omitempty"`
	LastReading   millis        `json:"reading,omitempty"`
	Visits        int           `json:"visits,omitempty"`
	Failures      int           `json:"failures,omitempty"`
	LastOutcome   plc.Outcome   `json:"outcome,omitempty"`
	LastDetail    string        `json:"detail,omitempty"`
	Layout        *[]columnBody `json:"layout,omitempty"`
	CapturePeriod time.Duration `json:"period,omitempty"` // nanoseconds
	Registers     *[]columnBody `json:"registers,omitempty"`
	ByEntry       bool          `json:"by_entry,omitempty"`
	Unordered     bool          `json:"unordered,omitempty"`
	NotAddressed  time.Duration `json:"not_addressed,omitempty"` // nanoseconds
	MaxFrame      int           `json:"max_frame,omitempty"`
	Learned       millis        `json:"learned,omitempty"`
	Former        plc.Address   `json:"former,omitempty"`
	FormerUntil   millis        `json:"former_until,omitempty"`
	Quarantined   millis        `json:"quarantined,omitempty"`
}

func encodeMeter(m concentrator.Meter) ([]byte, error) {
	b := meterBody{
		Version: bodyVersion, Address: m.Address, State: uint8(m.State), Name: m.Name, Phase: m.Phase,
		Credit: m.Credit, CleanReads: m.CleanReads, Up: m.Up, Down: m.Down,
		Discovered: millisOf(m.Discovered), LastHeard: millisOf(m.LastHeard), LastAsked: millisOf(m.LastAsked), LastReading: millisOf(m.LastReading),
		Visits: m.Visits, Failures: m.Failures, LastOutcome: m.LastOutcome, LastDetail: m.LastDetail,
		CapturePeriod: m.CapturePeriod, ByEntry: m.ByEntry, Unordered: m.Unordered,
		NotAddressed: m.NotAddressed, MaxFrame: m.MaxFrame, Learned: millisOf(m.Learned),
		Former: m.Former, FormerUntil: millisOf(m.FormerUntil), Quarantined: millisOf(m.Quarantined),
	}
	if s := m.Signal; s.Measured() {
		b.Signal = &[6]uint16{s.S0, s.N0, s.S1, s.N1, uint16(s.Method), uint16(s.Gain)}
	}
	if m.Layout != nil {
		columns := make([]columnBody, len(m.Layout))
		for i, c := range m.Layout {
			columns[i] = columnBody{refBodyOf(c.Ref), c.Scaler, c.Unit}
		}
		b.Layout = &columns
	}
	if m.Registers != nil {
		columns := make([]columnBody, len(m.Registers))
		for i, c := range m.Registers {
			columns[i] = columnBody{refBodyOf(c.Ref), c.Scaler, c.Unit}
		}
		b.Registers = &columns
	}
	return json.Marshal(b)
}

func decodeMeter(title plc.SystemTitle, body []byte) (concentrator.Meter, error) {
	var b meterBody
	if err := json.Unmarshal(body, &b); err != nil {
		return concentrator.Meter{}, fmt.Errorf("stored meter %v: %w", title, err)
	}
	if b.Version != bodyVersion {
		return concentrator.Meter{}, fmt.Errorf("stored meter %v has version %d, this program knows %d", title, b.Version, bodyVersion)
	}
	m := concentrator.Meter{
		Title: title, Address: b.Address, State: concentrator.LineState(b.State), Name: b.Name, Phase: b.Phase,
		Credit: b.Credit, CleanReads: b.CleanReads, Up: b.Up, Down: b.Down,
		Discovered: b.Discovered.time(), LastHeard: b.LastHeard.time(), LastAsked: b.LastAsked.time(), LastReading: b.LastReading.time(),
		Visits: b.Visits, Failures: b.Failures, LastOutcome: b.LastOutcome, LastDetail: b.LastDetail,
		CapturePeriod: b.CapturePeriod, ByEntry: b.ByEntry, Unordered: b.Unordered,
		NotAddressed: b.NotAddressed, MaxFrame: b.MaxFrame, Learned: b.Learned.time(),
		Former: b.Former, FormerUntil: b.FormerUntil.time(), Quarantined: b.Quarantined.time(),
	}
	if s := b.Signal; s != nil {
		m.Signal = plc.Signal{S0: s[0], N0: s[1], S1: s[2], N1: s[3], Method: uint8(s[4]), Gain: uint8(s[5])} //nolint:gosec // written from uint8
	}
	if b.Layout != nil {
		m.Layout = make([]concentrator.Column, len(*b.Layout))
		for i, c := range *b.Layout {
			m.Layout[i] = concentrator.Column{Ref: c.Ref.ref(), Scaler: c.Scaler, Unit: c.Unit}
		}
	}
	if b.Registers != nil {
		m.Registers = make([]concentrator.RegisterInfo, len(*b.Registers))
		for i, c := range *b.Registers {
			m.Registers[i] = concentrator.RegisterInfo{Ref: c.Ref.ref(), Scaler: c.Scaler, Unit: c.Unit}
		}
	}
	return m, nil
}

type orderBody struct {
	Version int             `json:"v"`
	ID      string          `json:"id"`
	Kind    string          `json:"kind"`
	Meter   plc.SystemTitle `json:"meter"`
	Ref     refBody         `json:"ref"`
	Issued  millis          `json:"issued,omitempty"`
	Expires millis          `json:"expires,omitempty"`
	State   uint8           `json:"state"`
	Attempt int             `json:"attempt,omitempty"`
	Result  *resultBody     `json:"result,omitempty"`
}

type resultBody struct {
	Time    millis               `json:"time,omitempty"`
	Outcome plc.Outcome          `json:"outcome"`
	Detail  string               `json:"detail,omitempty"`
	Data    []byte               `json:"data"`
	Text    string               `json:"text,omitempty"`
	Scaler  int8                 `json:"scaler,omitempty"`
	Unit    uint8                `json:"unit,omitempty"`
	Quality concentrator.Quality `json:"quality,omitempty"`
}

func encodeOrder(o concentrator.Order) ([]byte, error) {
	b := orderBody{
		Version: bodyVersion, ID: o.ID, Kind: o.Kind, Meter: o.Meter, Ref: refBodyOf(o.Ref),
		Issued: millisOf(o.Issued), Expires: millisOf(o.Expires), State: uint8(o.State), Attempt: o.Attempt,
	}
	if r := o.Result; r != nil {
		b.Result = &resultBody{millisOf(r.Time), r.Outcome, r.Detail, r.Data, r.Text, r.Scaler, r.Unit, r.Quality}
	}
	return json.Marshal(b)
}

func decodeOrder(body []byte) (concentrator.Order, error) {
	var b orderBody
	if err := json.Unmarshal(body, &b); err != nil {
		return concentrator.Order{}, fmt.Errorf("stored order: %w", err)
	}
	if b.Version != bodyVersion {
		return concentrator.Order{}, fmt.Errorf("stored order %.80q has version %d, this program knows %d", b.ID, b.Version, bodyVersion)
	}
	o := concentrator.Order{
		ID: b.ID, Kind: b.Kind, Meter: b.Meter, Ref: b.Ref.ref(),
		Issued: b.Issued.time(), Expires: b.Expires.time(), State: concentrator.OrderState(b.State), Attempt: b.Attempt,
	}
	if r := b.Result; r != nil {
		o.Result = &concentrator.OrderResult{
			Time: r.Time.time(), Outcome: r.Outcome, Detail: r.Detail, Data: r.Data, Text: r.Text,
			Scaler: r.Scaler, Unit: r.Unit, Quality: r.Quality,
		}
	}
	return o, nil
}
