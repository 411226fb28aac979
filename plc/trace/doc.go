// Package trace is the black box of a station: every frame in both directions with its
// time, as octets, in memory and in a file.
//
// It implements no standard. The file is a row of records, each with a mark, a length
// and a check sum, so that what a power cut left behind costs only the record it tore.
//
// The initiator and the modem driver hand frames in through hooks that cmd joins to a
// [Box]; cmd/plcscope reads the files and plc/dissect explains them. Below is only plc.
//
// Record may be called by any goroutine and never waits for a disk. Run, in a goroutine
// of its own, writes the file.
//
// It never decodes a frame, never grows, and never stops the line: what does not fit in
// time is counted and left out.
package trace
