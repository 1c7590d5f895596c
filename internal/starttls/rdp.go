package starttls

import (
	"encoding/binary"
	"fmt"
)

// The ways to secure a session of RDP that begin with TLS, as one asks for them and as they are chosen.
const (
	rdpTLS     = 1 // PROTOCOL_SSL
	rdpCredSSP = 2 // PROTOCOL_HYBRID: TLS, and a log-in within it
)

// rdp is the connection request of X.224 with RDP's negotiation in it, in the frames of TPKT (RFC 1006, Section 6). The
// client speaks first.
func (d *dialogue) rdp() error {
	request := []byte{
		3, 0, 0, 19, // TPKT, 19 bytes together
		14, 0xe0, 0, 0, 0, 0, 0, // connection request
		1, 0, 8, 0, rdpTLS | rdpCredSSP, 0, 0, 0, // RDP_NEG_REQ
	}
	if err := d.send("connection request", request); err != nil {
		return err
	}
	head, err := d.take(4)
	if err != nil {
		return err
	}
	length := int(binary.BigEndian.Uint16(head[2:]))
	switch {
	case head[0] != 3:
		return d.fail(Malformed, "", fmt.Sprintf("the answer begins with 0x%02x, which is not RDP", head[0]))
	case length < 11:
		return d.fail(Malformed, "", "the answer is truncated")
	case length > maxLine:
		return d.fail(TooLong, "", "the answer is too long")
	}
	body, err := d.take(length - 4)
	if err != nil {
		return err
	}
	if body[1] != 0xd0 {
		return d.fail(Refused, "", "the server does not confirm the connection")
	}
	negotiation := body[7:]
	switch {
	case len(negotiation) == 0: // a server from before the negotiation
		return d.fail(NotOffered, "", doesNotOffer)
	case len(negotiation) < 8:
		return d.fail(Malformed, "", "the answer is truncated")
	}
	return d.rdpChoice(negotiation[0], binary.LittleEndian.Uint32(negotiation[4:]))
}

// rdpChoice reads what the server chose (type 2), or why it chose nothing (type 3).
func (d *dialogue) rdpChoice(kind byte, value uint32) error {
	switch {
	case kind == 2 && (value == rdpTLS || value == rdpCredSSP):
		return nil
	case kind == 2 && value == 0:
		return d.fail(NotOffered, "", doesNotOffer)
	case kind == 2:
		return d.fail(Malformed, "", fmt.Sprintf("the server chose protocol %d, which was not asked for", value))
	case kind == 3 && (value == 2 || value == 3): // SSL_NOT_ALLOWED_BY_SERVER, SSL_CERT_NOT_ON_SERVER
		return d.fail(NotOffered, "", fmt.Sprintf("%s (failure code %d)", doesNotOffer, value))
	case kind == 3:
		return d.fail(Refused, "", fmt.Sprintf("%s (failure code %d)", saysNo, value))
	}
	return d.fail(Malformed, "", fmt.Sprintf("the negotiation has the type %d", kind))
}
