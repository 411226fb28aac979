package meter

import (
	"time"

	"busbar/plc"
	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// lineObjects are the S-FSK classes 50 to 53, 55 and 56 (sfsk.md 5). They show what the
// modem knows.
func lineObjects() tree {
	return tree{
		{class: cosem.ClassSFSKPhyMAC, version: 1, name: cosem.MustOBIS("0.0.26.0.0.255"), attributes: phyMAC()},
		{class: cosem.ClassSFSKInitiator, name: cosem.MustOBIS("0.0.26.1.0.255"), attributes: read(activeInitiator)},
		{class: cosem.ClassSFSKTimeouts, name: cosem.MustOBIS("0.0.26.2.0.255"), attributes: []attribute{
			{index: 2, get: timeout(func(l *LineState) time.Duration { return l.SearchInitiator }, time.Second)},
			{index: 3, get: timeout(func(l *LineState) time.Duration { return l.SynchroConfirm }, time.Second)},
			{index: 4, get: timeout(func(l *LineState) time.Duration { return l.NotAddressed }, time.Minute)},
			{index: 5, get: timeout(func(l *LineState) time.Duration { return l.FrameNotOK }, time.Second)},
		}},
		{class: cosem.ClassSFSKCounters, name: cosem.MustOBIS("0.0.26.3.0.255"), attributes: counters()},
		{class: cosem.ClassLLC432, version: 1, name: cosem.MustOBIS("0.0.26.5.0.255"), attributes: []attribute{
			{index: 2, get: func(c *call, dst []byte) []byte { return axdr.AppendUnsigned(dst, uint8(c.cfg.Options.maxFrame())) }},
			{index: 3, get: func(_ *call, dst []byte) []byte { return axdr.AppendArray(dst, 0) }}, // reply_status_list
		}},
		{class: cosem.ClassSFSKReporting, name: cosem.MustOBIS("0.0.26.6.0.255"), attributes: read(reportingSystems)},
	}
}

// phyMAC are the attributes of class 50.
func phyMAC() []attribute {
	u8 := func(of func(l *LineState) uint8) func(*call, []byte) []byte {
		return func(c *call, dst []byte) []byte { return axdr.AppendUnsigned(dst, of(c.cfg.Line)) }
	}
	enum := func(of func(l *LineState) uint8) func(*call, []byte) []byte {
		return func(c *call, dst []byte) []byte { return axdr.AppendEnum(dst, of(c.cfg.Line)) }
	}
	flag := func(of func(l *LineState) bool) func(*call, []byte) []byte {
		return func(c *call, dst []byte) []byte { return axdr.AppendBool(dst, of(c.cfg.Line)) }
	}
	address := func(of func(l *LineState) plc.Address) func(*call, []byte) []byte {
		return func(c *call, dst []byte) []byte { return axdr.AppendLongU(dst, uint16(of(c.cfg.Line))) }
	}
	return []attribute{
		{index: 2, get: func(c *call, dst []byte) []byte { return axdr.AppendEnum(dst, c.phase) }, set: setPhase},
		{index: 3, get: enum(func(l *LineState) uint8 { return uint8(l.Phase) })},
		{index: 4, get: u8(func(l *LineState) uint8 { return l.MaxReceivingGain })},
		{index: 5, get: u8(func(l *LineState) uint8 { return l.MaxTransmittingGain })},
		{index: 6, get: u8(func(l *LineState) uint8 { return l.SearchThreshold })},
		{index: 7, get: frequencies},
		{index: 8, get: address(func(l *LineState) plc.Address { return l.Address })},
		{index: 9, get: groups},
		{index: 10, get: enum(func(l *LineState) uint8 { return l.RepeaterMode })},
		{index: 11, get: flag(func(l *LineState) bool { return l.Repeating })},
		{index: 12, get: u8(func(l *LineState) uint8 { return uint8(l.MinDelta) })},
		{index: 13, get: address(func(l *LineState) plc.Address { return l.Initiator })},
		{index: 14, get: flag(func(l *LineState) bool { return l.Synchronized })},
		{index: 15, get: enum(func(l *LineState) uint8 { return l.Speed })},
	}
}

// setPhase takes the phase of the initiator, which the meter only keeps.
func setPhase(c *call, data []byte) cosem.AccessResult {
	if len(data) != 2 || axdr.Tag(data[0]) != axdr.Enum {
		return cosem.TypeUnmatched
	}
	if data[1] > 3 {
		return cosem.ScopeViolated
	}
	c.phase = data[1]
	return cosem.Success
}

// frequencies is the pair of tones, mark first (sfsk.md D7).
func frequencies(c *call, dst []byte) []byte {
	dst = axdr.AppendDoubleLongU(axdr.AppendStructure(dst, 2), c.cfg.Line.FrequencyM)
	return axdr.AppendDoubleLongU(dst, c.cfg.Line.FrequencyS)
}

func groups(c *call, dst []byte) []byte {
	dst = axdr.AppendArray(dst, len(c.cfg.Line.Groups))
	for _, a := range c.cfg.Line.Groups {
		dst = axdr.AppendLongU(dst, uint16(a))
	}
	return dst
}

func activeInitiator(c *call, dst []byte) []byte {
	l := c.cfg.Line
	dst = axdr.AppendOctets(axdr.AppendStructure(dst, 3), l.InitiatorTitle.Bytes())
	return axdr.AppendUnsigned(axdr.AppendLongU(dst, uint16(l.Initiator)), l.InitiatorSAP)
}

func timeout(of func(l *LineState) time.Duration, unit time.Duration) func(*call, []byte) []byte {
	return func(c *call, dst []byte) []byte { return axdr.AppendLongU(dst, uint16(of(c.cfg.Line)/unit)) }
}

// counters are the attributes of class 53.
func counters() []attribute {
	list := func(of func(l *LineState) []Count) func(*call, []byte) []byte {
		return func(c *call, dst []byte) []byte {
			all := of(c.cfg.Line)
			dst = axdr.AppendArray(dst, len(all))
			for _, n := range all {
				dst = axdr.AppendLongU(axdr.AppendStructure(dst, 2), uint16(n.Address))
				dst = axdr.AppendDoubleLongU(dst, n.N)
			}
			return dst
		}
	}
	u32 := func(of func(l *LineState) uint32) func(*call, []byte) []byte {
		return func(c *call, dst []byte) []byte { return axdr.AppendDoubleLongU(dst, of(c.cfg.Line)) }
	}
	return []attribute{
		{index: 2, get: list(func(l *LineState) []Count { return l.Synchronizations })},
		{index: 3, get: func(c *call, dst []byte) []byte {
			dst = axdr.AppendStructure(dst, len(c.cfg.Line.Lost))
			for _, n := range c.cfg.Line.Lost {
				dst = axdr.AppendDoubleLongU(dst, n)
			}
			return dst
		}},
		{index: 4, get: list(func(l *LineState) []Count { return l.Broadcasts })},
		{index: 5, get: u32(func(l *LineState) uint32 { return l.Repetitions })},
		{index: 6, get: u32(func(l *LineState) uint32 { return l.Transmissions })},
		{index: 7, get: u32(func(l *LineState) uint32 { return l.Good })},
		{index: 8, get: u32(func(l *LineState) uint32 { return l.Bad })},
	}
}

func reportingSystems(c *call, dst []byte) []byte {
	dst = axdr.AppendArray(dst, len(c.cfg.Line.Heard))
	for _, t := range c.cfg.Line.Heard {
		dst = axdr.AppendOctets(dst, t.Bytes())
	}
	return dst
}
