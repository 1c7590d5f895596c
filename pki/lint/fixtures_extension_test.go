package lint

import (
	"crypto/x509"
	"net/netip"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// ext is a server with one extension set.
func ext(id string, flag, value []byte) *build {
	return server1(func(b *build) { b.set(id, flag, value) })
}

// without is a certificate with one extension less.
func without(base func() *build, id string) *build {
	return on(base, func(b *build) { b.drop(id) })
}

// leaf makes good leaves of a purpose.
func leaf(purpose string) func() *build { return func() *build { return goodLeaf(purpose) } }

func extensionFixtures() map[string]fixtures {
	explicitFalse := []byte{1, 1, 0}
	keyID := text(4, keyIDText)
	issuer := issuerCertificate(nil)
	zero := issuerCertificate(func(b *build) { b.set(idBasicConstraints, critical(), seq([]byte{1, 1, 0xff}, tlv(2, []byte{0}))) })
	caTrue := seq([]byte{1, 1, 0xff})
	as := func(k Kind, b *build) *build { b.kind = k; return b }
	return map[string]fixtures{
		"extensions_unique":        {wrong: list(server1(func(b *build) { b.extensions = append(b.extensions, b.extensions[0]) }))},
		"extensions_not_empty":     {wrong: list(server1(func(b *build) { b.extensions = nil })), right: list(server1(func(b *build) { b.withoutList = true }))},
		"extensions_default_false": {wrong: list(ext("\x2a\x03", explicitFalse, nil)), right: list(ext("\x2a\x03", nil, nil))},
		"extensions_critical_known": {wrong: list(ext("\x2a\x03", critical(), nil)),
			right: list(ext("\x2a\x03", nil, nil), ext(idCTPoison, critical(), null()))},
		"extensions_not_critical": {wrong: list(ext(idSubjectKeyID, critical(), keyID), ext(idAuthorityInfo, critical(), nil), ext(idNoRevAvail, critical(), null()), ext(idFreshestCRL, critical(), nil),
			ext(idAuthorityKeyID, critical(), nil)), right: list(ext(idExtKeyUsage, critical(), purposesDER([]string{purposeServer})))},
		"unique_ids_absent": {wrong: list(server1(func(b *build) { b.uniqueID = tlv(0x81, []byte{0}) }), server1(func(b *build) { b.uniqueID = tlv(0x82, []byte{0}) }))},
		"basic_constraints_form": {wrong: list(ext(idBasicConstraints, critical(), seq(explicitFalse)), ext(idBasicConstraints, critical(), null()), ext(idBasicConstraints, critical(), seq(tlv(1, nil))),
			ext(idBasicConstraints, critical(), seq(caTrue[2:], tlv(2, []byte{1}), null())))},
		"basic_constraints_critical": {wrong: list(ca1(func(b *build) { b.set(idBasicConstraints, nil, caTrue) })), right: list(ext(idBasicConstraints, nil, seq()))},
		"basic_constraints_ca": {wrong: list(as(KindRoot, goodServer()), as(KindServer, goodCA()), as(KindIntermediate, without(goodCA, idBasicConstraints))),
			right: list(as(KindIntermediate, goodCA()))},
		"path_length": {wrong: list(ext(idBasicConstraints, critical(), seq(tlv(2, []byte{0}))), ca1(func(b *build) { b.set(idBasicConstraints, critical(), seq(caTrue[2:], tlv(2, []byte{0xff}))) }),
			ca1(func(b *build) { b.usage(bitCRLSign) })), right: list(ca1(func(b *build) { b.set(idBasicConstraints, critical(), seq(caTrue[2:], tlv(2, []byte{3}))) }))},
		"path_length_nested":  {wrong: list(under(zero, goodCA())), right: list(under(issuer, goodCA()), under(zero, goodServer()))},
		"subject_key_id_ca":   {wrong: list(without(goodCA, idSubjectKeyID)), right: list(without(goodServer, idSubjectKeyID))},
		"subject_key_id_leaf": {wrong: list(without(goodServer, idSubjectKeyID)), right: list(without(goodCA, idSubjectKeyID))},
		"key_ids_form": {wrong: list(ext(idSubjectKeyID, nil, text(4, "")), ext(idSubjectKeyID, nil, null()), ext(idAuthorityKeyID, nil, null()), ext(idAuthorityKeyID, nil, seq(text(0x80, ""))),
			ext(idAuthorityKeyID, nil, seq(text(0x80, keyIDText), tlv(0x82, []byte{1}))), ext(idAuthorityKeyID, nil, seq(text(0x80, keyIDText), tlv(0xa1)))),
			right: list(ext(idAuthorityKeyID, nil, seq(text(0x80, keyIDText), tlv(0xa1, tlv(0xa4, seq())), tlv(0x82, []byte{1}))))},
		"authority_key_id": {wrong: list(without(goodServer, idAuthorityKeyID), ext(idAuthorityKeyID, nil, seq())), right: list(goodRoot(), on(leaf(purposeClient), func(b *build) { b.issuer = b.subject; b.drop(idAuthorityKeyID) }))},
		"authority_key_id_agrees": {wrong: list(under(issuer, ext(idAuthorityKeyID, nil, seq(text(0x80, "another")))), root1(func(b *build) { b.set(idAuthorityKeyID, nil, seq(text(0x80, "another"))) })),
			right: list(under(issuer, goodServer()), root1(func(b *build) { b.set(idAuthorityKeyID, nil, seq(text(0x80, keyIDText))) }), ext(idAuthorityKeyID, nil, seq(text(0x80, "another"))))},
	}
}

func usageFixtures() map[string]fixtures {
	usage := func(base func() *build, bits uint16) *build { return on(base, func(b *build) { b.usage(bits) }) }
	purposes := func(list ...string) *build { return server1(func(b *build) { b.purposes(list...) }) }
	rsaUsage := func(bits uint16) *build {
		return server1(func(b *build) { b.key = rsaKey(null(), modulus(256), []byte{1, 0, 1}); b.usage(bits) })
	}
	edUsage := func(bits uint16) *build {
		return server1(func(b *build) { b.key = ed25519Key(32, nil); b.usage(bits) })
	}
	mldsaUsage := func(bits uint16) *build {
		return server1(func(b *build) { b.key = mldsaKey(idMLDSA87, 2592, nil); b.usage(bits) })
	}
	mails := issuerCertificate(func(b *build) { b.set(idExtKeyUsage, nil, purposesDER([]string{purposeEmail, "\x2a\x03"})) })
	anything := issuerCertificate(func(b *build) { b.set(idExtKeyUsage, nil, purposesDER([]string{purposeAny})) })
	stamper := func(flag []byte, list ...string) *build {
		return on(leaf(purposeTime), func(b *build) { b.set(idExtKeyUsage, flag, purposesDER(list)) })
	}
	return map[string]fixtures{
		"key_usage_present":  {wrong: list(without(goodCA, idKeyUsage), without(goodRoot, idKeyUsage)), right: list(without(goodServer, idKeyUsage))},
		"key_usage_leaf":     {wrong: list(without(goodServer, idKeyUsage)), right: list(without(goodCA, idKeyUsage))},
		"key_usage_critical": {wrong: list(ext(idKeyUsage, nil, usageDER(1)))},
		"key_usage_form": {wrong: list(ext(idKeyUsage, critical(), bitString(0, nil)), ext(idKeyUsage, critical(), bitString(7, []byte{0})), ext(idKeyUsage, critical(), bitString(0, []byte{0x80})),
			ext(idKeyUsage, critical(), null()), ext(idKeyUsage, critical(), bitString(0, []byte{0x80, 0, 0}))),
			right: list(usage(goodServer, bitDigitalSignature|bitDecipherOnly|bitKeyAgreement))},
		"key_usage_ca_bits": {wrong: list(usage(goodServer, bitDigitalSignature|bitKeyCertSign), usage(goodCA, bitCRLSign)), right: list(without(goodServer, idKeyUsage), usage(goodCA, bitKeyCertSign))},
		"key_usage_fits_key": {wrong: list(usage(goodServer, bitKeyEncipherment), rsaUsage(bitKeyAgreement), edUsage(bitKeyAgreement), edUsage(bitDataEncipherment), mldsaUsage(bitKeyEncipherment),
			server1(func(b *build) { b.key = seq(seq(oid(idPSS)), bitString(0, nil)); b.usage(bitKeyEncipherment) })),
			right: list(usage(goodServer, bitKeyAgreement), rsaUsage(bitKeyEncipherment), edUsage(bitDigitalSignature|bitContentCommitment), mldsaUsage(bitDigitalSignature))},
		"key_usage_signs":  {wrong: list(rsaUsage(bitKeyEncipherment), usage(leaf(purposeClient), bitKeyAgreement)), right: list(usage(leaf(purposeEmail), bitKeyAgreement))},
		"purposes_present": {wrong: list(without(goodServer, idExtKeyUsage)), right: list(goodCA())},
		"purposes_form": {wrong: list(purposes(), purposes(purposeServer, purposeServer), ext(idExtKeyUsage, nil, null()), ext(idExtKeyUsage, nil, seq(oid(purposeServer), null()))),
			right: list(purposes(purposeServer, purposeClient))},
		"purposes_any":           {wrong: list(purposes(purposeAny), purposes(purposeServer, purposeAny)), right: list(ca1(func(b *build) { b.purposes(purposeAny) }))},
		"purposes_apart":         {wrong: list(purposes(purposeServer, purposeOCSP), purposes(purposeServer, purposeCode)), right: list(purposes(purposeServer, purposeClient), ca1(func(b *build) { b.purposes(purposeServer, purposeCode) }))},
		"purposes_time_stamping": {wrong: list(stamper(nil, purposeTime), stamper(critical(), purposeTime, purposeClient)), right: list(stamper(critical(), purposeTime))},
		"purposes_within_issuer": {wrong: list(under(mails, goodServer())), right: list(under(mails, goodLeaf(purposeEmail)), under(mails, goodLeaf(purposeOCSP)), under(anything, goodServer()))},
		"code_apart":             {wrong: list(on(leaf(purposeCode), func(b *build) { b.purposes(purposeCode, purposeServer); b.kind = KindCode })), right: list(goodLeaf(purposeCode))},
		"ocsp_no_check":          {wrong: list(ext(idOCSPNoCheck, nil, null())), right: list(goodLeaf(purposeOCSP))},
		"ocsp_signer_checked":    {wrong: list(without(leaf(purposeOCSP), idOCSPNoCheck)), right: list(goodServer())},
	}
}

func nameFixtures() map[string]fixtures {
	sans := func(names ...[]byte) *build { return server1(func(b *build) { b.sans(names...) }) }
	nameless := func(flag []byte) *build {
		return server1(func(b *build) { b.subject = seq(); b.set(idSubjectAltName, flag, names(dns("a.example"))) })
	}
	mail := func(names ...[]byte) *build { return on(leaf(purposeEmail), func(b *build) { b.sans(names...) }) }
	return map[string]fixtures{
		"alt_names_present":      {wrong: list(without(goodServer, idSubjectAltName), sans(email("a@b.example"))), right: list(sans(uri("spiffe://td/x")), sans(text(0x87, "\xc0\x00\x02\x01")), goodLeaf(purposeClient))},
		"alt_names_form":         {wrong: list(sans(), ext(idSubjectAltName, nil, null()), ext(idSubjectAltName, nil, seq([]byte{0x82, 5}))), right: list(sans(dns("a.example")))},
		"alt_names_critical":     {wrong: list(nameless(nil)), right: list(nameless(critical()))},
		"alt_names_not_critical": {wrong: list(ext(idSubjectAltName, critical(), names(dns("a.example")))), right: list(nameless(critical()))},
		"alt_names_unique":       {wrong: list(sans(dns("a.example"), dns("A.example"))), right: list(sans(dns("a.example"), uri("a.example")))},
		"common_name_in_alt_names": {wrong: list(sans(dns("b.example"))),
			right: list(sans(dns("A.EXAMPLE")), server1(func(b *build) { b.subject = dn(att(attributeCN, 12, "192.0.2.1")) }), on(leaf(purposeClient), func(b *build) { b.sans(dns("b.example")) }))},
		"dns_name_form": {wrong: list(sans(dns("")), sans(dns("a..example")), sans(dns("a.example.")), sans(dns("-a.example")), sans(dns("a b.example")), sans(dns("m\xc3\xbcller.example")), sans(dns(strings.Repeat("a", 64)+".example")),
			sans(dns(strings.Repeat("a.", 127)+"example")), sans(dns("a.example\x00.evil")), sans(dns("\x1b[2J"))),
			right: list(sans(dns("a_b.example")), sans(dns(strings.Repeat("a", 63)+".example")), sans(dns("1.example")))},
		"dns_name_underscore": {wrong: list(sans(dns("_a.example"))), right: list(sans(uri("https://a.example/_")))},
		"dns_name_wildcard":   {wrong: list(sans(dns("a.*.example")), sans(dns("*a.example")), sans(dns("*.example")), sans(dns("*.*.b.example")), sans(dns("*"))), right: list(sans(dns("*.b.example")))},
		"dns_name_punycode": {wrong: list(sans(dns("xn--a.example")), sans(dns("ab--c.example")), sans(dns("xn--.example")), sans(dns("xn--999999999.example"))),
			right: list(sans(dns("xn--mller-kva.example")), sans(dns("xn--wgv71a119e.example")), sans(dns("XN--MLLER-KVA.example")), sans(dns("a-b--c.example")))},
		"dns_name_address":  {wrong: list(sans(dns("192.0.2.1")), sans(dns("::1"))), right: list(sans(text(0x87, "\xc0\x00\x02\x01")))},
		"ip_address_length": {wrong: list(sans(text(0x87, "\xc0\x00\x02")), sans(text(0x87, "\xc0\x00\x02\x01\xff\xff\xff\x00"))), right: list(sans(text(0x87, strings.Repeat("\x00", 15)+"\x01")))},
		"uri_form": {wrong: list(sans(uri("/a")), sans(uri("a.example")), sans(uri("https://m\xc3\xbcller.example/")), sans(uri("https://a..example/")), sans(uri("http://%zz/"))),
			right: list(sans(uri("urn:uuid:1")), sans(uri("https://[2001:db8::1]:8443/a")), sans(uri("file:/a")))},
		"email_form": {wrong: list(mail(email("alice")), mail(email("@a.example")), mail(email("Alice <alice@a.example>")), mail(email("alice@")), mail(email("\xc3\xa9@a.example"))),
			right: list(mail(email("alice+x@a.example")), mail(email(`"a@b"@a.example`)))},
		"email_present": {wrong: list(without(leaf(purposeEmail), idSubjectAltName)), right: list(mail(tlv(0xa0, oid("\x2a\x03"))))},
	}
}

func serviceFixtures() map[string]fixtures {
	constraints := func(n pki.NameConstraints) []byte {
		der, err := n.Marshal()
		if err != nil {
			return nil
		}
		return der
	}
	onlyB := constraints(pki.NameConstraints{PermittedDNS: []string{"b.example"}, ExcludedIP: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	limited := issuerCertificate(func(b *build) { b.set(idNameConstraints, critical(), onlyB) })
	point := func(p ...[]byte) []byte { return seq(p...) }
	at := func(url string) []byte { return seq(tlv(0xa0, tlv(0xa0, uri(url)))) }
	access := func(method, url string) []byte { return seq(seq(oid(method), uri(url))) }
	policy := func(id string) []byte { return seq(oid(id)) }
	short := func(change func(*build)) *build {
		return server1(func(b *build) { b.to = utc("260107000000Z"); b.set(idNoRevAvail, nil, null()); change(b) })
	}
	caExt := func(id string, flag, value []byte) *build { return ca1(func(b *build) { b.set(id, flag, value) }) }
	inB := func(issuer *x509.Certificate) *build {
		return under(issuer, server1(func(b *build) { b.subject = dn(att(attributeCN, 12, "x.b.example")); b.sans(dns("x.b.example")) }))
	}
	return map[string]fixtures{
		"name_constraints_place": {wrong: list(ext(idNameConstraints, critical(), onlyB), caExt(idNameConstraints, nil, onlyB)), right: list(caExt(idNameConstraints, critical(), onlyB))},
		"name_constraints_form":  {wrong: list(caExt(idNameConstraints, critical(), seq()), caExt(idNameConstraints, critical(), seq(tlv(0xa0, seq(text(0x87, "\xc0\x00\x02\x00\xff\x00\xff\x00")))))), right: list(caExt(idNameConstraints, critical(), onlyB))},
		"names_permitted":        {wrong: list(under(limited, goodServer())), right: list(inB(limited), inB(issuerCertificate(nil)))},
		"policies_form": {wrong: list(ext(idPolicies, nil, seq()), ext(idPolicies, nil, null()), ext(idPolicies, nil, seq(policy("\x2a\x03"), policy("\x2a\x03"))), ext(idPolicies, nil, seq(seq()))),
			right: list(ext(idPolicies, nil, seq(policy("\x2a\x03"), policy("\x2a\x04"))))},
		"policy_rules_place": {wrong: list(ext(idPolicyMappings, nil, nil), caExt(idPolicyConstraints, nil, seq(tlv(0x80, []byte{0}))), caExt(idInhibitAnyPolicy, nil, tlv(2, []byte{0}))),
			right: list(caExt(idPolicyConstraints, critical(), seq(tlv(0x80, []byte{0}))))},
		"policy_mappings_any": {wrong: list(caExt(idPolicyMappings, nil, seq(seq(oid(idAnyPolicy), oid("\x2a\x03")))), caExt(idPolicyMappings, nil, seq(seq(oid("\x2a\x03"), oid(idAnyPolicy)))), caExt(idPolicyMappings, nil, seq()), caExt(idPolicyMappings, nil, seq(seq()))),
			right: list(caExt(idPolicyMappings, nil, seq(seq(oid("\x2a\x03"), oid("\x2a\x04")))))},
		"crl_points_form": {wrong: list(ext(idCRLDistribution, nil, point()), ext(idCRLDistribution, nil, null()), ext(idCRLDistribution, nil, point(seq(tlv(0x81, []byte{1, 2})))), ext(idCRLDistribution, nil, point(seq(tlv(0xa0, tlv(0xa0, []byte{1})))))),
			right: list(ext(idCRLDistribution, nil, point(seq(tlv(0xa2, tlv(0xa4, seq()))))), ext(idCRLDistribution, nil, point(seq(tlv(0xa0, tlv(0xa1, seq()))))))},
		"crl_points_reachable": {wrong: list(ext(idCRLDistribution, nil, point(at("https://a.example/crl"))), ext(idCRLDistribution, nil, point(at("ldap://a.example/crl")))),
			right: list(ext(idCRLDistribution, nil, point(at("ldap://a.example/crl"), at("HTTP://a.example/crl"))))},
		"crl_points_not_critical": {wrong: list(ext(idCRLDistribution, critical(), point(at("http://a.example/crl"))))},
		"authority_info_form":     {wrong: list(ext(idAuthorityInfo, nil, seq()), ext(idAuthorityInfo, nil, null()), ext(idAuthorityInfo, nil, seq(seq(oid(idAccessOCSP))))), right: list(ext(idAuthorityInfo, nil, access(idAccessOCSP, "http://a.example")))},
		"authority_info_reachable": {wrong: list(ext(idAuthorityInfo, nil, access(idAccessOCSP, "https://a.example")), ext(idAuthorityInfo, nil, access(idAccessIssuers, "ftp://a.example"))),
			right: list(ext(idAuthorityInfo, nil, access("\x2a\x03", "ftp://a.example")))},
		"must_staple_form": {wrong: list(ext(idTLSFeature, nil, seq()), ext(idTLSFeature, critical(), seq(tlv(2, []byte{5}))), ext(idTLSFeature, nil, seq(null())), ext(idTLSFeature, nil, seq(tlv(2, []byte{1, 0, 0})))),
			right: list(ext(idTLSFeature, nil, seq(tlv(2, []byte{5}), tlv(2, []byte{17}))))},
		"must_staple_answers": {wrong: list(ext(idTLSFeature, nil, seq(tlv(2, []byte{5})))), right: list(server1(func(b *build) {
			b.set(idTLSFeature, nil, seq(tlv(2, []byte{5})))
			b.set(idAuthorityInfo, nil, access(idAccessOCSP, "http://a.example"))
		}))},
		"no_revocation": {wrong: list(short(func(b *build) { b.set(idCRLDistribution, nil, point(at("http://a.example/crl"))) }), short(func(b *build) { b.set(idAuthorityInfo, nil, access(idAccessOCSP, "http://a.example")) }),
			short(func(b *build) { b.set(idFreshestCRL, nil, point(at("http://a.example/crl"))) }), caExt(idNoRevAvail, nil, null())),
			right: list(short(func(b *build) { b.set(idAuthorityInfo, nil, access(idAccessIssuers, "http://a.example")) }))},
		"no_revocation_short": {wrong: list(ext(idNoRevAvail, nil, null())), right: list(short(func(*build) {}))},
	}
}
