package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// scene is what the demo shows at one moment.
type scene struct {
	elapsed time.Duration
	meters  int // in the street

	known, registered int
	phase             string
	round             uint64
	read, roundTotal  int
	again             int // to be tried again
	stored, waiting   int
	atCenter          int
	linkCut           time.Duration // how long the link has been away; 0: it is there
	connected         bool
	memory            int64
	trouble           string
	afterCut          bool // it was away once
}

// lines is the scene for people.
func (s scene) lines() []string {
	find := fmt.Sprintf("%d of %d meters found, %d registered", s.known, s.meters, s.registered)
	read := "waits until the meters are found"
	if s.round > 0 {
		read = fmt.Sprintf("round %d: %d of %d meters read", s.round, s.read, s.roundTotal)
		if s.again > 0 {
			read += fmt.Sprintf(", %d given up for now", s.again)
		}
	}
	out := []string{
		row("discover", bar(s.registered, s.meters), find),
		row("read", bar(s.read, max(s.roundTotal, 1)), read),
		row("store", bar(0, 0), fmt.Sprintf("%s values on the station's disk, resident memory %d MiB", thousands(s.stored), s.memory>>20)),
		row("link", bar(0, 0), s.link()),
		row("deliver", bar(s.atCenter, max(s.stored, 1)), fmt.Sprintf("%s values at the center, %s wait at the station", thousands(s.atCenter), thousands(s.waiting))),
	}
	if s.trouble != "" {
		out = append(out, row("", "", s.trouble))
	}
	return out
}

func (s scene) link() string {
	switch {
	case s.linkCut > 0:
		return fmt.Sprintf("CUT for %d s: the station reads on and keeps everything", int(s.linkCut.Seconds()))
	case !s.connected && s.afterCut:
		return "back, the station will call in a moment"
	case !s.connected:
		return "not connected yet"
	case s.afterCut:
		return "back: the backlog is being delivered"
	}
	return "up, TLS 1.3 with certificates on both sides"
}

const barWidth = 24

// bar draws done of total, or room for it when there is no total.
func bar(done, total int) string {
	if total <= 0 {
		return strings.Repeat(" ", barWidth)
	}
	eighths := min(done, total) * barWidth * 8 / total
	full := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		full += string([]rune(" ▏▎▍▌▋▊▉")[rest])
	}
	return full + strings.Repeat("·", barWidth-len([]rune(full)))
}

func row(name, bar, text string) string { return fmt.Sprintf("  %-9s %s  %s", name, bar, text) }

// thousands writes n with a thin separator that every terminal has.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// screen shows scenes: in place on a terminal, as a line now and then elsewhere.
type screen struct {
	out      io.Writer
	terminal bool
	drawn    int           // lines to go back over
	last     time.Duration // when the last line was written
	said     string
	cut      bool // the last line said so
}

// quiet is the time between lines when the output is no terminal. That the link is cut
// or back is told at once.
const quiet = 5 * time.Second

func (v *screen) show(s scene) {
	if v.terminal {
		if v.drawn > 0 {
			fmt.Fprintf(v.out, "\x1b[%dA", v.drawn)
		}
		lines := append(s.lines(), fmt.Sprintf("  %s", clock(s.elapsed)))
		for len(lines) < v.drawn {
			lines = append(lines, "")
		}
		for _, l := range lines {
			fmt.Fprintf(v.out, "\r\x1b[K%s\n", l)
		}
		v.drawn = len(lines)
		return
	}
	text := fmt.Sprintf("%d/%d registered, round %d: %d/%d read, %d stored, %d at the center, %d wait; link %s",
		s.registered, s.meters, s.round, s.read, s.roundTotal, s.stored, s.atCenter, s.waiting, s.link())
	news := v.said == "" || v.cut != (s.linkCut > 0)
	if text == v.said || !news && s.elapsed-v.last < quiet {
		return
	}
	v.said, v.last, v.cut = text, s.elapsed, s.linkCut > 0
	fmt.Fprintf(v.out, "%s  %s\n", clock(s.elapsed), text)
}

// say writes a sentence that stays.
func (v *screen) say(format string, args ...any) {
	fmt.Fprintf(v.out, format+"\n", args...)
	v.drawn = 0
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
