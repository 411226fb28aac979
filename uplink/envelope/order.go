package envelope

import (
	"errors"
	"fmt"
	"math"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/uplink/envelope/wire"
)

// maxDetail bounds the texts of an order's result and of an event, in octets.
const maxDetail = 64 << 10

func wireOrder(o concentrator.Order) *wire.Order {
	w := &wire.Order{
		Id: clean(o.ID, maxText), Kind: clean(o.Kind, maxText), Meter: o.Meter.Bytes(), Ref: wireRef(o.Ref),
		Issued: millis(o.Issued), Expires: millis(o.Expires),
		State: uint32(o.State), Attempt: uint32(min(max(0, o.Attempt), math.MaxInt32)), //nolint:gosec // bounded
	}
	if r := o.Result; r != nil {
		w.Result = &wire.Result{
			Time: millis(r.Time), Outcome: uint32(r.Outcome), Detail: clean(r.Detail, maxDetail), Data: r.Data, Text: clean(r.Text, maxDetail),
			Scaler: int32(r.Scaler), Unit: uint32(r.Unit), Quality: uint32(r.Quality),
		}
	}
	return w
}

func wireRef(r cosem.Ref) *wire.Ref {
	w := &wire.Ref{Class: uint32(r.Class), Object: r.Object[:], Attribute: int32(r.Attribute)}
	if r.Select != nil {
		selector := uint32(r.Select.Selector)
		w.Selector, w.Parameters = &selector, r.Select.Parameters
	}
	return w
}

// order checks and takes over one order.
func order(w *wire.Order) (concentrator.Order, error) {
	o := concentrator.Order{
		ID: w.GetId(), Kind: clean(w.GetKind(), maxText), Issued: moment(w.GetIssued()), Expires: moment(w.GetExpires()),
		Attempt: int(min(w.GetAttempt(), math.MaxInt32)),
	}
	if err := named("order", o.ID); err != nil {
		return o, err
	}
	meter, err := title(w.GetMeter())
	if err != nil {
		return o, fmt.Errorf("order %s: %w", o.ID, err)
	}
	ref, err := ref(w.GetRef())
	if err != nil {
		return o, fmt.Errorf("order %s: %w", o.ID, err)
	}
	if o.State, err = narrow[concentrator.OrderState]("state", w.GetState()); err != nil {
		return o, fmt.Errorf("order %s: %w", o.ID, err)
	}
	o.Meter, o.Ref = meter, ref
	if w.Result != nil {
		r, err := result(w.Result)
		if err != nil {
			return o, fmt.Errorf("order %s: %w", o.ID, err)
		}
		o.Result = &r
	}
	return o, nil
}

func result(w *wire.Result) (concentrator.OrderResult, error) {
	r := concentrator.OrderResult{Time: moment(w.GetTime()), Detail: clean(w.GetDetail(), maxDetail), Data: w.Data, Text: clean(w.GetText(), maxDetail)}
	var err error
	if r.Outcome, err = narrow[plc.Outcome]("outcome", w.GetOutcome()); err != nil {
		return r, err
	}
	if r.Scaler, err = narrow[int8]("scaler", w.GetScaler()); err != nil {
		return r, err
	}
	if r.Unit, err = narrow[uint8]("unit", w.GetUnit()); err != nil {
		return r, err
	}
	r.Quality, err = narrow[concentrator.Quality]("quality", w.GetQuality())
	return r, err
}

func ref(w *wire.Ref) (r cosem.Ref, err error) {
	if w == nil {
		return r, errors.New("it names no attribute")
	}
	if r.Class, err = narrow[cosem.Class]("class", w.GetClass()); err != nil {
		return r, err
	}
	if r.Object, err = obis(w.GetObject()); err != nil {
		return r, err
	}
	if r.Attribute, err = narrow[int8]("attribute", w.GetAttribute()); err != nil {
		return r, err
	}
	if w.Selector == nil {
		return r, nil
	}
	selector, err := narrow[byte]("selector", w.GetSelector())
	r.Select = &cosem.Selection{Selector: selector, Parameters: w.GetParameters()}
	return r, err
}

// narrow takes over a number that must fit the type of its meaning.
func narrow[To, From interface {
	~int8 | ~uint8 | ~uint16 | ~int32 | ~uint32
}](what string, v From) (To, error) {
	n := To(v)
	if From(n) != v || (n < 0) != (v < 0) {
		return 0, fmt.Errorf("%s %d is out of its range", what, v)
	}
	return n, nil
}

// obis reads a logical name; no octets are the zero name.
func obis(b []byte) (o cosem.OBIS, err error) {
	if len(b) != 0 && len(b) != len(o) {
		return o, fmt.Errorf("logical name of %d octets: want %d", len(b), len(o))
	}
	copy(o[:], b)
	return o, nil
}

// title reads a system title; no octets are no title.
func title(b []byte) (plc.SystemTitle, error) {
	if len(b) == 0 {
		return plc.SystemTitle{}, nil
	}
	return plc.NewSystemTitle(b)
}
