package cellular

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxLine is the longest line taken from a modem; what is longer is cut and the
// rest of it dropped.
const maxLine = 1024

// Lines cuts the octets of a modem into lines. It never holds more than maxLine octets.
type Lines struct {
	buf      []byte
	overlong bool
}

// Feed takes octets and returns the complete lines in them, without line ends and
// without empty lines. Octets that are not printable ASCII become '?'.
func (l *Lines) Feed(b []byte) []string {
	var lines []string
	for _, c := range b {
		if c == '\r' || c == '\n' {
			if s := string(bytes.TrimSpace(l.buf)); s != "" {
				lines = append(lines, s)
			}
			l.buf, l.overlong = l.buf[:0], false
			continue
		}
		if l.overlong = l.overlong || len(l.buf) == maxLine; l.overlong {
			continue
		}
		if c < 0x20 || c > 0x7E {
			c = '?'
		}
		l.buf = append(l.buf, c)
	}
	return lines
}

// Final tells whether line ends the answer to a command, and how.
func Final(line string) (done bool, err error) {
	switch {
	case line == "OK":
		return true, nil
	case line == "ERROR", line == "NO CARRIER", line == "NO DIALTONE", line == "BUSY", line == "NO ANSWER":
		return true, &ModemError{Text: line, Code: -1}
	case strings.HasPrefix(line, "+CME ERROR:"), strings.HasPrefix(line, "+CMS ERROR:"):
		text := strings.TrimSpace(line[len("+CME ERROR:"):])
		code, convErr := strconv.Atoi(text)
		if convErr != nil {
			code = -1
		}
		return true, &ModemError{Text: line, Code: code}
	}
	return false, nil
}

// ModemError is a modem's refusal of a command. Code is the +CME ERROR number of
// TS 27.007 clause 9.2, or -1.
type ModemError struct {
	Text string
	Code int
}

// Error quotes the modem and says what its number means.
func (e *ModemError) Error() string {
	if word, ok := cmeErrors[e.Code]; ok {
		return fmt.Sprintf("the modem says %q (%s)", e.Text, word)
	}
	return fmt.Sprintf("the modem says %q", e.Text)
}

// Numbers of +CME ERROR that say that a PIN was wrong.
const (
	cmePUKRequired   = 12
	cmeWrongPassword = 16
)

var cmeErrors = map[int]string{
	3: "operation not allowed", 4: "operation not supported", 10: "SIM not inserted", 11: "SIM PIN required",
	12: "SIM PUK required", 13: "SIM failure", 14: "SIM busy", 15: "SIM wrong", 16: "incorrect password",
	30: "no network service", 32: "emergency calls only",
}

// errNoAnswer is returned when a modem does not answer at all.
var errNoAnswer = errors.New("the modem does not answer on its AT port: check power, cable and cellular.at_port")

// fields splits the parameters after "+CMD:" at commas outside quotes and drops the quotes.
func fields(line, prefix string) ([]string, bool) {
	rest, ok := strings.CutPrefix(line, prefix)
	if !ok {
		return nil, false
	}
	var out []string
	var field strings.Builder
	quoted := false
	for _, c := range strings.TrimSpace(rest) {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			out = append(out, strings.TrimSpace(field.String()))
			field.Reset()
		default:
			field.WriteRune(c)
		}
	}
	return append(out, strings.TrimSpace(field.String())), true
}
