package dlms_test

import (
	"fmt"
	"time"

	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/plc/dlms"
	"busbar/plc/dlms/cipher"
)

// register is a meter with one register.
type register struct{ value []byte }

var energy = cosem.Ref{Class: cosem.ClassRegister, Object: cosem.MustOBIS("1-0:1.8.0"), Attribute: 2}

func (r register) Get(_ time.Time, ref cosem.Ref) ([]byte, cosem.AccessResult) {
	if ref != energy {
		return nil, cosem.ObjectUndefined
	}
	return r.value, cosem.Success
}

func (register) Set(time.Time, cosem.Ref, []byte) cosem.AccessResult { return cosem.ReadWriteDenied }

func (register) Action(time.Time, cosem.Ref, []byte) ([]byte, cosem.AccessResult) {
	return nil, cosem.ReadWriteDenied
}

// A concentrator reads a register of a meter under HLS-GMAC. What travels are the octets
// that Start and Receive return; the loop that carries them is all the input and output
// there is.
func Example() {
	keys := dlms.Keys{
		Mechanism:      dlms.HLSGMAC,
		Encryption:     cipher.Key{0: 1, 15: 1}, // never like this
		Authentication: cipher.Key{0: 2, 15: 2},
	}
	us, meter := plc.MustSystemTitle([]byte("BUS\x00\x00\x00\x00\x01")), plc.MustSystemTitle([]byte("MMM\x00\x00\x00\x00\x07"))
	count := func() func() (uint32, error) { // a real one is on disk: see CounterStore
		var n uint32
		return func() (uint32, error) { n++; return n, nil }
	}
	server := dlms.NewServer(dlms.ServerConfig{Title: meter, Keys: keys, Counter: count()}, register{[]byte{6, 0, 0, 0x13, 0x91}})
	client := dlms.NewClient(dlms.ClientConfig{ClientTitle: us, ServerTitle: meter, Keys: keys, Counter: count()})

	down, err := client.Start(dlms.Get(energy))
	for err == nil {
		var e dlms.Effects
		e, err = client.Receive(server.Receive(time.Now(), down))
		if e.Done {
			v, _, _ := cosem.ParseValue(e.Results[0].Data)
			n, _ := v.Integer()
			fmt.Println(client.State(), e.Results[0].Access, n)
			return
		}
		down = e.Down
	}
	fmt.Println(err)
	// Output: open success 5009
}

// A password that the meter does not know is a RefusedError with a hint.
func ExampleRefusedError() {
	server := dlms.NewServer(dlms.ServerConfig{Keys: dlms.Keys{Mechanism: dlms.LLS, Password: []byte("12345678")}}, register{})
	client := dlms.NewClient(dlms.ClientConfig{Keys: dlms.Keys{Mechanism: dlms.LLS, Password: []byte("00000001")}})
	down, err := client.Start(dlms.Open())
	if err == nil {
		_, err = client.Receive(server.Receive(time.Now(), down))
	}
	fmt.Println(err)
	// Output: the meter refuses: association rejected for good: authentication failure; the meter does not accept our password
}
