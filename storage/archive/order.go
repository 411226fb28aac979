package archive

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"busbar/concentrator"
	"busbar/plc/cosem"
)

// Order is an order as the center sees it.
type Order struct {
	Station   string
	Order     concentrator.Order // State is 0 until the station confirmed it
	Confirmed time.Time          // when the station confirmed it; zero: not yet
}

// AddOrder commits a new order for a station that connected before. A known ID is an error.
func (a *Archive) AddOrder(ctx context.Context, station string, o concentrator.Order) error {
	return a.write(ctx, "add an order", func(t *sql.Tx) error {
		d := delivery{ctx: ctx, t: t}
		var err error
		if d.station, err = d.stationNo(station); err != nil {
			return err
		}
		return d.insertOrder(o)
	})
}

// insertOrder adds an order; one that is known already, under whatever station, is ErrUnfit.
func (d *delivery) insertOrder(o concentrator.Order) error {
	var selector, parameters any
	if s := o.Ref.Select; s != nil {
		selector, parameters = int64(s.Selector), append([]byte{}, s.Parameters...)
	}
	_, err := d.t.ExecContext(d.ctx, `INSERT INTO order_ (id, station, kind, meter, class, object, attribute, selector, parameters, issued, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		o.ID, d.station, o.Kind, append([]byte{}, o.Meter.Bytes()...), int64(o.Ref.Class), o.Ref.Object[:], int64(o.Ref.Attribute),
		selector, parameters, milli(o.Issued), milli(o.Expires))
	return err
}

// ConfirmOrder records that the station has committed an order; it reports
// whether that is news.
func (a *Archive) ConfirmOrder(ctx context.Context, station, id string) (news bool, err error) {
	err = a.write(ctx, "confirm an order", func(t *sql.Tx) error {
		res, err := t.ExecContext(ctx, `UPDATE order_ SET confirmed = ?, state = max(state, ?)
			WHERE id = ? AND confirmed = 0 AND station = (SELECT no FROM station WHERE name = ?)`,
			a.now().UnixMilli(), int64(concentrator.OrderAccepted), id, station)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		news = n > 0
		return err
	})
	return news, err
}

// order takes over what became of an order. The first final word stands. A result
// for an order that this archive does not know, as after the restore of a backup, is kept too.
func (d *delivery) order(o concentrator.Order) error {
	var state concentrator.OrderState
	err := d.t.QueryRowContext(d.ctx, "SELECT state FROM order_ WHERE id = ? AND station = ?", o.ID, d.station).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		err = d.insertOrder(o)
	}
	if err != nil || state.Final() {
		return err
	}
	var r concentrator.OrderResult
	if o.Result != nil {
		r = *o.Result
	}
	_, err = d.t.ExecContext(d.ctx, `UPDATE order_ SET confirmed = max(confirmed, 1), state = ?, attempt = ?, answered = ?, outcome = ?, detail = ?,
		data = ?, text = ?, scaler = ?, unit = ?, quality = ? WHERE id = ?`,
		int64(o.State), o.Attempt, milli(r.Time), int64(r.Outcome), r.Detail, r.Data, r.Text, int64(r.Scaler), int64(r.Unit), int64(r.Quality), o.ID)
	return err
}

const selectOrders = `SELECT s.name, o.id, o.kind, o.meter, o.class, o.object, o.attribute, o.selector, o.parameters, o.issued, o.expires,
	o.confirmed, o.state, o.attempt, o.answered, o.outcome, o.detail, o.data, o.text, o.scaler, o.unit, o.quality
	FROM order_ o JOIN station s ON s.no = o.station`

func scanOrder(row interface{ Scan(dest ...any) error }) (o Order, err error) {
	var selector sql.NullInt64
	var meter titleColumn
	var parameters []byte
	var issued, expires, confirmed, answered int64
	var r concentrator.OrderResult
	p := &o.Order
	err = row.Scan(&o.Station, &p.ID, &p.Kind, &meter, &p.Ref.Class, obisColumn{&p.Ref.Object}, &p.Ref.Attribute, &selector, &parameters, &issued, &expires,
		&confirmed, &p.State, &p.Attempt, &answered, &r.Outcome, &r.Detail, &r.Data, &r.Text, &r.Scaler, &r.Unit, &r.Quality)
	if err != nil {
		return o, err
	}
	p.Meter, p.Issued, p.Expires, o.Confirmed = meter.SystemTitle, moment(issued), moment(expires), moment(confirmed)
	if selector.Valid {
		p.Ref.Select = &cosem.Selection{Selector: byte(selector.Int64), Parameters: parameters} //nolint:gosec // written from a byte
	}
	if p.State.Final() {
		r.Time = moment(answered)
		p.Result = &r
	}
	return o, nil
}

// OpenOrders returns the orders that a station has not confirmed and that have not
// expired, oldest first, up to limit.
func (a *Archive) OpenOrders(ctx context.Context, station string, limit int) ([]Order, error) {
	return a.orders(ctx, selectOrders+" WHERE s.name = ? AND o.confirmed = 0 AND o.expires > ? ORDER BY o.no LIMIT ?",
		station, a.now().UnixMilli(), limit)
}

// Orders returns up to limit orders in any state, newest first.
func (r *Reader) Orders(ctx context.Context, limit int) ([]Order, error) {
	return r.orders(ctx, selectOrders+" ORDER BY o.no DESC LIMIT ?", limit)
}

func (r *Reader) orders(ctx context.Context, query string, args ...any) (list []Order, err error) {
	rows, err := r.db.QueryContext(ctx, query, args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		o, err := scanOrder(rows)
		list = append(list, o)
		return err
	})
	if err != nil {
		return nil, r.explain("list orders", err)
	}
	return list, nil
}

// Order returns one order, and false when it is not known.
func (r *Reader) Order(ctx context.Context, id string) (o Order, found bool, err error) {
	list, err := r.orders(ctx, selectOrders+" WHERE o.id = ?", id)
	if err != nil || len(list) == 0 {
		return o, false, err
	}
	return list[0], true, nil
}
