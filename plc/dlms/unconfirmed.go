package dlms

import (
	"errors"

	"busbar/plc/dlms/apdu"
	"busbar/plc/dlms/cipher"
)

// Broadcast is an unconfirmed request to all meters that hold the broadcast key: a Set
// or Action of one object, sealed once. No meter answers, and no association is needed
// or touched. keys hold BroadcastKey and the authentication key; counter is drawn from the row
// of that key and never again.
func Broadcast(cfg ClientConfig, op Op) ([]byte, error) {
	plain, err := unconfirmed(op)
	if err != nil {
		return nil, err
	}
	if cfg.Counter == nil {
		return nil, errors.New("broadcast without invocation counters: set ClientConfig.Counter")
	}
	sh, err := newBroadcast(&cfg.Keys)
	if err != nil {
		return nil, err
	}
	if err := titled(cfg.ClientTitle); err != nil {
		return nil, err
	}
	sh.own = cfg.ClientTitle
	counter, err := cfg.Counter()
	if err != nil {
		return nil, err
	}
	b, err := via{sh: sh, form: GeneralForm}.seal(plain, counter)
	if err != nil {
		return nil, err
	}
	if cfg.MaxSend > 0 && len(b) > cfg.MaxSend {
		return nil, &TooLongError{Size: len(b), Limit: cfg.MaxSend}
	}
	return b, nil
}

// newBroadcast is the shield of the broadcast key, without titles.
func newBroadcast(keys *Keys) (*shield, error) {
	if keys.BroadcastKey == nil {
		return nil, errors.New("broadcast without its key: set Keys.BroadcastKey")
	}
	suite, err := cipher.NewSuiteOf(keys.Suite, keys.BroadcastKey, keys.authentication())
	if err != nil {
		return nil, err
	}
	return &shield{suite: suite, protection: cipher.AuthenticatedEncrypted, broadcast: true}, nil
}

// unconfirmed is the plain request of op that nobody answers.
func unconfirmed(op Op) ([]byte, error) {
	if err := op.check(); err != nil {
		return nil, err
	}
	if len(op.refs) != 1 || op.kind != opSet && op.kind != opAction {
		return nil, errors.New("unconfirmed request: want one Set or Action of one object")
	}
	if op.kind == opSet {
		s := apdu.SetRequest{Ref: op.refs[0], Data: op.values[0]}
		return s.Append(make([]byte, 0, s.Size())), nil
	}
	a := apdu.ActionRequest{Ref: op.refs[0], Data: op.values[0]}
	return a.Append(make([]byte, 0, a.Size())), nil
}
