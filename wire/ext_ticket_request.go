package wire

// TicketRequest is ticket_request in a ClientHello (RFC 9149, Section 3).
//
//	struct {
//	    uint8 new_session_count;
//	    uint8 resumption_count;
//	} ClientTicketRequest;
type TicketRequest struct {
	New     uint8 // tickets wanted after a full handshake
	Resumed uint8 // tickets wanted after a resumption
}

// Extension gives ExtTicketRequest.
func (v *TicketRequest) Extension() ExtensionType { return ExtTicketRequest }

// AppendBody appends extension_data.
func (v *TicketRequest) AppendBody(b []byte) []byte { return append(b, v.New, v.Resumed) }

func (v *TicketRequest) decode(c *cursor) {
	v.New = c.uint8("new_session_count", KindUint)
	v.Resumed = c.uint8("resumption_count", KindUint)
}

// TicketRequestHint is ticket_request in EncryptedExtensions (RFC 9149, Section 3).
//
//	struct {
//	    uint8 expected_count;
//	} ServerTicketRequestHint;
type TicketRequestHint struct {
	Expected uint8 // tickets that the server is going to send
}

// Extension gives ExtTicketRequest.
func (v *TicketRequestHint) Extension() ExtensionType { return ExtTicketRequest }

// AppendBody appends extension_data.
func (v *TicketRequestHint) AppendBody(b []byte) []byte { return append(b, v.Expected) }

func (v *TicketRequestHint) decode(c *cursor) { v.Expected = c.uint8("expected_count", KindUint) }
