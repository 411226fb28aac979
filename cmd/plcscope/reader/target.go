package reader

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"

	"busbar/plc/hdlc"
)

// Target is where a meter can be reached, and how.
type Target struct {
	scheme string // of the URL
	place  string // host and port, or path
}

// Schemes of a target.
const (
	schemeWrapper = "tcp"
	schemeHDLC    = "hdlc"
	schemeSerial  = "serial"
)

// ParseTarget reads tcp://host:port (wrapper), hdlc://host:port or serial:///dev/ttyUSB0.
func ParseTarget(s string) (Target, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Target{}, wrongTarget(s)
	}
	switch u.Scheme {
	case schemeWrapper, schemeHDLC:
		host, port, err := net.SplitHostPort(u.Host)
		if err != nil || port == "" || u.Path != "" && u.Path != "/" {
			return Target{}, wrongTarget(s)
		}
		return Target{u.Scheme, net.JoinHostPort(host, port)}, nil
	case schemeSerial:
		if u.Host != "" || u.Path == "" {
			return Target{}, wrongTarget(s)
		}
		return Target{u.Scheme, u.Path}, nil
	}
	return Target{}, wrongTarget(s)
}

func wrongTarget(s string) error {
	return fmt.Errorf("meter at %q: want tcp://HOST:PORT (TCP wrapper), hdlc://HOST:PORT (HDLC over TCP) or serial:///dev/ttyUSB0 (HDLC)", s)
}

// String is the form that ParseTarget reads.
func (t Target) String() string { return t.scheme + "://" + t.place }

// connect opens the carrier between one client and one logical device.
func (t Target) connect(ctx context.Context, cfg Config) (Link, error) {
	if t.scheme == schemeSerial {
		p, err := openSerial(t.place, cfg.Serial, cfg.Timeout)
		if err != nil {
			return nil, err
		}
		return cfg.hdlc(p)
	}
	c, err := dial(ctx, t.place, cfg.Timeout)
	if err != nil {
		return nil, err
	}
	if t.scheme == schemeHDLC {
		return cfg.hdlc(c)
	}
	return &wrapperLink{conn: c, client: cfg.Client, server: cfg.Server}, nil
}

// hdlc sets up a link on c, which it closes when that fails.
func (c *Config) hdlc(on conn) (Link, error) {
	server := hdlc.Address{Upper: c.Server, Lower: c.Device, Size: c.AddressSize}
	if server.Size == 0 && c.Device > 0x7F {
		server.Size = 4
	}
	l, err := openHDLC(on, hdlc.PrimaryConfig{
		Client: hdlc.Address{Upper: c.Client, Size: 1}, Server: server, Offer: c.HDLC,
	}, c.Timeout)
	if err != nil {
		return nil, errors.Join(err, on.Close())
	}
	return l, nil
}
