package house

import (
	"strings"
	"testing"
)

// denial forbids the packages in from to import any in to; except lists packages
// below from that may. Production code only, unless tests is set.
type denial struct {
	from, to, except []string
	tests            bool
	why              string
}

var denials = []denial{
	{
		from: []string{"plc"}, to: []string{"concentrator", "storage", "uplink", "board", "cmd"}, tests: false,
		why: "the line could be published alone: it knows no product",
	},
	{
		from: []string{"plc/axdr"}, to: []string{"plc"}, tests: true,
		why: "A-XDR is the lowest codec",
	},
	{
		from: []string{"plc/cosem"}, to: []string{"plc/dlms", "plc/llc", "plc/mac", "plc/ciase", "plc/modem", "plc/initiator", "plc/street"},
		why: "a layer never imports the layer above it",
	},
	{
		from: []string{"plc/dlms"}, to: []string{"plc/llc", "plc/mac", "plc/ciase", "plc/modem", "plc/initiator", "plc/street"},
		why: "an association knows nothing of the link, so that another medium can carry it unchanged",
	},
	{
		from: []string{"plc/mac", "plc/llc", "plc/ciase"}, to: []string{"plc/dlms", "plc/cosem", "plc/axdr", "plc/modem", "plc/initiator", "plc/street"},
		why: "a layer never imports the layer above it",
	},
	{
		from: []string{"plc/modem"}, to: []string{"plc/initiator", "plc/street", "plc/llc", "plc/ciase", "plc/dlms", "plc/cosem"},
		why: "the driver carries octets; it satisfies initiator.Line without knowing it",
	},
	{
		from: []string{"plc/wrapper", "plc/hdlc"}, to: []string{"plc/dlms", "plc/cosem", "plc/axdr", "plc/modem", "plc/initiator", "plc/street"},
		why: "a carrier knows nothing of what it carries",
	},
	{
		from: []string{"plc/trace"}, to: []string{"plc/dlms", "plc/cosem", "plc/axdr", "plc/mac", "plc/llc", "plc/ciase", "plc/initiator", "plc/street"},
		why: "the black box keeps octets and decodes nothing",
	},
	{
		from: []string{"plc/dissect"}, to: []string{"plc/initiator", "plc/street"},
		why: "a frame is taken apart by codecs alone",
	},
	{
		from: []string{"plc/initiator"}, to: []string{"plc/modem", "plc/street"},
		why: "modem and street both satisfy the initiator's Line",
	},
	{
		from: []string{"plc/street"}, to: []string{"plc/initiator"},
		why: "the street shares codecs with us, never state machines",
	},
	{
		from: []string{"plc/street/meter", "plc/street/load"}, to: []string{"plc/street/chip", "plc/modem", "plc/mac"},
		why: "a meter's processor does not see its modem",
	},
	{
		from: []string{"concentrator"}, to: []string{"storage", "uplink", "board", "cmd", "plc/initiator", "plc/modem", "plc/mac", "plc/llc", "plc/ciase", "plc/dlms", "plc/street"},
		why: "the product decides; it declares what it needs and cmd supplies it, and keys never pass through it",
	},
	{
		from: []string{"storage"}, to: []string{"uplink", "board", "cmd", "plc/initiator", "plc/modem", "plc/mac", "plc/dlms", "plc/street", "concentrator/engine", "concentrator/web"},
		why: "storage keeps; it knows neither the center nor the line",
	},
	{
		from: []string{"uplink"}, to: []string{"storage", "board", "cmd", "plc/initiator", "plc/modem", "plc/mac", "plc/dlms", "plc/street", "concentrator/engine", "concentrator/web"},
		why: "uplink carries; it knows neither the database nor the line", except: []string{"uplink/center"},
	},
	{
		from: []string{"uplink/cellular"}, to: []string{"concentrator", "plc", "storage", "board"},
		why: "the bearer works over the io.ReadWriter it is given",
	},
	{
		from: []string{"board"}, to: []string{"concentrator", "plc", "storage", "uplink", "cmd"},
		why: "hardware knows nobody",
	},
	{
		from: []string{"cmd/concentrator"}, to: []string{"plc/street", "uplink/center", "storage/archive", "uplink/pki"},
		why: "test doubles and the center's side never reach the daemon",
	},
}

func TestImports(t *testing.T) {
	for _, f := range sources(t) {
		house, _ := f.imports()
		for _, d := range denials {
			if f.test && !d.tests || !anyWithin(f.pkg, d.from) || anyWithin(f.pkg, d.except) {
				continue
			}
			for _, imp := range house {
				// A room may import what lies in the same denied room, e.g. plc/dlms its own sub-packages.
				if anyWithin(imp, d.to) && !sameRoom(f.pkg, imp, d) {
					t.Errorf("%s imports %s: %s", f.path, imp, d.why)
				}
			}
		}
	}
}

// sameRoom lets plc/cosem be judged by {"plc/axdr" must not import "plc"} only for itself.
func sameRoom(pkg, imp string, d denial) bool {
	for _, from := range d.from {
		if within(pkg, from) && within(imp, from) {
			return true
		}
	}
	return false
}

// owners are the only rooms in which a foreign package may be imported by production code.
var owners = []struct {
	pkg   string
	rooms []string
	why   string
}{
	{"database/sql", []string{"storage"}, "SQL text only in storage"},
	{"github.com/mattn/go-sqlite3", []string{"storage"}, "SQL text only in storage"},
	{"golang.org/x/sys", []string{"board", "plc/street/chip"}, "system calls only in board (and the emulator's pseudo-terminal)"},
	{"syscall", []string{"board", "cmd", "plc/street/chip", "uplink/cellular"}, "system calls only in board; commands may name signals"},
	{"go.bug.st/serial", []string{"board"}, "serial ports only in board"},
	{"github.com/spf13/viper", []string{"cmd"}, "configuration is wiring"},
	{"github.com/spf13/cobra", []string{"cmd"}, "command lines are wiring"},
	{"github.com/gorilla/websocket", []string{"uplink/ws", "uplink/center", "concentrator/web"}, "one transport, one page"},
	{"net/http", []string{"uplink/ws", "uplink/center", "concentrator/web", "cmd"}, "sockets only at the edges"},
}

func TestForeignImports(t *testing.T) {
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		_, foreign := f.imports()
		for _, imp := range foreign {
			for _, o := range owners {
				if (imp == o.pkg || strings.HasPrefix(imp, o.pkg+"/")) && !anyWithin(f.pkg, o.rooms) {
					t.Errorf("%s imports %s: %s", f.path, imp, o.why)
				}
			}
		}
	}
}
