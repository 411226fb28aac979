package apdu

import "busbar/plc/cosem"

// ActionRequest is an ACTION request, normal form: one method, its parameter when it
// has one. Ref.Attribute is the method.
type ActionRequest struct {
	Invoke Invoke
	Ref    cosem.Ref
	Data   []byte // encoded parameter, nil when there is none
}

// ParseActionRequest reads an ACTION request in its normal form; the block and list
// forms are refused. Data shares memory with b.
func ParseActionRequest(b []byte) (ActionRequest, int, error) {
	r := read(b, TagActionRequest)
	r.normal()
	a := ActionRequest{Invoke: Invoke(r.u8()), Ref: r.descriptor()}
	if r.flag("presence of a parameter") {
		a.Data = r.data()
	}
	n, err := r.end()
	if err != nil {
		return ActionRequest{}, 0, err
	}
	return a, n, nil
}

// Size is the number of octets Append writes.
func (a ActionRequest) Size() int { return 3 + descriptorSize + 1 + len(a.Data) }

// Append appends the encoded request to dst.
func (a ActionRequest) Append(dst []byte) []byte {
	dst = append(dst, byte(TagActionRequest), kindNormal, byte(a.Invoke))
	dst = appendDescriptor(dst, a.Ref)
	if a.Data == nil {
		return append(dst, absent)
	}
	return append(append(dst, present), a.Data...)
}

// ActionResponse is an ACTION response, normal form. Result says whether the method
// was done; Return is what it gave back, when it gave anything.
type ActionResponse struct {
	Invoke Invoke
	Result ActionResult
	Return *cosem.Result
}

// ActionResult is an action-result. Its values and words are those of a
// data-access-result wherever both exist, but 15 and 16 concern an action.
type ActionResult uint8

// String names the result.
func (a ActionResult) String() string {
	switch a {
	case 15:
		return "long action aborted"
	case 16:
		return "no long action in progress"
	}
	return cosem.AccessResult(a).String()
}

// ParseActionResponse reads an ACTION response in its normal form. Data shares
// memory with b.
func ParseActionResponse(b []byte) (ActionResponse, int, error) {
	r := read(b, TagActionResponse)
	r.normal()
	a := ActionResponse{Invoke: Invoke(r.u8()), Result: ActionResult(r.u8())}
	if r.flag("presence of return parameters") {
		a.Return = r.returned()
	}
	n, err := r.end()
	if err != nil {
		return ActionResponse{}, 0, err
	}
	return a, n, nil
}

// returned reads what a method gave back. Some meters write "success" here where they
// have no data: that a method was done must not be doubted for it.
func (r *reader) returned() *cosem.Result {
	if r.flag("choice of data or access result") {
		return &cosem.Result{Access: cosem.AccessResult(r.u8())}
	}
	return &cosem.Result{Data: r.data()}
}

// Size is the number of octets Append writes.
func (a ActionResponse) Size() int {
	if a.Return == nil {
		return 5
	}
	return 5 + resultSize(*a.Return)
}

// Append appends the encoded response to dst.
func (a ActionResponse) Append(dst []byte) []byte {
	dst = append(dst, byte(TagActionResponse), kindNormal, byte(a.Invoke), byte(a.Result))
	if a.Return == nil {
		return append(dst, absent)
	}
	return appendResult(append(dst, present), *a.Return)
}
