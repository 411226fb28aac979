package modem

import (
	"errors"
	"fmt"
)

// Command is the command octet of a frame: the service in the high nibble; 0
// indication, 1 request, 2 confirm, 3 error in the low one (sfsk.md 7.4).
type Command byte

// Commands of AMIS-49587.
const (
	SynchroIndication     Command = 0x10
	DesynchroRequest      Command = 0x11
	ResetRequest          Command = 0x21
	WriteConfigOldRequest Command = 0x31 // older layout, not used
	AccessDBRequest       Command = 0x41
	AccessDBConfirm       Command = 0x42
	AccessDBError         Command = 0x43
	DataIndication        Command = 0x50
	DataRequest           Command = 0x51
	DataConfirm           Command = 0x52
	DataBadCRC            Command = 0x53 // as DataIndication, only when configured
	RepeaterCallRequest   Command = 0x61 // ISA_Request
	RepeaterCallConfirm   Command = 0x62
	WriteConfigRequest    Command = 0x71 // WriteConfigNew
	WriteConfigConfirm    Command = 0x72
	WriteConfigError      Command = 0x73
	SpyNoSubframe         Command = 0xA0 // this and the next only in monitor mode
	SpySubframe           Command = 0xB0
	SpySearchSynchro      Command = 0xC0
	SpySynchroFound       Command = 0xD0
	SpyNoAlarm            Command = 0xE0
	SpyAlarm              Command = 0xF0
)

var commandNames = map[Command]string{
	SynchroIndication: "synchro indication", DesynchroRequest: "desynchro request", ResetRequest: "reset request",
	WriteConfigOldRequest: "write configuration request (old)",
	AccessDBRequest:       "access database request", AccessDBConfirm: "access database confirm", AccessDBError: "access database error",
	DataIndication: "MA_Data indication", DataRequest: "MA_Data request", DataConfirm: "MA_Data confirm",
	DataBadCRC:          "MA_Data indication with bad CRC",
	RepeaterCallRequest: "repeater call request", RepeaterCallConfirm: "repeater call confirm",
	WriteConfigRequest: "write configuration request", WriteConfigConfirm: "write configuration confirm", WriteConfigError: "write configuration error",
	SpyNoSubframe: "spy: no subframe", SpySubframe: "spy: subframe", SpySearchSynchro: "spy: search synchro",
	SpySynchroFound: "spy: synchro found", SpyNoAlarm: "spy: no alarm", SpyAlarm: "spy: alarm",
}

// String names the command.
func (c Command) String() string {
	if s, ok := commandNames[c]; ok {
		return s
	}
	return fmt.Sprintf("unknown command %02Xh", byte(c))
}

// FromModem reports whether the modem, not the host, sends the command.
func (c Command) FromModem() bool { return c&0x0F != 1 }

// ErrorCode is the one data octet of AccessDBError and WriteConfigError.
type ErrorCode byte

// Error codes of AMIS-49587.
const (
	UnavailableResource     ErrorCode = 0x11
	RequestNotAllowed       ErrorCode = 0x12
	UnavailableMode         ErrorCode = 0x21
	IllegalData             ErrorCode = 0x22
	IllegalLocalAddress     ErrorCode = 0x23
	IllegalInitiatorAddress ErrorCode = 0x24
	UnavailableCommand      ErrorCode = 0x25
)

var errorNames = map[ErrorCode]string{
	UnavailableResource: "unavailable resource", RequestNotAllowed: "request not allowed", UnavailableMode: "unavailable mode",
	IllegalData: "illegal data", IllegalLocalAddress: "illegal local address",
	IllegalInitiatorAddress: "illegal initiator address", UnavailableCommand: "unavailable command",
}

// String names the code.
func (e ErrorCode) String() string {
	if s, ok := errorNames[e]; ok {
		return s
	}
	return fmt.Sprintf("unknown error code %02Xh", byte(e))
}

// ParseErrorCode reads the data of an error frame.
func ParseErrorCode(data []byte) (ErrorCode, int, error) {
	if len(data) < 1 {
		return 0, 0, fmt.Errorf("error code: %w", ErrIncomplete)
	}
	return ErrorCode(data[0]), 1, nil
}

// ErrIncomplete tells that the octets so far are the beginning of something and
// that more are needed. In a frame's data, where no more can come, it is a fault.
var ErrIncomplete = errors.New("more octets needed")

func short(what string, have, want int) error {
	return fmt.Errorf("%s of %d octets, want %d: %w", what, have, want, ErrIncomplete)
}
