package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"busbar/cmd/plcscope/reader"
	"busbar/plc/cosem"
	"busbar/plc/dissect"
	"busbar/plc/hdlc"
)

// meterFlags are the flags of every command that reads a meter.
type meterFlags struct {
	client, server    uint16
	mechanism, keys   string
	title, meterTitle string
	maxPDU, retries   int
	timeout           time.Duration
	counter           uint32
	counterObject     string
	asJSON, frames    bool
	device            uint16
	addressSize       uint8
	frame, window     int
	serial            reader.Serial
}

func (m *meterFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Uint16Var(&m.client, "client", 1, "access point of ours: 1 management, 16 public")
	f.Uint16Var(&m.server, "server", 1, "logical device; at a door onto many meters, the number of the meter")
	f.StringVar(&m.mechanism, "mechanism", "", "none, lls or hls-gmac; empty: what --keys says, or none")
	f.StringVar(&m.keys, "keys", "", "CSV file with title,mechanism,encryption,authentication,password; the row of --meter-title, or the only one, is used")
	f.StringVar(&m.title, "client-title", "5043530000000001", "system title of ours, for ciphering")
	f.StringVar(&m.meterTitle, "meter-title", "", "system title of the meter; learned from it when not given")
	f.IntVar(&m.maxPDU, "max-pdu", 65535, "longest APDU we take, in octets: 12 to 65535")
	f.DurationVar(&m.timeout, "timeout", 10*time.Second, "how long to wait for one answer")
	f.IntVar(&m.retries, "retries", 2, "how often a request without answer is sent again")
	f.Uint32Var(&m.counter, "counter", 0, "first invocation counter to use; 0 asks the meter for its last")
	f.StringVar(&m.counterObject, "counter-object", "0.0.43.1.0.255", "object that holds the meter's last counter, for the public client")
	f.Uint16Var(&m.device, "device", 0, "HDLC: physical device, the lower part of the address; at a door onto many meters 16 is the first")
	f.Uint8Var(&m.addressSize, "address-size", 0, "HDLC: octets of the meter's address: 1, 2 or 4; 0: the fewest that fit")
	f.IntVar(&m.frame, "frame", hdlc.DefaultInfo, "HDLC: octets of information in a frame, offered both ways: 32 to 2030")
	f.IntVar(&m.window, "window", hdlc.DefaultWindow, "HDLC: frames before an acknowledgement, offered both ways: 1 to 7")
	f.IntVar(&m.serial.Baud, "baud", 9600, "serial port: speed of HDLC, when not negotiated in mode E")
	f.BoolVar(&m.serial.ModeE, "mode-e", false, "serial port: begin with IEC 62056-21 mode E at 300 baud, as optical heads do")
	f.StringVar(&m.serial.Device, "mode-e-device", "", "serial port: device address in the opening of mode E")
	f.BoolVar(&m.asJSON, "json", false, "print JSON, one object a line")
	f.BoolVar(&m.frames, "frames", false, "print every APDU with its meaning to standard error")
}

const secretsHelp = `
Secrets never stand on the command line. They come from --keys FILE, or from the environment:
PLCSCOPE_PASSWORD (text, or hex: and digits), PLCSCOPE_ENCRYPTION and PLCSCOPE_AUTHENTICATION (32 digits each).`

// config is what the flags ask for.
func (m *meterFlags) config(target string, trace io.Writer) (reader.Config, error) {
	t, err := reader.ParseTarget(target)
	if err != nil {
		return reader.Config{}, err
	}
	if m.addressSize > 4 || m.addressSize == 3 {
		return reader.Config{}, fmt.Errorf("--address-size %d: want 1, 2 or 4", m.addressSize)
	}
	c := reader.Config{
		Device: m.device, AddressSize: m.addressSize, Serial: m.serial,
		HDLC:   hdlc.Parameters{InfoTransmit: m.frame, InfoReceive: m.frame, WindowTransmit: m.window, WindowReceive: m.window},
		Target: t, Client: m.client, Server: m.server, MaxPDU: m.maxPDU, Timeout: m.timeout, Retries: max(0, m.retries), Counter: m.counter,
	}
	if err := c.Title.UnmarshalText([]byte(m.title)); err != nil {
		return c, fmt.Errorf("--client-title: %w", err)
	}
	if err := c.Meter.UnmarshalText([]byte(m.meterTitle)); err != nil {
		return c, fmt.Errorf("--meter-title: %w", err)
	}
	if c.CounterObject, err = cosem.ParseOBIS(m.counterObject); err != nil {
		return c, fmt.Errorf("--counter-object: %w", err)
	}
	if err := m.secrets(&c); err != nil {
		return c, err
	}
	if m.frames {
		c.Trace = func(sent bool, apdu []byte) { showAPDU(trace, sent, apdu) }
	}
	return c, nil
}

func showAPDU(w io.Writer, sent bool, apdu []byte) {
	arrow := "<-"
	if sent {
		arrow = "->"
	}
	say(w, "%s %d octets\n%s", arrow, len(apdu), dissect.APDU(apdu, dissect.Options{}))
}

// say writes for people; that nobody reads is no reason to end.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

func newGet() *cobra.Command {
	m := &meterFlags{}
	cmd := &cobra.Command{
		Use: "get TARGET CLASS/OBIS/ATTRIBUTE...", Short: "Read attributes of a meter", Args: cobra.MinimumNArgs(2),
		Long: "Reads attributes of a meter over the TCP wrapper (tcp://), HDLC on TCP (hdlc://) or on a serial port (serial://).\n" + secretsHelp,
		Example: `  plcscope get tcp://127.0.0.1:4059 --client 16 1/0.0.42.0.0.255/2
  PLCSCOPE_PASSWORD=12345678 plcscope get hdlc://meter:4060 --mechanism lls 8/0.0.1.0.0.255/2 3/1.0.1.8.0.255/2`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var refs []cosem.Ref
			for _, a := range args[1:] {
				ref, err := parseRef(a)
				if err != nil {
					return err
				}
				refs = append(refs, ref)
			}
			return m.with(cmd, args[0], func(s *reader.Session, p *printer) error { return get(s, refs, p) })
		},
	}
	m.add(cmd)
	return cmd
}

func get(s *reader.Session, refs []cosem.Ref, p *printer) error {
	for _, ref := range refs {
		r, err := s.Get(ref)
		if err != nil {
			return err
		}
		p.print(reader.Reading{
			Object: reader.Object{Class: ref.Class, Name: ref.Object}, Attribute: ref.Attribute, Access: r.Access, Data: r.Data,
		})
	}
	return nil
}

func newWalk() *cobra.Command {
	m := &meterFlags{}
	var o reader.WalkOptions
	var class uint16
	cmd := &cobra.Command{
		Use: "walk TARGET", Short: "Read everything that a meter shows", Args: cobra.ExactArgs(1),
		Long: "Reads the object list of the association, then every attribute that may be read.\n" + secretsHelp,
		Example: `  plcscope walk tcp://127.0.0.1:4059
  plcscope walk hdlc://127.0.0.1:4060 --mechanism hls-gmac --keys keys.csv --meter-title 4242520000002711 --json
  plcscope walk serial:///dev/ttyUSB0 --client 16 --mode-e`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Class = cosem.Class(class)
			return m.with(cmd, args[0], func(s *reader.Session, p *printer) error { return walk(s, o, p) })
		},
	}
	m.add(cmd)
	cmd.Flags().Uint16Var(&class, "class", 0, "only objects of this class")
	cmd.Flags().BoolVar(&o.NoBuffer, "no-buffers", false, "leave out the buffers of profiles")
	return cmd
}

func walk(s *reader.Session, o reader.WalkOptions, p *printer) error {
	objects, err := s.Objects()
	if err != nil {
		return err
	}
	for r, err := range s.Walk(objects, o) {
		if err != nil {
			return err
		}
		p.print(r)
	}
	p.end(len(objects))
	return nil
}

// with opens a session, runs f with it and closes it.
func (m *meterFlags) with(cmd *cobra.Command, target string, f func(*reader.Session, *printer) error) error {
	cfg, err := m.config(target, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	s, err := reader.Open(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	p := &printer{out: cmd.OutOrStdout(), json: m.asJSON}
	if err := f(s, p); err != nil {
		_ = s.Close() // the first error tells more
		return err
	}
	return s.Close()
}

// parseRef reads CLASS/OBIS/ATTRIBUTE.
func parseRef(s string) (cosem.Ref, error) {
	wrong := fmt.Errorf("attribute %q: want class/OBIS/attribute, for example 3/1.0.1.8.0.255/2", s)
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return cosem.Ref{}, wrong
	}
	class, err1 := strconv.ParseUint(parts[0], 10, 16)
	object, err2 := cosem.ParseOBIS(parts[1])
	attribute, err3 := strconv.ParseInt(parts[2], 10, 8)
	if err1 != nil || err2 != nil || err3 != nil {
		return cosem.Ref{}, wrong
	}
	return cosem.Ref{Class: cosem.Class(class), Object: object, Attribute: int8(attribute)}, nil
}
