// Package uplink is the only talk with the acquisition center. Its Courier takes
// what waits in the store home and brings orders back.
//
// It implements no standard but this house's delivery rules: records are sealed
// into numbered batches; a batch is repeated octet for octet until the center's
// receipt for exactly that batch arrives; an order is committed before it is
// confirmed.
//
// It declares what it needs: Outbox and Inbox, which storage provides, and Center,
// the way there, which a transport such as uplink/ws provides.
//
// Courier.Run owns the session and everything that is sent; one goroutine of its
// own per session only receives.
//
// It never deletes anything, never believes a receipt whose epoch, lane, number
// and hash are not those of a batch it sealed, and never calls the center more
// often than its back-off allows.
package uplink
