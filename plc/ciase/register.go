package ciase

import "busbar/plc"

// Register gives addresses to servers and tells them who their initiator is. Nobody
// answers it.
type Register struct {
	Initiator plc.SystemTitle // of the active initiator
	Servers   []plc.Registration
}

// addressSize is the number of octets of an address in a Register.
const addressSize = 2

func parseRegister(r *reader) APDU {
	a := Register{Initiator: r.title()}
	a.Servers = make([]plc.Registration, r.count(r.titleSize+addressSize))
	for i := range a.Servers {
		a.Servers[i] = plc.Registration{Title: r.title(), Address: r.address()}
	}
	return a
}

// RegisterCapacity is the number of servers that one Register of at most octets
// octets carries when titles have titleSize octets (sfsk.md 4.5).
func RegisterCapacity(octets, titleSize int) int {
	return max(0, min(0x7F, (octets-2-titleSize)/(titleSize+addressSize)))
}

// Tag is TagRegister.
func (Register) Tag() Tag { return TagRegister }

// Size is the number of octets Append writes.
func (a Register) Size() int {
	n := 1 + a.Initiator.Size() + countSize(len(a.Servers))
	for _, s := range a.Servers {
		n += s.Title.Size() + addressSize
	}
	return n
}

// Append appends the encoded APDU to dst.
func (a Register) Append(dst []byte) []byte {
	dst = a.Initiator.Append(append(dst, byte(TagRegister)))
	dst = appendCount(dst, len(a.Servers))
	for _, s := range a.Servers {
		dst = appendAddress(s.Title.Append(dst), s.Address)
	}
	return dst
}
