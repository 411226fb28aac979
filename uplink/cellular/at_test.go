package cellular

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	var l Lines
	got := l.Feed([]byte("\r\n+CSQ: 17"))
	got = append(got, l.Feed([]byte(",99\r\n\r\nO\x01K\r"))...)
	if want := []string{"+CSQ: 17,99", "O?K"}; !reflect.DeepEqual(got, want) {
		t.Errorf("lines %q, want %q", got, want)
	}
	long := l.Feed([]byte(strings.Repeat("a", 3*maxLine) + "\nOK\n"))
	if len(long) != 2 || len(long[0]) != maxLine || long[1] != "OK" {
		t.Errorf("an over-long line gave %d lines", len(long))
	}
}

func TestFinal(t *testing.T) {
	for _, tt := range []struct {
		line string
		done bool
		code int
	}{{"OK", true, 0}, {"ERROR", true, -1}, {"+CME ERROR: 16", true, 16}, {"+CME ERROR: SIM failure", true, -1}, {"+CSQ: 1,99", false, 0}} {
		done, err := Final(tt.line)
		var m *ModemError
		if done != tt.done || errors.As(err, &m) != (tt.code != 0) || m != nil && m.Code != tt.code {
			t.Errorf("%q: done %v, error %v", tt.line, done, err)
		}
	}
}

func ExampleParseOperator() {
	o, err := ParseOperator(`+COPS: 0,0,"Mobile, Test",7`)
	fmt.Println(o.Name, "on", o.Technology, err)
	// Output: Mobile, Test on LTE <nil>
}

// answers are one good line for every parser; each parser also gets every prefix.
var answers = []string{
	"+CPIN: SIM PIN", "+CPINR: SIM PIN,3,3", "+CREG: 0,1", "+CGREG: 2,5,\"00AB\"", "+CEREG: 0,3",
	`+COPS: 0,0,"Test",7`, "+COPS: 0", "+CSQ: 31,99", "+CSQ: 99,99",
}

func parseAll(line string) int {
	good := 0
	if _, err := ParsePINState(line); err == nil {
		good++
	}
	if _, err := ParsePINTries(line); err == nil {
		good++
	}
	if _, err := ParseRegistration(line); err == nil {
		good++
	}
	if _, err := ParseOperator(line); err == nil {
		good++
	}
	if dBm, known, err := ParseSignal(line); err == nil {
		good++
		if known && (dBm < -113 || dBm > -51) {
			panic(fmt.Sprintf("%q gives %d dBm", line, dBm))
		}
	}
	return good
}

func TestParsersAndTruncation(t *testing.T) {
	for _, line := range answers {
		if n := parseAll(line); n != 1 {
			t.Errorf("%q was taken by %d parsers, want 1", line, n)
		}
		for i := range line {
			parseAll(line[:i])
		}
	}
	for _, line := range []string{"", "+CPIN:", "+CREG: 1", "+CEREG: 0,x", "+CSQ: 50,99", "+CSQ: -1,0", "+CPINR: PUK,1,1"} {
		if n := parseAll(line); n != 0 {
			t.Errorf("%q was taken", line)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	for _, a := range answers {
		f.Add([]byte(a + "\r\n"))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var l Lines
		for _, line := range l.Feed(b) {
			if len(line) > maxLine {
				t.Fatalf("line of %d octets", len(line))
			}
			parseAll(line)
			_, _ = Final(line)
		}
	})
}
