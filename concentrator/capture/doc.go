// Package capture turns what a meter answers into readings: billing registers read
// together with the clock, and the rows of its load profile.
//
// It follows the attributes of the interface classes Register, Extended register,
// Demand register, Clock and Profile generic (Blue Book 4.3.2 to 4.3.6 and 4.5) and
// its table of units.
//
// The engine above reads the attributes and hands their encoded values here; package
// cosem below decodes them.
//
// It holds no state and may be called from anywhere.
//
// It never guesses: what it cannot turn into an integer with a known scaler and unit
// at a known time becomes an event. It never corrects and never drops an odd value,
// it flags it. It never reads a clock.
package capture
