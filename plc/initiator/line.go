package initiator

import (
	"context"

	"busbar/plc"
	"busbar/plc/mac"
)

// Line is the only door to copper. The modem driver and the simulated street are
// its two implementations. One goroutine calls its methods; Indications may be
// read by another.
type Line interface {
	// Send hands one MSDU to the modem and returns after MA_Data.confirm "sent",
	// which comes after the first transmission and before its repetitions. Busy
	// confirms are retried inside, at the next slot, for a bounded time. An error is
	// a failure of our side; errors.Is(err, plc.ErrLineDown) tells that the modem or its
	// mains is away and that trying again later makes sense.
	Send(ctx context.Context, r mac.DataRequest) error
	// Indications delivers what was received, in order. It is bounded: when nobody
	// reads, the oldest are dropped and counted, the line never waits.
	Indications() <-chan mac.DataIndication
	// RepeaterCall runs the repeater call in the modem (sfsk.md 2.6) directly after
	// the CIASE RepeaterCall frame was repeated, and returns when its slots are over.
	RepeaterCall(ctx context.Context, maxAddress plc.Address) error
	// Signal asks the modem for the quality of the last subframe it received. The
	// zero Signal means that it does not know.
	Signal(ctx context.Context) (plc.Signal, error)
}
