package cipher

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden is all that a secret ever says of itself.
const hidden = "(hidden)"

// Key is a key of suites 0 and 1: GUEK, GAK or a dedicated key. It never prints,
// whatever the verb, nor as JSON.
type Key [16]byte

// String hides the key.
func (Key) String() string { return hidden }

// GoString hides the key.
func (Key) GoString() string { return hidden }

// Format hides the key from every verb, %d and %x included.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides the key in logs.
func (Key) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the key in JSON and other text forms.
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// IsZero reports whether no key was set. A key of zeros protects nothing.
func (k Key) IsZero() bool { return k == Key{} }

// Secret is a password, a dedicated key on the wire or a value that may hold one.
// It never prints.
type Secret []byte

// String hides the secret.
func (Secret) String() string { return hidden }

// GoString hides the secret.
func (Secret) GoString() string { return hidden }

// Format hides the secret from every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides the secret in logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the secret in JSON and other text forms.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
