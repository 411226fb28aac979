package reader

import (
	"errors"
	"iter"

	"busbar/plc/cosem"
	"busbar/plc/dlms"
)

// Reading is one attribute as the meter answered it.
type Reading struct {
	Object    Object
	Attribute int8
	Access    cosem.AccessResult
	Data      []byte // encoded value
	Fault     error  // of this attribute alone: the meter refused the request, or its answer is garbled
}

// WalkOptions narrow a walk.
type WalkOptions struct {
	Class    cosem.Class // 0: all
	NoBuffer bool        // leave out buffers of profiles, which may take long
}

// Walk reads every attribute that may be read, in the order of the object list. It ends
// with the first error that is not of one attribute alone.
func (s *Session) Walk(objects []Object, o WalkOptions) iter.Seq2[Reading, error] {
	return func(yield func(Reading, error) bool) {
		for _, object := range objects {
			if o.Class != 0 && object.Class != o.Class {
				continue
			}
			for _, a := range object.Attributes {
				if !a.Readable() || o.NoBuffer && object.Class == cosem.ClassProfileGeneric && a.Index == 2 {
					continue
				}
				r, err := s.read(object, a.Index)
				if !yield(r, err) || err != nil {
					return
				}
			}
		}
	}
}

func (s *Session) read(o Object, attribute int8) (Reading, error) {
	r := Reading{Object: o, Attribute: attribute}
	got, err := s.Get(cosem.Ref{Class: o.Class, Object: o.Name, Attribute: attribute})
	r.Access, r.Data = got.Access, got.Data
	var refused *dlms.RefusedError
	if errors.As(err, &refused) && refused.Refusal == dlms.RefusedService || errors.Is(err, dlms.ErrGarbled) {
		r.Fault, err = err, nil
	}
	return r, err
}
