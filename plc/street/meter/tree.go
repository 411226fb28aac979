package meter

import (
	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/street/load"
)

// object is one object of the meter: its logical name is attribute 1, the others are
// listed.
type object struct {
	class      cosem.Class
	version    uint8
	name       cosem.OBIS
	public     bool // seen by the public client of a meter that has keys
	attributes []attribute
}

// attribute is read with get and, where the management client may, written with set.
type attribute struct {
	index int8
	get   func(c *call, dst []byte) []byte // with c.access set the result does not count
	set   func(c *call, data []byte) cosem.AccessResult
}

// call is one access to one attribute.
type call struct {
	*Meter
	view   *view
	now    int64 // real
	ref    cosem.Ref
	access cosem.AccessResult // not Success: there is no data
}

// tree is every object that a meter has, in the order of its object list.
type tree []object

// objects is shared by all meters and never changed.
var objects = newTree()

func newTree() tree {
	t := tree{associationObject(), sapObject(), clockObject(), {
		class: cosem.ClassData, name: cosem.MustOBIS("0.0.42.0.0.255"), public: true,
		attributes: read(func(c *call, dst []byte) []byte { return axdr.AppendOctets(dst, []byte(c.cfg.Name)) }),
	}, {
		class: cosem.ClassData, name: cosem.MustOBIS("0.0.43.1.0.255"), public: true,
		attributes: read(invocationCounter),
	}}
	t = append(t, registerObjects()...)
	t = append(t, profileObject(nameProfile, profileAttributes), profileObject(nameEvents, eventAttributes), object{
		class: cosem.ClassData, name: nameStatus, attributes: read(func(c *call, dst []byte) []byte {
			return axdr.AppendUnsigned(dst, c.last().status)
		}),
	}, disconnectObject())
	return append(t, lineObjects()...)
}

// read is the one attribute 2 that nobody writes.
func read(get func(c *call, dst []byte) []byte) []attribute { return []attribute{{index: 2, get: get}} }

func (t tree) find(name cosem.OBIS) *object {
	for i := range t {
		if t[i].name == name {
			return &t[i]
		}
	}
	return nil
}

// invocationCounter is the highest counter the management client has used, for clients
// that lost theirs.
func invocationCounter(c *call, dst []byte) []byte {
	n, _ := c.management.LastPeerCounter()
	return axdr.AppendDoubleLongU(dst, n)
}

// last is the newest entry of the load profile; zero when there is none.
func (c *call) last() entry {
	p := c.profile(c.now)
	if p.inUse() == 0 {
		return entry{}
	}
	p.enter(p.inUse())
	return p.entry
}

// wattHours is scaler and unit of all registers.
var wattHours = cosem.ScalerUnit{Scaler: 0, Unit: 30}

// billing are the billing registers: total and two tariffs of both directions.
var billing = []struct {
	name  string
	value func(load.Energy) uint64
}{
	{"1.0.1.8.0.255", func(e load.Energy) uint64 { return e.Import[0] + e.Import[1] }},
	{"1.0.1.8.1.255", func(e load.Energy) uint64 { return e.Import[0] }},
	{"1.0.1.8.2.255", func(e load.Energy) uint64 { return e.Import[1] }},
	{"1.0.2.8.0.255", func(e load.Energy) uint64 { return e.Export[0] + e.Export[1] }},
	{"1.0.2.8.1.255", func(e load.Energy) uint64 { return e.Export[0] }},
	{"1.0.2.8.2.255", func(e load.Energy) uint64 { return e.Export[1] }},
}

func registerObjects() tree {
	var t tree
	for _, b := range billing {
		name := cosem.MustOBIS(b.name)
		t = append(t, register(name, func(c *call, dst []byte) []byte {
			v := uint32(b.value(c.energy(c.now)))
			c.told(c.now, name, int64(v))
			return axdr.AppendDoubleLongU(dst, v)
		}))
	}
	return append(t,
		register(nameImported, func(c *call, dst []byte) []byte { return axdr.AppendDoubleLongU(dst, c.last().imported) }),
		register(nameExported, func(c *call, dst []byte) []byte { return axdr.AppendDoubleLongU(dst, c.last().exported) }))
}

func register(name cosem.OBIS, value func(c *call, dst []byte) []byte) object {
	return object{class: cosem.ClassRegister, name: name, attributes: []attribute{
		{index: 2, get: value},
		{index: 3, get: func(_ *call, dst []byte) []byte { return wattHours.Append(dst) }},
	}}
}

// disconnectObject tells that the supply is on; it cannot be switched.
func disconnectObject() object {
	return object{class: cosem.ClassDisconnect, name: cosem.MustOBIS("0.0.96.3.10.255"), attributes: []attribute{
		{index: 2, get: func(_ *call, dst []byte) []byte { return axdr.AppendBool(dst, true) }}, // output_state
		{index: 3, get: func(_ *call, dst []byte) []byte { return axdr.AppendEnum(dst, 1) }},    // control_state: connected
		{index: 4, get: func(_ *call, dst []byte) []byte { return axdr.AppendEnum(dst, 0) }},    // control_mode: none
	}}
}

// profileObject is a Profile generic object, version 1.
func profileObject(name cosem.OBIS, attributes []attribute) object {
	return object{class: cosem.ClassProfileGeneric, version: 1, name: name, attributes: attributes}
}

var profileAttributes = genericAttributes(load.QuarterSeconds,
	func(c *call) table { return c.profile(c.now) }, func(c *call) int { return c.cfg.Entries })

var eventAttributes = genericAttributes(0,
	func(c *call) table { return c.eventTable(c.now) }, func(*call) int { return maxEvents })

// sortFIFO is sort_method: the oldest entry first.
const sortFIFO = 1

func genericAttributes(seconds uint32, t func(c *call) table, capacity func(c *call) int) []attribute {
	return []attribute{
		{index: 2, get: func(c *call, _ []byte) []byte {
			b, access := c.buffer(t(c), c.ref.Select)
			c.access = access
			return b
		}},
		{index: 3, get: func(c *call, dst []byte) []byte { return cosem.AppendCaptureObjects(dst, t(c).columns()) }},
		{index: 4, get: func(_ *call, dst []byte) []byte { return axdr.AppendDoubleLongU(dst, seconds) }},
		{index: 5, get: func(_ *call, dst []byte) []byte { return axdr.AppendEnum(dst, sortFIFO) }},
		{index: 6, get: func(_ *call, dst []byte) []byte { return clockColumn.Append(dst) }},
		{index: 7, get: func(c *call, dst []byte) []byte { return axdr.AppendDoubleLongU(dst, uint32(t(c).inUse())) }},
		{index: 8, get: func(c *call, dst []byte) []byte { return axdr.AppendDoubleLongU(dst, uint32(capacity(c))) }},
	}
}
