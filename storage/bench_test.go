package storage

import (
	"testing"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

// quarters is a visit that brings two channels of a day in quarters of an hour.
func quarters(meter plc.SystemTitle, from time.Time) concentrator.VisitRecord {
	r := concentrator.VisitRecord{Visit: concentrator.Visit{Round: 1, Meter: meter}, Meter: concentrator.Meter{Title: meter}}
	for _, object := range []string{"1.0.1.8.0.255", "1.0.2.8.0.255"} {
		channel := concentrator.Channel{
			Profile: cosem.MustOBIS("1.0.99.1.0.255"), Class: cosem.ClassRegister, Object: cosem.MustOBIS(object), Attribute: 2,
		}
		for i := range 96 {
			at := from.Add(time.Duration(i) * 15 * time.Minute)
			r.Readings = append(r.Readings, concentrator.Reading{
				Meter: meter, Channel: channel, Time: at, Received: at, Value: int64(i), Unit: 30,
			})
		}
	}
	r.Visit.Readings = len(r.Readings)
	return r
}

// BenchmarkRecordVisit is a visit of 192 values, committed to the disk.
func BenchmarkRecordVisit(b *testing.B) {
	s, err := Open(b.Context(), Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	values, n := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		meter := plc.MustSystemTitle([]byte{'B', 'B', 'R', 0, 0, 0, byte(n >> 8), byte(n)})
		stored, err := s.RecordVisit(b.Context(), quarters(meter, day.AddDate(0, 0, n>>16)))
		if err != nil {
			b.Fatal(err)
		}
		values += stored
		n++
	}
	if values != 192*n {
		b.Fatalf("%d values of %d visits stored", values, n)
	}
	b.ReportMetric(float64(values)/b.Elapsed().Seconds(), "values/s")
}

// BenchmarkIdlePoll is what the courier asks once a second when nothing waits.
func BenchmarkIdlePoll(b *testing.B) {
	s, err := Open(b.Context(), Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		for lane := range concentrator.Lanes {
			if _, err := s.Unreceipted(b.Context(), lane, 0, 1); err != nil {
				b.Fatal(err)
			}
			if _, err := s.Waiting(b.Context(), lane, 1); err != nil {
				b.Fatal(err)
			}
		}
	}
}
