package proof

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

// Columns of the two files. What the meters held has the first nine and "must".
var (
	keyColumns     = []string{"meter", "profile", "class", "object", "attribute", "time", "value", "scaler", "unit"}
	readingColumns = append(append([]string(nil), keyColumns...), "clock_status", "row_status", "quality", "received")
	heldColumns    = append(append([]string(nil), keyColumns...), "must")
)

// timeForm is UTC in whole seconds.
const timeForm = "2006-01-02T15:04:05Z"

func appendKey(row []string, r concentrator.Reading) []string {
	profile := ""
	if !r.Channel.Profile.IsZero() {
		profile = r.Channel.Profile.String()
	}
	return append(row, r.Meter.String(), profile, strconv.Itoa(int(r.Channel.Class)), r.Channel.Object.String(),
		strconv.Itoa(int(r.Channel.Attribute)), r.Time.UTC().Format(timeForm),
		strconv.FormatInt(r.Value, 10), strconv.Itoa(int(r.Scaler)), strconv.Itoa(int(r.Unit)))
}

// WriteCSV writes readings with a heading. Values are whole numbers: the quantity is
// value x 10^scaler in the unit of that number (Blue Book 4.3.2).
func WriteCSV(w io.Writer, readings iter.Seq2[concentrator.Reading, error]) error {
	c := csv.NewWriter(w)
	if err := c.Write(readingColumns); err != nil {
		return err
	}
	row := make([]string, 0, len(readingColumns))
	for r, err := range readings {
		if err != nil {
			return err
		}
		row = append(appendKey(row[:0], r), strconv.Itoa(int(r.ClockStatus)), strconv.FormatUint(uint64(r.RowStatus), 10),
			strconv.Itoa(int(r.Quality)), r.Received.UTC().Format(time.RFC3339Nano))
		if err := c.Write(row); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// WriteHeld writes what meters held, in the form that ReadHeld reads.
func WriteHeld(w io.Writer, held iter.Seq2[Held, error]) error {
	c := csv.NewWriter(w)
	if err := c.Write(heldColumns); err != nil {
		return err
	}
	row := make([]string, 0, len(heldColumns))
	for h, err := range held {
		if err != nil {
			return err
		}
		row = append(appendKey(row[:0], h.Reading), strconv.FormatBool(h.Must))
		if err := c.Write(row); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// ReadHeld reads a file of WriteHeld. Its last pair has an error when a line cannot be
// read; the error names the line.
func ReadHeld(r io.Reader) iter.Seq2[Held, error] {
	return func(yield func(Held, error) bool) {
		c := csv.NewReader(r)
		c.FieldsPerRecord = len(heldColumns)
		c.ReuseRecord = true
		for first := true; ; first = false {
			row, err := c.Read()
			if errors.Is(err, io.EOF) && !first {
				return
			}
			if errors.Is(err, io.EOF) {
				err = errors.New("empty: not even a heading; let `street --held` write it")
			}
			if err != nil {
				yield(Held{}, err)
				return
			}
			if first {
				if err := heading(row); err != nil {
					yield(Held{}, err)
					return
				}
				continue
			}
			h, err := parseHeld(row)
			if err != nil {
				line, _ := c.FieldPos(0)
				err = fmt.Errorf("line %d: %w", line, err)
			}
			if !yield(h, err) || err != nil {
				return
			}
		}
	}
}

func heading(row []string) error {
	for i, name := range heldColumns {
		if row[i] != name {
			return fmt.Errorf("column %d is %q: want %q, as `street --held` writes it", i+1, row[i], name)
		}
	}
	return nil
}

func parseHeld(row []string) (Held, error) {
	var h Held
	var errs []error
	number := func(i, bits int) int64 {
		n, err := strconv.ParseInt(row[i], 10, bits)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %q: %w", heldColumns[i], row[i], errors.Unwrap(err)))
		}
		return n
	}
	check := func(err error) { errs = append(errs, err) }
	var err error
	h.Meter, err = plc.ParseSystemTitle(row[0])
	check(err)
	if row[1] != "" {
		h.Channel.Profile, err = cosem.ParseOBIS(row[1])
		check(err)
	}
	h.Channel.Class = cosem.Class(number(2, 32))
	h.Channel.Object, err = cosem.ParseOBIS(row[3])
	check(err)
	h.Channel.Attribute = int8(number(4, 8))
	h.Time, err = time.Parse(timeForm, row[5])
	check(err)
	h.Value = number(6, 64)
	h.Scaler = int8(number(7, 8))
	h.Unit = uint8(number(8, 16))
	h.Must, err = strconv.ParseBool(row[9])
	check(err)
	return h, errors.Join(errs...)
}
