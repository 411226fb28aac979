package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Validity of what is made here. A certificate begins early, because the clock of
// a station may be a little slow.
const (
	authorityYears = 10
	leafYears      = 2
	early          = time.Hour
)

// Names of the files in a center's directory.
const (
	AuthorityCert = "ca.pem"
	AuthorityKey  = "ca.key"
	CenterCert    = "center.pem"
	CenterKey     = "center.key"
	StationsDir   = "stations" // a directory per station, to be copied to it as it is
	StationCert   = "station.pem"
	StationKey    = "station.key"
)

// Maker makes certificates in a directory.
type Maker struct {
	Dir   string
	Force bool             // overwrite what is there
	Now   func() time.Time // nil: time.Now
}

func (m Maker) now() time.Time {
	if m.Now == nil {
		return time.Now()
	}
	return m.Now()
}

// Init makes the authority and the center's certificate for the host names and
// addresses by which stations will dial it.
func (m Maker) Init(hosts []string) error {
	if len(hosts) == 0 {
		return errors.New("pki: no host name: stations check the center's name, so its certificate needs one")
	}
	if err := m.free(AuthorityCert, AuthorityKey, CenterCert, CenterKey); err != nil {
		return err
	}
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	root := m.template("Busbar test authority", authorityYears)
	root.IsCA, root.BasicConstraintsValid, root.MaxPathLenZero = true, true, true
	root.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	if err := m.issue(root, root, key, key, AuthorityCert, AuthorityKey); err != nil {
		return err
	}
	leaf := m.template("Busbar center", leafYears)
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, host)
		}
	}
	return m.leaf(leaf, CenterCert, CenterKey)
}

// AddStation makes the certificate of a station, with its identity as common
// name, and returns the directory with all the station needs.
func (m Maker) AddStation(id string) (dir string, err error) {
	if err := CheckID(id); err != nil {
		return "", err
	}
	local := filepath.Join(StationsDir, id)
	if err := m.free(filepath.Join(local, StationCert), filepath.Join(local, StationKey)); err != nil {
		return "", err
	}
	dir = filepath.Join(m.Dir, local)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("pki: %w", err)
	}
	leaf := m.template(id, leafYears)
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if err := m.leaf(leaf, filepath.Join(local, StationCert), filepath.Join(local, StationKey)); err != nil {
		return "", err
	}
	authority, err := os.ReadFile(filepath.Join(m.Dir, AuthorityCert))
	if err == nil {
		err = write(filepath.Join(dir, AuthorityCert), authority)
	}
	if err != nil {
		return "", fmt.Errorf("pki: %w", err)
	}
	return dir, nil
}

// CheckID refuses what cannot be a station's identity: it becomes a file name, a
// common name and a configuration value.
func CheckID(id string) error {
	for _, r := range id {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.' {
			return fmt.Errorf("station id %.70q: want letters, digits, '-', '_' and '.'", id)
		}
	}
	if id == "" || len(id) > 64 || id[0] == '.' {
		return fmt.Errorf("station id %.70q: want 1 to 64 characters, the first not a dot", id)
	}
	return nil
}

// free makes sure that nothing is overwritten by mistake: a new authority would
// cut off every station of the old one.
func (m Maker) free(names ...string) error {
	if m.Force {
		return nil
	}
	for _, name := range names {
		path := filepath.Join(m.Dir, name)
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("pki: %s exists: %w; to replace it, and cut off who uses it, say --force", path, fs.ErrExist)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("pki: %w", err)
		}
	}
	return nil
}

func (m Maker) template(name string, years int) *x509.Certificate {
	return &x509.Certificate{
		Subject:   pkix.Name{CommonName: name},
		NotBefore: m.now().Add(-early).UTC().Truncate(time.Second),
		NotAfter:  m.now().AddDate(years, 0, 0).UTC().Truncate(time.Second),
		KeyUsage:  x509.KeyUsageDigitalSignature,
	}
}

// leaf issues a certificate by the authority in the directory.
func (m Maker) leaf(leaf *x509.Certificate, certName, keyName string) error {
	authority, authorityKey, err := m.authority()
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	return m.issue(leaf, authority, key, authorityKey, certName, keyName)
}

func (m Maker) authority() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certBlock, err := m.read(AuthorityCert, "CERTIFICATE")
	if err != nil {
		return nil, nil, err
	}
	keyBlock, err := m.read(AuthorityKey, "EC PRIVATE KEY")
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(certBlock)
	if err != nil {
		return nil, nil, fmt.Errorf("pki: %s: %w", AuthorityCert, err)
	}
	key, err := x509.ParseECPrivateKey(keyBlock)
	if err != nil {
		return nil, nil, fmt.Errorf("pki: %s does not hold a usable key", AuthorityKey)
	}
	return cert, key, nil
}

func (m Maker) read(name, kind string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(m.Dir, name))
	if err != nil {
		return nil, fmt.Errorf("pki: the authority of this center: %w (`center init` makes one)", err)
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("pki: %s holds no %s in PEM form", filepath.Join(m.Dir, name), kind)
	}
	return block.Bytes, nil
}

// issue signs a certificate and writes it with its key.
func (m Maker) issue(leaf, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey, certName, keyName string) error {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	leaf.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, &key.PublicKey, parentKey)
	if err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	err = write(filepath.Join(m.Dir, keyName), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}))
	if err == nil {
		err = write(filepath.Join(m.Dir, certName), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	if err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	return nil
}

// write puts a file in its place at once, with a mode that only its owner reads.
func write(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // made with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
