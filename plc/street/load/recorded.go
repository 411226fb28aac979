package load

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Dir is the directory of recorded series: $BUSBAR_PROFILES, or ../shared/profiles
// when that exists, or empty.
func Dir() string {
	if dir := os.Getenv("BUSBAR_PROFILES"); dir != "" {
		return dir
	}
	dir := filepath.Join("..", "shared", "profiles")
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return dir
	}
	return ""
}

// recording is a file of recorded series, a column of times or hours first.
type recording struct {
	file  string
	start time.Time // of the first row, local time written as UTC
	perHour,
	// homes lie in the columns from 1; or one home in column 1 with its solar plant in 2
	homes int
	solar bool
	watt  float64 // watt-hours of a row whose value is 1
}

// recordings are the files that Open knows. The first of August of the Californian
// homes was a Monday, as their weekends show.
var recordings = []recording{
	{file: "citylearn-2022.csv", start: date(2016, 8, 1), perHour: 1, homes: 17, watt: 1000},
	{file: "ausgrid-12.csv", start: date(2011, 7, 1), perHour: 2, homes: 1, solar: true, watt: 500},
	{file: "london-3.csv", start: date(2013, 1, 1), perHour: 2, homes: 3, watt: 1000},
}

func date(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// Open reads the recorded series in dir, those of its files that exist. Hours and half
// hours are split into quarters evenly, their sum kept to the watt-hour. The load of a home
// with a solar plant is set against its yield interval by interval: what is left over
// goes out.
func Open(dir string, seed uint64) (*Street, error) {
	s := &Street{seed: seed}
	for _, r := range recordings {
		bases, err := r.read(filepath.Join(dir, r.file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s.bases = append(s.bases, bases...)
	}
	if len(s.bases) == 0 {
		return nil, fmt.Errorf("no recorded load in %s: want citylearn-2022.csv, ausgrid-12.csv or london-3.csv there, or use the household model", dir)
	}
	return s, nil
}

func (r recording) read(path string) ([]base, error) {
	columns, err := r.columns(path)
	if err != nil {
		return nil, err
	}
	if days := len(columns[0]) / (24 * r.perHour); days < yearWeeks*7 {
		return nil, fmt.Errorf("%s: %d days: want %d at least", path, days, yearWeeks*7)
	}
	if r.solar {
		in, out := net(columns[0], columns[1])
		return []base{{r.name(1), newSeries(r.year(in)), newSeries(r.year(out))}}, nil
	}
	var bases []base
	for i, c := range columns {
		bases = append(bases, base{name: r.name(i + 1), imported: newSeries(r.year(c))})
	}
	return bases, nil
}

func (r recording) name(home int) string {
	return fmt.Sprintf("%s home %d", r.file[:len(r.file)-len(".csv")], home)
}

// columns are the watt-hours of each interval, by column.
func (r recording) columns(path string) ([][]uint32, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	n := r.homes
	if r.solar {
		n++
	}
	if len(rows) < 2 || len(rows[0]) != n+1 {
		return nil, fmt.Errorf("%s: want %d columns and a head line", path, n+1)
	}
	columns := make([][]uint32, n)
	for i, row := range rows[1:] {
		for c := range columns {
			wh, err := strconv.ParseFloat(row[c+1], 64)
			if err != nil || !(wh >= 0 && wh*r.watt <= 1e6) { // NaN is neither
				return nil, fmt.Errorf("%s, line %d, column %d: %q: want a number from 0 to a megawatt-hour", path, i+2, c+2, row[c+1])
			}
			columns[c] = append(columns[c], uint32(math.Round(wh*r.watt)))
		}
	}
	return columns, nil
}

// net sets load against yield.
func net(load, yield []uint32) (in, out []uint32) {
	in, out = make([]uint32, len(load)), make([]uint32, len(load))
	for i := range load {
		if load[i] >= yield[i] {
			in[i] = load[i] - yield[i]
		} else {
			out[i] = yield[i] - load[i]
		}
	}
	return in, out
}

// year puts a recording in the order of a base: 52 weeks from the Monday of the first
// week of the year, each day taken from the recorded day that is whole years of 52 weeks
// away.
func (r recording) year(intervals []uint32) []uint32 {
	first := date(r.start.Year(), 1, 4)
	first = first.AddDate(0, 0, -(int(first.Weekday())+6)%7)
	ahead := int(r.start.Sub(first).Hours() / 24) // days from the first Monday to the recording
	perDay := 24 * r.perHour
	quarters := make([]uint32, 0, yearQuarters)
	for day := range yearWeeks * 7 {
		from := day - ahead
		for from < 0 {
			from += yearWeeks * 7
		}
		for _, wh := range intervals[from*perDay : (from+1)*perDay] {
			quarters = appendSplit(quarters, wh, 4/r.perHour)
		}
	}
	return quarters
}

// appendSplit appends n parts that differ by one at most and add up to wh.
func appendSplit(dst []uint32, wh uint32, n int) []uint32 {
	for i := range n {
		dst = append(dst, uint32(uint64(wh)*uint64(i+1)/uint64(n)-uint64(wh)*uint64(i)/uint64(n)))
	}
	return dst
}
