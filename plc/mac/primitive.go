package mac

import (
	"fmt"
	"time"

	"busbar/plc"
)

// DataRequest is MA_Data.request: one MSDU (an LLC frame) to send. Initial and
// current credit are Credit, delta credit 0, as an initiator sends them.
type DataRequest struct {
	Source, Destination plc.Address
	Credit              plc.Credit
	MSDU                []byte // 1 to MaxMSDU octets
}

// DataIndication is MA_Data.indication: one MSDU received, with the credits it had left.
type DataIndication struct {
	Source, Destination plc.Address
	Credits             plc.Credits
	MSDU                []byte
	At                  time.Time // when the modem's last octet reached us
}

// Transmission is the status of MA_Data.confirm (sfsk.md 7.6).
type Transmission uint8

// MA_Data confirm codes of AMIS-49587. Sent comes after the first transmission and
// before the repetitions: it does not mean that the mains is free.
const (
	Sent          Transmission = 0xFF
	NoResources   Transmission = 0x00 // LM_TU1: retry at the next slot
	SyntaxError   Transmission = 0x03 // LM_SE: a bug of ours
	NotAuthorized Transmission = 0x0A // LM_TU2: not allowed or not synchronised
	BufferBusy    Transmission = 0x14 // LM_TU3: retry at the next slot
	ChipBusy      Transmission = 0x1E // LM_TU4: retry at the next slot
)

// String names the confirm code.
func (t Transmission) String() string {
	switch t {
	case Sent:
		return "sent"
	case NoResources:
		return "no resources (LM_TU1)"
	case SyntaxError:
		return "syntax error (LM_SE)"
	case NotAuthorized:
		return "not authorized or not synchronized (LM_TU2)"
	case BufferBusy:
		return "buffer busy (LM_TU3)"
	case ChipBusy:
		return "chip busy (LM_TU4)"
	}
	return fmt.Sprintf("unknown confirm %02Xh", uint8(t))
}

// Retry reports whether the same request may be given again at the next slot.
func (t Transmission) Retry() bool {
	return t == NoResources || t == BufferBusy || t == ChipBusy
}
