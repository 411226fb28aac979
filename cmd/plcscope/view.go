package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"busbar/cmd/plcscope/capture"
	"busbar/plc"
	"busbar/plc/dissect"
	"busbar/plc/dlms"
)

// viewFlags say how frames are taken apart and shown.
type viewFlags struct {
	keys, client, meter string
	titleSize           int
	little              bool
	asJSON, tree        bool
	faults              bool
}

func (v *viewFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&v.keys, "keys", "", "CSV file with the keys of meters, to decipher with")
	f.StringVar(&v.client, "client-title", "", "system title of the client, where no association request tells it")
	f.StringVar(&v.meter, "meter-title", "", "system title of the meter, where no association tells it")
	f.IntVar(&v.titleSize, "title-size", 0, "octets of a system title in CIASE; 0 finds out")
	f.BoolVar(&v.little, "little-endian", false, "addresses in host frames have their low octet first")
	f.BoolVar(&v.asJSON, "json", false, "print JSON, one frame a line")
}

// options are those of the dissector.
func (v *viewFlags) options() (dissect.Options, error) {
	o := dissect.Options{TitleSize: v.titleSize}
	if v.little {
		o.Order = plc.LittleEndian
	}
	if err := o.Client.UnmarshalText([]byte(v.client)); err != nil {
		return o, fmt.Errorf("--client-title: %w", err)
	}
	if err := o.Meter.UnmarshalText([]byte(v.meter)); err != nil {
		return o, fmt.Errorf("--meter-title: %w", err)
	}
	if v.keys == "" {
		return o, nil
	}
	r, err := readKeys(v.keys)
	if err != nil {
		return o, err
	}
	o.Keys = func(title plc.SystemTitle) (dlms.Keys, bool) {
		k, err := r.of(title)
		return k, err == nil
	}
	return o, nil
}

// viewer shows frames, each conversation by itself.
type viewer struct {
	viewFlags
	out     io.Writer
	options dissect.Options
	talks   map[string]*dissect.Conversation
	last    time.Time
}

// maxTalks bounds the conversations kept apart; frames of more share one.
const maxTalks = 4096

func (v *viewFlags) viewer(out io.Writer) (*viewer, error) {
	o, err := v.options()
	if err != nil {
		return nil, err
	}
	return &viewer{viewFlags: *v, out: out, options: o, talks: map[string]*dissect.Conversation{}}, nil
}

// peer is who we speak with in a frame.
func peer(f capture.Frame) string {
	if f.Source == 0 && f.Destination == 0 {
		return f.Kind.String()
	}
	if f.Sent {
		return f.Destination.String()
	}
	return f.Source.String()
}

// read takes a frame apart.
func (v *viewer) read(f capture.Frame) dissect.Node {
	name := peer(f)
	talk := v.talks[name]
	if talk == nil {
		if len(v.talks) >= maxTalks {
			name = "others"
		}
		if talk = v.talks[name]; talk == nil {
			talk = &dissect.Conversation{Options: v.options}
			v.talks[name] = talk
		}
	}
	return talk.Frame(f.Layer, f.Octets)
}

// shown is a frame as JSON.
type shown struct {
	At          time.Time    `json:"at"`
	Sent        bool         `json:"sent"`
	Kind        string       `json:"kind"`
	Source      plc.Address  `json:"source,omitempty"`
	Destination plc.Address  `json:"destination,omitempty"`
	Credits     *plc.Credits `json:"credits,omitempty"`
	Lost        uint32       `json:"lost_before,omitempty"`
	Cut         int          `json:"cut,omitempty"` // octets that were not kept
	Octets      string       `json:"octets"`
	Frame       dissect.Node `json:"frame"`
}

// show prints one frame.
func (v *viewer) show(f capture.Frame) {
	n := v.read(f)
	switch {
	case v.faults && !n.Faulty():
	case v.asJSON:
		v.showJSON(f, n)
	default:
		v.showText(f, n)
	}
}

func (v *viewer) showJSON(f capture.Frame, n dissect.Node) {
	s := shown{
		At: f.At.UTC(), Sent: f.Sent, Kind: f.Kind.String(), Source: f.Source, Destination: f.Destination, Lost: f.Lost,
		Octets: fmt.Sprintf("%x", f.Octets), Frame: n,
	}
	if f.Source != 0 || f.Destination != 0 {
		s.Credits = &f.Credits
	}
	if f.Whole > len(f.Octets) {
		s.Cut = f.Whole - len(f.Octets)
	}
	b, err := json.Marshal(s)
	if err != nil {
		b = fmt.Appendf(nil, "%q", err.Error())
	}
	say(v.out, "%s\n", b)
}

func (v *viewer) showText(f capture.Frame, n dissect.Node) {
	arrow := "<-"
	if f.Sent {
		arrow = "->"
	}
	if f.Lost > 0 {
		say(v.out, "   %d records are missing here\n", f.Lost)
	}
	where := ""
	if f.Layer == dissect.LayerLLC && (f.Source != 0 || f.Destination != 0) {
		where = fmt.Sprintf(" %v to %v, credits %d of %d left", f.Source, f.Destination, f.Credits.Current, f.Credits.Initial)
	}
	stamp := f.At.Format("15:04:05.000")
	if day := f.At.Truncate(24 * time.Hour); !day.Equal(v.last.Truncate(24 * time.Hour)) {
		say(v.out, "%s\n", f.At.Format("2006-01-02"))
	}
	v.last = f.At
	if !v.tree {
		say(v.out, "%s %s%s %s\n", stamp, arrow, where, n.Summary())
		return
	}
	say(v.out, "%s %s%s\n%s", stamp, arrow, where, n)
}
