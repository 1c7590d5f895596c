package grade

import (
	"slices"
	"strings"

	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/wire"
)

// suiteRules judge the cipher suites.
var suiteRules = []rule{
	{id: "F13", severity: Critical, cap: "F", title: "Suites without authentication", reference: []string{guide, rfcSuites}, number: 2,
		fix: "Take the anonymous suites off the list (\"!aNULL\" in OpenSSL's language).", snippets: fixSuites, check: checkAnonymous},
	{id: "F11", severity: Critical, cap: "F", title: "Suites weaker than 112 bits", reference: []string{guide, rfcSuites}, number: 2,
		fix: "Take NULL, export, DES and all suites below 128 bits off the list.", snippets: fixSuites, check: checkShortKeys},
	{id: "F7", severity: Critical, cap: "F", title: "Nothing but RC4", reference: []string{guide, "RFC 7465, Section 2"}, number: 2,
		fix: "Offer AES-GCM and ChaCha20 instead of RC4.", snippets: fixSuites, check: checkOnlyRC4},
	{id: "C1", severity: High, cap: "C", title: "POODLE: SSL 3.0 with CBC suites", reference: []string{guide, "CVE-2014-3566"}, number: 1,
		fix: "Switch SSL 3.0 off.", snippets: fixProtocols, check: checkPoodle},
	{id: "C3", severity: High, cap: "C", title: "RC4 with TLS 1.1 or later", reference: []string{guide, "RFC 7465, Section 2"}, number: 2,
		fix: "Take RC4 off the list.", snippets: fixSuites, check: checkRC4Modern},
	{id: "C5", severity: High, cap: "C", title: "64-bit block ciphers for modern clients", reference: []string{guide, "CVE-2016-2183", rfcSuites}, number: 2,
		fix: "Take 3DES, IDEA and DES off the list, or put them at its end and have the server's order count.", snippets: fixSuites, check: checkSmallBlocks},
	{id: "B2", severity: Medium, cap: "B", title: "RC4 is offered", reference: []string{guide, "RFC 7465, Section 2"}, number: 2,
		fix: "Take RC4 off the list.", snippets: fixSuites, check: checkRC4},
	{id: "B5", severity: Medium, cap: "B", title: "No forward secrecy with current clients", reference: []string{guide, rfcSuites}, number: 2,
		fix: "Put suites with ECDHE first, have the server's order count, and take those with RSA key exchange off the list.", snippets: fixSuites, check: checkNoForwardSecrecy},
	{id: "B6", severity: Medium, cap: "B", title: "No authenticated encryption with current clients", reference: []string{guide, rfcSuites}, number: 2,
		fix: "Put suites with AES-GCM or ChaCha20-Poly1305 first and have the server's order count.", snippets: fixSuites, check: checkNoAEAD},
	{id: "weak-suites", severity: Info, title: "Weak suites are on the list", reference: []string{rfcSuites, lesson12}, number: 2,
		fix: "Take them off the list; every client of the last ten years has better ones.", snippets: fixSuites, check: checkWeakSuites},
	{id: "server-order", severity: Info, title: "The client chooses among good and weak suites", reference: []string{"RFC 9325, Section 4.2"}, number: 2,
		fix: "Have the server's order count, or take the weak suites off the list.", snippets: fixSuites, check: checkOrder},
	{id: "suite-order", severity: Low, title: "The server prefers a weak suite to a good one", reference: []string{"RFC 9325, Section 4.2"}, number: 2,
		fix: "Put the suites with ECDHE and AES-GCM or ChaCha20 first.", snippets: fixSuites, check: checkBadOrder},
}

func checkAnonymous(s *subject) *hit {
	return firedIf("With these suites nobody proves who he is: anybody on the way can play the server. They make the score zero.",
		s.suitesThat(func(u *usedSuite) bool { return u.parts.Authentication == "none" }))
}

func checkShortKeys(s *subject) *hit {
	evidence := s.suitesThat(func(u *usedSuite) bool { return u.parts.IsExport || u.parts.Bits < 112 })
	for _, k := range s.kinds {
		if k.bits < 112 {
			evidence = append(evidence, k.name+" (SSL 2.0)")
		}
	}
	return firedIf("Some encrypt nothing at all, the others can be broken by trying all keys.", evidence)
}

func isRC4(u *usedSuite) bool { return u.parts.Encryption == "RC4" }

func checkOnlyRC4(s *subject) *hit {
	if !s.allSuites(isRC4) || s.f.Quick || !s.enumerated() {
		return nil
	}
	return fired("RC4's output can be told from chance and recovered in part; nothing else is on offer.", s.suitesThat(isRC4)...)
}

func checkPoodle(s *subject) *hit {
	evidence := s.suitesThat(func(u *usedSuite) bool { return u.version == wire.VersionSSL30 && u.parts.Mode == "CBC" })
	if len(evidence) == 0 && s.proven("poodle-ssl") {
		evidence = append(evidence, s.f.Vulnerability("poodle-ssl").Text)
	}
	return firedIf("Whoever can make a client fall back to SSL 3.0 and repeat requests reads one byte of a cookie with 256 of them.", evidence)
}

func checkRC4(s *subject) *hit {
	evidence := s.suitesThat(isRC4)
	for _, k := range s.kinds {
		if strings.Contains(k.name, "RC4") {
			evidence = append(evidence, k.name+" (SSL 2.0)")
		}
	}
	if len(evidence) == 0 && s.proven("rc4") {
		evidence = append(evidence, s.f.Vulnerability("rc4").Text)
	}
	return firedIf("RC4's output can be told from chance and recovered in part; it is prohibited in TLS.", evidence)
}

// checkRC4Modern fires where a simulated client came to RC4 with TLS 1.1 or later, and where the server's own order would
// lead any client there that still has it.
func checkRC4Modern(s *subject) *hit {
	var evidence []string
	for i := range s.clients {
		if m := &s.clients[i]; m.version >= wire.VersionTLS11 && m.parts.Encryption == "RC4" {
			evidence = append(evidence, met([]*meeting{m})...)
		}
	}
	for i := range s.used {
		u := &s.used[i]
		p := s.f.Protocol(u.version)
		if u.version >= wire.VersionTLS11 && u.place == 0 && isRC4(u) && (p.Order == Yes || len(p.Suites) == 1) {
			evidence = append(evidence, versionName(u.version)+": "+u.parts.Suite.String()+" is first in the server's order")
		}
	}
	return firedIf("With TLS 1.1 and later there is always something better, and it is not what is agreed on.", evidence)
}

func checkSmallBlocks(s *subject) *hit {
	list := s.references(func(m *meeting) bool { return m.version >= wire.VersionTLS11 && m.parts.Is64Bit() })
	return firedIf("Blocks of 64 bits begin to leak after some gigabytes with one key (Sweet32), and clients that have better come to this."+s.byModel(), met(list))
}

const noForwardSecrecy = "Who gets hold of the server's key later, or breaks it, reads all that was recorded with these clients."

// checkNoForwardSecrecy fires where a reference client comes to a suite without forward secrecy; where none comes to any suite,
// where no suite has it.
func checkNoForwardSecrecy(s *subject) *hit {
	if len(s.references(anyMeeting)) > 0 {
		return firedIf(noForwardSecrecy+s.byModel(), met(s.references(func(m *meeting) bool { return !m.parts.HasForwardSecrecy })))
	}
	return s.allLack(noForwardSecrecy, func(p *ciphers.Parts) bool { return p.HasForwardSecrecy })
}

const noAEAD = "Encryption and integrity are glued together in the order that allowed Lucky Thirteen, POODLE and their kin."

// checkNoAEAD fires where no suite at all has authenticated encryption, and where the server's own order keeps a reference
// client from it: Internet Explorer on Windows 7, which has it for few keys only, is not the server's fault.
func checkNoAEAD(s *subject) *hit {
	lacking := s.references(func(m *meeting) bool { return m.parts.MAC != "AEAD" })
	if !s.anySuite(func(u *usedSuite) bool { return u.parts.MAC == "AEAD" }) && s.enumerated() {
		if len(lacking) > 0 {
			return fired(noAEAD+" No suite of the server has it."+s.byModel(), met(lacking)...)
		}
		return s.allLack(noAEAD, func(p *ciphers.Parts) bool { return p.MAC == "AEAD" })
	}
	var kept []*meeting
	for _, m := range lacking {
		if s.prefersOver(m, func(u *usedSuite) bool { return u.parts.MAC == "AEAD" && u.parts.HasForwardSecrecy }) {
			kept = append(kept, m)
		}
	}
	return firedIf(noAEAD+" The server's order puts it behind."+s.byModel(), met(kept))
}

// prefersOver reports whether the server insists on its order and has a suite of a kind behind the one that was agreed on.
func (s *subject) prefersOver(m *meeting, kind func(*usedSuite) bool) bool {
	p := s.f.Protocol(m.version)
	if p == nil || p.Order != Yes {
		return false
	}
	agreed := slices.IndexFunc(p.Suites, func(x Suite) bool { return x.ID == m.parts.Suite })
	return agreed >= 0 && s.anySuite(func(u *usedSuite) bool { return u.version == m.version && u.place > agreed && kind(u) })
}

// enumerated reports whether the suites that are known are all there are; of a quick look they are what counts.
func (s *subject) enumerated() bool {
	return s.f.Quick || !slices.ContainsFunc(s.f.Protocols, func(p Protocol) bool {
		return p.Offered == Yes && !p.Complete && p.Version != VersionSSL20
	})
}

func anyMeeting(*meeting) bool { return true }

// allLack fires where no suite has a property.
func (s *subject) allLack(reason string, has func(*ciphers.Parts) bool) *hit {
	lacks := func(u *usedSuite) bool { return !has(&u.parts) }
	if !s.allSuites(lacks) || !s.enumerated() {
		return nil
	}
	return fired(reason+" No reference client could connect; no suite of the server would do.", s.suitesThat(lacks)...)
}

// isWeak reports a suite that is not fit for use any more but that no cap speaks of by itself: CBC, no forward secrecy,
// small blocks, RC4.
func isWeak(u *usedSuite) bool {
	verdict, _ := u.parts.Verdict()
	return verdict == ciphers.Unsafe || u.parts.Mode == "CBC" || u.parts.Is64Bit() || !u.parts.HasForwardSecrecy || u.parts.MAC == "MD5"
}

func checkWeakSuites(s *subject) *hit {
	evidence := s.suitesThat(isWeak)
	return firedIf("CBC without encrypt-then-MAC, RSA key exchange, small blocks and RC4 are each behind a known attack; they serve clients that are gone.", evidence)
}

// checkOrder fires where weak and good suites are offered in one version and the client's order counts.
func checkOrder(s *subject) *hit {
	var evidence []string
	for i := range s.f.Protocols {
		p := &s.f.Protocols[i]
		if p.Offered != Yes || p.Order != No || p.Version >= wire.VersionTLS13 {
			continue
		}
		good, weak := 0, 0
		for j := range s.used {
			if s.used[j].version != p.Version {
				continue
			}
			if isWeak(&s.used[j]) {
				weak++
			} else {
				good++
			}
		}
		if good > 0 && weak > 0 {
			evidence = append(evidence, versionName(p.Version)+": the client's order counts, and there are "+count(weak, "weak suite", "weak suites")+" beside "+count(good, "good one", "good ones"))
		}
	}
	return firedIf("A client with a bad order gets a weak suite although both sides have better.", evidence)
}

func checkBadOrder(s *subject) *hit {
	var evidence []string
	for i := range s.f.Protocols {
		p := &s.f.Protocols[i]
		if p.Offered != Yes || p.Order != Yes {
			continue
		}
		var weak *usedSuite
		for j := range s.used {
			u := &s.used[j]
			if u.version != p.Version {
				continue
			}
			if isWeak(u) && weak == nil {
				weak = u
			}
			if !isWeak(u) && weak != nil {
				evidence = append(evidence, versionName(p.Version)+": "+weak.parts.Suite.String()+" stands before "+u.parts.Suite.String())
				break
			}
		}
	}
	return firedIf("The server's own order counts, and it puts what is weak before what is good.", evidence)
}
