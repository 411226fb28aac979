// Package cellular is the bearer below the uplink: it unlocks the SIM, waits for
// registration, watches operator, technology and signal over the modem's AT port,
// and starts and supervises pppd from a peers file that it writes.
//
// AT commands follow 3GPP TS 27.007 (CPIN, CPINR, CREG, CGREG, CEREG, COPS, CSQ,
// CESQ) and ITU-T V.250; exit codes are those of pppd(8).
//
// cmd/concentrator gives it the way to open the AT port and shows its Snapshot in
// the status; the operating system routes what the uplink sends.
//
// One goroutine, Supervisor.Run, owns the AT dialog and the pppd process.
//
// It never sends a PIN that was refused once, never logs a PIN, password or
// subscriber number, and never dials faster than its back-off allows.
package cellular
