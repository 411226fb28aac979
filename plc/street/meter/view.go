package meter

import (
	"time"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
)

// view is the meter as one client sees it.
type view struct {
	meter  *Meter
	client byte
}

// sees reports whether an object exists for the client: the public client of a meter
// that has keys sees few, that of a meter without keys sees all.
func (v *view) sees(o *object) bool {
	return v.client == clientManagement || o.public || v.meter.cfg.Keys.Mechanism == dlms.None
}

// attribute finds what a reference means, and says why not.
func (v *view) attribute(ref cosem.Ref) (*attribute, cosem.AccessResult) {
	o := v.meter.tree.find(ref.Object)
	switch {
	case o == nil || !v.sees(o):
		return nil, cosem.ObjectUndefined
	case o.class != ref.Class:
		return nil, cosem.ObjectClassInconsistent
	case ref.Select != nil && (o.class != cosem.ClassProfileGeneric || ref.Attribute != 2):
		return nil, cosem.ReadWriteDenied
	case ref.Attribute == 1:
		return &attribute{index: 1, get: func(_ *call, dst []byte) []byte { return axdr.AppendOctets(dst, o.name[:]) }}, cosem.Success
	}
	for i := range o.attributes {
		if a := &o.attributes[i]; a.index == ref.Attribute {
			return a, cosem.Success
		}
	}
	return nil, cosem.ReadWriteDenied
}

func (v *view) call(now time.Time, ref cosem.Ref) *call {
	return &call{Meter: v.meter, view: v, now: now.UnixMilli(), ref: ref}
}

// Get implements dlms.Objects.
func (v *view) Get(now time.Time, ref cosem.Ref) ([]byte, cosem.AccessResult) {
	a, access := v.attribute(ref)
	if access != cosem.Success {
		return nil, access
	}
	c := v.call(now, ref)
	b := a.get(c, make([]byte, 0, 16))
	return b, c.access
}

// Set implements dlms.Objects: the management client may write what can be written.
func (v *view) Set(now time.Time, ref cosem.Ref, data []byte) cosem.AccessResult {
	a, access := v.attribute(ref)
	switch {
	case access != cosem.Success:
		return access
	case a.set == nil || v.client != clientManagement || ref.Select != nil:
		return cosem.ReadWriteDenied
	}
	return a.set(v.call(now, ref), data)
}

// Action implements dlms.Objects: there is no method that a client may invoke.
func (v *view) Action(_ time.Time, ref cosem.Ref, _ []byte) ([]byte, cosem.AccessResult) {
	if o := v.meter.tree.find(ref.Object); o == nil || !v.sees(o) {
		return nil, cosem.ObjectUndefined
	}
	return nil, cosem.ReadWriteDenied
}
