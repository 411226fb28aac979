package storage

import (
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"time"

	"busbar/plc"
)

// Mechanisms of a key record, numbered as the mechanism_id of an association
// (Green Book 9.2.7.2).
const (
	MechanismNone    = 0 // no authentication
	MechanismLLS     = 1 // low-level security: a password
	MechanismHLSGMAC = 5 // high-level security with GMAC
)

const (
	keySize     = 16  // octets, security suite 0
	maxPassword = 64  // octets
	maxKeyLines = 1e5 // of one file
	maxKeyFile  = 32 << 20
	maxComplain = 20 // faults told at once

	// secretTimeout bounds what the initiator waits for a key or a counter.
	secretTimeout = 30 * time.Second
)

// KeyRecord holds the secrets of one meter. Printing, logging or marshaling it
// shows none of them: they lie behind a closure, which no verb of fmt opens.
type KeyRecord struct {
	Title     plc.SystemTitle
	Mechanism uint8 // MechanismNone, MechanismLLS or MechanismHLSGMAC
	reveal    func() secrets
}

type secrets struct {
	encryption, authentication [keySize]byte
	password                   []byte
}

// Reveal returns the global unicast encryption key, the global authentication
// key (both zero when the record has none) and the password (nil when it has none).
func (k KeyRecord) Reveal() (encryption, authentication [keySize]byte, password []byte) {
	if k.reveal == nil {
		return encryption, authentication, nil
	}
	s := k.reveal()
	return s.encryption, s.authentication, append([]byte(nil), s.password...)
}

// String names the meter and hides the secrets.
func (k KeyRecord) String() string {
	return fmt.Sprintf("keys of %v, mechanism %d, hidden", k.Title, k.Mechanism)
}

// Format writes String, whatever the verb.
func (k KeyRecord) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue implements slog.LogValuer without secrets.
func (k KeyRecord) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText implements encoding.TextMarshaler without secrets.
func (k KeyRecord) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// ImportKeys reads keys of meters from CSV and stores all of them or, when one
// line is wrong, none. Each line is
//
//	title,mechanism,encryption,authentication,password
//
// with the title and both keys in hexadecimal (keys of 32 digits), the mechanism
// as none, lls or hls-gmac (or 0, 1, 5), and the password as text, or as
// hexadecimal after "hex:". What a mechanism does not need may be empty. A first
// line that begins with "title", empty lines and lines that begin with # are left
// out. Keys of other meters stay; those of a meter named here are replaced.
//
// It returns the number of meters. Errors name lines, never what they hold.
func (s *Store) ImportKeys(r io.Reader) (int, error) {
	records, err := parseKeys(r)
	if err != nil {
		return 0, fmt.Errorf("storage: import keys: nothing was imported: %w", err)
	}
	return write(context.Background(), s, "import keys", func(t *tx) (int, error) {
		for _, k := range records {
			v := k.reveal()
			encryption, authentication := v.encryption, v.authentication
			_, err := t.exec(`INSERT INTO meter_key (title, mechanism, encryption, authentication, password) VALUES (?1, ?2, ?3, ?4, ?5)
				ON CONFLICT (title) DO UPDATE SET mechanism = ?2, encryption = ?3, authentication = ?4, password = ?5
				WHERE mechanism <> ?2 OR encryption <> ?3 OR authentication <> ?4 OR password <> ?5`,
				k.Title.Bytes(), int64(k.Mechanism), encryption[:], authentication[:], append([]byte{}, v.password...))
			if err != nil {
				return 0, err
			}
		}
		return len(records), nil
	})
}

func parseKeys(r io.Reader) ([]KeyRecord, error) {
	lines := csv.NewReader(io.LimitReader(r, maxKeyFile))
	lines.Comment, lines.FieldsPerRecord, lines.TrimLeadingSpace = '#', -1, true
	var records []KeyRecord
	var faults []error
	at := map[plc.SystemTitle]int{}
	for first := true; len(faults) < maxComplain; first = false {
		fields, err := lines.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil { // csv errors tell the line and the rule, not the content
			return nil, errors.Join(append(faults, err)...)
		}
		line, _ := lines.FieldPos(0)
		if first && strings.EqualFold(strings.TrimSpace(fields[0]), "title") {
			continue
		}
		k, err := parseKey(fields)
		if err == nil && at[k.Title] != 0 {
			err = fmt.Errorf("the same meter as in line %d", at[k.Title])
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("line %d: %w", line, err))
			continue
		}
		at[k.Title] = line
		if records = append(records, k); len(records) > maxKeyLines {
			return nil, fmt.Errorf("more than %.0f lines", maxKeyLines)
		}
	}
	if len(faults) == 0 && len(records) == 0 {
		faults = append(faults, errors.New("no line with keys in it"))
	}
	return records, errors.Join(faults...)
}

// parseKey reads one line. Its errors hold no field: columns may be swapped.
func parseKey(fields []string) (KeyRecord, error) {
	if len(fields) != 5 {
		return KeyRecord{}, fmt.Errorf("%d fields: want title,mechanism,encryption,authentication,password", len(fields))
	}
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	title, err := plc.ParseSystemTitle(fields[0])
	if err != nil {
		return KeyRecord{}, fmt.Errorf("title is not %d to %d hexadecimal digits", 2, 2*plc.MaxSystemTitle)
	}
	mechanism, err := parseMechanism(fields[1])
	if err != nil {
		return KeyRecord{}, err
	}
	var v secrets
	if err := errors.Join(
		parseHexKey("encryption", fields[2], mechanism == MechanismHLSGMAC, &v.encryption),
		parseHexKey("authentication", fields[3], mechanism == MechanismHLSGMAC, &v.authentication),
		parsePassword(fields[4], mechanism == MechanismLLS, &v.password),
	); err != nil {
		return KeyRecord{}, err
	}
	return KeyRecord{Title: title, Mechanism: mechanism, reveal: func() secrets { return v }}, nil
}

func parseMechanism(s string) (uint8, error) {
	switch strings.ToLower(s) {
	case "none", "0":
		return MechanismNone, nil
	case "lls", "1":
		return MechanismLLS, nil
	case "hls-gmac", "5":
		return MechanismHLSGMAC, nil
	}
	return 0, errors.New("mechanism is not none, lls or hls-gmac")
}

func parseHexKey(name, s string, needed bool, dst *[keySize]byte) error {
	if s == "" && !needed {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != keySize {
		return fmt.Errorf("%s key is not %d hexadecimal digits", name, 2*keySize)
	}
	copy(dst[:], b)
	return nil
}

func parsePassword(s string, needed bool, dst *[]byte) error {
	b := []byte(s)
	if digits, ok := strings.CutPrefix(s, "hex:"); ok {
		var err error
		if b, err = hex.DecodeString(digits); err != nil {
			return errors.New("password after hex: is not hexadecimal")
		}
	}
	switch {
	case len(b) == 0 && needed:
		return errors.New("password is missing")
	case len(b) > maxPassword:
		return fmt.Errorf("password is longer than %d octets", maxPassword)
	}
	*dst = b
	return nil
}

// Key returns the keys of a meter, and false when there are none.
func (s *Store) Key(title plc.SystemTitle) (k KeyRecord, found bool, err error) {
	err = s.readWithin(context.Background(), secretTimeout, "read keys", func(ctx context.Context, view *sql.Tx) error {
		var encryption, authentication, password []byte
		err := view.QueryRowContext(ctx, "SELECT mechanism, encryption, authentication, password FROM meter_key WHERE title = ?",
			title.Bytes()).Scan(&k.Mechanism, &encryption, &authentication, &password)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		v := secrets{password: password}
		copy(v.encryption[:], encryption)
		copy(v.authentication[:], authentication)
		k.Title, k.reveal, found = title, func() secrets { return v }, err == nil
		return err
	})
	return k, found, err
}

// Keys names the meters that have keys, ordered by title, each with its mechanism.
// The records hold no secrets: Reveal of them returns nothing.
func (s *Store) Keys(ctx context.Context) (keys []KeyRecord, err error) {
	err = s.read(ctx, "list keys", func(ctx context.Context, view *sql.Tx) error {
		rows, err := view.QueryContext(ctx, "SELECT title, mechanism FROM meter_key ORDER BY title")
		if err != nil {
			return err
		}
		return drain(rows, func(rows *sql.Rows) error {
			var k KeyRecord
			var title titleColumn
			err := rows.Scan(&title, &k.Mechanism)
			k.Title = title.SystemTitle
			keys = append(keys, k)
			return err
		})
	})
	return keys, err
}

// ReserveCounter reserves the next n invocation counters of a meter and returns
// the first. The reservation is on the disk before it returns: whatever happens then,
// this store never gives one of them out again. Nor does it give out those of a lost store
// or of a newer copy of this one, because counters keep up with the clock, within the
// limits told at counterStep. It is ErrClock when only the clock could tell which were
// given out, and it is not set, and ErrExhausted when fewer than n are left below 2^32.
func (s *Store) ReserveCounter(title plc.SystemTitle, n uint32) (first uint32, err error) {
	if title.IsZero() || n == 0 {
		return 0, fmt.Errorf("storage: reserve %d invocation counters of meter %q: want a meter and at least one", n, title)
	}
	return s.moveCounter("reserve invocation counters", func(t *tx) (uint32, error) {
		c, known, err := t.counter(title)
		if err != nil {
			return 0, err
		}
		now := s.options.Now()
		if now.Before(counterBirth) {
			if !known {
				return 0, fmt.Errorf("meter %v: %w: it says %s, so nobody knows which invocation counters were used before: set the clock, or tell the next counter with `concentrator keys raise`",
					title, ErrClock, now.UTC().Format("2006-01-02"))
			}
		} else {
			c.ceiling = max(c.ceiling, min(counterFloor(now)+c.lead, counterBrink))
		}
		first := c.ceiling
		if c.ceiling += int64(n); c.ceiling > math.MaxUint32 {
			return 0, fmt.Errorf("meter %v: %w: change its keys, its counter stands at %d", title, ErrExhausted, first)
		}
		return uint32(first), t.setCounter(title, c) //nolint:gosec // below the ceiling
	})
}

// Counters keep up with the clock: every reservation begins at or above the floor, which
// rises by one every counterStep since counterBirth, plus the lead of the meter. The lead
// is counterLead, or more when a raise told of higher counters, and lies in the file: so a
// new store, and an old copy put back, stand where the lost one stood, or higher.
//
// What remains: counters used faster than the floor rises are ahead of it until it has
// caught up, and a reservation of 64 made twice at once is 32 s ahead. A store that is new
// or put back sooner than that gives them out again. No meter is asked faster for long: a
// request and its answer take three slots of 150 ms or more. A clock that is not set, or
// set back, leaves only the ceiling in the file; a raise done after the copy was made, or
// lost with the store, has to be done again; and above counterBrink only the ceiling counts.
// A clock that is wrong takes a meter to counterBrink at most, 2^28 are then left.
const (
	counterStep = 500 * time.Millisecond
	counterLife = 60 * 365 * 24 * time.Hour
	counterLead = 1 << 20 // as in the schema
	// counterBrink is as high as the clock alone takes a counter.
	counterBrink = math.MaxUint32 - 1<<28
)

// counterBirth is before the first station: a clock before it is not set.
var counterBirth = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// counterFloor with the lead of a meter is below every counter to be given out at now or later.
func counterFloor(now time.Time) int64 {
	return 1 + int64(min(max(now.Sub(counterBirth), 0), counterLife)/counterStep)
}

// Reserve is ReserveCounter.
func (s *Store) Reserve(title plc.SystemTitle, n uint32) (first uint32, err error) {
	return s.ReserveCounter(title, n)
}

// RaiseCounter makes sure that no counter below next is given out any more, for a meter
// that has seen higher ones than ours. It never lowers a counter. It returns the next
// counter before and after; before is 0 when none was ever given out.
func (s *Store) RaiseCounter(title plc.SystemTitle, next uint32) (before, after uint32, err error) {
	if title.IsZero() || next == 0 {
		return 0, 0, fmt.Errorf("storage: raise the invocation counter of meter %q to %d: want a meter and at least 1", title, next)
	}
	after, err = s.moveCounter("raise an invocation counter", func(t *tx) (uint32, error) {
		c, known, err := t.counter(title)
		if before = 0; known {
			before = uint32(c.ceiling) //nolint:gosec // never above 2^32
		}
		if err != nil || known && int64(next) <= c.ceiling {
			return before, err
		}
		c.ceiling, c.lead = int64(next), max(c.lead, int64(next)-counterFloor(s.options.Now()))
		return next, t.setCounter(title, c)
	})
	return before, after, err
}

func (s *Store) moveCounter(doing string, fn func(*tx) (uint32, error)) (uint32, error) {
	ctx, cancel := context.WithTimeout(context.Background(), secretTimeout)
	defer cancel()
	return write(ctx, s, doing, fn)
}

// counter is what the file holds of the invocation counters of a meter.
type counter struct {
	ceiling int64 // the first that nobody has reserved
	lead    int64 // see counterStep
}

// counter reads the counter of a meter, and whether there is one.
func (t *tx) counter(title plc.SystemTitle) (c counter, known bool, err error) {
	c = counter{ceiling: 1, lead: counterLead}
	known, err = t.get([]any{&c.ceiling, &c.lead}, "SELECT ceiling, lead FROM counter WHERE title = ?", title.Bytes())
	return c, known, err
}

func (t *tx) setCounter(title plc.SystemTitle, c counter) error {
	_, err := t.exec(`INSERT INTO counter (title, ceiling, lead) VALUES (?, ?, ?)
		ON CONFLICT (title) DO UPDATE SET ceiling = excluded.ceiling, lead = excluded.lead`, title.Bytes(), c.ceiling, c.lead)
	return err
}
