package amis49587_test

import (
	"context"
	"fmt"

	"busbar/board"
	"busbar/plc"
	"busbar/plc/mac"
	"busbar/plc/modem"
	"busbar/plc/modem/amis49587"
)

// A station opens the port through board, runs the driver in one goroutine, and talks to it
// from another.
func ExampleDriver() {
	const path = "/dev/ttyUSB0"
	d, err := amis49587.New(amis49587.Config{
		Open: func() (modem.Port, error) { return board.OpenModem(path, 38400) },
		Name: path, Baud: 38400, Profile: plc.DefaultProfile(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { _ = d.Run(ctx) }()

	discover := []byte{0x90, 0x00, 0x01, 0x1D, 0x64, 0x00, 0x0A, 0x00, 0x00}
	if err := d.Send(ctx, mac.DataRequest{Source: 0xC00, Destination: plc.AllPhysical, MSDU: discover}); err != nil {
		fmt.Println(err) // says what, where and what to do; errors.Is(err, plc.ErrLineDown)
		return
	}
	i := <-d.Indications()
	fmt.Printf("%v reports with %v repetitions: % X\n", i.Source, i.Credits.Used(), i.MSDU)
}
