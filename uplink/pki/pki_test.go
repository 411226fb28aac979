package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func maker(t *testing.T) Maker {
	t.Helper()
	m := Maker{Dir: filepath.Join(t.TempDir(), "center"), Now: func() time.Time { return noon }}
	if err := m.Init([]string{"center.example.org", "192.0.2.7"}); err != nil {
		t.Fatal(err)
	}
	return m
}

func leaf(t *testing.T, cert, key string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func pool(t *testing.T, path string) *x509.CertPool {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(b) {
		t.Fatalf("%s holds no certificate", path)
	}
	return p
}

func TestCertificatesServeTheirPurposeOnly(t *testing.T) {
	m := maker(t)
	dir, err := m.AddStation("TS-0001")
	if err != nil {
		t.Fatal(err)
	}
	center := leaf(t, filepath.Join(m.Dir, CenterCert), filepath.Join(m.Dir, CenterKey))
	station := leaf(t, filepath.Join(dir, StationCert), filepath.Join(dir, StationKey))
	roots := pool(t, filepath.Join(dir, AuthorityCert)) // the copy that goes to the station
	verify := func(c *x509.Certificate, name string, use x509.ExtKeyUsage, at time.Time) error {
		_, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{use}})
		return err
	}
	for _, name := range []string{"center.example.org", "192.0.2.7"} {
		if err := verify(center, name, x509.ExtKeyUsageServerAuth, noon); err != nil {
			t.Errorf("center as %s: %v", name, err)
		}
	}
	if err := verify(station, "", x509.ExtKeyUsageClientAuth, noon); err != nil || station.Subject.CommonName != "TS-0001" {
		t.Errorf("station %q: %v", station.Subject.CommonName, err)
	}
	if verify(center, "localhost", x509.ExtKeyUsageServerAuth, noon) == nil {
		t.Error("the center may call itself localhost")
	}
	if verify(station, "", x509.ExtKeyUsageServerAuth, noon) == nil {
		t.Error("a station may play the center")
	}
	if verify(center, "", x509.ExtKeyUsageClientAuth, noon) == nil {
		t.Error("the center may play a station")
	}
	if err := verify(station, "", x509.ExtKeyUsageClientAuth, noon.Add(-30*time.Minute)); err != nil {
		t.Errorf("a clock half an hour slow: %v", err)
	}
	if verify(station, "", x509.ExtKeyUsageClientAuth, noon.AddDate(leafYears, 0, 1)) == nil {
		t.Error("the certificate never ends")
	}
	if key, ok := station.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("key %T", station.PublicKey)
	}
	if station.SerialNumber.Cmp(center.SerialNumber) == 0 || station.SerialNumber.BitLen() < 64 {
		t.Error("serial numbers are small or equal")
	}
}

func TestOnlyTheOwnerReads(t *testing.T) {
	m := maker(t)
	if _, err := m.AddStation("TS-0001"); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(m.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if !d.IsDir() {
			files++
		}
		return nil
	})
	if err != nil || files != 7 {
		t.Errorf("%d files (%v)", files, err)
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	m := maker(t)
	if _, err := m.AddStation("TS-0001"); err != nil {
		t.Fatal(err)
	}
	read := func() string {
		var all strings.Builder
		for _, name := range []string{AuthorityCert, AuthorityKey, CenterCert, CenterKey, filepath.Join(StationsDir, "TS-0001", StationKey)} {
			b, err := os.ReadFile(filepath.Join(m.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			all.Write(b)
		}
		return all.String()
	}
	before := read()
	if err := m.Init([]string{"localhost"}); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("init again: %v", err)
	}
	if _, err := m.AddStation("TS-0001"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("station again: %v", err)
	}
	if read() != before {
		t.Error("files changed")
	}
	m.Force = true
	if _, err := m.AddStation("TS-0001"); err != nil {
		t.Error(err)
	}
	if read() == before {
		t.Error("--force changed nothing")
	}
}

func TestStationIDs(t *testing.T) {
	for _, id := range []string{"", "../x", ".", "..", "a/b", "a b", "ä", strings.Repeat("x", 65), "a\nb"} {
		if CheckID(id) == nil {
			t.Errorf("%q passes", id)
		}
	}
	for _, id := range []string{"TS-0001", "a", "A.b_c-9", strings.Repeat("x", 64)} {
		if err := CheckID(id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestAddStationNeedsAnAuthority(t *testing.T) {
	_, err := Maker{Dir: t.TempDir()}.AddStation("TS-1")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "center init") {
		t.Errorf("%v", err)
	}
}
