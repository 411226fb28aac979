package apdu

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"reflect"
	"strings"
	"testing"

	"busbar/plc/cosem"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// message is what every APDU here can do.
type message interface {
	Append(dst []byte) []byte
	Size() int
}

// parser reads one kind of APDU.
type parser func(b []byte) (message, int, error)

func of[T message](parse func([]byte) (T, int, error)) parser {
	return func(b []byte) (message, int, error) { return parse(b) }
}

var parsers = map[string]parser{
	"initiate request":        of(ParseInitiateRequest),
	"initiate response":       of(ParseInitiateResponse),
	"confirmed service error": of(ParseConfirmedServiceError),
	"data notification":       of(ParseDataNotification),
	"GET request":             of(ParseGetRequest),
	"GET response":            of(ParseGetResponse),
	"SET request":             of(ParseSetRequest),
	"SET response":            of(ParseSetResponse),
	"ACTION request":          of(ParseActionRequest),
	"ACTION response":         of(ParseActionResponse),
	"exception response":      of(ParseExceptionResponse),
	"general-glo-ciphering":   of(ParseGeneralGlo),
	"general-ded-ciphering":   of(ParseGeneralGlo),
	"general-ciphering":       of(ParseGeneralCiphering),
	"general-signing":         of(ParseGeneralSigning),
	"general-block-transfer":  of(ParseGeneralBlock),
	"event notification":      of(ParseEventNotification),
	"access request":          of(ParseAccessRequest),
	"read request":            of(ParseReadRequest),
	"read response":           of(ParseReadResponse),
	"write request":           of(ParseWriteRequest),
	"write response":          of(ParseWriteResponse),

	"unconfirmed write request": of(ParseWriteRequest),
	"information report":        of(ParseInformationReport),
	"access response":           of(ParseAccessResponse),
	"ciphered":                  of(ParseCiphered),
}

// parserFor finds the parser by the tag of b.
func parserFor(b []byte) parser {
	if len(b) == 0 {
		return parsers["GET request"]
	}
	tag := Tag(b[0])
	if _, ok := tag.Plain(); ok {
		return parsers["ciphered"]
	}
	if p := parsers[tag.String()]; p != nil {
		return p
	}
	return parsers["GET response"]
}

func ref(class cosem.Class, obis string, attribute int8) cosem.Ref {
	return cosem.Ref{Class: class, Object: cosem.MustOBIS(obis), Attribute: attribute}
}

func selected(r cosem.Ref, selector byte, parameters string) cosem.Ref {
	r.Select = &cosem.Selection{Selector: selector, Parameters: unhex(parameters)}
	return r
}

func data(s string) cosem.Result { return cosem.Result{Data: unhex(s)} }

// golden are APDUs of the Green Book, of other programs and of real meters: what they
// mean, and that they are written the same way again.
var golden = []struct {
	id, octets string
	want       message
}{
	{"B1 initiate request", "01000000065f1f0400007e1f04b0", InitiateRequest{Version: 6, Conformance: 0x007E1F, MaxPDU: 1200}},
	{
		"D1 initiate request with dedicated key", "0101 10 00112233445566778899aabbccddeeff 0000065f1f0400007e1f04b0",
		InitiateRequest{
			DedicatedKey: unhex("00112233445566778899aabbccddeeff"), Version: 6, Conformance: 0x007E1F, MaxPDU: 1200,
		},
	},
	{"B10 initiate response", "0800065f1f040000501f01f40007", NewInitiateResponse(0x00501F, 500)},
	{"B16 initiate response", "0800065f1f040000381f009b0007", NewInitiateResponse(0x00381F, 155)},
	{"B17 initiate response", "0800065f1f040000101d00800007", NewInitiateResponse(0x00101D, 128)},
	{"B12 DLMS version too low", "0e010601", ConfirmedServiceError{ErrorOfInitiate, GroupInitiate, DLMSVersionTooLow}},
	{"B15 initiate error other", "0e010600", ConfirmedServiceError{ErrorOfInitiate, GroupInitiate, InitiateOther}},
	{"C1", "c001c1000100002b0100ff0200", GetRequest{Invoke: 0xC1, Refs: []cosem.Ref{ref(1, "0.0.43.1.0.255", 2)}}},
	{"C2", "c002c100000001", GetRequest{Invoke: 0xC1, Next: true, Block: 1}},
	{"C3", "c003c102000100002a0000ff020000080000010000ff0200", GetRequest{
		Invoke: 0xC1, List: true, Refs: []cosem.Ref{ref(1, "0.0.42.0.0.255", 2), ref(8, "0.0.1.0.0.255", 2)},
	}},
	{"C4", "c401c1000600001391", GetResponse{Invoke: 0xC1, Results: []cosem.Result{data("0600001391")}}},
	{"C5", "c401c10101", GetResponse{Invoke: 0xC1, Results: []cosem.Result{{Access: cosem.HardwareFault}}}},
	{"C6", "c403c10200091049534b3130333037373737363433363600090c07e50603040e091700ffc400", GetResponse{
		Invoke: 0xC1, List: true,
		Results: []cosem.Result{data("091049534b31303330373737373634333636"), data("090c07e50603040e091700ffc400")},
	}},
	{"C8", "c301c0000f0000280000ff0100", ActionRequest{Invoke: 0xC0, Ref: ref(15, "0.0.40.0.0.255", 1)}},
	{"C9", "c701c00000", ActionResponse{Invoke: 0xC0}},
	{"C10", "c701c000010009111000001afde8857b728a3499106aa665d1", ActionResponse{
		Invoke: 0xC0, Return: &cosem.Result{Data: unhex("09111000001afde8857b728a3499106aa665d1")},
	}},
	{"C11", "c701c0000101fa", ActionResponse{Invoke: 0xC0, Return: &cosem.Result{Access: cosem.OtherReason}}},
	{"C12", "c30181000900000a0000ff0101120002", ActionRequest{
		Invoke: 0x81, Ref: ref(9, "0.0.10.0.0.255", 1), Data: unhex("120002"),
	}},
	{"C13 request", "c1018100080000010000ff0200090c07d20c04030a060bff007800", SetRequest{
		Invoke: 0x81, Ref: ref(8, "0.0.1.0.0.255", 2), Data: unhex("090c07d20c04030a060bff007800"),
	}},
	{"C13 response", "c5018100", SetResponse{Invoke: 0x81, Kind: SetNormal}},
	{"SET with list", "c104c102000100002b0100ff020000080000010000ff0200021100120001", SetRequest{
		Invoke: 0xC1, Refs: []cosem.Ref{ref(1, "0.0.43.1.0.255", 2), ref(8, "0.0.1.0.0.255", 2)},
		Values: [][]byte{unhex("1100"), unhex("120001")},
	}},
	{"SET with list and first block", "c105c101000100002b0100ff0200000000000102 0111", SetRequest{
		Invoke: 0xC1, Refs: []cosem.Ref{ref(1, "0.0.43.1.0.255", 2)}, Block: &DataBlock{Number: 1, Raw: unhex("0111")},
	}},
	{"SET response with list", "c505c1020003", SetResponse{
		Invoke: 0xC1, Kind: SetList, List: []cosem.AccessResult{cosem.Success, cosem.ReadWriteDenied},
	}},
	{"SET response last block with list", "c504c102000300000002", SetResponse{
		Invoke: 0xC1, Kind: SetLastBlockList, List: []cosem.AccessResult{cosem.Success, cosem.ReadWriteDenied}, Block: 2,
	}},
	{"ACTION next block", "c302c100000003", ActionRequest{Invoke: 0xC1, NextBlock: true, Number: 3}},
	{"ACTION with list", "c303c10200460000600300ff01000900000a0000ff0102 0f00 120002", ActionRequest{
		Invoke: 0xC1, Refs: []cosem.Ref{ref(70, "0.0.96.3.0.255", 1), ref(9, "0.0.10.0.0.255", 1)},
		Values: [][]byte{unhex("0f00"), unhex("120002")},
	}},
	{"ACTION with first block", "c304c100460000600300ff01 00 00000001 02 0904", ActionRequest{
		Invoke: 0xC1, Ref: ref(70, "0.0.96.3.0.255", 1), Block: &DataBlock{Number: 1, Raw: unhex("0904")},
	}},
	{"ACTION with list and first block", "c305c10100460000600300ff01 00 00000001 02 0109", ActionRequest{
		Invoke: 0xC1, Refs: []cosem.Ref{ref(70, "0.0.96.3.0.255", 1)}, Block: &DataBlock{Number: 1, Raw: unhex("0109")},
	}},
	{"ACTION with block", "c306c1 01 00000002 02 0304", ActionRequest{
		Invoke: 0xC1, Next: true, Block: &DataBlock{Last: true, Number: 2, Raw: unhex("0304")},
	}},
	{"ACTION response with block", "c702c1 00 00000001 03 090401", ActionResponse{
		Invoke: 0xC1, Block: &DataBlock{Number: 1, Raw: unhex("090401")},
	}},
	{"ACTION response with list", "c703c103 0000 030101fa 000100 1100", ActionResponse{Invoke: 0xC1, List: []Acted{
		{}, {Result: 3, Return: &cosem.Result{Access: cosem.OtherReason}}, {Return: &cosem.Result{Data: unhex("1100")}},
	}}},
	{"ACTION response next block", "c704c100000002", ActionResponse{Invoke: 0xC1, NextBlock: true, Number: 2}},
	{"read request", "05 02 02 fa08 04 fb10 01 00", ReadRequest{Variables: []Variable{
		Named(0xFA08), {Kind: Parameterized, Name: 0xFB10, Select: &cosem.Selection{Selector: 1, Parameters: unhex("00")}},
	}}},
	{"read request of a block", "05 01 05 0003", ReadRequest{Variables: []Variable{{Kind: BlockNumber, Block: &ShortBlock{Number: 3}}}}},
	{"read request in blocks", "05 01 06 01 0001 02 0502", ReadRequest{Variables: []Variable{
		{Kind: ReadBlock, Block: &ShortBlock{Last: true, Number: 1, Raw: unhex("0502")}},
	}}},
	{"read response", "0c 02 00 0600001391 01 04", ReadResponse{Items: []ReadItem{
		{Data: unhex("0600001391")}, {Kind: ReadError, Access: cosem.ObjectUndefined},
	}}},
	{"read response with block", "0c 01 02 00 0001 02 0100", ReadResponse{Items: []ReadItem{
		{Kind: ReadPiece, Block: &ShortBlock{Number: 1, Raw: unhex("0100")}},
	}}},
	{"read response, block arrived", "0c 01 03 0001", ReadResponse{Items: []ReadItem{{Kind: ReadNumber, Block: &ShortBlock{Number: 1}}}}},
	{"write request", "06 01 02 fa08 01 1105", WriteRequest{Variables: []Variable{Named(0xFA08)}, Values: [][]byte{unhex("1105")}}},
	{"unconfirmed write request", "16 01 02 fa08 01 1105", WriteRequest{
		Unconfirmed: true, Variables: []Variable{Named(0xFA08)}, Values: [][]byte{unhex("1105")},
	}},
	{"write response", "0d 03 00 01 03 02 0001", WriteResponse{Items: []WriteItem{
		{}, {Kind: WriteError, Access: cosem.ReadWriteDenied}, {Kind: WriteNumber, Number: 1},
	}}},
	{"information report", "18 00 01 02 fa08 01 1105", InformationReport{Variables: []Variable{Named(0xFA08)}, Values: [][]byte{unhex("1105")}}},
	{"event notification", "c2 00 00010000616200ff02 0600000001", EventNotification{
		Ref: ref(1, "0.0.97.98.0.255", 2), Data: unhex("0600000001"),
	}},
	{"event notification with time", "c2 01 0c07ea0b1607022f393f000000 00010000616200ff02 00", EventNotification{
		Time: unhex("07ea0b1607022f393f000000"), Ref: ref(1, "0.0.97.98.0.255", 2), Data: unhex("00"),
	}},
	{"access request", "d9 40000001 00 03 01 00080000010000ff02 02 00080000010000ff03 04 0007010063 0100ff02 02 00 03 00 10003c 00", AccessRequest{
		LongInvoke: LongConfirmed | 1, Items: []AccessItem{
			{Kind: AccessGet, Ref: ref(8, "0.0.1.0.0.255", 2), Data: unhex("00")},
			{Kind: AccessSet, Ref: ref(8, "0.0.1.0.0.255", 3), Data: unhex("10003c")},
			{Kind: AccessGet, Ref: selected(ref(7, "1.0.99.1.0.255", 2), 2, "00"), Data: unhex("00")},
		},
	}},
	{"access response", "da 40000001 00 00 02 110a 00 02 0100 0203", AccessResponse{
		LongInvoke: LongConfirmed | 1, Items: []Accessed{
			{Kind: AccessGet, Data: unhex("110a")}, {Kind: AccessSet, Result: 3, Data: unhex("00")},
		},
	}},
	{"access response, self-describing", "da 50000001 00 01 01 01 00080000010000ff02 01 110a 01 0100", AccessResponse{
		LongInvoke: LongConfirmed | LongSelfDescribing | 1, Request: []AccessItem{{Kind: AccessGet, Ref: ref(8, "0.0.1.0.0.255", 2)}},
		Items: []Accessed{{Kind: AccessGet, Data: unhex("110a")}},
	}},
	{"ded-GET request", "d0053000000001", Ciphered{Tag: TagDedGetRequest, Text: unhex("3000000001")}},
	{"general-ded-ciphering", "dc 08 4d4d4d0000bc614e 05 3000000001", GeneralGlo{
		Title: unhex("4d4d4d0000bc614e"), Text: unhex("3000000001"), Dedicated: true,
	}},
	{"general-ciphering, identified key", "dd 02 0102 01 03 01 04 00 00 01 00 01 05 3000000001", GeneralCiphering{
		Frame: Frame{Transaction: unhex("0102"), Originator: unhex("03"), Recipient: unhex("04"), Other: []byte{}},
		Key:   &KeyInfo{Choice: IdentifiedKey, ID: KeyGlobalBroadcast}, Text: unhex("3000000001"),
	}},
	{"general-ciphering, wrapped key", "dd 01 01 01 03 01 04 0c07ea0b1607022f393f000000 00 01 01 00 02 0506 05 3000000001", GeneralCiphering{
		Frame: Frame{
			Transaction: unhex("01"), Originator: unhex("03"), Recipient: unhex("04"), Time: unhex("07ea0b1607022f393f000000"), Other: []byte{},
		},
		Key: &KeyInfo{Choice: WrappedKey, Data: unhex("0506")}, Text: unhex("3000000001"),
	}},
	{"general-ciphering, agreed key", "dd 01 01 01 03 01 04 00 00 01 02 01 01 02 0506 05 3100000001", GeneralCiphering{
		Frame: Frame{Transaction: unhex("01"), Originator: unhex("03"), Recipient: unhex("04"), Other: []byte{}},
		Key:   &KeyInfo{Choice: AgreedKey, ID: SchemeOnePass, Data: unhex("0506")}, Text: unhex("3100000001"),
	}},
	{"general-ciphering, known key", "dd 01 01 01 03 01 04 00 00 00 05 3000000001", GeneralCiphering{
		Frame: Frame{Transaction: unhex("01"), Originator: unhex("03"), Recipient: unhex("04"), Other: []byte{}}, Text: unhex("3000000001"),
	}},
	{"general-signing", "df 01 01 01 03 01 04 00 00 02 c001 03 070809", GeneralSigning{
		Frame:   Frame{Transaction: unhex("01"), Originator: unhex("03"), Recipient: unhex("04"), Other: []byte{}},
		Content: unhex("c001"), Signature: unhex("070809"),
	}},
	{"H1 block 1", "e0 40 0001 0000 02 0f00", GeneralBlock{Streaming: true, Number: 1, Data: unhex("0f00")}},
	{"acknowledgment", "e0 85 0002 0005 00", GeneralBlock{Last: true, Window: 5, Number: 2, Ack: 5}},
	{"C14", "d80202", ExceptionResponse{State: ServiceUnknown, Service: ServiceNotSupported}},
	{"C15", "d80102", ExceptionResponse{State: ServiceNotAllowed, Service: ServiceNotSupported}},
	{"invocation counter error", "d8010600000010", ExceptionResponse{State: ServiceNotAllowed, Service: InvocationCounter, Counter: 16}},
	{
		"C17", "0f000001db000922125a8591360000000049000000110000000a5a8513d014800000000d0000000a0100",
		DataNotification{LongInvoke: 0x1DB, Body: unhex("0922125a8591360000000049000000110000000a5a8513d014800000000d0000000a0100")},
	},
	{"D4", "c81e3001234567411312ff935a47566827c467bc7d825c3be4a77c3fcc056b6b", Ciphered{
		Tag: TagGloGetRequest, Text: unhex("3001234567411312ff935a47566827c467bc7d825c3be4a77c3fcc056b6b"),
	}},
	{
		"D5",
		`db082f192291991641033b30000001e5025ce9d2271fd78be8c204211a916a9d7f587e0a7a814cadea89e9593f01f92e
		 a8c087b5bdfdefeab6becf282dfe49c08f5be6dc8400`,
		GeneralGlo{
			Title: unhex("2f19229199164103"),
			Text: unhex(`30000001e5025ce9d2271fd78be8c204211a916a9d7f587e0a7a814cadea89e9593f01f92e
				a8c087b5bdfdefeab6becf282dfe49c08f5be6dc8400`),
		},
	},
	{"E7 request", "c301c1000f0000280000ff0101091110012345677d52391c407e3a45210f000e", ActionRequest{
		Invoke: 0xC1, Ref: ref(15, "0.0.40.0.0.255", 1), Data: unhex("091110012345677d52391c407e3a45210f000e"),
	}},
	{"E7 response", "c701c10001000911101a9190bc0a587217bcd2bcd4fddb7143", ActionResponse{
		Invoke: 0xC1, Return: &cosem.Result{Data: unhex("0911101a9190bc0a587217bcd2bcd4fddb7143")},
	}},
	{"K1", "0f40000000000101020309060100010700ff060000011802020f00161b", DataNotification{
		LongInvoke: 0x40000000, Body: unhex("0101020309060100010700ff060000011802020f00161b"),
	}},
	{"M1 by entry", "c001c100070100630100ff020102020406000000010600000008120001120000", GetRequest{
		Invoke: 0xC1, Refs: []cosem.Ref{selected(ref(7, "1.0.99.1.0.255", 2), 2, "020406000000010600000008120001120000")},
	}},
	{
		"M1 by range",
		"c001c100070100630100ff0201010204020412000809060000010000ff0f02120000090c07e90a01030d0000ff0000000" +
			"90c07e90a01030f0000ff0000000100",
		GetRequest{Invoke: 0xC1, Refs: []cosem.Ref{selected(ref(7, "1.0.99.1.0.255", 2), 1,
			"0204020412000809060000010000ff0f02120000090c07e90a01030d0000ff000000090c07e90a01030f0000ff0000000100")}},
	},
	{"M1 block", "c402c10100000002002e000000060202090c07e90a0103110000ff00000005000000070202090c07e90a0103120000ff0000000500000008", GetResponse{
		Invoke: 0xC1, Block: &DataBlock{Last: true, Number: 2, Raw: unhex(
			"000000060202090c07e90a0103110000ff00000005000000070202090c07e90a0103120000ff0000000500000008")},
	}},
	{"block refused", "c402c101000000020113", GetResponse{
		Invoke: 0xC1, Block: &DataBlock{Last: true, Number: 2, Access: cosem.BlockNumberInvalid},
	}},
	{"SET first block", "c102c100080000010000ff020000 00000001 03 090c07", SetRequest{
		Invoke: 0xC1, Ref: ref(8, "0.0.1.0.0.255", 2), Block: &DataBlock{Number: 1, Raw: unhex("090c07")},
	}},
	{"SET block", "c103c1 01 00000002 02 d20c", SetRequest{
		Invoke: 0xC1, Next: true, Block: &DataBlock{Last: true, Number: 2, Raw: unhex("d20c")},
	}},
	{"SET block response", "c502c100000001", SetResponse{Invoke: 0xC1, Kind: SetBlock, Block: 1}},
	{"SET last block response", "c503c10300000002", SetResponse{Invoke: 0xC1, Kind: SetLastBlock, Access: 3, Block: 2}},
}

func TestGolden(t *testing.T) {
	for _, g := range golden {
		t.Run(g.id, func(t *testing.T) {
			b := unhex(g.octets)
			m, n, err := parserFor(b)(b)
			if err != nil || n != len(b) {
				t.Fatalf("parsed %d of %d octets, %v", n, len(b), err)
			}
			if !reflect.DeepEqual(m, g.want) {
				t.Errorf("parsed %#v\nwant   %#v", m, g.want)
			}
			if got := m.Append(nil); !bytes.Equal(got, b) {
				t.Errorf("written again:\n% X\nwant\n% X", got, b)
			}
			if m.Size() != len(b) {
				t.Errorf("Size %d, want %d", m.Size(), len(b))
			}
		})
	}
}

// notifications are pushes of real meters, as testdata/notifications.txt holds them.
type notification struct {
	id           string
	invoke       uint32
	time, octets []byte
}

func notifications(t testing.TB) []notification {
	t.Helper()
	text, err := os.ReadFile("testdata/notifications.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []notification
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 4 || f[0] == "#" {
			continue
		}
		invoke := unhex(f[1])
		n := notification{id: f[0], invoke: binary.BigEndian.Uint32(invoke), octets: unhex(f[3])}
		if f[2] != "-" {
			n.time = unhex(f[2])
		}
		all = append(all, n)
	}
	if len(all) < 20 {
		t.Fatalf("only %d notifications in testdata", len(all))
	}
	return all
}

func TestNotificationsOfRealMeters(t *testing.T) {
	for _, want := range notifications(t) {
		t.Run(want.id, func(t *testing.T) {
			d, n, err := ParseDataNotification(want.octets)
			if err != nil || n != len(want.octets) {
				t.Fatalf("parsed %d of %d octets, %v", n, len(want.octets), err)
			}
			if d.LongInvoke != want.invoke || !bytes.Equal(d.Time, want.time) {
				t.Errorf("identity %08X, time % X; want %08X, % X", d.LongInvoke, d.Time, want.invoke, want.time)
			}
			again, _, err := ParseDataNotification(d.Append(nil))
			if err != nil || !reflect.DeepEqual(again, d) {
				t.Errorf("written and read again: %v", err)
			}
			for i := range want.octets {
				if _, _, err := ParseDataNotification(want.octets[:i]); err == nil {
					t.Fatalf("cut to %d octets: no error", i)
				}
			}
		})
	}
}

// TestTruncation cuts every golden APDU everywhere: nothing but an error may follow.
func TestTruncation(t *testing.T) {
	for _, g := range golden {
		b := unhex(g.octets)
		for i := range len(b) {
			if g.id == "invocation counter error" && i == 3 {
				continue // older meters end here
			}
			m, n, err := parserFor(b)(b[:i])
			if err == nil {
				t.Errorf("%s cut to %d octets: parsed %d as %#v", g.id, i, n, m)
			}
		}
	}
}

// TestLies are inputs on which other libraries crash, hang or take gigabytes.
func TestLies(t *testing.T) {
	deep := append(unhex("c401c100"), bytes.Repeat([]byte{1, 1}, 100000)...)
	for id, b := range map[string][]byte{
		"A5 array count far above the data":    unhex("c401c1000184ffffffff"),
		"A5 octet-string longer than the data": unhex("c401c10009847fffffff"),
		"A5 with-list count":                   unhex("c403c184ffffffff"),
		"A5 one octet":                         unhex("c4"),
		"A5 one octet ciphered":                unhex("cc"),
		"A5 deep nesting":                      deep,
		"A5 length form 88":                    unhex("c401c1000188ffffffffffffffff"),
		"A5 indefinite length":                 unhex("c401c1000980"),
		"success where data should stand":      unhex("c401c10100"),
		"choice 2":                             unhex("c401c102"),
		"kind 4":                               unhex("c404c100"),
		"request list of 65":                   append(unhex("c003c141"), bytes.Repeat(unhex("00010000010000ff0200"), 65)...),
		"response list of 65":                  append(unhex("c403c141"), bytes.Repeat(unhex("0101"), 65)...),
		"date-time of 11 octets":               unhex("0f000001db0b07e5061c010f1b32ff800000"),
		"SET with list, values missing":        unhex("c104c1010001 00002b0100ff020000"),
		"ACTION with list, values missing":     unhex("c303c1010001 00002b0100ff0200"),
		"SET list of 65":                       append(unhex("c104c141"), bytes.Repeat(unhex("00010000010000ff0200"), 65)...),
		"access request of 65":                 append(unhex("d9000000010041"), bytes.Repeat(unhex("0100010000010000ff02"), 65)...),
		"access response of 2 with 1 result":   unhex("da00000001000002000001 0100"),
		"access kind 6":                        unhex("d900000001000106000800000100 00ff020100"),
		"key choice 3":                         unhex("dd00000000000103000100"),
		"block longer than the data":           unhex("e08000010000 05 01020304"),
		"signature longer than the data":       unhex("df00000000000084ffffffff"),
		"conformance tag":                      unhex("01000000065f1e0400007e1f04b0"),
		"other tag":                            unhex("05010200"),
	} {
		t.Run(id, func(t *testing.T) {
			if m, _, err := parserFor(b)(b); err == nil {
				t.Errorf("parsed as %#v", m)
			}
		})
	}
}

func TestParseResults(t *testing.T) {
	want := []cosem.Result{data("0600001391"), {Access: cosem.ObjectUndefined}, data("00")}
	b := AppendResults(nil, want)
	got, n, err := ParseResults(b)
	if err != nil || n != len(b) || !reflect.DeepEqual(got, want) {
		t.Fatalf("ParseResults: %v, %d of %d octets, %v", got, n, len(b), err)
	}
	for i := range len(b) {
		if _, _, err := ParseResults(b[:i]); err == nil {
			t.Errorf("cut to %d octets: no error", i)
		}
	}
}

func TestErrorTellsWhere(t *testing.T) {
	for octets, want := range map[string]string{
		"c401c10009847fffffff":         "GET response, octet 4: data: ",
		"c003c105":                     "GET request, octet 4: length 5, but only 0 octets follow",
		"c402c10000000001008500000001": "GET response, octet 10: length form 85h: want 81h to 84h",
		"c401":                         "GET response, octet 2: wants 1 more octets, has 0",
	} {
		if _, _, err := parserFor(unhex(octets))(unhex(octets)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %q, want %q", octets, err, want)
		}
	}
}

func TestWords(t *testing.T) {
	for want, got := range map[string]string{
		"APDU D6h": Tag(0xD6).String(), "ded-SET response": Tag(0xD5).String(), "glo-GET request": TagGloGetRequest.String(), "general-glo-ciphering": TagGeneralGlo.String(),
		"block-transfer-with-get get": (BlockTransferGet | Get).String(), "nothing": Conformance(0).String(),
		"service not allowed, invocation counter error": ExceptionResponse{ServiceNotAllowed, InvocationCounter, 1}.String(),
		"state error 9, service error 9":                ExceptionResponse{State: 9, Service: 9}.String(),
		"initiate error: incompatible conformance":      ConfirmedServiceError{1, 6, 2}.String(),
		"access error 1":                               ConfirmedServiceError{5, 5, 1}.String(),
		"group 99 error 1":                             ConfirmedServiceError{5, 99, 1}.String(),
		"long action aborted":                          ActionResult(15).String(),
		"no long action in progress":                   ActionResult(16).String(),
		"object undefined":                             ActionResult(4).String(),
		"GET response 1, block 2, last true, 3 octets": GetResponse{Invoke: 1, Block: &DataBlock{Last: true, Number: 2, Raw: []byte("abc")}}.String(),
		"GET response 1, list of 2":                    GetResponse{Invoke: 1, List: true, Results: make([]cosem.Result, 2)}.String(),
		"GET response 1, object undefined":             GetResponse{Invoke: 1, Results: []cosem.Result{{Access: 4}}}.String(),
		"GET response 1":                               GetResponse{Invoke: 1, Results: []cosem.Result{data("00")}}.String(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if n := Invoke(0xCF).Next(); n != 0xC1 || !n.Confirmed() || Invoke(0x81).Confirmed() {
		t.Errorf("after CF comes %02X, want C1", byte(n))
	}
}
