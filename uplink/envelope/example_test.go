package envelope_test

import (
	"fmt"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
	"busbar/uplink/envelope"
)

// A day of quarter hours becomes a batch, and a batch readings again.
func Example() {
	midnight := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var rec concentrator.Records
	for i := range 96 {
		rec.Readings = append(rec.Readings, concentrator.Reading{
			Meter:   plc.MustSystemTitle([]byte("MMM\x00\x00\xBC\x61\x4E")),
			Channel: concentrator.Channel{Profile: cosem.MustOBIS("1.0.99.1.0.255"), Class: 3, Object: cosem.MustOBIS("1.0.1.8.0.255"), Attribute: 2},
			Time:    midnight.Add(time.Duration(i) * 15 * time.Minute), Value: 4711000 + int64(60*i), Unit: 30,
			Received: midnight.Add(25 * time.Hour),
		})
	}
	body, err := envelope.Seal(rec)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(rec.Readings), "readings take", len(body), "octets")
	back, err := envelope.ParseBatch(body)
	if err != nil {
		fmt.Println(err)
		return
	}
	last := back.Readings[95]
	fmt.Println(last.Time.Format(time.DateTime), last.Channel, last.Value)
	// Output:
	// 96 readings take 185 octets
	// 2026-03-01 23:45:00 1.0.99.1.0.255/1.0.1.8.0.255 4716700
}
