package axdr

import "fmt"

// Error tells why octets are not COSEM data.
type Error struct {
	Offset int // the octet it failed at, from the start of the input
	What   string
}

// Error names the place and the fault; it quotes no octets of content.
func (e *Error) Error() string { return fmt.Sprintf("octet %d: %s", e.Offset, e.What) }

func fault(offset int, format string, args ...any) error {
	return &Error{Offset: offset, What: fmt.Sprintf(format, args...)}
}
