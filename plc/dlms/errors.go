package dlms

import (
	"errors"
	"fmt"
	"strings"

	"busbar/plc/dlms/acse"
	"busbar/plc/dlms/apdu"
)

// What Receive says of octets that are no answer. They move nothing: the client
// still waits for the real answer when Busy says so.
var (
	// ErrForged: the tag is wrong, the protection weaker than asked for, the title
	// another, or our own challenge came back.
	ErrForged = errors.New("not believed to come from the meter")
	// ErrReplayed is an ErrForged whose tag is right but whose counter is old.
	ErrReplayed = fmt.Errorf("%w: invocation counter does not rise, a recording or a meter that lost its counter", ErrForged)
	// errRepeated is an ErrReplayed of the very last APDU accepted, which a line may
	// carry twice without anybody's ill will.
	errRepeated = fmt.Errorf("%w, the very last once more", ErrReplayed)
	// ErrGarbled: not decodable, or against the procedure.
	ErrGarbled = errors.New("answer cannot be understood")
)

// Errors of our own side.
var (
	ErrBusy = errors.New("an operation is under way: wait for its end or abort it")
	ErrIdle = errors.New("no operation is under way")
)

func forged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrForged, fmt.Sprintf(format, args...))
}

func garbled(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrGarbled, fmt.Sprintf(format, args...))
}

// undecodable wraps a codec error.
func undecodable(err error) error { return fmt.Errorf("%w: %w", ErrGarbled, err) }

// TooLongError tells that a request does not fit the longest APDU the server takes.
// Nothing was sent; the association stays open.
type TooLongError struct{ Size, Limit int }

// Error tells both sizes.
func (e *TooLongError) Error() string {
	return fmt.Sprintf("request of %d octets, but the meter takes at most %d: ask for fewer attributes or less at a time", e.Size, e.Limit)
}

// Refusal sorts the ways in which a meter says no to more than one attribute.
type Refusal uint8

// The refusals.
const (
	RefusedAssociation    Refusal = iota + 1 // the association request, for a reason below authentication
	RefusedAuthentication                    // our password, key or proof
	RefusedCounter                           // our invocation counter; Counter may tell which one it expects
	RefusedLost                              // the meter knows of no association; opening again helps
	RefusedService                           // this request; the association stays
	RefusedConformance                       // the service was not granted when the association was opened
)

// RefusedError is a meter's no. A no to one attribute is a cosem.Result instead.
type RefusedError struct {
	Refusal Refusal
	Reason  string // the meter's words
	Hint    string // what to try
	Counter uint32 // the invocation counter the meter expects, 0 when it does not say
	// Unauthenticated: it came without protection although we asked with it, as every
	// exception does. It may be false; nothing lasting may follow from it.
	Unauthenticated bool
}

// Error is reason and hint.
func (e *RefusedError) Error() string {
	var b strings.Builder
	b.WriteString("the meter refuses: ")
	b.WriteString(e.Reason)
	if e.Unauthenticated {
		b.WriteString(" (unauthenticated)")
	}
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

const (
	hintKey     = "the meter does not accept our key or invocation counter: compare both with the meter's records"
	hintCounter = "the meter does not accept our invocation counter: raise it above the one expected, after reading that under authentication"
	hintReopen  = "the meter has no association with us, perhaps it restarted: open it again"
)

// refusedException is an exception response in words.
func refusedException(e apdu.ExceptionResponse, ciphered bool) *RefusedError {
	r := &RefusedError{Refusal: RefusedService, Reason: "exception: " + e.String(), Unauthenticated: ciphered}
	switch {
	case e.Service == apdu.InvocationCounter:
		r.Refusal, r.Hint, r.Counter = RefusedCounter, hintCounter, e.Counter
		if e.Counter != 0 {
			r.Reason += fmt.Sprintf(", expects %d", e.Counter)
		}
	case e.Service == apdu.DecipheringError:
		r.Refusal, r.Hint = RefusedAuthentication, hintKey
	case e.Service == apdu.PDUTooLong:
		r.Hint = "the request or its answer is longer than the meter takes: ask for less at a time"
	case e.State == apdu.ServiceNotAllowed:
		r.Refusal, r.Hint = RefusedLost, hintReopen
	case e.State == apdu.ServiceUnknown:
		r.Hint = "the meter does not offer this service in this association"
	}
	return r
}

// refusedAssociation is a rejecting AARE in words.
func refusedAssociation(a acse.AARE, s Security) *RefusedError {
	r := &RefusedError{
		Refusal: RefusedAssociation, Unauthenticated: s.Ciphered(),
		Reason: fmt.Sprintf("association %v: %v", a.Result, a.Diagnostic),
	}
	if e, n, err := apdu.ParseConfirmedServiceError(a.UserInfo); err == nil && n == len(a.UserInfo) && e.Value != apdu.InitiateOther {
		r.Reason += ", " + e.String()
	}
	switch a.Diagnostic {
	case acse.AuthenticationFailure:
		r.Refusal, r.Hint = RefusedAuthentication, "the meter does not accept our password"
		if s.Ciphered() {
			r.Hint = hintKey
		}
	case acse.ContextNotSupported:
		r.Hint = "the meter wants ciphering, or none: compare the security of this client with the meter's"
	case acse.MechanismNotRecognized, acse.MechanismRequired:
		r.Refusal, r.Hint = RefusedAuthentication, "the meter wants another authentication mechanism for this client"
	case acse.CallingTitleUnknown:
		r.Hint = "the meter does not know our system title"
	}
	return r
}
