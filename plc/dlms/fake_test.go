package dlms

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"busbar/plc"
	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/dlms/cipher"
)

// Names and keys of the tests: those of the Green Book examples.
var (
	clientTitle = plc.MustSystemTitle([]byte("MMM\x00\x00\x00\x00\x01"))
	meterTitle  = plc.MustSystemTitle([]byte("MMM\x00\x00\xBC\x61\x4E"))
	gmacKeys    = Keys{
		Mechanism:      HLSGMAC,
		Encryption:     cipher.Key(unhex("000102030405060708090A0B0C0D0E0F")),
		Authentication: cipher.Key(unhex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")),
	}
	llsKeys = Keys{Mechanism: LLS, Password: []byte("12345678")}

	testTime = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// counterFrom draws counters from first on, in memory.
func counterFrom(first uint32) func() (uint32, error) {
	next := first
	return func() (uint32, error) {
		next++
		return next - 1, nil
	}
}

// tree is a meter of a few attributes. It keeps what was set and done.
type tree struct {
	values map[string][]byte
	calls  []string
}

func newTree() *tree { return &tree{values: map[string][]byte{}} }

func (t *tree) Get(_ time.Time, ref cosem.Ref) ([]byte, cosem.AccessResult) {
	t.calls = append(t.calls, "get "+ref.String())
	v, ok := t.values[ref.String()]
	if !ok {
		return nil, cosem.ObjectUndefined
	}
	return v, cosem.Success
}

func (t *tree) Set(_ time.Time, ref cosem.Ref, data []byte) cosem.AccessResult {
	t.calls = append(t.calls, "set "+ref.String())
	if _, ok := t.values[ref.String()]; !ok {
		return cosem.ReadWriteDenied
	}
	t.values[ref.String()] = bytes.Clone(data)
	return cosem.Success
}

func (t *tree) Action(_ time.Time, ref cosem.Ref, data []byte) ([]byte, cosem.AccessResult) {
	t.calls = append(t.calls, "action "+ref.String())
	if ref.Class != cosem.ClassDisconnect {
		return nil, cosem.ObjectUndefined
	}
	return data, cosem.Success
}

// Attributes of the test meter.
var (
	clockRef   = cosem.Ref{Class: cosem.ClassClock, Object: cosem.MustOBIS("0.0.1.0.0.255"), Attribute: 2}
	energyRef  = cosem.Ref{Class: cosem.ClassRegister, Object: cosem.MustOBIS("1.0.1.8.0.255"), Attribute: 2}
	profileRef = cosem.Ref{Class: cosem.ClassProfileGeneric, Object: cosem.MustOBIS("1.0.99.1.0.255"), Attribute: 2}
	unknownRef = cosem.Ref{Class: cosem.ClassRegister, Object: cosem.MustOBIS("1.0.99.99.99.255"), Attribute: 2}
	switchRef  = cosem.Ref{Class: cosem.ClassDisconnect, Object: cosem.MustOBIS("0.0.96.3.10.255"), Attribute: 1}
)

// profile is a buffer of n rows of time, status and two registers, 28 octets each.
func profile(n int) []byte {
	b := axdr.AppendArray(nil, n)
	for i := range n {
		b = axdr.AppendStructure(b, 4)
		at := time.Date(2024, 5, 1, 0, 15*i, 0, 0, time.UTC)
		b = axdr.AppendOctets(b, []byte{
			byte(at.Year() >> 8), byte(at.Year()), byte(at.Month()), byte(at.Day()), 3,
			byte(at.Hour()), byte(at.Minute()), 0, 0xFF, 0x80, 0, 0,
		})
		b = append(b, byte(axdr.Unsigned), 0)
		b = append(b, byte(axdr.DoubleLongU), 0, 0, byte((1000+7*i)>>8), byte(1000+7*i))
		b = append(b, byte(axdr.DoubleLongU), 0, 0, byte(i>>8), byte(i))
	}
	return b
}

func meterTree(rows int) *tree {
	t := newTree()
	t.values[clockRef.String()] = axdr.AppendOctets(nil, unhex("07EA0B1607022F393F000000"))
	t.values[energyRef.String()] = unhex("0600001391")
	t.values[profileRef.String()] = profile(rows)
	return t
}

// pair is a client and a server that talk to each other.
type pair struct {
	t      testing.TB
	client *Client
	server *Server
	tree   *tree
	// onWay may change an APDU on its way; nil loses it.
	toMeter, toClient func([]byte) []byte
	up, down          [][]byte // all that was sent
	short             bool     // the client names objects by short names, and the server does not
}

func clientConfig(keys Keys, maxPDU int) ClientConfig {
	return ClientConfig{
		ClientTitle: clientTitle, ServerTitle: meterTitle, Keys: keys, MaxPDU: maxPDU, Counter: counterFrom(1),
	}
}

func serverConfig(keys Keys, maxPDU int) ServerConfig {
	return ServerConfig{Title: meterTitle, Keys: keys, MaxPDU: maxPDU, Counter: counterFrom(1)}
}

func newPair(t testing.TB, keys Keys, maxPDU, rows int) *pair {
	p := &pair{t: t, tree: meterTree(rows)}
	p.client = NewClient(clientConfig(keys, maxPDU))
	p.server = NewServer(serverConfig(keys, maxPDU), p.tree)
	return p
}

// do runs one operation to its end. Rules of its own: nothing is sent again.
func (p *pair) do(op Op) ([]cosem.Result, error) {
	p.t.Helper()
	down, err := p.client.Start(op)
	if err != nil || down == nil {
		return nil, err
	}
	for range 10000 {
		e, err := p.exchange(down)
		if err != nil || e.Done {
			return e.Results, err
		}
		if e.Down == nil {
			return nil, fmt.Errorf("no answer to % X", down[:1])
		}
		down = e.Down
	}
	p.t.Fatal("the operation does not end")
	return nil, nil
}

// exchange carries one request over, and its answer back, with all blocks that follow at
// once.
func (p *pair) exchange(down []byte) (Effects, error) {
	p.t.Helper()
	var answers [][]byte
	for ; down != nil; down = p.client.More() {
		p.down = append(p.down, bytes.Clone(down))
		if p.toMeter != nil {
			down = p.toMeter(bytes.Clone(down))
		}
		for up := p.server.Receive(testTime, down); up != nil; up = p.server.More() {
			answers = append(answers, up)
		}
	}
	if answers == nil {
		answers = [][]byte{nil}
	}
	var last Effects
	for _, up := range answers {
		p.up = append(p.up, bytes.Clone(up))
		if p.toClient != nil {
			up = p.toClient(bytes.Clone(up))
		}
		if up == nil {
			continue
		}
		e, err := p.client.Receive(up)
		if err != nil {
			return e, err
		}
		if !e.Ignored || len(answers) == 1 {
			last = e
		}
	}
	return last, nil
}

func (p *pair) must(op Op) []cosem.Result {
	p.t.Helper()
	r, err := p.do(op)
	if err != nil {
		p.t.Fatalf("%v: %v", p.client, err)
	}
	return r
}
