package capture

import (
	"bytes"
	"fmt"

	"busbar/plc"
	"busbar/plc/ciase"
	"busbar/plc/dissect"
	"busbar/plc/llc"
)

// Follow picks the frames of one meter: by its address or, since that changes, by its
// system title, whose address is learned from each Register.
type Follow struct {
	title   plc.SystemTitle
	address plc.Address
	known   bool
	all     bool
}

// NewFollow reads an address of three hexadecimal digits or a system title; an empty text
// follows everyone.
func NewFollow(s string) (*Follow, error) {
	if s == "" {
		return &Follow{all: true}, nil
	}
	if len(s) <= 3 {
		var a plc.Address
		if _, err := fmt.Sscanf(s, "%X", &a); err != nil || !a.Valid() {
			return nil, fmt.Errorf("meter %q: want an address like 02A or a system title like 4242520000002711", s)
		}
		return &Follow{address: a, known: true}, nil
	}
	t, err := plc.ParseSystemTitle(s)
	if err != nil {
		return nil, err
	}
	return &Follow{title: t}, nil
}

// Wants reports whether the frame is from or to the meter, or names it.
func (w *Follow) Wants(f Frame, order plc.ByteOrder) bool {
	if w.all {
		return true
	}
	msdu, ok := f.MSDU(order)
	if !ok {
		return f.Layer != dissect.LayerHost && w.named(f.Octets)
	}
	named := w.named(msdu)
	if named {
		w.learn(msdu)
	}
	return named || w.known && (f.Source == w.address || f.Destination == w.address)
}

func (w *Follow) named(b []byte) bool {
	return !w.title.IsZero() && bytes.Contains(b, w.title.Bytes())
}

// learn takes the address out of a Register.
func (w *Follow) learn(msdu []byte) {
	l, _, err := llc.Parse(msdu)
	if err != nil {
		return
	}
	a, _, err := ciase.Parse(l.APDU, w.title.Size())
	if err != nil {
		return
	}
	r, ok := a.(ciase.Register)
	if !ok {
		return
	}
	for _, s := range r.Servers {
		if s.Title == w.title {
			w.address, w.known = s.Address, true
		}
	}
}
