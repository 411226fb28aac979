package initiator

import (
	"container/list"
	"errors"
	"fmt"

	"busbar/plc"
	"busbar/plc/dlms"
	"busbar/plc/llc"
)

// association is what we keep of one meter.
type association struct {
	title    plc.SystemTitle
	client   *dlms.Client
	keys     *dlms.Keys             // behind a pointer, so that no print of an owner reaches the octets
	counter  func() (uint32, error) // draws our next invocation counter
	sap      byte                   // of us
	address  plc.Address
	frame    int // longest LPDU it takes, in octets
	offered  int // the frame for which the client was made
	most     int // attributes it takes in one Get; 0: no bound is known
	doubts   int // how often it was silent as one that knows no lists
	manner   manner
	silences int  // operations in a row that were not answered at all
	busy     bool // an operation is under way
}

// lpdu carries an APDU to the meter.
func (a *association) lpdu(server byte, apdu []byte) llc.LPDU {
	return llc.LPDU{DSAP: server, SSAP: a.sap, APDU: apdu}
}

// cache keeps a bounded number of associations, the last used in front.
type cache struct {
	limit   int
	order   *list.List // of *association
	entries map[plc.SystemTitle]*list.Element
	// floors are the highest verified invocation counters of meters whose association was
	// dropped, so that the next one refuses recordings. They are kept until the program
	// ends: one number for each ciphered meter, of which there are as many as keys.
	floors map[plc.SystemTitle]uint32
}

func newCache(limit int) *cache {
	return &cache{limit: limit, order: list.New(), entries: map[plc.SystemTitle]*list.Element{}, floors: map[plc.SystemTitle]uint32{}}
}

// get returns the association of a meter, and marks it as used now.
func (c *cache) get(title plc.SystemTitle) *association {
	e := c.entries[title]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*association)
}

// put adds an association and drops the ones unused longest, but none that is just
// spoken to: an urgent job may add some meanwhile.
func (c *cache) put(a *association) {
	c.entries[a.title] = c.order.PushFront(a)
	for e := c.order.Back(); e != nil && c.order.Len() > c.limit; {
		older := e.Prev()
		if o := e.Value.(*association); o != a && !o.busy {
			c.drop(e)
		}
		e = older
	}
}

func (c *cache) drop(e *list.Element) {
	a := c.order.Remove(e).(*association)
	delete(c.entries, a.title)
	if floor, ok := a.client.LastPeerCounter(); ok {
		c.floors[a.title] = floor
	}
}

// forget closes the association of a meter that was registered anew, perhaps with another
// firmware. Counters stay.
func (c *cache) forget(title plc.SystemTitle) {
	if e := c.entries[title]; e != nil {
		a := e.Value.(*association)
		a.client.Reset()
		a.silences, a.most, a.doubts = 0, 0, 0
	}
}

// silencesLimit operations without any answer make us open the association anew: some
// meters say nothing to a request for which they have none.
const silencesLimit = 2

// associate returns the association with a meter, for the keys it has now.
func (i *Initiator) associate(p plc.Peer) (*association, error) {
	keys, err := i.keysOf(p.Title)
	if err != nil {
		return nil, err
	}
	a := i.associations.get(p.Title)
	if a != nil && !a.keys.Equal(keys) {
		i.associations.drop(i.associations.entries[p.Title])
		delete(i.associations.floors, p.Title) // counters begin anew with a key
		a = nil
	}
	if a == nil {
		a = i.newAssociation(p, keys)
		i.associations.put(a)
	}
	if a.address != p.Address || a.silences >= silencesLimit {
		a.client.Reset()
		a.address, a.silences, a.most, a.doubts = p.Address, 0, 0, 0
	}
	i.fit(a, p)
	return a, nil
}

// fit heeds the longest frame of a meter. Requests do at once; the longest answer is agreed
// when the association is opened, and an open one is not closed for it: the meter
// knew its limit when it agreed.
func (i *Initiator) fit(a *association, p plc.Peer) {
	a.frame = i.cfg.Profile.MaxFrame
	if p.MaxFrame >= minFrame {
		a.frame = min(a.frame, p.MaxFrame)
	}
	if a.frame == a.offered || a.client != nil && a.client.State() != dlms.Closed {
		return
	}
	c := dlms.ClientConfig{
		ClientTitle: i.cfg.Title, ServerTitle: a.title, Keys: *a.keys, Counter: a.counter,
		MaxPDU: a.frame - llc.HeaderSize, MaxSend: a.frame - llc.HeaderSize, MaxTransfer: i.cfg.MaxTransfer,
	}
	c.LastPeerCounter, c.SeenPeer = i.associations.floor(a.title)
	if a.client != nil {
		if last, ok := a.client.LastPeerCounter(); ok {
			c.LastPeerCounter, c.SeenPeer = last, true
		}
	}
	a.client, a.offered = dlms.NewClient(c), a.frame
}

// minFrame is the least that class 55 allows; what is below says nothing.
const minFrame = 26

func (i *Initiator) newAssociation(p plc.Peer, keys dlms.Keys) *association {
	a := &association{
		title: p.Title, keys: &keys, sap: i.cfg.ClientSAP, address: p.Address,
		counter: dlms.NewStride(i.cfg.Counters, p.Title, i.cfg.CounterRow).Next,
	}
	if keys.Mechanism == dlms.None {
		a.sap = i.cfg.PublicSAP
	}
	i.fit(a, p)
	return a
}

func (c *cache) floor(title plc.SystemTitle) (uint32, bool) {
	floor, ok := c.floors[title]
	return floor, ok
}

// unprepared is a meter that is not spoken to for a reason that lies with its keys.
type unprepared struct{ why string }

// Error is the reason.
func (u unprepared) Error() string { return u.why }

// keysOf returns the keys to speak to a meter with. Its error is an unprepared, or a
// failure of the key ring.
func (i *Initiator) keysOf(title plc.SystemTitle) (dlms.Keys, error) {
	var keys dlms.Keys
	var found bool
	if i.cfg.Keys != nil {
		var err error
		if keys, found, err = i.cfg.Keys.Keys(title); err != nil {
			return keys, fmt.Errorf("look up the keys of meter %v: %w", title, err)
		}
	}
	if !found {
		keys = dlms.Keys{Mechanism: dlms.None}
	}
	switch err := keys.Validate(); {
	case err != nil:
		return keys, unprepared{err.Error()}
	case keys.Mechanism == dlms.None && !i.cfg.AllowUnprotected:
		return keys, unprepared{"no keys for this meter: import them, or allow meters to be read without protection"}
	case !keys.Security().Ciphered():
	case i.cfg.Title.Size() != titleSize || title.Size() != titleSize:
		return keys, unprepared{fmt.Sprintf("ciphering needs system titles of 8 octets: ours has %d, the meter's %d", i.cfg.Title.Size(), title.Size())}
	case i.cfg.Counters == nil:
		return keys, errors.New("no store of invocation counters: set Config.Counters")
	}
	return keys, nil
}

// titleSize is the size of a system title in an initialization vector.
const titleSize = 8
