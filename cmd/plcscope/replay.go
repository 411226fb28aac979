package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"busbar/cmd/plcscope/capture"
	"busbar/plc/dissect"
)

func newReplay() *cobra.Command {
	v := &viewFlags{}
	meter := ""
	cmd := &cobra.Command{
		Use: "replay FILE", Short: "Replay a capture and tell what went wrong with whom", Args: cobra.ExactArgs(1),
		Long: `Replays a capture through the codecs of the station, conversation by conversation, and sums up for each meter how many
frames went each way, how many requests stayed without answer, how long answers took, how many repetitions they needed, and every fault with its place.`,
		Example: `  plcscope replay trace
  plcscope replay trace --meter 02A --keys keys.csv`,
		RunE: func(cmd *cobra.Command, args []string) error {
			view, err := v.viewer(cmd.OutOrStdout())
			if err != nil {
				return err
			}
			s := &summary{view: view, of: map[string]*tally{}}
			err = readCapture(cmd.Context(), args[0], meter, false, view.options.Order, cmd.ErrOrStderr(), func(f capture.Frame) error {
				s.add(f)
				return nil
			})
			if err != nil {
				return err
			}
			return s.print(cmd.OutOrStdout())
		},
	}
	v.add(cmd)
	addFollow(cmd, &meter)
	return cmd
}

// tally is what is told of one conversation.
type tally struct {
	sent, received, silent, faulty int
	used                           int           // repetitions that frames received needed
	slowest                        time.Duration // between a request and its answer
	asked                          time.Time     // of the request without answer yet; zero: none
	faults                         []string      // the first of them
}

// maxFaults are told of each meter.
const maxFaults = 5

// summary sums a capture up.
type summary struct {
	view *viewer
	of   map[string]*tally
}

func (s *summary) add(f capture.Frame) {
	n := s.view.read(f)
	name := peer(f)
	t := s.of[name]
	if t == nil {
		if len(s.of) >= maxTalks {
			return
		}
		t = &tally{}
		s.of[name] = t
	}
	if f.Sent {
		t.sent++
		if !t.asked.IsZero() {
			t.silent++
		}
		t.asked = f.At
	} else {
		t.received++
		t.used += int(f.Credits.Used())
		if !t.asked.IsZero() {
			t.slowest = max(t.slowest, f.At.Sub(t.asked))
			t.asked = time.Time{}
		}
	}
	if n.Faulty() {
		t.faulty++
		if len(t.faults) < maxFaults {
			t.faults = append(t.faults, f.At.Format("15:04:05.000 ")+fault(n))
		}
	}
}

// fault is the first fault in a tree, in words.
func fault(n dissect.Node) string {
	if n.Fault {
		return fmt.Sprintf("octet %d: %s", n.Offset, n.Text)
	}
	for _, c := range n.Nodes {
		if c.Faulty() {
			return fault(c)
		}
	}
	return ""
}

func (s *summary) print(out io.Writer) error {
	names := make([]string, 0, len(s.of))
	for name := range s.of {
		names = append(names, name)
	}
	slices.Sort(names)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	say(w, "WITH\tSENT\tRECEIVED\tNO ANSWER\tREPETITIONS\tSLOWEST\tFAULTY\n")
	for _, name := range names {
		t := s.of[name]
		say(w, "%s\t%d\t%d\t%d\t%d\t%v\t%d\n", name, t.sent, t.received, t.silent, t.used, t.slowest.Round(time.Millisecond), t.faulty)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, name := range names {
		for _, text := range s.of[name].faults {
			say(out, "%s: %s\n", name, text)
		}
	}
	return nil
}
