package hdlc_test

import (
	"fmt"

	"busbar/plc/hdlc"
)

// A client sets up a link with logical device 1 and asks for something.
func ExamplePrimary() {
	client, server := hdlc.Address{Upper: 16}, hdlc.Address{Upper: 1}
	p := hdlc.NewPrimary(hdlc.PrimaryConfig{Client: client, Server: server})
	s := hdlc.NewSecondary(hdlc.SecondaryConfig{Client: client, Server: server})

	snrm := p.Connect()
	fmt.Printf("% X\n", snrm)
	f, _, _ := hdlc.Parse(snrm)
	ua, _, _ := hdlc.Parse(s.Receive(f).Down)
	_, err := p.Receive(ua)
	fmt.Println(p.State(), err)

	request, _ := p.Send([]byte{0xC0, 0x01, 0xC1, 0x00, 0x03, 1, 0, 1, 8, 0, 255, 2, 0})
	f, _, _ = hdlc.Parse(request)
	fmt.Println(f)
	fmt.Printf("% X\n", s.Receive(f).APDU)
	answer, _, _ := hdlc.Parse(s.Answer([]byte{0xC4, 0x01, 0xC1, 0x00, 0x06, 0, 1, 0x23, 0x45}))
	e, err := p.Receive(answer)
	fmt.Printf("% X %v\n", e.APDU, err)
	// Output:
	// 7E A0 07 03 21 93 0F 01 7E
	// connected <nil>
	// 16 to 1: I 0, awaits 0, poll/final, 16 octets
	// C0 01 C1 00 03 01 00 01 08 00 FF 02 00
	// C4 01 C1 00 06 00 01 23 45 <nil>
}

// An optical head begins in mode E.
func ExampleIdentification() {
	request, _ := hdlc.AppendSignOn(nil, "")
	fmt.Printf("%q\n", request)
	id, _, err := hdlc.ParseIdentification([]byte("/LGZ5\\2ZMD3104115.B32\r\n"))
	baud, _ := id.Baud()
	fmt.Println(id.Maker, id.Name, id.HDLC(), baud, err)
	fmt.Printf("%q\n", id.AppendSelect(nil))
	// Output:
	// "/?!\r\n"
	// LGZ ZMD3104115.B32 true 9600 <nil>
	// "\x06252\r\n"
}
