package cosem

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"busbar/plc/axdr"
)

const quarter = 15 * time.Minute

// rows reads a whole buffer as text, one line per row.
func rows(buffer []byte, columns, clock int, period time.Duration) ([]string, int, error) {
	var out []string
	n, err := ScanProfile(buffer, columns, clock, period, func(r Row) error {
		line := "no time"
		if r.HasTime {
			line = r.Time.String()
		}
		for i, c := range r.Cells {
			if i != clock {
				line += " | " + c.String()
			}
		}
		out = append(out, line)
		return nil
	})
	return out, n, err
}

// day is the buffer of a profile of 96 quarters of an hour: clock, status, a register
// that grows by 7 and one that counts.
func day() []byte {
	b := axdr.AppendArray(nil, 96)
	for i := range 96 {
		at := DateTimeOf(time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i)*quarter), int(NoDeviation), 0)
		at.Hundredths = Any
		b = axdr.AppendStructure(b, 4)
		b = axdr.AppendOctets(b, at.Append(nil))
		b = axdr.AppendUnsigned(b, 0)
		b = axdr.AppendDoubleLongU(b, uint32(1000+7*i))
		b = axdr.AppendDoubleLongU(b, uint32(i))
	}
	return b
}

func TestScanProfile(t *testing.T) {
	for _, tt := range []struct {
		name   string
		hex    string
		cols   int
		clock  int
		period time.Duration
		want   []string
	}{
		{
			"null-data repeats and the clock moves on", `01040204090c07e30c1f0217000000ffc400110606000005ed0600000654020400110606000005ed0600000654
			020400110606000005ed0600000654020400000000`, 4, 0, time.Hour,
			[]string{
				"2019-12-31 23:00:00 deviation -60 | 6 | 1517 | 1620", "2020-01-01 00:00:00 deviation -60 | 6 | 1517 | 1620",
				"2020-01-01 01:00:00 deviation -60 | 6 | 1517 | 1620", "2020-01-01 02:00:00 deviation -60 | 6 | 1517 | 1620",
			},
		},
		{
			"a time after omitted ones", "0103 0202 090c07e30c1f0217000000ffc400 1101 0202 00 00 0202 090c07e30c1f02173b0000ffc480 1103", 2, 0, quarter,
			[]string{"2019-12-31 23:00:00 deviation -60 | 1", "2019-12-31 23:15:00 deviation -60 | 1", "2019-12-31 23:59:00 deviation -60 status 80 | 3"},
		},
		{"no period, no time", "0102 0202 090c07e30c1f0217000000ffc400 1101 0202 00 1102", 2, 0, 0, []string{"2019-12-31 23:00:00 deviation -60 | 1", "no time | 2"}},
		{"nothing to repeat", "0101 0202 00 00", 2, 0, quarter, []string{"no time | null"}},
		{"no clock column", "0102 0201 1101 0201 00", 1, -1, quarter, []string{"no time | 1", "no time | 1"}},
		{"clock of another type", "0101 0202 0600000001 1101", 2, 0, quarter, []string{"no time | 1"}},
		{"clock as date-time", "0101 0202 19 07e30c1f0217000000ffc400 1101", 2, 0, quarter, []string{"2019-12-31 23:00:00 deviation -60 | 1"}},
		{"clock in the last column", "0101 0202 1101 090c07e30c1f0217000000ffc400", 2, 1, quarter, []string{"2019-12-31 23:00:00 deviation -60 | 1"}},
		{"deltas", "0104 0201 0600000064 0201 1cfe 0201 200100 0201 00", 1, -1, 0, []string{"no time | 100", "no time | 98", "no time | 354", "no time | 354"}},
		{"a delta to nothing", "0101 0201 1c05", 1, -1, 0, []string{"no time | +5"}},
		{"a delta to a text", "0102 0201 0a0161 0201 1c05", 1, -1, 0, []string{`no time | "a"`, "no time | +5"}},
		{
			"compact-array", "13 0202 09 06 22 0c07e30c1f0217000000ffc400 00000001 0c07e30c1f02170f0000ffc400 00000002", 2, 0, quarter,
			[]string{"2019-12-31 23:00:00 deviation -60 | 1", "2019-12-31 23:15:00 deviation -60 | 2"},
		},
		{"a cell of its own structure", "0101 0202 0202 1101 1102 0101 03 01", 2, -1, 0, []string{"no time | {1, 2} | [true]"}},
		{"empty", "0100", 4, 0, quarter, nil},
		{"empty compact-array", "13 0202 09 06 00", 2, 0, quarter, nil},
	} {
		b := unhex(t, tt.hex)
		got, n, err := rows(b, tt.cols, tt.clock, tt.period)
		if err != nil || n != len(b) || fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %d of %d octets, %v\n got %v\nwant %v", tt.name, n, len(b), err, strings.Join(got, "\n     "), strings.Join(tt.want, "\n     "))
		}
	}
}

func TestScanProfileOfADay(t *testing.T) {
	b := day()
	if want := 2 + 96*28; len(b) != want {
		t.Fatalf("%d octets, want %d", len(b), want)
	}
	i := 0
	n, err := ScanProfile(b, 4, 0, quarter, func(r Row) error {
		at, err := r.Time.Time(DeviationToUTC)
		if want := time.Date(2024, 5, 1, 0, 15*i, 0, 0, time.UTC); err != nil || !at.Equal(want) {
			t.Errorf("row %d: %v (%v), want %v", i, at, err, want)
		}
		if r.Cells[2].Int != int64(1000+7*i) || r.Cells[3].Int != int64(i) {
			t.Errorf("row %d: %v", i, r.Cells)
		}
		i++
		return nil
	})
	if err != nil || n != len(b) || i != 96 {
		t.Errorf("%d rows, %d octets, %v", i, n, err)
	}
}

func TestTruncatedProfileKeepsItsRows(t *testing.T) {
	for _, b := range [][]byte{day(), unhex(t, "13 0202 09 06 22 0c07e30c1f0217000000ffc400 00000001 0c07e30c1f02170f0000ffc400 00000002")} {
		for n := range b {
			got, _, err := rows(b[:n], 4, 0, quarter)
			if err == nil {
				t.Fatalf("cut to %d octets: no error", n)
			}
			if want := max(0, n-2) / 28; b[0] == byte(axdr.Array) && len(got) != want && len(got) != 0 {
				t.Fatalf("cut to %d octets: %d rows, want %d", n, len(got), want)
			}
		}
	}
}

func TestTruncatedCellsOfEveryWidth(t *testing.T) {
	b := unhex(t, "0102 020a 1101 12fffe 10fffe 1607 05fffffffe 06fffffffe 14fffffffffffffffe 15fffffffffffffffe 00 0301"+
		"020a 1102 12fffd 10fffd 1608 05fffffffd 06fffffffd 14fffffffffffffffd 15fffffffffffffffd 00 0300")
	got, n, err := rows(b, 10, -1, 0)
	want := []string{
		"no time | 1 | 65534 | -2 | 7 | -2 | 4294967294 | -2 | 18446744073709551614 | null | true",
		"no time | 2 | 65533 | -3 | 8 | -3 | 4294967293 | -3 | 18446744073709551613 | null | false",
	}
	if err != nil || n != len(b) || !slices.Equal(got, want) {
		t.Errorf("%q, %d octets, %v", got, n, err)
	}
	for n := range b {
		if got, _, err := rows(b[:n:n], 10, -1, 0); err == nil || len(got) > 1 {
			t.Errorf("cut to %d octets: %q, %v", n, got, err)
		}
	}
}

func TestCellsNestNoDeeperThanValues(t *testing.T) {
	for deep, ok := range map[int]bool{axdr.MaxDepth - 2: true, axdr.MaxDepth - 1: false} {
		b := unhex(t, "0101 0201"+strings.Repeat("0101", deep)+"00")
		if _, n, err := rows(b, 1, -1, 0); (err == nil) != ok {
			t.Errorf("%d levels in a cell: %d octets, %v", deep, n, err)
		}
	}
}

func TestScanProfileRefuses(t *testing.T) {
	for text, what := range map[string]string{
		"1101":                   "want array",
		"0101 1101":              "entry 1 is unsigned",
		"0102 02011101 02020000": "entry 2 is structure of 2 elements",
		"13 06 0400000001":       "entry 1 is double-long-unsigned",
	} {
		if _, _, err := rows(unhex(t, text), 1, -1, 0); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: error %v, want one with %q", text, err, what)
		}
	}
	if _, _, err := rows(day(), 0, -1, 0); err == nil {
		t.Error("a profile without columns was read")
	}
	stop := errors.New("enough")
	if _, err := ScanProfile(day(), 4, 0, quarter, func(Row) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error of the callback came out as %v", err)
	}
}

func TestScanProfileAllocatesTwice(t *testing.T) {
	b := day()
	sum := int64(0)
	row := func(r Row) error {
		sum += r.Cells[2].Int
		return nil
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = ScanProfile(b, 4, 0, quarter, row) }); n > 2 {
		t.Errorf("%v allocations for 96 rows", n)
	}
}

// naive reads a tagged buffer the slow way: the whole tree, then row by row. It is what
// ScanProfile is compared with.
func naive(b []byte, columns, clock int, period time.Duration) (out []string, ok bool) {
	v, _, err := ParseValue(b)
	if err != nil || v.Tag != axdr.Array {
		return nil, false
	}
	s := scan{clock: clock, period: period, cells: make([]Value, columns)}
	for _, entry := range v.Items {
		if entry.Tag != axdr.Structure || len(entry.Items) != columns {
			return nil, false
		}
		for i, c := range entry.Items {
			switch {
			case i == clock:
				s.tick(c)
			case s.rows == 0 || !s.merge(&s.cells[i], c):
				s.cells[i] = c
			}
		}
		s.rows++
		out = append(out, fmt.Sprint(s.hasTime, s.time, s.cells))
	}
	return out, true
}

func TestScanProfileIsAsGoodAsTheTree(t *testing.T) {
	for _, b := range [][]byte{day(), dayOfNulls(), unhex(t, `0103 0204 090c07e8050103000000ff80000011000600000001 0a0161
		0204 090c07e8050103000f00ff800000 12ffff 05ffffffff 0900 0204 00 00 10fffe 0202 1101 1402`+"0000000000000000")} {
		compare(t, b, 4, 0)
	}
}

// compare wants ScanProfile to give what naive gives, and returns the rows it read.
func compare(t *testing.T, b []byte, columns, clock int) int {
	t.Helper()
	var got []string
	_, err := ScanProfile(b, columns, clock, quarter, func(r Row) error {
		if len(r.Cells) != columns {
			t.Fatalf("%d cells of %d columns", len(r.Cells), columns)
		}
		got = append(got, fmt.Sprint(r.HasTime, r.Time, r.Cells))
		return nil
	})
	want, ok := naive(b, columns, clock, quarter)
	if err != nil && (columns < 1 || strings.Contains(err.Error(), "more than")) {
		return len(got) // the two have different limits
	}
	if ok != (err == nil) && len(b) > 0 && b[0] == byte(axdr.Array) && len(b) < maxItems {
		t.Fatalf("error %v, but the tree says %v", err, ok)
	}
	if ok && !slices.Equal(got, want) {
		t.Fatalf("rows\n got %v\nwant %v", got, want)
	}
	return len(got)
}

// present is the number of elements that really are in b, up to its first fault: what
// cells that are arrays or structures may be built of.
func present(b []byte) int {
	n := 0
	for d := axdr.NewDecoder(b); d.Left() > 0; n++ {
		e, err := d.Next()
		if err != nil {
			break
		}
		if c, err := axdr.ParseCompact(e.Octets); err == nil && e.Tag == axdr.CompactArray {
			for in := axdr.NewCompactDecoder(c); in.More() && n < len(b); n++ {
				if _, err := in.Next(); err != nil {
					break
				}
			}
		}
	}
	return min(n, len(b)) // the budget
}

// FuzzScanProfile wants every row to be whole and the same as in the tree of the
// buffer, and the memory to follow from what was really there.
func FuzzScanProfile(f *testing.F) {
	f.Add(append(axdr.AppendArray(nil, 3), day()[2:2+3*28]...), uint8(4), int8(0)) // a short one: the fuzzer shortens long ones for minutes
	f.Add(unhex(f, "13 0202 09 06 22 0c07e30c1f0217000000ffc400 00000001 0c07e30c1f02170f0000ffc400 00000002"), uint8(2), int8(0))
	f.Add(unhex(f, "0104 0201 0600000064 0201 1cfe 0201 200100 0201 00"), uint8(1), int8(-1))
	f.Add(unhex(f, "0102 0202 00 0202 1101 1202 0202 00 01 03 11 11 11"), uint8(2), int8(0))
	f.Fuzz(func(t *testing.T, b []byte, columns uint8, clock int8) {
		if count := compare(t, b, int(columns), int(clock)); count > len(b) {
			t.Fatalf("%d rows out of %d octets", count, len(b))
		}
		limit := fixedRoom + 4*len(b) + valueSize*(int(columns)+present(b))
		bounded(t, limit, func() { _, _ = ScanProfile(b, int(columns), int(clock), quarter, func(Row) error { return nil }) })
	})
}
