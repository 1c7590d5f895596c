package starttls

import "fmt"

// postgres is PostgreSQL's SSLRequest: a message without a type, and one byte for an answer. The text of an error is not
// passed on, for it is not protected by TLS and anybody could have written it (CVE-2024-10977).
func (d *dialogue) postgres() error {
	if err := d.send("SSLRequest", []byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}); err != nil {
		return err
	}
	answer, err := d.take(1)
	if err != nil {
		return err
	}
	switch answer[0] {
	case 'S':
		return nil
	case 'N':
		return d.fail(NotOffered, "", doesNotOffer)
	case 'E':
		return d.fail(Refused, "", "the server answers with an error")
	}
	return d.fail(Malformed, string(answer), "the answer must be S or N")
}

// The tags of BER that the answer of an LDAP server is made of (RFC 4511, Sections 4.1.1 and 4.12).
const (
	tagInteger    = 0x02
	tagOctets     = 0x04
	tagEnumerated = 0x0a
	tagSequence   = 0x30
	tagExtended   = 0x78 // [APPLICATION 24]
)

// ldap is the extended operation StartTLS (RFC 4511, Section 4.14).
func (d *dialogue) ldap() error {
	const oid = "1.3.6.1.4.1.1466.20037"
	name := append([]byte{0x80, byte(len(oid))}, oid...)
	request := append([]byte{tagInteger, 1, 1, 0x77, byte(len(name))}, name...)
	if err := d.send("StartTLS", append([]byte{tagSequence, byte(len(request))}, request...)); err != nil {
		return err
	}
	message, err := d.element(tagSequence)
	if err != nil {
		return err
	}
	r := berReader{d: d, rest: message}
	id := r.read(tagInteger, "messageID")
	if r.err == nil && len(id) == 1 && id[0] == 0 {
		return d.fail(Refused, "", "the server ends the connection")
	}
	if r.err == nil && (len(id) != 1 || id[0] != 1) {
		return d.fail(Malformed, "", "the message is no answer to ours")
	}
	r.rest = r.read(tagExtended, "extendedResp")
	code := r.read(tagEnumerated, "resultCode")
	r.read(tagOctets, "matchedDN")
	text := string(r.read(tagOctets, "diagnosticMessage"))
	switch {
	case r.err != nil:
		return r.err
	case len(code) != 1:
		return d.fail(Malformed, "", "the result code has not one byte")
	case code[0] == 2 || code[0] == 53: // protocolError, unwillingToPerform
		return d.fail(NotOffered, text, fmt.Sprintf("%s (result code %d)", doesNotOffer, code[0]))
	case code[0] != 0:
		return d.fail(Refused, text, fmt.Sprintf("%s (result code %d)", saysNo, code[0]))
	}
	return nil
}

// element reads one element of BER off the connection and returns its contents.
func (d *dialogue) element(tag byte) ([]byte, error) {
	head, err := d.take(2)
	if err != nil {
		return nil, err
	}
	if head[0] != tag {
		return nil, d.fail(Malformed, "", fmt.Sprintf("the answer begins with 0x%02x, which is not LDAP", head[0]))
	}
	length := int(head[1])
	if length >= 0x80 {
		more, err := d.take(length & 0x7f)
		if err != nil {
			return nil, err
		}
		var ok bool
		if length, ok = berLength(more); !ok {
			return nil, d.fail(TooLong, "", "the answer is too long")
		}
	}
	return d.take(length)
}

// berLength reads the bytes of a long length. BER allows leading zeros, and some servers write them.
func berLength(b []byte) (int, bool) {
	if len(b) == 0 || len(b) > 4 {
		return 0, false
	}
	n := 0
	for _, c := range b {
		n = n<<8 | int(c)
	}
	return n, n <= maxLine
}

// berReader reads elements one after the other and keeps the first error.
type berReader struct {
	d    *dialogue
	rest []byte
	err  error
}

// read returns the contents of the next element, which must have the tag.
func (r *berReader) read(tag byte, name string) []byte {
	if r.err != nil {
		return nil
	}
	fail := func(reason string) []byte {
		r.err = r.d.fail(Malformed, "", name+" "+reason)
		return nil
	}
	if len(r.rest) < 2 {
		return fail("is missing")
	}
	if r.rest[0] != tag {
		return fail(fmt.Sprintf("has the tag 0x%02x, not 0x%02x", r.rest[0], tag))
	}
	length, rest := int(r.rest[1]), r.rest[2:]
	if length >= 0x80 {
		count := length & 0x7f
		if count > len(rest) {
			return fail("is truncated")
		}
		var ok bool
		if length, ok = berLength(rest[:count]); !ok {
			return fail("has a bad length")
		}
		rest = rest[count:]
	}
	if length > len(rest) {
		return fail("is truncated")
	}
	r.rest = rest[length:]
	return rest[:length]
}
