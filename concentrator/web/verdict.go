package web

import (
	"fmt"
	"strings"
	"time"
)

// Judge fills Verdict, Healthy and Hint: one sentence that says how the station
// is, the most urgent trouble first, and what to do about it.
func (s *Status) Judge() {
	s.Verdict, s.Hint = s.trouble()
	s.Healthy = s.Verdict == ""
	if s.Healthy {
		s.Verdict, s.Hint = s.calm(), ""
	}
}

// trouble returns the most urgent thing that is wrong, or nothing.
func (s *Status) trouble() (verdict, hint string) {
	switch {
	case s.Storage.Error != "":
		return "Readings cannot be stored: " + strings.TrimPrefix(s.Storage.Error, "cannot store: "), "Free space on the disk that holds " + s.Storage.Path + "; reading goes on by itself."
	case !s.Line.Ready:
		return "The power line cannot be used: " + orElse(s.Line.Detail, s.Line.State), "Check the modem, its cable and " + orElse(s.Line.Port, "line.modem in the configuration") + "."
	case s.Outbox.Refused > 0:
		return fmt.Sprintf("The center refused %s", count(s.Outbox.Refused, "batch", "batches")), "See `concentrator events`; nothing was deleted."
	case s.Meters.Lost+s.Meters.Unread > 0:
		return fmt.Sprintf("%d of %d meters could not be read", s.Meters.Lost+s.Meters.Unread, s.Meters.Known), s.reason()
	case s.missing() > 0:
		return fmt.Sprintf("%s of %d expected never heard", count(s.missing(), "meter", "meters"), s.Meters.Expected), "Check that they are supplied from this transformer, or correct meters.expected; looking for them goes on."
	case s.Uplink.Enabled && !s.Uplink.Connected:
		return fmt.Sprintf("No connection to the center; %s wait", count(s.Outbox.Readings, "reading", "readings")), s.Uplink.Error
	}
	return "", ""
}

func (s *Status) reason() string {
	const each = "`concentrator meters` tells the reason of each."
	if s.Meters.Reason == "" {
		return each
	}
	return "Most often: " + s.Meters.Reason + ". " + each
}

// missing is how many expected meters were not heard when the search was over.
func (s *Status) missing() int {
	if s.Round.Started == nil || s.Meters.Searching {
		return 0
	}
	return max(0, s.Meters.Expected-s.Meters.Known)
}

func (s *Status) calm() string {
	switch {
	case s.Meters.Known == 0:
		return "Looking for meters"
	case s.Round.Phase == "discovering" || s.Round.Phase == "registering":
		return fmt.Sprintf("%s found, looking for more", count(s.Meters.Known, "meter", "meters"))
	case s.Round.Started == nil:
		return fmt.Sprintf("%s registered, none read yet", count(s.Meters.Registered, "meter", "meters"))
	case s.Round.Finished == nil:
		return fmt.Sprintf("Round %d: %d of %d meters read", s.Round.Number, s.Round.Done, s.Round.Total)
	}
	return fmt.Sprintf("All %s read", count(s.Round.Done, "meter", "meters"))
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Age is the time since t in the largest fitting unit, "never" when t is null.
func Age(now time.Time, t *time.Time) string {
	if t == nil {
		return "never"
	}
	d := now.Sub(*t)
	switch {
	case d < 2*time.Second:
		return "now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// Waiting says how much waits for the center, and since when.
func Waiting(s Status) string {
	if s.Outbox.Readings == 0 {
		return "nothing waits"
	}
	return "readings wait, oldest " + Age(s.Now, s.Outbox.Oldest)
}

// decibels writes a measurement, nothing when there is none.
func decibels(v *float64) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf("%.0f", *v)
}
