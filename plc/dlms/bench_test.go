package dlms

import (
	"fmt"
	"testing"
)

// BenchmarkProfile takes the answer to a GET of a profile of 96 rows (2,690 octets), from
// octets off the line to the value: in blocks as one MAC frame carries them, and whole.
func BenchmarkProfile(b *testing.B) {
	for _, keys := range mechanisms {
		for _, maxPDU := range []int{239, 65535} {
			b.Run(fmt.Sprintf("%v/%d", keys.Mechanism, maxPDU), func(b *testing.B) {
				p := openPair(b, keys, maxPDU, 96)
				down := p.ask(Get(profileRef))
				begin, op := *p.client, *p.client.op
				var ups [][]byte
				for done := false; !done; {
					up := p.server.Receive(testTime, down)
					ups = append(ups, up)
					e, err := p.client.Receive(up)
					if err != nil {
						b.Fatal(err)
					}
					down, done = e.Down, e.Done
				}
				b.SetBytes(int64(len(profile(96))))
				b.ReportAllocs()
				b.ReportMetric(float64(len(ups)), "answers/op")
				for b.Loop() {
					c, o := begin, op
					c.op = &o
					var e Effects
					for _, up := range ups {
						var err error
						if e, err = c.Receive(up); err != nil {
							b.Fatal(err)
						}
					}
					if !e.Done {
						b.Fatal("not done")
					}
				}
			})
		}
	}
}

// BenchmarkServer answers a register to a meter's client, as a simulated street does
// thousands of times.
func BenchmarkServer(b *testing.B) {
	for _, keys := range mechanisms {
		b.Run(keys.Mechanism.String(), func(b *testing.B) {
			p := openPair(b, keys, 239, 1)
			down := p.ask(Get(energyRef))
			begin := *p.server
			b.ReportAllocs()
			for b.Loop() {
				s := begin
				p.tree.calls = p.tree.calls[:0]
				if s.Receive(testTime, down) == nil {
					b.Fatal("no answer")
				}
			}
		})
	}
}
