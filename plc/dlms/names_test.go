package dlms

import (
	"bytes"
	"errors"
	"testing"

	"busbar/plc/axdr"
	"busbar/plc/cosem"
	"busbar/plc/dlms/acse"
	"busbar/plc/dlms/apdu"
)

// shortClient is a client by short names in an open association, granted c.
func shortClient(t testing.TB, c apdu.Conformance, maxSend int, notify func(Notice)) *Client {
	t.Helper()
	cfg := clientConfig(llsKeys, 200)
	cfg.ShortNames, cfg.MaxSend, cfg.Notify = true, maxSend, notify
	cl := NewClient(cfg)
	down, err := cl.Start(Open())
	if err != nil {
		t.Fatal(err)
	}
	q, _, err := acse.ParseAARQ(down)
	if err != nil || q.Context != acse.ShortNames {
		t.Fatalf("%+v, %v", q, err)
	}
	i := apdu.NewInitiateResponse(c, 200)
	i.VAAName = 0xFA00
	a := acse.AARE{Context: acse.ShortNames, UserInfo: i.Append(nil)}
	if e, err := cl.Receive(a.Append(nil)); err != nil || !e.Done {
		t.Fatalf("%+v, %v", e, err)
	}
	return cl
}

const shortAll = apdu.Read | apdu.Write | apdu.MultipleReferences | apdu.ParameterizedAccess

// exchange gives a client the answer up to the request down.
func shortExchange(t *testing.T, c *Client, op Op, talk ...string) ([]cosem.Result, error) {
	t.Helper()
	down, err := c.Start(op)
	for ; err == nil; talk = talk[2:] {
		if !bytes.Equal(down, unhex(talk[0])) {
			t.Fatalf("sent % X, want %s", down, talk[0])
		}
		var e Effects
		if e, err = c.Receive(unhex(talk[1])); err != nil || e.Done {
			return e.Results, err
		}
		down = e.Down
	}
	return nil, err
}

// TestShortNames reads and writes variables, in lists and with an answer in blocks.
func TestShortNames(t *testing.T) {
	c := shortClient(t, shortAll, 0, nil)
	r, err := shortExchange(t, c, Read(apdu.Named(0xFA08), apdu.Named(0xFA10)), "05 02 02fa08 02fa10", "0c 02 00 1105 01 04")
	if err != nil || len(r) != 2 || !bytes.Equal(r[0].Data, unhex("1105")) || r[1].Access != cosem.ObjectUndefined {
		t.Errorf("%v, %v", r, err)
	}
	r, err = shortExchange(t, c, Write([]apdu.Variable{apdu.Named(0xFA08), apdu.Named(0xFA10)}, [][]byte{unhex("1105"), unhex("00")}),
		"06 02 02fa08 02fa10 02 1105 00", "0d 02 00 01 03")
	if err != nil || len(r) != 2 || r[0].Access != 0 || r[1].Access != cosem.ReadWriteDenied {
		t.Errorf("%v, %v", r, err)
	}
	long := axdr.AppendOctets(nil, make([]byte, 5))
	r, err = shortExchange(t, c, Read(apdu.Variable{Kind: apdu.Parameterized, Name: 0xFB10, Select: &cosem.Selection{Selector: 1, Parameters: []byte{0}}}),
		"05 01 04 fb10 01 00", "0c 01 02 00 0001 04 01000905", "05 01 05 0001", "0c 01 02 01 0002 05 0000000000")
	if err != nil || len(r) != 1 || !bytes.Equal(r[0].Data, long) {
		t.Errorf("blocks: %v, %v", r, err)
	}
	c = shortClient(t, shortAll&^apdu.MultipleReferences, 0, nil)
	r, err = shortExchange(t, c, Read(apdu.Named(0xFA08), apdu.Named(0xFA10)), "05 01 02fa08", "0c 01 00 1105", "05 01 02fa10", "0c 01 00 1106")
	if err != nil || len(r) != 2 || !bytes.Equal(r[1].Data, unhex("1106")) {
		t.Errorf("one at a time: %v, %v", r, err)
	}
}

// TestShortNamesRefused are answers and requests that do not fit.
func TestShortNamesRefused(t *testing.T) {
	read := Read(apdu.Named(0xFA08))
	for _, up := range []string{"0c 02 00 1105 00 1105", "0c 01 03 0001", "0c 01 02 00 0002 01 01", "0c 01 02 01 0001 01 01"} {
		if _, err := shortExchange(t, shortClient(t, shortAll, 0, nil), read, "05 01 02fa08", up); !errors.Is(err, ErrGarbled) {
			t.Errorf("%s: %v", up, err)
		}
	}
	for _, up := range []string{"0d 02 00 00", "0d 01 02 0001"} {
		write := Write([]apdu.Variable{apdu.Named(0xFA08)}, [][]byte{unhex("1105")})
		if _, err := shortExchange(t, shortClient(t, shortAll, 0, nil), write, "06 01 02fa08 01 1105", up); !errors.Is(err, ErrGarbled) {
			t.Errorf("%s: %v", up, err)
		}
	}
	var refused *RefusedError
	if _, err := shortClient(t, apdu.Write, 0, nil).Start(read); !errors.As(err, &refused) {
		t.Errorf("not granted: %v", err)
	}
	for _, op := range []Op{Read(), Write([]apdu.Variable{apdu.Named(1)}, nil), Read(apdu.Variable{Kind: apdu.ReadBlock})} {
		if _, err := shortClient(t, shortAll, 0, nil).Start(op); err == nil {
			t.Errorf("%+v: no error", op)
		}
	}
	cfg := clientConfig(gmacKeys, 200)
	cfg.ShortNames = true
	if _, err := NewClient(cfg).Start(Open()); err == nil {
		t.Error("HLS with short names: no error")
	}
}

// TestInformationReport delivers what a meter says unasked by short names.
func TestInformationReport(t *testing.T) {
	var got []Notice
	c := shortClient(t, shortAll, 0, func(n Notice) { got = append(got, n) })
	e, err := c.Receive(unhex("18 00 01 02 fa08 01 1105"))
	if err != nil || !e.Ignored || len(got) != 1 || got[0].Report[0] != apdu.Named(0xFA08) || !bytes.Equal(got[0].Values[0], unhex("1105")) {
		t.Errorf("%+v, %v, %+v", e, err, got)
	}
}
