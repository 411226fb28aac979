package dlms

import (
	"bytes"
	"fmt"
	"testing"

	"busbar/plc/cosem"
)

var mechanisms = []Keys{{}, llsKeys, gmacKeys}

// TestTalk opens, reads, writes, acts and releases with every mechanism and with the
// block sizes that lines carry.
func TestTalk(t *testing.T) {
	for _, keys := range mechanisms {
		for _, maxPDU := range []int{134, 239, 65535} {
			t.Run(fmt.Sprintf("%v/%d", keys.Security(), maxPDU), func(t *testing.T) {
				p := newPair(t, keys, maxPDU, 96)
				p.must(Open())
				if p.client.State() != Opened || !p.server.Opened() {
					t.Fatalf("client %v, server %v: want both open", p.client, p.server)
				}
				talk(t, p)
				for _, b := range p.up {
					if len(b) > maxPDU {
						t.Fatalf("the meter sent %d octets to a client that takes %d", len(b), maxPDU)
					}
				}
				for _, b := range p.down {
					if len(b) > maxPDU {
						t.Fatalf("the client sent %d octets to a meter that takes %d", len(b), maxPDU)
					}
				}
				p.must(Release())
				if p.client.State() != Closed || p.server.Opened() {
					t.Errorf("after release: client %v, server %v", p.client, p.server)
				}
				if down, err := p.client.Start(Release()); down != nil || err != nil {
					t.Errorf("second release: % X, %v, want nothing to do", down, err)
				}
			})
		}
	}
}

func talk(t *testing.T, p *pair) {
	t.Helper()
	if r := p.must(Get(energyRef)); len(r) != 1 || !bytes.Equal(r[0].Data, unhex("0600001391")) {
		t.Errorf("register: %v", r)
	}
	if r := p.must(Get(unknownRef)); len(r) != 1 || r[0].Access != cosem.ObjectUndefined {
		t.Errorf("unknown object: %v", r)
	}
	if r := p.must(Get(profileRef)); len(r) != 1 || !bytes.Equal(r[0].Data, profile(96)) {
		t.Errorf("profile of 96 rows came back changed: %d results", len(r))
	}
	r := p.must(Get(clockRef, unknownRef, profileRef, energyRef))
	if len(r) != 4 || r[0].Access != cosem.Success || r[1].Access != cosem.ObjectUndefined ||
		!bytes.Equal(r[2].Data, profile(96)) || !bytes.Equal(r[3].Data, unhex("0600001391")) {
		t.Errorf("list with a profile in it: %d results", len(r))
	}
	now := unhex("090C07EA0B16FF02000000800000")
	if r := p.must(Set(clockRef, now)); r[0].Access != cosem.Success {
		t.Errorf("set the clock: %v", r[0].Access)
	}
	if r := p.must(Get(clockRef)); !bytes.Equal(r[0].Data, now) {
		t.Errorf("clock after SET: % X", r[0].Data)
	}
	if r := p.must(Set(unknownRef, now)); r[0].Access != cosem.ReadWriteDenied {
		t.Errorf("SET of an unknown object: %v", r[0].Access)
	}
	long := profile(40)
	if r := p.must(Set(profileRef, long)); r[0].Access != cosem.Success {
		t.Errorf("SET of %d octets: %v", len(long), r[0].Access)
	}
	if r := p.must(Get(profileRef)); !bytes.Equal(r[0].Data, long) {
		t.Errorf("what was set in blocks came back changed")
	}
	if r := p.must(Action(switchRef, unhex("0F00"))); r[0].Access != cosem.Success || !bytes.Equal(r[0].Data, unhex("0F00")) {
		t.Errorf("action with a return value: %v", r[0])
	}
	if r := p.must(Action(switchRef, nil)); r[0].Access != cosem.Success || r[0].Data != nil {
		t.Errorf("action without parameter: %v", r[0])
	}
	if r := p.must(Action(unknownRef, nil)); r[0].Access != cosem.ObjectUndefined {
		t.Errorf("unknown method: %v", r[0].Access)
	}
}
