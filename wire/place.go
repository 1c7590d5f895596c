package wire

import "strconv"

// maxDepth is how many lists a field may be nested in: certificate_list, its extensions, and a list in one of these,
// with room to spare. A deeper place would lose its innermost names, nothing else.
const maxDepth = 6

// place is where the cursor stands, as a stack of names of fixed size; it becomes text only for an error or a visitor.
type place struct {
	root  string
	steps [maxDepth]step
	depth int
}

// step is one list on the way, or one extension.
type step struct {
	name      string
	index     int           // of the element, -1 for the list itself
	extension ExtensionType // of the element, if labelled
	labelled  bool
}

func (p *place) enter(name string) {
	if p.depth < maxDepth {
		p.steps[p.depth] = step{name: name, index: -1}
	}
	p.depth++
}

func (p *place) leave() { p.depth-- }

func (p *place) index(i int) {
	if p.depth <= maxDepth {
		s := &p.steps[p.depth-1]
		s.index, s.labelled = i, false
	}
}

func (p *place) label(t ExtensionType) {
	if p.depth <= maxDepth {
		s := &p.steps[p.depth-1]
		s.extension, s.labelled = t, true
	}
}

// path renders the place and a field there ("" for the place itself).
func (p *place) path(field string) string {
	b := append(make([]byte, 0, 96), p.root...)
	for _, s := range p.steps[:min(p.depth, maxDepth)] {
		b = append(b, '.')
		b = append(b, s.name...)
		if s.index >= 0 {
			b = append(b, '[')
			b = strconv.AppendInt(b, int64(s.index), 10)
			b = append(b, ']')
		}
		if s.labelled {
			b = append(b, ' ')
			b = append(b, s.extension.String()...)
		}
	}
	if field != "" {
		b = append(b, '.')
		b = append(b, field...)
	}
	return string(b)
}

// ParseError says where bytes are malformed and how. For a peer's message it calls for a decode_error alert
// (RFC 8446, Section 6.2).
type ParseError struct {
	// Path names the place in the terms of the RFC: "ClientHello.extensions[3] key_share.client_shares[0]".
	Path string
	// Offset is the place in the parsed bytes. From Ext it is the offset in the message the extension was parsed from,
	// from CertificateEntry.Ext the offset in the entry.
	Offset int
	// Reason says what is wrong: "truncated", "2 trailing bytes", "length 0 is below the minimum of 2".
	Reason string
}

// Error gives "ClientHello.extensions[3] key_share: truncated".
func (e *ParseError) Error() string { return e.Path + ": " + e.Reason }
