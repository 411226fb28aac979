package meter

import (
	"time"

	"busbar/plc"
)

// LineState is what a meter's modem knows of the line: the classes 50 to 53 and 56
// read it (sfsk.md 5). The street's node owns it and brings it up to date before each
// Handle; the meter only reads. Times and counters are since the modem was powered.
type LineState struct {
	// S-FSK Phy&MAC setup, class 50.
	Phase               plc.Phase // of the meter relative to the initiator (3)
	MaxReceivingGain    uint8     // dB (4)
	MaxTransmittingGain uint8     // dB (5)
	SearchThreshold     uint8     // signal that allows a fast lock (6)
	FrequencyS          uint32    // Hz (7)
	FrequencyM          uint32
	Address             plc.Address   // plc.New when not registered (8)
	Groups              []plc.Address // at most a few (9)
	RepeaterMode        uint8         // 0 never, 1 always, 2 dynamic (10)
	Repeating           bool          // now (11)
	MinDelta            plc.Credit    // smallest delta credit seen (12)
	Initiator           plc.Address   // of the initiator it is locked on; NoBody when not (13)
	Synchronized        bool          // (14)
	Speed               uint8         // 0 to 4: 300 to 4,800 bit/s (15)

	// S-FSK active initiator, class 51.
	InitiatorTitle plc.SystemTitle
	InitiatorSAP   byte

	// S-FSK MAC synchronization time-outs, class 52.
	SearchInitiator, SynchroConfirm, NotAddressed, FrameNotOK time.Duration

	// S-FSK MAC counters, class 53.
	Synchronizations []Count   // by initiator (2)
	Lost             [5]uint32 // synchronization lost: physical layer, not addressed, frame not OK, write request, wrong initiator (3)
	Broadcasts       []Count   // frames to groups, by source (4)
	Repetitions      uint32    // (5)
	Transmissions    uint32    // (6)
	Good, Bad        uint32    // frames with right and wrong check sequence (7, 8)

	// S-FSK reporting system list, class 56: titles heard of others.
	Heard []plc.SystemTitle
}

// Count is a counter that belongs to an address.
type Count struct {
	Address plc.Address
	N       uint32
}
