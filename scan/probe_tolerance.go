package scan

import (
	"context"
	"slices"
	"sync"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// Tolerance is what a server does with what it need not understand. Each probe is a hello that the server has accepted,
// changed in one way that every version of the protocol allows.

// change is one way to change a hello.
type change struct {
	name     string
	required string
	apply    func(o *offer)
	// parts take a refused change apart, so that it is known what of it was refused.
	parts []change
	only  wire.Version // makes sense from this version on; 0: all
	until wire.Version // and up to this one; 0: all
}

const (
	greaseSuite   wire.CipherSuite   = 0x5a5a
	greaseGroup   wire.Group         = 0x6a6a
	greaseVersion wire.Version       = 0x7a7a
	greaseScheme                     = wire.SignatureScheme(0x8a8a)
	greaseExt     wire.ExtensionType = 0x9a9a
	unknownExt    wire.ExtensionType = 0xbaba
)

// changes lists them.
func changes() []change {
	unknown := []change{
		{name: "unknown suite", required: "RFC 8701, Section 4", apply: greaseSuites},
		{name: "unknown extension", required: "RFC 8701, Section 4", apply: greaseExtensions},
		{name: "unknown group", required: "RFC 8701, Section 4", apply: greaseGroups},
		{name: "unknown signature scheme", required: "RFC 8701, Section 4", apply: greaseSchemes},
		{name: "unknown version in supported_versions", required: "RFC 8446, Section 4.2.1", apply: greaseVersions, only: wire.VersionTLS13},
	}
	all := func(o *offer) {
		for _, c := range unknown {
			if o.Version >= c.only {
				c.apply(o)
			}
		}
	}
	const length = "RFC 8446, Section 4.1.2"
	return []change{
		{name: "GREASE", required: "RFC 8701, Section 4", apply: all, parts: unknown},
		{name: "TLS 1.4 in legacy_version", required: "RFC 5246, Appendix E.1", until: wire.VersionTLS12,
			apply: func(o *offer) { o.Legacy = 0x0305 }},
		{name: "a far version in legacy_version", required: "RFC 5246, Appendix E.1", until: wire.VersionTLS12,
			apply: func(o *offer) { o.Legacy = 0x03fe }},
		{name: "hello of 300 bytes", required: length, apply: func(o *offer) { o.shorten(); o.padTo = 300 }},
		{name: "hello of 4,000 bytes", required: length, apply: func(o *offer) { o.padTo = 4000 }},
		{name: "hello split into records", required: "RFC 8446, Section 5.1", apply: func(o *offer) { o.Split = 64 }},
		{name: "TLS 1.2 in the record header", required: "RFC 8446, Section 5.1", apply: func(o *offer) { o.RecordVersion = wire.VersionTLS12 }},
		{name: "no session id for middleboxes", required: "RFC 8446, Appendix D.4", only: wire.VersionTLS13,
			apply: func(o *offer) { o.SessionID = []byte{} }},
	}
}

// shorten leaves what a hello needs, so that padding can give it a length between 256 and 511 bytes.
func (o *offer) shorten() {
	o.Suites, o.Groups, o.Schemes = o.Suites[:min(len(o.Suites), 20)], o.Groups[:min(len(o.Groups), 6)], o.Schemes[:min(len(o.Schemes), 14)]
	o.Status, o.SCT, o.Tickets = false, false, false
}

func greaseSuites(o *offer) {
	o.Suites = append([]wire.CipherSuite{greaseSuite}, o.Suites...)
}

func greaseExtensions(o *offer) {
	o.Extra = append(o.Extra, wire.Extension{Type: greaseExt}, wire.Extension{Type: unknownExt, Data: []byte{0}})
}

func greaseGroups(o *offer) {
	if o.Shares == nil && len(o.Groups) > 0 {
		o.Shares = []wire.Group{o.Groups[0]}
	}
	if o.Groups != nil {
		o.Groups = append([]wire.Group{greaseGroup}, o.Groups...)
	}
}

func greaseSchemes(o *offer) {
	if o.Schemes != nil {
		o.Schemes = append([]wire.SignatureScheme{greaseScheme}, o.Schemes...)
	}
}

func greaseVersions(o *offer) {
	if o.Versions == nil {
		o.Versions = []wire.Version{o.Version}
	}
	o.Versions = append([]wire.Version{greaseVersion}, o.Versions...)
}

// probeTolerance makes the changes, those up to TLS 1.2 with a hello of TLS 1.2 and the others with the best there is.
func probeTolerance(ctx context.Context, h *host) {
	var wg sync.WaitGroup
	list := changes()
	results := make([][]grade.Tolerance, len(list))
	for i, c := range list {
		wg.Go(func() { results[i] = h.tolerates(ctx, c) })
	}
	wg.Wait()
	h.record(func(f *grade.Facts) {
		f.Features.Tolerance = append(f.Features.Tolerance, slices.Concat(results...)...)
	})
}

// tolerates makes one change; where it is refused, its parts one by one.
func (h *host) tolerates(ctx context.Context, c change) []grade.Tolerance {
	v := h.versionFor(c)
	if v == 0 {
		return nil
	}
	o := h.working(v)
	o.Until = untilHello
	if v >= wire.VersionTLS13 {
		o.Shares = []wire.Group{}
	}
	c.apply(o)
	a, err := h.ask(ctx, o)
	t := grade.Tolerance{Probe: c.name, OK: grade.Unknown, Version: v, Required: c.required}
	switch {
	case err != nil:
		t.Text = reasonOf(err)
		if hangs(err) && h.control(ctx) {
			// Silence twice, while another hello is answered at once: that is the answer.
			t.OK, t.Text = grade.No, "no answer, while a hello without it is answered"
		} else {
			h.gap("tolerance: "+c.name, err)
		}
	case a.Outcome != accepted:
		t.OK, t.Text = grade.No, a.words()
	case a.Version == v || c.until != 0 && a.Version <= c.until && a.Version >= v:
		t.OK = grade.Yes
	default:
		t.OK, t.Text = grade.No, "the server came to "+a.Version.String()
	}
	out := []grade.Tolerance{t}
	if t.OK == grade.No {
		for _, part := range c.parts {
			out = append(out, h.tolerates(ctx, part)...)
		}
	}
	return out
}

// versionFor is the version to try a change with; 0: it does not apply.
func (h *host) versionFor(c change) wire.Version {
	best := wire.Version(0)
	for _, v := range h.versions() {
		if v > wire.VersionSSL30 && v >= c.only && (c.until == 0 || v <= c.until) && h.working(v) != nil {
			best = v
		}
	}
	return best
}
