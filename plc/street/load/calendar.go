package load

import "time"

// Quarters of an hour, the grain of all series.
const (
	QuarterSeconds = 15 * 60
	dayQuarters    = 24 * 4
	weekQuarters   = 7 * dayQuarters
	yearWeeks      = 52
	yearQuarters   = yearWeeks * weekQuarters
)

// calendar finds a quarter in years of whole weeks (ISO 8601): a Monday always meets a
// Monday, and the season stays right for ever. Year counts from 1970.
func calendar(quarter int64) (year, weeksBefore int64, inYear int) {
	day := quarter / dayQuarters
	week := (day + 3) / 7 // the first week of 1970 began on Monday 29 December 1969
	year = week * 7 * 400 / 146097
	for firstWeek(year+1) <= week {
		year++
	}
	for firstWeek(year) > week {
		year--
	}
	weeksBefore = firstWeek(year)
	return year, weeksBefore, int(quarter + 3*dayQuarters - weeksBefore*weekQuarters)
}

// firstWeek is the number of weeks from the first of 1970 to the first of a year: that
// of 4 January.
func firstWeek(year int64) int64 {
	y := 1970 + year - 1 // whole years before it
	days := 365*year + (y/4 - 1969/4) - (y/100 - 1969/100) + (y/400 - 1969/400)
	return (days + 3 + 3) / 7
}

// LocalSeconds is t as seconds since 1970-01-01 00:00 of a local time that is ahead of
// UTC by offset. Series know local time only, so that lunch is at noon everywhere.
func LocalSeconds(t time.Time, offset time.Duration) int64 { return t.Add(offset).Unix() }
