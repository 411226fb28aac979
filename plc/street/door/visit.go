package door

import (
	"context"
	"time"

	"busbar/plc/dlms/acse"
	"busbar/plc/dlms/apdu"
)

// speaker is the meters' end of one connection, without I/O: octets in, octets out. After
// an error the connection is closed.
type speaker interface {
	receive(b []byte) ([]byte, error)
}

// visit is what one connection knows of the meters.
type visit struct {
	doors  *Doors
	ctx    context.Context // of the connection, which this goroutine alone serves
	which  int             // meter, or All
	opened map[opened]bool // associations of this connection, some perhaps lost to another
}

// opened is an association: one client of one meter.
type opened struct {
	meter  int
	client byte
}

func (v *visit) speaker(k Kind) speaker {
	switch k {
	case HDLC:
		return newHDLCSpeaker(v, v.which, meterParameters)
	case PLC:
		return &plcSpeaker{visit: v, links: map[int]*hdlcSpeaker{}}
	}
	return &wrapperSpeaker{visit: v}
}

// ask hands a request to a meter and returns its answer, nil when there is none.
func (v *visit) ask(meter int, client, server byte, request []byte) []byte {
	d := v.doors
	d.counts[countRequests].Add(1)
	var answer []byte
	if meter >= 0 && meter < len(d.cfg.Meters) && len(request) > 0 {
		err := d.cfg.Do(v.ctx, func() { answer = v.handle(opened{meter, client}, server, request) })
		if err != nil {
			answer = nil // the street is ending, and so is this connection
		}
	}
	if answer == nil {
		d.counts[countUnanswered].Add(1)
	}
	return answer
}

// handle is called by the goroutine of the meters. An association belongs to the
// connection that opened it: another cannot use what it did not prove itself for, and
// opening it anew takes it over.
func (v *visit) handle(o opened, server byte, request []byte) []byte {
	owners, m := v.doors.owners, v.doors.cfg.Meters[o.meter]
	opening := apdu.Tag(request[0]) == apdu.TagAARQ
	if owners[o] != v && !opening {
		e := apdu.ExceptionResponse{State: apdu.ServiceNotAllowed, Service: apdu.OperationNotPossible}
		return e.Append(nil)
	}
	answer := m.Handle(time.Now(), o.client, server, request)
	if opening && accepted(answer) {
		owners[o] = v
		v.opened[o] = true
	}
	return answer
}

// accepted reports whether an answer opens an association.
func accepted(answer []byte) bool {
	if len(answer) == 0 || apdu.Tag(answer[0]) != apdu.TagAARE {
		return false
	}
	a, _, err := acse.ParseAARE(answer)
	return err == nil && a.Result == acse.Accepted
}

// release ends an association of this connection, unless another has taken it over.
func (v *visit) release(o opened) {
	if !v.opened[o] {
		return
	}
	delete(v.opened, o)
	// A street that has ended has no associations left.
	_ = v.doors.cfg.Do(context.WithoutCancel(v.ctx), func() {
		if v.doors.owners[o] == v {
			delete(v.doors.owners, o)
			v.doors.cfg.Meters[o.meter].Release(o.client)
		}
	})
}

// leave releases what the connection opened: whoever comes next must prove himself again.
func (v *visit) leave() {
	for o := range v.opened {
		v.release(o)
	}
}
