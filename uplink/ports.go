package uplink

import (
	"context"

	"busbar/concentrator"
	"busbar/uplink/envelope"
)

// Outbox is where the courier takes what must go home. storage provides it.
// Records wait in arrival order until they are sealed into a batch; a sealed
// batch is immutable and stays until its receipt.
type Outbox interface {
	// Epoch is the random number made when the database was created.
	Epoch(ctx context.Context) (uint64, error)
	// Waiting returns up to limit records of the lane that no batch holds yet, oldest
	// first. Through is the arrival number of the last one, to be given to Seal.
	Waiting(ctx context.Context, lane concentrator.Lane, limit int) (Records, error)
	// Seal stores body as the lane's next batch, made of the waiting records through
	// the given arrival number, in one transaction. Only one caller may seal a lane.
	Seal(ctx context.Context, lane concentrator.Lane, through uint64, body []byte) (concentrator.Batch, error)
	// Unreceipted returns sealed batches of the lane with a sequence above after,
	// oldest first, up to limit. Quarantined batches are left out.
	Unreceipted(ctx context.Context, lane concentrator.Lane, after uint64, limit int) ([]concentrator.Batch, error)
	// Receipt records the center's word. It refuses one whose hash is not that of our batch.
	Receipt(ctx context.Context, r concentrator.Receipt) error
	// Backlog counts what has no receipt.
	Backlog(ctx context.Context) (concentrator.Backlog, error)
}

// Records are waiting records of one lane.
type Records = concentrator.Records

// Inbox takes orders in. storage provides it.
type Inbox interface {
	// AcceptOrder commits a new order; a known ID is a no-op and returns false.
	AcceptOrder(ctx context.Context, o concentrator.Order) (isNew bool, err error)
}

// Center is the way to the acquisition center; a transport implements it.
type Center interface {
	// Dial opens a session, or says in words why it could not.
	Dial(ctx context.Context) (Session, error)
}

// Session is one live connection. One goroutine sends, one receives.
type Session interface {
	// Hello tells who we are and returns what the center already holds.
	Hello(ctx context.Context, h Hello) (Welcome, error)
	// Send hands over one batch.
	Send(ctx context.Context, b concentrator.Batch) error
	// Receive blocks until the center says something. Receipts were verified.
	Receive(ctx context.Context) (Message, error)
	// ConfirmOrder tells the center that an order was accepted (committed) here.
	ConfirmOrder(ctx context.Context, id string) error
	Close() error
}

// Hello opens a session: the first unreceipted sequence of every lane.
type Hello = envelope.Hello

// Welcome is the center's answer: the highest sequence it holds without a hole, per lane.
type Welcome = envelope.Welcome

// Message is what the center says: exactly one field is set.
type Message struct {
	Receipt *concentrator.Receipt
	Order   *concentrator.Order
}
