package hdlc

// SecondaryConfig describes the server's end of a link with one client.
type SecondaryConfig struct {
	Server, Client Address    // Server in the form that the client uses
	Offer          Parameters // at most; zero fields are the defaults
	MaxAPDU        int        // longest APDU taken; 0 is 65535
}

// Effects is what follows from a frame.
type Effects struct {
	Down         []byte // octets to send, nil when there are none
	APDU         []byte // a whole APDU came in
	Connected    bool   // the link was set up, perhaps anew: nothing of the old one is left
	Disconnected bool   // the link was ended
}

// Secondary is the server's end of a link: it speaks only when polled. One APDU is under
// way at a time; the owner answers what it is given before it hands in the next frame, so
// that nothing queues here.
type Secondary struct {
	channel
	offer     Parameters
	connected bool
	owed      bool // the client polled and waits for our turn to end
}

// NewSecondary makes an end that is not connected.
func NewSecondary(cfg SecondaryConfig) *Secondary {
	if cfg.MaxAPDU <= 0 {
		cfg.MaxAPDU = defaultLonger
	}
	return &Secondary{
		channel: channel{local: cfg.Server, remote: cfg.Client, out: llcResponse, want: llcCommand, longest: cfg.MaxAPDU},
		offer:   cfg.Offer.orDefault(),
	}
}

// Connected reports whether the link is set up.
func (s *Secondary) Connected() bool { return s.connected }

// Agreed is what was negotiated.
func (s *Secondary) Agreed() Parameters { return s.agreed }

// Counts returns the oddities counted so far.
func (s *Secondary) Counts() Counts { return s.counts }

// Receive takes a frame that its client sent to it. When an APDU came, Answer must follow.
func (s *Secondary) Receive(f Frame) Effects {
	switch f.Control.Kind() {
	case SNRM:
		return s.setUp(f)
	case DISC:
		return s.takeDown()
	}
	if !s.connected {
		if f.Control.Poll() {
			return Effects{Down: s.unnumbered(nil, controlDM, nil)}
		}
		return Effects{}
	}
	switch f.Control.Kind() {
	case I:
		return s.information(f)
	case RR:
		s.acknowledge(f.Control.Awaited())
		if f.Control.Poll() {
			return Effects{Down: s.turn()}
		}
	case RNR:
		s.acknowledge(f.Control.Awaited())
		if f.Control.Poll() {
			return Effects{Down: s.ready(nil)} // the client takes nothing now
		}
	default: // UI carries nothing that a meter of ours answers
		s.counts.Stray++
	}
	return Effects{}
}

func (s *Secondary) setUp(f Frame) Effects {
	p, _, err := ParseParameters(f.Info)
	if err != nil {
		s.counts.Stray++
		return Effects{}
	}
	s.connect(s.offer.agree(p))
	s.connected, s.owed = true, false
	return Effects{Connected: true, Down: s.unnumbered(nil, controlUA, s.agreed.Append(nil))}
}

func (s *Secondary) takeDown() Effects {
	if !s.connected {
		return Effects{Down: s.unnumbered(nil, controlDM, nil)}
	}
	s.connected = false
	return Effects{Disconnected: true, Down: s.unnumbered(nil, controlUA, nil)}
}

func (s *Secondary) information(f Frame) Effects {
	s.acknowledge(f.Control.Awaited())
	t := s.take(f)
	if t.accepted {
		s.drop() // a new request ends the answer to the one before, whose rest nobody wants
	}
	switch {
	case t.overflow:
		s.connected = false
		return Effects{Disconnected: true, Down: s.unnumbered(nil, controlDM, nil)}
	case t.apdu != nil:
		s.owed = f.Control.Poll()
		return Effects{APDU: t.apdu}
	case f.Control.Poll():
		return Effects{Down: s.turn()}
	}
	return Effects{}
}

// turn is what we have to say when polled.
func (s *Secondary) turn() []byte {
	if s.idle() {
		return s.ready(nil)
	}
	return s.burst(nil)
}

// Answer gives the answer to the APDU that came, nil when there is none, and returns the
// octets to send now.
func (s *Secondary) Answer(apdu []byte) []byte {
	if !s.connected {
		return nil
	}
	if len(apdu) > 0 {
		s.load(apdu)
	}
	if !s.owed {
		return nil // the client will poll
	}
	s.owed = false
	return s.turn()
}
