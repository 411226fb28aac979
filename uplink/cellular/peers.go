package cellular

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Dial is what pppd needs to know.
type Dial struct {
	Port     string // serial port of the data call
	Baud     int
	APN      string
	User     string
	Password string
	Roaming  bool
}

// validate refuses what could break out of a chat script or an options file.
func (d Dial) validate() error {
	if d.Port == "" || !filepath.IsAbs(d.Port) || strings.ContainsAny(d.Port, " \t\r\n'\"\\") {
		return fmt.Errorf("data port %q: want an absolute path without blanks", d.Port)
	}
	if d.Baud < 300 || d.Baud > 4000000 {
		return fmt.Errorf("data port speed %d: want 300 to 4000000", d.Baud)
	}
	if d.APN == "" || len(d.APN) > 100 || !apnText(d.APN) {
		return fmt.Errorf("APN %q: want 1 to 100 letters, digits, '.', '-' or '_'", d.APN)
	}
	for _, s := range []struct{ name, value string }{{"user", d.User}, {"password", d.Password}} {
		if len(s.value) > 128 || strings.ContainsAny(s.value, "\"\\\r\n\x00") {
			return fmt.Errorf("the %s holds a quote, a backslash or a line end, or is longer than 128 octets", s.name)
		}
	}
	return nil
}

func apnText(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// chatScript dials the packet data call. OK is expected before ABORT is armed: the
// NO CARRIER of the last call may still wait in the modem's buffer.
func (d Dial) chatScript() string {
	return fmt.Sprintf(`'' AT
OK ''
ABORT 'NO CARRIER'
ABORT 'NO DIALTONE'
ABORT BUSY
ABORT ERROR
TIMEOUT 30
'' 'AT+CGDCONT=1,"IP","%s"'
OK 'ATD*99***1#'
CONNECT ''
`, d.APN)
}

// peersFile is the options file of pppd: `pppd file PATH`. LCP echo ends the call
// when the modem is gone; the courier's receipts tell the rest.
func (d Dial) peersFile(chat, chatPath string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by concentrator at every dial; changes are lost.\n%s %d\n", d.Port, d.Baud)
	fmt.Fprintf(&b, "connect \"%s -E -f %s\"\n", chat, chatPath)
	b.WriteString("nodetach\nlock\nmodem\ncrtscts\nnoauth\nnoipdefault\ndefaultroute\nipcp-accept-local\nipcp-accept-remote\n" +
		"novj\nnobsdcomp\nnodeflate\nmaxfail 1\nlcp-echo-interval 30\nlcp-echo-failure 4\nhide-password\n")
	if d.User != "" {
		fmt.Fprintf(&b, "user \"%s\"\n", d.User)
	}
	if d.Password != "" {
		fmt.Fprintf(&b, "password \"%s\"\n", d.Password)
	}
	return b.String()
}

// writeFiles puts the peers file and the chat script into dir, mode 0600, and
// returns the path of the first.
func (d Dial) writeFiles(dir, chat string) (string, error) {
	if err := d.validate(); err != nil {
		return "", err
	}
	chatPath, peers := filepath.Join(dir, "chat"), filepath.Join(dir, "peers")
	if err := replaceFile(chatPath, []byte(d.chatScript())); err != nil {
		return "", fmt.Errorf("chat script: %w", err)
	}
	if err := replaceFile(peers, []byte(d.peersFile(chat, chatPath))); err != nil {
		return "", fmt.Errorf("peers file: %w", err)
	}
	return peers, nil
}

// pppExit says what an exit code of pppd(8) means for a person.
func pppExit(code int) string {
	switch code {
	case 0:
		return "the call was ended in order"
	case 2:
		return "pppd does not accept its options"
	case 3:
		return "pppd lacks the right to dial: it must be setuid root or have CAP_NET_ADMIN"
	case 4:
		return "the kernel has no PPP support"
	case 5:
		return "pppd was told to end"
	case 6, 7:
		return "the data port is in use or cannot be opened"
	case 8:
		return "the dial script failed: no carrier, a wrong APN, or no answer to the dial command"
	case 10:
		return "the network did not agree on the parameters of the call"
	case 15:
		return "the network stopped answering"
	case 16:
		return "the modem hung up"
	case 19:
		return "the network refused user or password"
	}
	return fmt.Sprintf("pppd ended with code %d", code)
}
