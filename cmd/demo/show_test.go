package main

import (
	"strings"
	"testing"
	"time"
)

func TestBar(t *testing.T) {
	for _, c := range []struct {
		done, total int
		want        string
	}{
		{0, 10, strings.Repeat("·", 24)},
		{10, 10, strings.Repeat("█", 24)},
		{20, 10, strings.Repeat("█", 24)},
		{5, 10, strings.Repeat("█", 12) + strings.Repeat("·", 12)},
		{1, 48, "▌" + strings.Repeat("·", 23)},
		{0, 0, strings.Repeat(" ", 24)},
	} {
		if got := bar(c.done, c.total); got != c.want {
			t.Errorf("bar(%d, %d) = %q, want %q", c.done, c.total, got, c.want)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 58200: "58,200", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
}

// TestScreenKeepsItsPlace: on a terminal each scene overwrites the one before.
func TestScreenKeepsItsPlace(t *testing.T) {
	var out strings.Builder
	v := &screen{out: &out, terminal: true}
	v.show(scene{meters: 3, trouble: "the modem does not answer"})
	v.show(scene{meters: 3})
	if n := strings.Count(out.String(), "\n"); n != 14 {
		t.Errorf("%d lines for two scenes of 7: the shorter one must clear the longer one", n)
	}
	if !strings.Contains(out.String(), "\x1b[7A") {
		t.Error("the second scene does not go back over the first")
	}
}

// TestScreenIsQuietInAFile: no escape sequences, and no line more often than every five seconds.
func TestScreenIsQuietInAFile(t *testing.T) {
	var out strings.Builder
	v := &screen{out: &out}
	for i := range 100 {
		v.show(scene{meters: 3, stored: i, elapsed: time.Duration(i) * 100 * time.Millisecond})
	}
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines in 10 seconds, want 2:\n%s", n, out.String())
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("escape sequences in a file")
	}
}

// TestScreenTellsTheCut: in a file the cut and its end are told at once.
func TestScreenTellsTheCut(t *testing.T) {
	var out strings.Builder
	v := &screen{out: &out}
	v.show(scene{elapsed: time.Second})
	v.show(scene{elapsed: 2 * time.Second, linkCut: time.Second})
	v.show(scene{elapsed: 3 * time.Second, linkCut: 2 * time.Second})
	v.show(scene{elapsed: 4 * time.Second, afterCut: true})
	if n := strings.Count(out.String(), "\n"); n != 3 || !strings.Contains(out.String(), "CUT for 1 s") {
		t.Errorf("want the start, the cut and its end:\n%s", out.String())
	}
}
