package scan

import (
	"context"
	"slices"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// DROWN: Decrypting RSA with Obsolete and Weakened eNcryption (Aviram and others, USENIX Security 2016).
//
// Sent: nothing of its own; a CLIENT-HELLO of SSL 2.0 was, and its answer lists the kinds. Concluded: with a kind of 40 or 56
// bits the server is the oracle that decrypts what was recorded from TLS with the same RSA key. SSL 2.0 with strong kinds
// alone, or with none, is an oracle only with two further bugs of OpenSSL; for these see vuln_drown_keys.go. Other hosts with the
// same key are not looked for, but where they are of the same run, what one exposes is told of all (see [Sharing]).

var drown = attack{"drown", "DROWN", []string{"CVE-2016-0800"}, "https://drownattack.com/"}

// probeDROWN tries the bugs where the list of kinds does not settle it.
func probeDROWN(ctx context.Context, h *host) {
	f := h.facts()
	row := judgeDROWN(f)
	if row.Verdict != grade.Potential {
		h.verdict(row)
		return
	}
	var listed []wire.SSL2CipherKind
	for _, k := range f.SSL2Kinds {
		listed = append(listed, wire.SSL2CipherKind(k.ID))
	}
	for _, bug := range drownBugs(listed) {
		has, err := h.hasDrownBug(ctx, bug)
		if err != nil {
			h.gap("drown", err)
			continue
		}
		if has {
			row = drown.is(grade.Vulnerable, "SSL 2.0 with a bug by which short keys are taken though they are switched off: with it connections of TLS that were recorded can be decrypted, on every host with this key.",
				append([]string{bug.name}, row.Evidence...)...)
			break
		}
	}
	h.verdict(row)
}

func judgeDROWN(f *grade.Facts) grade.Vulnerability {
	weak := []wire.SSL2CipherKind{wire.SSL_CK_RC4_128_EXPORT40_WITH_MD5, wire.SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5,
		wire.SSL_CK_DES_64_CBC_WITH_MD5, wire.SSL_CK_DES_64_CBC_WITH_SHA, wire.SSL_CK_RC4_64_WITH_MD5}
	p := f.Protocol(grade.VersionSSL20)
	switch {
	case p == nil || p.Offered == grade.Unknown || p.Offered == grade.Unasked:
		return drown.unknown("Whether SSL 2.0 is offered could not be found out.")
	case p.Offered == grade.No:
		return drown.is(grade.NotVulnerable, "SSL 2.0 is not offered here.")
	}
	var all, breakable []string
	for _, k := range f.SSL2Kinds {
		all = append(all, k.Name)
		if slices.Contains(weak, wire.SSL2CipherKind(k.ID)) {
			breakable = append(breakable, k.Name)
		}
	}
	if len(breakable) > 0 {
		return drown.is(grade.Vulnerable, "SSL 2.0 with a key of 40 or 56 bits: with it connections of TLS that were recorded can be decrypted, on every host with this key.", breakable...)
	}
	return drown.is(grade.Potential, "SSL 2.0 is offered, if without the short keys that the attack needs; the bugs of OpenSSL that would make up for that did not show.", all...)
}
