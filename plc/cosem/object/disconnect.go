package object

import (
	"fmt"

	"busbar/plc/axdr"
)

// Methods of a disconnect control (class 70). Their parameter is that of AppendNone.
const (
	RemoteDisconnect int8 = 1
	RemoteReconnect  int8 = 2
)

// ControlState is what a disconnect control wants its breaker to be (class 70
// attribute 3). The breaker itself is output_state, a boolean: the two can differ.
type ControlState uint8

// States of a disconnect control.
const (
	Disconnected         ControlState = 0
	Connected            ControlState = 1
	ReadyForReconnection ControlState = 2 // disconnected; the customer may connect by hand
)

// String names the state.
func (s ControlState) String() string {
	switch s {
	case Disconnected:
		return "disconnected"
	case Connected:
		return "connected"
	case ReadyForReconnection:
		return "ready for reconnection"
	}
	return fmt.Sprintf("control state %d", uint8(s))
}

// ParseControlState reads a control state; any number is one.
func ParseControlState(b []byte) (ControlState, int, error) {
	return parse(b, func(r *reader) ControlState { return ControlState(r.enum()) })
}

// Append appends the enum.
func (s ControlState) Append(dst []byte) []byte { return axdr.AppendEnum(dst, uint8(s)) }

// ControlMode says who may switch a breaker (class 70 attribute 4): from remote, by hand
// at the meter, or the meter itself.
type ControlMode uint8

// ParseControlMode reads a control mode; any number is one.
func ParseControlMode(b []byte) (ControlMode, int, error) {
	return parse(b, func(r *reader) ControlMode { return ControlMode(r.enum()) })
}

// Append appends the enum.
func (m ControlMode) Append(dst []byte) []byte { return axdr.AppendEnum(dst, uint8(m)) }

// Reconnects is the state that remote_reconnect leads to from Disconnected: in modes 2
// and 4 straight to Connected, in modes 1, 3, 5 and 6 to ReadyForReconnection, where
// somebody at the meter has to do the rest. It is false in mode 0, in which the breaker
// never opens, and in modes that the standard does not have (Blue Book 4.5.8).
func (m ControlMode) Reconnects() (ControlState, bool) {
	switch m {
	case 2, 4:
		return Connected, true
	case 1, 3, 5, 6:
		return ReadyForReconnection, true
	}
	return Connected, false
}

// Remote reports whether the breaker can be opened from remote: in all modes but 0.
func (m ControlMode) Remote() bool { return m >= 1 && m <= 6 }

// ByHand reports whether somebody at the meter can open the breaker.
func (m ControlMode) ByHand() bool { return m == 1 || m == 2 || m == 5 }
