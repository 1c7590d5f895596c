package scan

import (
	"bytes"
	"encoding/hex"
	"fmt"

	"github.com/tlswright/tlswright/grade"
)

// Ticketbleed (Valsorda 2016).
//
// Sent: a session ticket of the server's, with a session id of 16 bytes. Concluded: who takes the ticket repeats the id
// (RFC 5077, Section 3.4). BIG-IP repeated 32 bytes whatever the length was: ours, and 16 bytes of its memory behind them.
// The fewest bytes of memory that prove it would be one; but then a random byte could look like it.

var ticketbleed = attack{"ticketbleed", "Ticketbleed", []string{"CVE-2016-9244"}, "https://filippo.io/Ticketbleed/"}

// ticketbleedID is the length of the id that is sent, in bytes.
const ticketbleedID = 16

// judgeTicketbleed looks at the id that came back with a resumed session.
func judgeTicketbleed(s *session12, sent []byte) grade.Vulnerability {
	got := s.a.Hello.SessionID
	switch {
	case len(got) > len(sent) && bytes.HasPrefix(got, sent):
		return ticketbleed.is(grade.Vulnerable, fmt.Sprintf("A session id of %d bytes came back with %d bytes behind it: memory of the server.", len(sent), len(got)-len(sent)),
			"sent "+hex.EncodeToString(sent), "received "+hex.EncodeToString(got))
	case !s.resumed:
		return ticketbleed.is(grade.NotVulnerable, "The server did not take its own ticket, so it repeats no session id.")
	case bytes.Equal(got, sent):
		return ticketbleed.is(grade.NotVulnerable, fmt.Sprintf("A session id of %d bytes came back as it was sent.", len(sent)))
	}
	return ticketbleed.is(grade.NotVulnerable, fmt.Sprintf("The session id that came back has %d bytes, and not those that were sent with others behind them.", len(got)))
}
