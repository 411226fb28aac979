package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"busbar/plc/dissect"
)

func newDissect() *cobra.Command {
	v := &viewFlags{}
	as := ""
	cmd := &cobra.Command{
		Use: "dissect [HEX...]", Short: "Take frames apart",
		Long: `Takes apart frames given in hexadecimal, or one on each line of standard input. Blanks, colons and a leading 0x
do not matter. What the octets are is found out, or said with --as: host, foreign, mac, llc, hdlc, wrapper, ciase,
apdu or value. Frames are taken for one conversation: blocks are joined, titles are learned for deciphering.`,
		Example: `  plcscope dissect 900110c001c100030100010800ff0200
  plcscope dissect --as value 0203090601000108 00ff0f02120000
  plcscope dissect --keys keys.csv < frames.txt`,
		RunE: func(cmd *cobra.Command, args []string) error {
			layer, err := dissect.ParseLayer(as)
			if err != nil {
				return fmt.Errorf("--as: %w", err)
			}
			o, err := v.options()
			if err != nil {
				return err
			}
			talk := &dissect.Conversation{Options: o}
			show := func(text string) error {
				b, err := unhex(text)
				if err != nil {
					return err
				}
				return showNode(cmd.OutOrStdout(), talk.Frame(layer, b), v.asJSON)
			}
			if len(args) > 0 {
				return show(strings.Join(args, ""))
			}
			return eachLine(cmd.InOrStdin(), show)
		},
	}
	v.add(cmd)
	cmd.Flags().StringVar(&as, "as", "any", "what the octets are")
	return cmd
}

func showNode(out io.Writer, n dissect.Node, asJSON bool) error {
	if !asJSON {
		say(out, "%v", n)
		return nil
	}
	b, err := json.Marshal(n)
	say(out, "%s\n", b)
	return err
}

// maxLine is the longest line of hexadecimal digits taken.
const maxLine = 1 << 20

func eachLine(in io.Reader, do func(string) error) error {
	s := bufio.NewScanner(in)
	s.Buffer(nil, maxLine)
	for line := 1; s.Scan(); line++ {
		if strings.TrimSpace(s.Text()) == "" {
			continue
		}
		if err := do(s.Text()); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
	return s.Err()
}

// unhex reads hexadecimal digits as people paste them.
func unhex(s string) ([]byte, error) {
	clean := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n:-,", r) {
			return -1
		}
		return r
	}, strings.TrimPrefix(strings.TrimSpace(s), "0x"))
	b, err := hex.DecodeString(clean)
	if err != nil {
		return nil, fmt.Errorf("%.40q: %w", s, err)
	}
	if len(b) == 0 {
		return nil, fmt.Errorf("no octets in %.40q", s)
	}
	return b, nil
}
