package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

// fakeJournal keeps everything in memory and can be made to fail.
type fakeJournal struct {
	mu       sync.Mutex
	fail     error
	failSave error // of SaveOrder only
	meters   map[plc.SystemTitle]concentrator.Meter
	readings map[readingKey]concentrator.Reading
	offered  int // readings offered, duplicates included
	visits   []concentrator.Visit
	events   []concentrator.Event
	orders   []concentrator.Order
	states   []concentrator.OrderState // every saved state, in order
	calls    int
	onVisit  func(VisitRecord) // called before the visit is stored
}

type readingKey struct {
	meter   plc.SystemTitle
	channel concentrator.Channel
	at      time.Time
}

var errDisk = errors.New("database or disk is full")

func newJournal() *fakeJournal {
	return &fakeJournal{meters: map[plc.SystemTitle]concentrator.Meter{}, readings: map[readingKey]concentrator.Reading{}}
}

func (j *fakeJournal) begin(ctx context.Context) error {
	j.mu.Lock()
	j.calls++
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return j.fail
}

func (j *fakeJournal) Meters(ctx context.Context) ([]concentrator.Meter, error) {
	defer j.mu.Unlock()
	if err := j.begin(ctx); err != nil {
		return nil, err
	}
	var out []concentrator.Meter
	for _, m := range j.meters {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b concentrator.Meter) int { return a.Title.Compare(b.Title) })
	return out, nil
}

func (j *fakeJournal) SaveMeters(ctx context.Context, meters []concentrator.Meter, events []concentrator.Event) error {
	defer j.mu.Unlock()
	if err := j.begin(ctx); err != nil {
		return err
	}
	for _, m := range meters {
		j.meters[m.Title] = m
	}
	j.events = append(j.events, events...)
	return nil
}

func (j *fakeJournal) RecordVisit(ctx context.Context, r VisitRecord) (int, error) {
	if j.onVisit != nil {
		j.onVisit(r)
	}
	defer j.mu.Unlock()
	if err := j.begin(ctx); err != nil {
		return 0, err
	}
	j.meters[r.Meter.Title] = r.Meter
	j.visits = append(j.visits, r.Visit)
	j.events = append(j.events, r.Events...)
	stored := 0
	for _, v := range r.Readings {
		j.offered++
		k := readingKey{v.Meter, v.Channel, v.Time.Truncate(time.Second)}
		if _, ok := j.readings[k]; !ok {
			j.readings[k] = v
			stored++
		}
	}
	return stored, nil
}

func (j *fakeJournal) LastEntry(ctx context.Context, meter plc.SystemTitle, profile cosem.OBIS) (time.Time, bool, error) {
	defer j.mu.Unlock()
	if err := j.begin(ctx); err != nil {
		return time.Time{}, false, err
	}
	var last time.Time
	for k, r := range j.readings {
		odd := r.Quality&(concentrator.TimeImplausible|concentrator.NoMeterTime) != 0
		if k.meter == meter && k.channel.Profile == profile && !odd && k.at.After(last) {
			last = k.at
		}
	}
	return last, !last.IsZero(), nil
}

func (j *fakeJournal) PendingOrders(ctx context.Context) ([]concentrator.Order, error) {
	defer j.mu.Unlock()
	if err := j.begin(ctx); err != nil {
		return nil, err
	}
	var out []concentrator.Order
	for _, o := range j.orders {
		if !o.State.Final() {
			out = append(out, o)
		}
	}
	return out, nil
}

func (j *fakeJournal) SaveOrder(ctx context.Context, o concentrator.Order) error {
	defer j.mu.Unlock()
	if err := cmp.Or(j.begin(ctx), j.failSave); err != nil {
		return err
	}
	j.states = append(j.states, o.State)
	for i := range j.orders {
		if j.orders[i].ID == o.ID {
			j.orders[i] = o
			return nil
		}
	}
	j.orders = append(j.orders, o)
	return nil
}

func (j *fakeJournal) set(err error) {
	j.mu.Lock()
	j.fail = err
	j.mu.Unlock()
}

func (j *fakeJournal) order(id string) concentrator.Order {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, o := range j.orders {
		if o.ID == id {
			return o
		}
	}
	return concentrator.Order{}
}

func (j *fakeJournal) count(code concentrator.EventCode) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, e := range j.events {
		if e.Code == code {
			n++
		}
	}
	return n
}

// profileTimes are the stored entry times of one meter, ordered.
func (j *fakeJournal) profileTimes(m plc.SystemTitle) []time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []time.Time
	for k := range j.readings {
		if k.meter == m && k.channel.Profile == defaultProfile {
			out = append(out, k.at)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}
