package hdlc

// The LLC header before every APDU (IEC 62056-46, clause 5): destination and source access
// point, of which the last bit of the second tells a command from a response, and a quality of 0.
var (
	llcCommand  = [3]byte{0xE6, 0xE6, 0x00}
	llcResponse = [3]byte{0xE6, 0xE7, 0x00}
)

const (
	modulo        = 8 // of sequence numbers
	defaultLonger = 0xFFFF
)

// Counts are oddities that are no errors, since an end was made.
type Counts struct {
	Repeated   int // frames sent again
	OutOfOrder int // I frames with another number than the one awaited
	Stray      int // frames that mean nothing in this state
	BadLLC     int // APDUs without the LLC header, dropped
	TooLong    int // APDUs longer than is taken; the link is given up
}

// channel is what both ends of a connected link do alike: cut APDUs into I frames, number
// and repeat them, and join those that come.
type channel struct {
	local, remote Address
	out, want     [3]byte // LLC header sent, and awaited
	longest       int     // octets of an APDU taken

	agreed  Parameters
	sent    uint8     // V(S): number of the next I frame
	awaited uint8     // V(R): number of the I frame awaited
	queue   []byte    // of the APDU being sent, what was not cut yet
	unacked []segment // sent and not acknowledged, the oldest first; never more than a window
	stalled int       // bursts since the other end acknowledged anything
	missed  int       // I frames in a row with a wrong number
	joined  []byte    // of the APDU coming in
	counts  Counts
}

// maxStalled is how often frames are sent again without any progress.
const maxStalled = 8

type segment struct {
	info []byte
	more bool
}

func (c *channel) connect(agreed Parameters) {
	c.agreed = agreed
	c.sent, c.awaited = 0, 0
	c.queue, c.unacked, c.joined = nil, nil, nil
	c.stalled, c.missed = 0, 0
}

// drop gives up what is not sent or not acknowledged: its numbers are used again.
func (c *channel) drop() {
	c.sent = (c.sent - uint8(len(c.unacked))) % modulo
	c.queue, c.unacked = nil, nil
	c.stalled = 0
}

// load begins to send an APDU.
func (c *channel) load(apdu []byte) {
	c.queue = append(append(make([]byte, 0, len(c.out)+len(apdu)), c.out[:]...), apdu...)
}

// idle reports whether everything was sent and acknowledged.
func (c *channel) idle() bool { return len(c.queue) == 0 && len(c.unacked) == 0 }

// acknowledge drops what the other end has. A number that was never sent is passed over.
func (c *channel) acknowledge(awaited uint8) {
	oldest := c.sent - uint8(len(c.unacked))
	n := int((awaited - oldest) % modulo)
	if n > 0 && n <= len(c.unacked) {
		c.unacked = c.unacked[n:]
		c.stalled = 0
	}
}

// burst is everything that may go now: what was not acknowledged once more, then new
// frames up to the window. The last carries the poll or final bit. It is nil when there is
// nothing to send.
func (c *channel) burst(dst []byte) []byte {
	c.counts.Repeated += len(c.unacked)
	c.stalled++
	for len(c.queue) > 0 && len(c.unacked) < c.agreed.WindowTransmit {
		n := min(len(c.queue), c.agreed.InfoTransmit)
		c.unacked = append(c.unacked, segment{info: c.queue[:n], more: n < len(c.queue)})
		c.queue = c.queue[n:]
		c.sent = (c.sent + 1) % modulo
	}
	oldest := c.sent - uint8(len(c.unacked))
	for i, s := range c.unacked {
		f := Frame{
			Destination: c.remote, Source: c.local, Segmented: s.more, Info: s.info,
			Control: information(oldest+uint8(i), c.awaited, i == len(c.unacked)-1),
		}
		dst = f.Append(dst)
	}
	return dst
}

// ready appends the acknowledgement that carries nothing.
func (c *channel) ready(dst []byte) []byte {
	return Frame{Destination: c.remote, Source: c.local, Control: ready(c.awaited)}.Append(dst)
}

func (c *channel) unnumbered(dst []byte, control Control, info []byte) []byte {
	return Frame{Destination: c.remote, Source: c.local, Control: control, Info: info}.Append(dst)
}

// taken is what an I frame led to.
type taken struct {
	accepted bool   // it was the one awaited
	apdu     []byte // whole with this frame
	overflow bool   // longer than is taken: the link must be given up
}

// take accepts the I frame awaited.
func (c *channel) take(f Frame) taken {
	if f.Control.Sent() != c.awaited {
		c.counts.OutOfOrder++
		c.missed++
		return taken{}
	}
	c.missed = 0
	c.awaited = (c.awaited + 1) % modulo
	if len(c.joined)+len(f.Info) > c.longest+len(c.want) {
		c.joined = nil
		c.counts.TooLong++
		return taken{accepted: true, overflow: true}
	}
	c.joined = append(c.joined, f.Info...)
	if f.Segmented {
		return taken{accepted: true}
	}
	whole := c.joined
	c.joined = nil
	if len(whole) <= len(c.want) || [3]byte(whole) != c.want {
		c.counts.BadLLC++
		return taken{accepted: true}
	}
	return taken{accepted: true, apdu: whole[len(c.want):]}
}
