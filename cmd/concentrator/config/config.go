package config

import (
	"time"

	"busbar/plc"
)

// Config is everything a station can be told. The zero value is not usable; start
// from Default.
type Config struct {
	Station  string   `mapstructure:"station"`
	Data     string   `mapstructure:"data"`
	Socket   string   `mapstructure:"socket"`
	Log      Log      `mapstructure:"log"`
	Line     Line     `mapstructure:"line"`
	Meters   Meters   `mapstructure:"meters"`
	Round    Round    `mapstructure:"round"`
	Uplink   Uplink   `mapstructure:"uplink"`
	Cellular Cellular `mapstructure:"cellular"`
	Web      Web      `mapstructure:"web"`
	Storage  Storage  `mapstructure:"storage"`
}

// Log says how much is written to standard error.
type Log struct {
	Level  string `mapstructure:"level"`  // debug, info, warn, error
	Format string `mapstructure:"format"` // text, json
}

// Line describes the modem and the segment behind it: the facts of plc.Profile, and how
// we speak on it.
type Line struct {
	Modem          string        `mapstructure:"modem"` // serial port; empty: no line
	Baud           int           `mapstructure:"baud"`
	BitRate        int           `mapstructure:"bit_rate"`
	MainsHz        int           `mapstructure:"mains_hz"`
	Speed          float64       `mapstructure:"speed"`
	FrequencyS     int           `mapstructure:"frequency_s"`
	FrequencyM     int           `mapstructure:"frequency_m"`
	Initiator      int           `mapstructure:"initiator"`
	FirstInitiator int           `mapstructure:"first_initiator"`
	LastInitiator  int           `mapstructure:"last_initiator"`
	Title          string        `mapstructure:"title"`         // our system title in hexadecimal; empty: made from the station's id
	AddressOrder   string        `mapstructure:"address_order"` // big-endian, little-endian
	TitleSize      int           `mapstructure:"title_size"`
	GapSlots       int           `mapstructure:"gap_slots"`
	MaxFrame       int           `mapstructure:"max_frame"`
	RegisterFrame  int           `mapstructure:"register_frame"`
	RegisterSlots  int           `mapstructure:"register_slots"`
	ResponseCredit int           `mapstructure:"response_credit"`
	DiscoverExtra  int           `mapstructure:"discover_extra_slots"`
	NotAddressed   time.Duration `mapstructure:"not_addressed"`

	ClientSAP      int `mapstructure:"client_sap"`
	PublicSAP      int `mapstructure:"public_sap"`
	ServerSAP      int `mapstructure:"server_sap"`
	CIASEClientSAP int `mapstructure:"ciase_client_sap"`
	CIASEServerSAP int `mapstructure:"ciase_server_sap"`

	RepeaterThreshold int           `mapstructure:"repeater_threshold"` // dBµV; 0: that of modem and meters
	SlotsForNew       int           `mapstructure:"slots_for_new"`
	HostMargin        time.Duration `mapstructure:"host_margin"`
	Attempts          int           `mapstructure:"attempts"`
	Signal            bool          `mapstructure:"signal"`
	Trace             string        `mapstructure:"trace"` // file of the black box; empty: none
}

// Meters says which meters to expect and how to talk to them.
type Meters struct {
	Keys             string   `mapstructure:"keys"` // key file imported at every start; empty: keys already in the store
	Expected         int      `mapstructure:"expected"`
	AllowUnprotected bool     `mapstructure:"allow_unprotected"`
	Registers        []string `mapstructure:"registers"`
	Profile          string   `mapstructure:"profile"`
	Deviation        string   `mapstructure:"deviation"` // to-utc, from-utc
}

// Round says when meters are read.
type Round struct {
	Period            time.Duration `mapstructure:"period"`
	Passes            int           `mapstructure:"passes"`
	Backfill          time.Duration `mapstructure:"backfill"`
	MaxEntries        int           `mapstructure:"max_entries"`
	DiscoveryInterval time.Duration `mapstructure:"discovery_interval"`
	RepeaterCall      time.Duration `mapstructure:"repeater_call"`
}

// Uplink is the way to the acquisition center. An empty URL switches it off.
type Uplink struct {
	URL        string        `mapstructure:"url"`
	CA         string        `mapstructure:"ca"`
	Cert       string        `mapstructure:"cert"`
	Key        string        `mapstructure:"key"`
	Window     int           `mapstructure:"window"`
	BatchSize  int           `mapstructure:"batch_size"`
	BatchAge   time.Duration `mapstructure:"batch_age"`
	BackoffMin time.Duration `mapstructure:"backoff_min"`
	BackoffMax time.Duration `mapstructure:"backoff_max"`
	KeepAlive  time.Duration `mapstructure:"keep_alive"`
}

// Cellular is the bearer below the uplink. Off by default: the operating system
// then provides the network.
type Cellular struct {
	Enabled  bool   `mapstructure:"enabled"`
	ATPort   string `mapstructure:"at_port"`
	DataPort string `mapstructure:"data_port"`
	Baud     int    `mapstructure:"baud"`
	APN      string `mapstructure:"apn"`
	User     string `mapstructure:"user"`
	Secrets  string `mapstructure:"secrets"` // file with lines pin=… and password=…, mode 0600
	Roaming  bool   `mapstructure:"roaming"`
	Pppd     string `mapstructure:"pppd"`
}

// Web is the local page. An empty Listen switches it off.
type Web struct {
	Listen string `mapstructure:"listen"`
}

// Storage says how the database is kept.
type Storage struct {
	// SetAsideCorrupt moves a damaged database aside and starts with an empty one. What the
	// center has not receipted is then only in the file set aside, and in the meters.
	SetAsideCorrupt bool          `mapstructure:"set_aside_corrupt"`
	MaxMegabytes    int           `mapstructure:"max_megabytes"` // 0: no bound but the disk
	Retain          time.Duration `mapstructure:"retain"`        // readings that the center has confirmed
}

// Default returns the values that a file need not repeat.
func Default() Config {
	p := plc.DefaultProfile()
	return Config{
		Data: "/var/lib/concentrator", Socket: "",
		Log: Log{Level: "info", Format: "text"},
		Line: Line{
			Baud: 38400, BitRate: p.BitRate, MainsHz: p.MainsHz, Speed: p.Speed,
			FrequencyS: p.FrequencyS, FrequencyM: p.FrequencyM, Initiator: int(p.Initiator),
			FirstInitiator: int(p.FIMA), LastInitiator: int(p.LIMA), AddressOrder: "big-endian",
			TitleSize: p.TitleSize, GapSlots: p.GapSlots, MaxFrame: p.MaxFrame, RegisterFrame: p.RegisterFrame, RegisterSlots: p.RegisterSlots,
			ResponseCredit: int(p.ResponseCreditMax), DiscoverExtra: p.DiscoverSlotExtra, NotAddressed: p.NotAddressed,
			ClientSAP: 1, PublicSAP: 16, ServerSAP: 1, CIASEClientSAP: int(p.CIASEClientSAP), CIASEServerSAP: int(p.CIASEServerSAP),
			HostMargin: 60 * time.Millisecond, Attempts: 2, Signal: true,
		},
		Meters: Meters{
			Registers: []string{"1.0.1.8.0.255", "1.0.1.8.1.255", "1.0.1.8.2.255", "1.0.2.8.0.255", "1.0.2.8.1.255", "1.0.2.8.2.255"},
			Profile:   "1.0.99.1.0.255", Deviation: "to-utc",
		},
		Round: Round{
			Period: 15 * time.Minute, Passes: 3, Backfill: 24 * time.Hour, MaxEntries: 192,
			DiscoveryInterval: time.Hour, RepeaterCall: 24 * time.Hour,
		},
		Uplink: Uplink{
			Window: 4, BatchSize: 2000, BatchAge: 5 * time.Second,
			BackoffMin: time.Second, BackoffMax: 5 * time.Minute, KeepAlive: 4 * time.Minute,
		},
		Cellular: Cellular{Baud: 115200, Pppd: "/usr/sbin/pppd"},
		Web:      Web{Listen: "127.0.0.1:8480"},
		Storage:  Storage{Retain: 400 * 24 * time.Hour},
	}
}
