package engine

import (
	"context"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

// Link is the seam between the product and the wire: values and an Outcome. The
// initiator provides it. Each method blocks until the work is done or ctx ends.
//
// A silent or refusing meter is told by Exchange.Outcome with a nil error. An
// error means that our own side failed (port unplugged, modem without mains, ctx
// ended): no meter is to blame and nothing may be concluded about it.
type Link interface {
	// Discover sends one Discover and returns what was reported in its window.
	Discover(ctx context.Context, r plc.DiscoverRequest) ([]plc.Report, plc.Exchange, error)
	// Register broadcasts addresses. Nobody answers a Register: Ping is the proof.
	// The associations of the titles are forgotten.
	Register(ctx context.Context, regs []plc.Registration, credit plc.Credit) (plc.Exchange, error)
	// Ping asks the server at p.Address whether it is p.Title, once.
	Ping(ctx context.Context, p plc.Peer) (plc.Exchange, error)
	// Get reads attributes in one association, opening it first when needed. With
	// several refs it uses one request when the server allows that, else one each.
	// When the outcome is Answered the results stand in the order of the refs.
	Get(ctx context.Context, p plc.Peer, refs ...cosem.Ref) ([]cosem.Result, plc.Exchange, error)
	// RepeaterCall lets the servers choose their repeaters (sfsk.md 2.6).
	RepeaterCall(ctx context.Context, maxAddress plc.Address) (plc.Exchange, error)
	// Urgent returns a Link with the same line whose work is done before anything
	// else, between two exchanges of whatever is running.
	Urgent() Link
}

// Journal keeps what the engine must not forget. storage provides it. Every
// method that returns nil has committed: it survives a power cut.
type Journal interface {
	// Meters returns every known meter, ordered by title.
	Meters(ctx context.Context) ([]concentrator.Meter, error)
	// SaveMeters creates or replaces meters and records events, in one transaction.
	SaveMeters(ctx context.Context, meters []concentrator.Meter, events []concentrator.Event) error
	// RecordVisit stores a visit, its readings, the meter's new state and events in
	// one transaction, and returns how many readings were new.
	RecordVisit(ctx context.Context, r VisitRecord) (stored int, err error)
	// LastEntry returns the newest stored meter time of any channel of a profile, and
	// false when there is none.
	LastEntry(ctx context.Context, meter plc.SystemTitle, profile cosem.OBIS) (time.Time, bool, error)
	// PendingOrders returns accepted and running orders, oldest first.
	PendingOrders(ctx context.Context) ([]concentrator.Order, error)
	// SaveOrder commits the state of an order; a final one is queued for the center
	// in the same transaction.
	SaveOrder(ctx context.Context, o concentrator.Order) error
}

// VisitRecord is what one visit leaves behind.
type VisitRecord = concentrator.VisitRecord
