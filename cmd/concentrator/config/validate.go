package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"busbar/plc"
	"busbar/plc/cosem"
)

// Validate returns every fault at once, each with the key it concerns.
func (c Config) Validate() error {
	var f faults
	if c.Station == "" {
		f.add("station", "is missing: set the station's id, the common name of its certificate")
	}
	if !validStation(c.Station) {
		f.add("station", "%q: want 1 to 64 letters, digits, '-', '_' or '.'", c.Station)
	}
	if c.Data == "" {
		f.add("data", "is missing: set the directory of the database")
	}
	f.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	f.oneOf("log.format", c.Log.Format, "text", "json")
	c.Line.check(&f)
	c.Meters.check(&f)
	c.Round.check(&f)
	c.Uplink.check(&f)
	c.Cellular.check(&f)
	c.Web.check(&f)
	c.Storage.check(&f)
	return errors.Join(f...)
}

type faults []error

func (f *faults) add(key, format string, args ...any) {
	*f = append(*f, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
}

func (f *faults) oneOf(key, value string, allowed ...string) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	f.add(key, "%q: want one of %v", value, allowed)
}

func (f *faults) within(key string, value, low, high int) {
	if value < low || value > high {
		f.add(key, "%d: want %d to %d", value, low, high)
	}
}

func (f *faults) duration(key string, value, low, high time.Duration) {
	if value < low || value > high {
		f.add(key, "%v: want %v to %v", value, low, high)
	}
}

func validStation(s string) bool {
	if s == "" {
		return true // reported as missing
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.' {
			return false
		}
	}
	return len(s) <= 64
}

func (l Line) check(f *faults) {
	f.oneOf("line.address_order", l.AddressOrder, "big-endian", "little-endian")
	f.within("line.baud", l.Baud, 4800, 115200)
	f.within("line.attempts", l.Attempts, 1, 10)
	f.within("line.initiator", l.Initiator, 0, int(plc.MaxAddress))
	f.within("line.first_initiator", l.FirstInitiator, 0, int(plc.MaxAddress))
	f.within("line.last_initiator", l.LastInitiator, 0, int(plc.MaxAddress))
	f.within("line.response_credit", l.ResponseCredit, 0, int(plc.MaxCredit))
	f.within("line.discover_extra_slots", l.DiscoverExtra, 0, 100)
	f.within("line.client_sap", l.ClientSAP, 1, 255)
	f.within("line.public_sap", l.PublicSAP, 1, 255)
	f.within("line.server_sap", l.ServerSAP, 1, 255)
	f.within("line.ciase_client_sap", l.CIASEClientSAP, 0, 255)
	f.within("line.ciase_server_sap", l.CIASEServerSAP, 0, 255)
	f.within("line.repeater_threshold", l.RepeaterThreshold, 0, 255)
	f.within("line.slots_for_new", l.SlotsForNew, 0, 255)
	f.duration("line.host_margin", l.HostMargin, time.Millisecond, 10*time.Second)
	if l.Title != "" {
		if t, err := plc.ParseSystemTitle(l.Title); err != nil {
			f.add("line.title", "%v", err)
		} else if l.TitleSize != 0 && t.Size() != l.TitleSize {
			f.add("line.title", "%v has %d octets, line.title_size says %d", t, t.Size(), l.TitleSize)
		}
	}
	if err := l.Profile().Validate(); err != nil {
		f.add("line", "%v", err)
	}
}

// Profile is the line as the protocol layers want it.
func (l Line) Profile() plc.Profile {
	p := plc.DefaultProfile()
	p.BitRate, p.MainsHz, p.Speed = l.BitRate, l.MainsHz, l.Speed
	p.FrequencyS, p.FrequencyM = l.FrequencyS, l.FrequencyM
	p.Initiator, p.FIMA, p.LIMA = plc.Address(l.Initiator), plc.Address(l.FirstInitiator), plc.Address(l.LastInitiator)
	if l.AddressOrder == "little-endian" {
		p.AddressOrder = plc.LittleEndian
	}
	p.TitleSize, p.GapSlots, p.MaxFrame = l.TitleSize, l.GapSlots, l.MaxFrame
	p.RegisterFrame, p.RegisterSlots = l.RegisterFrame, l.RegisterSlots
	p.ResponseCreditMax, p.DiscoverSlotExtra = plc.Credit(l.ResponseCredit), l.DiscoverExtra
	p.NotAddressed = l.NotAddressed
	p.CIASEClientSAP, p.CIASEServerSAP = byte(l.CIASEClientSAP), byte(l.CIASEServerSAP)
	return p
}

// DeviationSign is how the meters write the deviation of their local time.
func (m Meters) DeviationSign() cosem.DeviationSign {
	if m.Deviation == "from-utc" {
		return cosem.DeviationFromUTC
	}
	return cosem.DeviationToUTC
}

func (m Meters) check(f *faults) {
	f.within("meters.expected", m.Expected, 0, 3071)
	f.oneOf("meters.deviation", m.Deviation, "to-utc", "from-utc")
	if len(m.Registers) > 32 {
		f.add("meters.registers", "%d registers: want at most 32", len(m.Registers))
	}
	for i, r := range m.Registers {
		if _, err := cosem.ParseOBIS(r); err != nil {
			f.add(fmt.Sprintf("meters.registers[%d]", i), "%v", err)
		}
	}
	if _, err := cosem.ParseOBIS(m.Profile); err != nil {
		f.add("meters.profile", "%v", err)
	}
}

func (r Round) check(f *faults) {
	f.duration("round.period", r.Period, time.Second, 31*24*time.Hour)
	f.within("round.passes", r.Passes, 1, 20)
	f.duration("round.backfill", r.Backfill, 15*time.Minute, 400*24*time.Hour)
	f.within("round.max_entries", r.MaxEntries, 4, 10000)
	f.duration("round.discovery_interval", r.DiscoveryInterval, time.Second, 31*24*time.Hour)
	f.duration("round.repeater_call", r.RepeaterCall, time.Minute, 366*24*time.Hour)
}

func (u Uplink) check(f *faults) {
	f.within("uplink.window", u.Window, 1, 64)
	f.within("uplink.batch_size", u.BatchSize, 1, 20000)
	f.duration("uplink.batch_age", u.BatchAge, 10*time.Millisecond, 24*time.Hour)
	f.duration("uplink.backoff_min", u.BackoffMin, 10*time.Millisecond, time.Hour)
	f.duration("uplink.backoff_max", u.BackoffMax, u.BackoffMin, 24*time.Hour)
	f.duration("uplink.keep_alive", u.KeepAlive, time.Second, 24*time.Hour)
	if u.URL == "" {
		return
	}
	if parsed, err := url.Parse(u.URL); err != nil || parsed.Scheme != "wss" || parsed.Host == "" {
		f.add("uplink.url", "%q: want wss://HOST:PORT/PATH", u.URL)
	}
	for key, path := range map[string]string{"uplink.ca": u.CA, "uplink.cert": u.Cert, "uplink.key": u.Key} {
		if path == "" {
			f.add(key, "is missing: an uplink needs the center's CA and the station's certificate and key (`center init` makes test ones)")
		}
	}
}

func (c Cellular) check(f *faults) {
	f.within("cellular.baud", c.Baud, 300, 4000000)
	if !c.Enabled {
		return
	}
	if c.ATPort == "" {
		f.add("cellular.at_port", "is missing: name the serial port of the modem's AT commands")
	}
	if c.APN == "" {
		f.add("cellular.apn", "is missing: the operator gives it with the SIM")
	}
	if c.Pppd != "" && !filepath.IsAbs(c.Pppd) {
		f.add("cellular.pppd", "%q: want an absolute path", c.Pppd)
	}
}

func (s Storage) check(f *faults) {
	f.duration("storage.retain", s.Retain, 24*time.Hour, 100*366*24*time.Hour)
	f.within("storage.max_megabytes", s.MaxMegabytes, 0, 1<<20)
}

func (w Web) check(f *faults) {
	if w.Listen == "" {
		return
	}
	host, _, err := net.SplitHostPort(w.Listen)
	if err != nil {
		f.add("web.listen", "%q: want HOST:PORT, for example 127.0.0.1:8480", w.Listen)
		return
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		f.add("web.listen", "%q: the local page has no sign-in yet and listens on loopback only; use 127.0.0.1 or an SSH tunnel", w.Listen)
	}
}
