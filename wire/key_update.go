package wire

// KeyUpdateRequest says whether the peer is to update its keys too (RFC 8446, Section 4.6.3).
type KeyUpdateRequest uint8

// The two requests. Any other value parses, so that the receiver can refuse it with illegal_parameter.
const (
	UpdateNotRequested KeyUpdateRequest = 0
	UpdateRequested    KeyUpdateRequest = 1
)

// String gives "update_not_requested", "update_requested" or "0x02".
func (r KeyUpdateRequest) String() string {
	switch r {
	case UpdateNotRequested:
		return "update_not_requested"
	case UpdateRequested:
		return "update_requested"
	}
	return name8(uint8(r), "", false)
}

// KeyUpdate announces new keys of its sender (RFC 8446, Section 4.6.3).
//
//	enum {
//	    update_not_requested(0), update_requested(1), (255)
//	} KeyUpdateRequest;
//
//	struct {
//	    KeyUpdateRequest request_update;
//	} KeyUpdate;
type KeyUpdate struct {
	Request KeyUpdateRequest
}

// Type gives TypeKeyUpdate.
func (m *KeyUpdate) Type() HandshakeType { return TypeKeyUpdate }

// AppendBody appends the message without its header.
func (m *KeyUpdate) AppendBody(b []byte) []byte { return append(b, byte(m.Request)) }

// Parse reads a whole message, header included.
func (m *KeyUpdate) Parse(raw []byte) error {
	var c cursor
	m.decode(&c, raw, nil)
	return c.finish()
}

func (m *KeyUpdate) decode(c *cursor, raw []byte, v Visitor) {
	c.beginMessage(raw, "KeyUpdate", TypeKeyUpdate, v)
	m.Request = KeyUpdateRequest(c.uint8("request_update", KindKeyUpdateRequest))
}
