package ciase

import "busbar/plc"

// PingRequest asks the server at an address whether it has the title. Only a server
// that has it answers.
type PingRequest struct{ Title plc.SystemTitle }

// PingResponse is the server's yes.
type PingResponse struct{ Title plc.SystemTitle }

func parsePingRequest(r *reader) APDU { return PingRequest{r.title()} }

func parsePingResponse(r *reader) APDU { return PingResponse{r.title()} }

// Tag is TagPingRequest.
func (PingRequest) Tag() Tag { return TagPingRequest }

// Size is the number of octets Append writes.
func (p PingRequest) Size() int { return 1 + p.Title.Size() }

// Append appends the encoded APDU to dst.
func (p PingRequest) Append(dst []byte) []byte {
	return p.Title.Append(append(dst, byte(TagPingRequest)))
}

// Tag is TagPingResponse.
func (PingResponse) Tag() Tag { return TagPingResponse }

// Size is the number of octets Append writes.
func (p PingResponse) Size() int { return 1 + p.Title.Size() }

// Append appends the encoded APDU to dst.
func (p PingResponse) Append(dst []byte) []byte {
	return p.Title.Append(append(dst, byte(TagPingResponse)))
}
