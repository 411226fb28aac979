package main

import (
	"context"
	"errors"
	"fmt"

	"busbar/concentrator"
	"busbar/concentrator/engine"
	"busbar/plc"
	"busbar/plc/dlms"
	"busbar/plc/dlms/cipher"
	"busbar/plc/initiator"
	"busbar/storage"
)

// link is the initiator's Link as the engine wants it: only Urgent differs.
type link struct{ *initiator.Link }

// Urgent implements engine.Link.
func (l link) Urgent() engine.Link { return link{l.Link.Urgent()} }

// journal is the store as the engine wants it. The end of an order wakes the courier, so
// that its result does not wait for the next poll.
type journal struct {
	*storage.Store
	wake func()
}

// SaveOrder implements engine.Journal.
func (j journal) SaveOrder(ctx context.Context, o concentrator.Order) error {
	err := j.Store.SaveOrder(ctx, o)
	if err == nil && o.State.Final() {
		j.wake()
	}
	return err
}

// counters are the store's invocation counters as the initiator wants them. A key that
// is used up is one meter's trouble, not the station's.
type counters struct{ *storage.Store }

// Reserve implements dlms.CounterStore.
func (c counters) Reserve(title plc.SystemTitle, n uint32) (uint32, error) {
	first, err := c.Store.Reserve(title, n)
	if errors.Is(err, storage.ErrExhausted) {
		err = fmt.Errorf("%w (%w)", dlms.ErrCounterSpent, err)
	}
	return first, err
}

// keyRing gives the initiator the keys that the store holds.
type keyRing struct{ store *storage.Store }

// Keys implements dlms.KeyRing.
func (k keyRing) Keys(title plc.SystemTitle) (dlms.Keys, bool, error) {
	record, found, err := k.store.Key(title)
	if err != nil || !found {
		return dlms.Keys{}, false, err
	}
	encryption, authentication, password := record.Reveal()
	return dlms.Keys{
		Mechanism: mechanisms[record.Mechanism], Password: password,
		Encryption: cipher.Key(encryption), Authentication: cipher.Key(authentication),
	}, true, nil
}

var mechanisms = map[uint8]dlms.Mechanism{
	storage.MechanismNone: dlms.None, storage.MechanismLLS: dlms.LLS, storage.MechanismHLSGMAC: dlms.HLSGMAC,
}
