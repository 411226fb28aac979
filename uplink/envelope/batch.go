package envelope

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"busbar/concentrator"
	"busbar/uplink/envelope/wire"
)

// MaxRecords is the most records a batch holds. A reading may take one octet, so
// the octets alone would not bound what decoding allocates.
const MaxRecords = 1 << 15

// maxParts bounds the messages inside a batch: a lone reading needs a meter, a
// channel, a status, three columns and a series.
const maxParts = 7 * MaxRecords

// ErrTooLarge means that records do not fit one batch: try fewer, and with one
// record Shorten.
var ErrTooLarge = errors.New("the records do not fit one batch")

// Seal encodes records as the body of a batch. Nothing is lost but what is cut to
// a bound: seconds are the finest time of a reading, milliseconds of anything
// else, and texts are printable. Readings of one meter and channel stay in order.
func Seal(rec concentrator.Records) ([]byte, error) {
	if rec.Len() == 0 {
		return nil, errors.New("envelope: a batch of nothing")
	}
	if rec.Len() > MaxRecords {
		return nil, fmt.Errorf("envelope: %d records: %w", rec.Len(), ErrTooLarge)
	}
	w := wireReadings(rec.Readings)
	for _, e := range rec.Events {
		w.Event = append(w.Event, &wire.Event{
			Time: millis(e.Time), Meter: e.Meter.Bytes(), Code: clean(string(e.Code), maxText), Text: clean(e.Text, maxDetail),
		})
	}
	for _, o := range rec.Orders {
		w.Order = append(w.Order, wireOrder(o))
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(&wire.Sealed{Version: Version, Records: w})
	if err != nil {
		return nil, fmt.Errorf("envelope: seal a batch: %w", err)
	}
	if len(b) > MaxBody {
		return nil, fmt.Errorf("envelope: %d octets: %w", len(b), ErrTooLarge)
	}
	return b, nil
}

// Shorten drops the values from results of orders that fit no batch even alone,
// and says so in their place.
func Shorten(rec concentrator.Records) concentrator.Records {
	orders := make([]concentrator.Order, len(rec.Orders))
	for i, o := range rec.Orders {
		if o.Result != nil {
			r := *o.Result
			r.Detail = fmt.Sprintf("the value has %d octets, more than a batch to the center can hold", len(r.Data))
			r.Data, r.Text = nil, ""
			o.Result = &r
		}
		orders[i] = o
	}
	rec.Orders = orders
	return rec
}

// ParseBatch decodes the body of a batch. It is ErrVersion when a newer station made it.
func ParseBatch(body []byte) (concentrator.Records, error) {
	rec, err := parseBatch(body)
	if err != nil {
		return concentrator.Records{}, fmt.Errorf("envelope: batch: %w", err)
	}
	return rec, nil
}

func parseBatch(body []byte) (rec concentrator.Records, err error) {
	if len(body) > MaxBody {
		return rec, fmt.Errorf("%d octets: want at most %d", len(body), MaxBody)
	}
	if err := survey(body); err != nil {
		return rec, err
	}
	var sealed wire.Sealed
	if err := proto.Unmarshal(body, &sealed); err != nil {
		return rec, err
	}
	if sealed.GetVersion() != Version {
		return rec, versionError("batch", sealed.GetVersion())
	}
	w := sealed.GetRecords()
	if rec.Readings, err = readings(w); err != nil {
		return rec, err
	}
	for i, e := range w.GetEvent() {
		meter, err := title(e.GetMeter())
		if err != nil {
			return rec, fmt.Errorf("event %d: %w", i, err)
		}
		rec.Events = append(rec.Events, concentrator.Event{
			Time: moment(e.GetTime()), Meter: meter,
			Code: concentrator.EventCode(clean(e.GetCode(), maxText)), Text: clean(e.GetText(), maxDetail),
		})
	}
	for _, w := range w.GetOrder() {
		o, err := order(w)
		if err != nil {
			return rec, err
		}
		rec.Orders = append(rec.Orders, o)
	}
	if rec.Len() == 0 {
		return rec, errors.New("it holds no records")
	}
	return rec, nil
}

// survey counts the parts of a batch before anything is allocated for them: an
// empty part takes two octets here and a hundred times that in memory.
func survey(body []byte) error {
	parts := 0
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return protowire.ParseError(n)
		}
		body = body[n:]
		if number != 2 || kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, body); n < 0 {
				return protowire.ParseError(n)
			}
			body = body[n:]
			continue
		}
		records, n := protowire.ConsumeBytes(body)
		if n < 0 {
			return protowire.ParseError(n)
		}
		body = body[n:]
		for len(records) > 0 {
			if _, _, n = protowire.ConsumeField(records); n < 0 {
				return protowire.ParseError(n)
			}
			records = records[n:]
			if parts++; parts > maxParts {
				return fmt.Errorf("more than %d parts", maxParts)
			}
		}
	}
	return nil
}
