package capture

import (
	"fmt"
	"strconv"
	"strings"

	"busbar/concentrator"
	"busbar/plc"
	"busbar/plc/cosem"
)

// units are the names of the units that meters of energy use (Blue Book 4.3.2).
var units = map[uint8]string{
	4: "d", 5: "h", 6: "min", 7: "s", 8: "°", 9: "°C", 13: "m³", 14: "m³",
	27: "W", 28: "VA", 29: "var", 30: "Wh", 31: "VAh", 32: "varh", 33: "A", 34: "C", 35: "V", 44: "Hz", 56: "%",
}

// UnitName is the short name of a unit, empty for none, "unit 77" for one without a name here.
func UnitName(unit uint8) string {
	if unit == UnitNone || unit == UnitUnknown {
		return ""
	}
	if name, ok := units[unit]; ok {
		return name
	}
	return fmt.Sprintf("unit %d", unit)
}

// Decimal writes value x 10^scaler exactly: "1234.5", "12000", "5e+30".
func Decimal(value int64, scaler int8) string {
	switch {
	case scaler == 0 || value == 0 && scaler > 0:
		return strconv.FormatInt(value, 10)
	case scaler > 18:
		return fmt.Sprintf("%de+%d", value, scaler)
	case scaler > 0:
		return strconv.FormatInt(value, 10) + strings.Repeat("0", int(scaler))
	}
	sign, digits := "", strconv.FormatInt(value, 10)
	if value < 0 {
		sign, digits = "-", digits[1:]
	}
	places := -int(scaler)
	if n := places + 1 - len(digits); n > 0 {
		digits = strings.Repeat("0", n) + digits
	}
	return sign + digits[:len(digits)-places] + "." + digits[len(digits)-places:]
}

// Answer turns the answer to a read order into its result: the value as the meter
// sent it and the same for people. A refusal by the meter is told in its words.
func (s Source) Answer(r cosem.Result, scaler int8, unit uint8) *concentrator.OrderResult {
	res := &concentrator.OrderResult{Time: s.Received, Outcome: plc.Answered, Scaler: scaler, Unit: unit}
	if !s.Trusted {
		res.Quality |= concentrator.StationClock
	}
	if r.Access != cosem.Success {
		res.Outcome, res.Detail = plc.Refused, "the meter says: "+r.Access.String()
		return res
	}
	res.Data = r.Data
	v, n, err := cosem.ParseValue(r.Data)
	if err != nil || n != len(r.Data) {
		res.Quality |= concentrator.NotANumber
		res.Text, res.Detail = fmt.Sprintf("%d octets that are no value", len(r.Data)), "the value cannot be decoded"
		return res
	}
	number, ok := integer(v)
	switch {
	case ok && (scaler != 0 || UnitName(unit) != ""):
		res.Text = strings.TrimSpace(Decimal(number, scaler) + " " + UnitName(unit))
	default:
		res.Text = clip(v.String())
	}
	return res
}

// maxText bounds the text for people; Data has the whole value.
const maxText = 2000

func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + " …"
}
