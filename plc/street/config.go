package street

import (
	"errors"
	"fmt"
	"time"

	"busbar/plc"
	"busbar/plc/street/meter"
)

// Application is the meter behind a server's modem. meter.Meter is one.
type Application interface {
	// Handle takes one APDU from a client access point to a logical device and
	// returns the answer, nil for none.
	Handle(now time.Time, client, server byte, apdu []byte) []byte
	// Reset tells that the server is new again or lost its power: associations are gone.
	Reset()
}

// RepeaterMode is what a server does in repeater calls (class 50 attribute 10).
type RepeaterMode uint8

// Repeater modes. The zero value is what meters are delivered with.
const (
	Dynamic RepeaterMode = iota // takes part in the call and repeats until told otherwise
	Never
	Always
)

// Server is one meter on the street.
type Server struct {
	Title    plc.SystemTitle
	App      Application
	State    *meter.LineState // filled with what the modem knows before each Handle; may be nil
	Place    Place
	Repeater RepeaterMode
	// Address, when not zero, is the address that the server kept from earlier; it is
	// locked on the profile's initiator.
	Address plc.Address
}

// Timeouts are those of class 52 (sfsk.md 2.5). Zero switches a time-out off.
type Timeouts struct {
	SearchInitiator time.Duration // only told in class 52: the street has one initiator
	SynchroConfirm  time.Duration // only told in class 52: found and confirmed are one step here
	NotAddressed    time.Duration
	FrameNotOK      time.Duration
}

// Config describes a street. Profile, Start and Noise must be given.
type Config struct {
	Profile  plc.Profile // of the line; NotAddressed is a time-out of the servers
	Seed     uint64
	Start    time.Time // when slot 0 begins; its location is the time zone of the noise
	Noise    Noise
	Timeouts Timeouts // NotAddressed 0 takes that of the profile
	// Turnaround is the number of whole slots between the end of a request's last
	// repetition and the beginning of the answer; 0 takes 1.
	Turnaround int
	// Loss replaces cables and places: the attenuation in dB from one station to another.
	// Station 0 is the initiator, station i is Servers[i-1].
	Loss    func(from, to int) float64
	Servers []Server
	Faults  []Fault
}

// maxServers bounds the memory of the link matrix.
const maxServers = 3000

// Validate tells every fault at once.
func (c Config) Validate() error {
	errs := []error{c.Profile.Validate()}
	if c.Start.IsZero() {
		errs = append(errs, errors.New("no start time"))
	}
	if len(c.Servers) > maxServers {
		errs = append(errs, fmt.Errorf("%d servers: at most %d fit on one street", len(c.Servers), maxServers))
	}
	for i, s := range c.Servers {
		if s.Title.IsZero() || s.App == nil {
			errs = append(errs, fmt.Errorf("server %d: want a system title and an application", i))
		}
	}
	for i, f := range c.Faults {
		if err := f.validate(len(c.Servers)); err != nil {
			errs = append(errs, fmt.Errorf("fault %d: %w", i, err))
		}
	}
	return errors.Join(errs...)
}
