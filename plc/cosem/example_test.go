package cosem_test

import (
	"encoding/hex"
	"fmt"
	"time"

	"busbar/plc/cosem"
)

func ExampleParseValue() {
	b, _ := hex.DecodeString("020409060100010800ff0600001391090c07e30c1f0217000000ffc4000a026f6b")
	v, n, err := cosem.ParseValue(b)
	fmt.Println(n, err)
	fmt.Println(v)
	// Output:
	// 33 <nil>
	// {1.0.1.8.0.255, 5009, 2019-12-31 23:00:00 deviation -60, "ok"}
}

func ExampleDateTime_Time() {
	b, _ := hex.DecodeString("07e30c1f0217000000ffc400") // 23:00 local time, deviation -60
	d, _, _ := cosem.ParseDateTime(b)
	standard, _ := d.Time(cosem.DeviationToUTC)
	other, _ := d.Time(cosem.DeviationFromUTC)
	fmt.Println(standard.Format(time.RFC3339), other.Format(time.RFC3339))
	// Output: 2019-12-31T22:00:00Z 2020-01-01T00:00:00Z
}

func ExampleScanProfile() {
	// Clock and one register; the second row leaves out what can be told from the first.
	buffer, _ := hex.DecodeString("01030202090c07e30c1f0217000000ffc40006000005ed020200000202000600000654")
	_, err := cosem.ScanProfile(buffer, 2, 0, time.Hour, func(r cosem.Row) error {
		energy, _ := r.Cells[1].Integer()
		fmt.Println(r.Time, energy)
		return nil
	})
	fmt.Println(err)
	// Output:
	// 2019-12-31 23:00:00 deviation -60 1517
	// 2020-01-01 00:00:00 deviation -60 1517
	// 2020-01-01 01:00:00 deviation -60 1620
	// <nil>
}
