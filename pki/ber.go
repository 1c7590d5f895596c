package pki

import (
	"errors"
	"fmt"
)

// maxBERDepth bounds how deep structures may nest: a certificate within PKCS #7
// within PKCS #12 stays below 20.
const maxBERDepth = 32

var (
	errBERCut   = errors.New("the structure is cut off")
	errBERDepth = fmt.Errorf("structures nest deeper than %d", maxBERDepth)
)

// NormalizeBER rewrites one BER element as DER, as far as programs make use of the
// freedom: indefinite and overlong lengths become definite and short, an OCTET
// STRING in pieces becomes one (ITU-T X.690, Sections 8.1.3 and 8.7.3). What
// primitive elements hold is not touched, DER comes back as it is. Bytes after the
// element, tag numbers above 30 and nesting beyond 32 are errors. The result may
// share memory with data.
func NormalizeBER(data []byte) ([]byte, error) {
	out, rest, err := normalizeElement(data, 0)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errors.New("there are bytes after the structure")
	}
	return out, nil
}

// normalizeElement rewrites the first element of data and returns what follows it.
func normalizeElement(data []byte, depth int) (out, rest []byte, err error) {
	if depth > maxBERDepth {
		return nil, nil, errBERDepth
	}
	tag, length, header, err := berHeader(data)
	if err != nil {
		return nil, nil, err
	}
	constructed := tag&0x20 != 0
	body, rest := data[header:], []byte(nil)
	if length >= 0 {
		body, rest = body[:length], body[length:]
	}
	if !constructed {
		if header == headerLength(length) {
			return data[:header+length], rest, nil
		}
		return appendElement(nil, tag, body), rest, nil
	}
	// A constructed OCTET STRING is the concatenation of its parts.
	const octetString, pieces = 0x04, 0x24
	var content []byte
	for {
		if length >= 0 && len(body) == 0 {
			break
		}
		if length < 0 && len(body) >= 2 && body[0] == 0 && body[1] == 0 {
			rest = body[2:]
			break
		}
		var child []byte
		if child, body, err = normalizeElement(body, depth+1); err != nil {
			return nil, nil, err
		}
		if tag == pieces {
			if child[0] != octetString {
				return nil, nil, errors.New("an OCTET STRING has parts that are none")
			}
			_, _, skip, err := berHeader(child)
			if err != nil {
				return nil, nil, err
			}
			child = child[skip:]
		}
		content = append(content, child...)
	}
	if tag == pieces {
		tag = octetString
	}
	return appendElement(nil, tag, content), rest, nil
}

// berHeader reads tag and length; the length is -1 where it is indefinite, and
// never more than what there is.
func berHeader(data []byte) (tag byte, length, header int, err error) {
	if len(data) < 2 {
		return 0, 0, 0, errBERCut
	}
	tag = data[0]
	if tag&0x1f == 0x1f {
		return 0, 0, 0, errors.New("a tag number above 30")
	}
	first := int(data[1])
	switch {
	case first < 0x80:
		length, header = first, 2
	case first == 0x80:
		if tag&0x20 == 0 {
			return 0, 0, 0, errors.New("a primitive element of indefinite length")
		}
		return tag, -1, 2, nil
	default:
		n := first & 0x7f
		header = 2 + n
		if n > 8 || len(data) < header {
			return 0, 0, 0, errBERCut
		}
		for _, b := range data[2:header] {
			if length > len(data) { // already too much, and no overflow this way
				return 0, 0, 0, errBERCut
			}
			length = length<<8 | int(b)
		}
	}
	if length > len(data)-header {
		return 0, 0, 0, errBERCut
	}
	return tag, length, header, nil
}

// headerLength is how long tag and length are in DER.
func headerLength(length int) int {
	n := 2
	if length >= 0x80 {
		for ; length > 0; length >>= 8 {
			n++
		}
	}
	return n
}

// appendElement appends an element in DER.
func appendElement(b []byte, tag byte, content []byte) []byte {
	n := headerLength(len(content)) - 2
	if n == 0 {
		b = append(b, tag, byte(len(content)))
	} else {
		b = append(b, tag, 0x80|byte(n))
		for i := n - 1; i >= 0; i-- {
			b = append(b, byte(len(content)>>(8*i)))
		}
	}
	return append(b, content...)
}
