package lint

import (
	"crypto/x509"
	"maps"
	"strings"
)

// fixtures are certificates on which a lint must fire, and such on which it must
// not: those that are nearly wrong.
type fixtures struct{ wrong, right []*build }

func list(b ...*build) []*build { return b }

// on changes a good certificate.
func on(base func() *build, change func(*build)) *build {
	b := base()
	change(b)
	return b
}

func server1(change func(*build)) *build { return on(goodServer, change) }
func ca1(change func(*build)) *build     { return on(goodCA, change) }
func root1(change func(*build)) *build   { return on(goodRoot, change) }

// under gives the certificate an issuer.
func under(issuer *x509.Certificate, b *build) *build {
	b.issuerOf = issuer
	return b
}

// subject is a server with this subject beside its name.
func subject(attributes ...[]byte) *build {
	return server1(func(b *build) { b.subject = dn(attributes...) })
}

// rsa is a server with this RSA key.
func rsa(params, n, e []byte) *build {
	return server1(func(b *build) { b.key = rsaKey(params, n, e) })
}

func allFixtures() map[string]fixtures {
	all := frameFixtures()
	for _, more := range []map[string]fixtures{subjectFixtures(), keyFixtures(), extensionFixtures(), usageFixtures(), nameFixtures(), serviceFixtures()} {
		maps.Copy(all, more)
	}
	return all
}

func frameFixtures() map[string]fixtures {
	serial := func(s string) *build { return server1(func(b *build) { b.serial = []byte(s) }) }
	times := func(from, to []byte) *build { return server1(func(b *build) { b.from, b.to = from, to }) }
	signed := func(a []byte) *build { return server1(func(b *build) { b.inner, b.outer = a, a }) }
	issuer := issuerCertificate(nil)
	return map[string]fixtures{
		"readable": {wrong: list(
			server1(func(b *build) { b.trailing = []byte{0} }),
			server1(func(b *build) { b.serial = nil }),
			server1(func(b *build) { b.outer = nil }),
			server1(func(b *build) { b.inner = nil }),
			server1(func(b *build) { b.issuer = nil }),
			server1(func(b *build) { b.from = nil }),
			server1(func(b *build) { b.key = nil }),
			server1(func(b *build) { b.version = tlv(0xa0, tlv(2, nil)) }),
			server1(func(b *build) { b.uniqueID = tlv(0x9f) }),
			server1(func(b *build) { b.beforeWriting = func(tbs []byte) []byte { return append(tbs, 5, 0) } }),
			server1(func(b *build) { b.set("", nil, nil) }),
			server1(func(b *build) { b.set(idKeyUsage, []byte{1, 1, 1}, usageDER(1)) }),
			server1(func(b *build) { b.set(idKeyUsage, tlv(1, nil), usageDER(1)) }),
			server1(func(b *build) {
				for range maxExtensions {
					b.extensions = append(b.extensions, built{id: "\x2a\x03"})
				}
			}),
			server1(func(b *build) { b.trailing = make([]byte, maxSize) }),
		), right: list(goodServer())},
		"version_3":       {wrong: list(server1(func(b *build) { b.version = nil }), server1(func(b *build) { b.version = tlv(0xa0, tlv(2, []byte{1})) }))},
		"serial_positive": {wrong: list(serial("\x80random number"), serial("\x00"), serial("\x00\x00")), right: list(serial("\x00\x80random number"))},
		"serial_length":   {wrong: list(serial("\x01twenty octets and one")), right: list(serial("\x01exactly 20 octets.."))},
		"serial_minimal":  {wrong: list(serial("\x00\x01random number"), serial("\xff\x80random")), right: list(serial("\x00\x80random number"))},
		"serial_entropy": {wrong: list(serial("\x01"), serial("1234567")), right: list(serial("12345678"), root1(func(b *build) { b.serial = []byte{1} }),
			server1(func(b *build) { b.serial, b.from = []byte{1}, utc("150101000000Z") }))},
		"signature_algorithms_agree": {wrong: list(server1(func(b *build) { b.outer = rsaSHA256() }))},
		"signature_hash": {wrong: list(signed(algorithm(idPKCS1+"\x05", null())), signed(algorithm(idECDSAWith+"\x01", nil)), signed(algorithm(idPKCS1+"\x04", null()))),
			right: list(root1(func(b *build) { b.inner = algorithm(idPKCS1+"\x05", null()); b.outer = b.inner }))},
		"signature_parameters": {wrong: list(signed(algorithm(idPKCS1+"\x0b", nil)), signed(algorithm(idECDSAWith+"\x03\x02", null())), signed(algorithm(idEd25519, null())), signed(seq()), signed(seq(oid("a"), null(), null()))),
			right: list(signed(rsaSHA256()), signed(algorithm(idEd25519, nil)), signed(algorithm(idPSS, seq())))},
		"issuer_present": {wrong: list(server1(func(b *build) { b.issuer = seq() }))},
		"issuer_agrees": {wrong: list(under(issuer, server1(func(b *build) { b.issuer = dn(att(attributeCN, 12, "Test CA")) }))),
			right: list(under(issuer, goodServer()))},
		"validity_order": {wrong: list(times(utc("260331235959Z"), utc("260101000000Z"))), right: list(times(utc("260101000000Z"), utc("260101000000Z")))},
		"validity_form": {wrong: list(times(utc("2601010000Z"), utc("260331235959Z")), times(utc("260101000000+0100"), utc("260331235959Z")), times(utc("260101000000Z"), generalized("20491231235959Z")),
			times(utc("260101000000Z"), generalized("20500101000000.5Z")), times(utc("269901000000Z"), utc("260331235959Z")), times(utc("today"), utc("\x1b[2J"))),
			right: list(times(utc("491231235959Z"), generalized("20500101000000Z")), times(utc("500101000000Z"), utc("491231235959Z")))},
		"validity_nested": {wrong: list(under(issuer, times(utc("251231235959Z"), utc("260331235959Z"))), under(issuer, times(utc("260101000000Z"), generalized("20560101000000Z")))),
			right: list(under(issuer, times(utc("260101000000Z"), generalized("20551231235959Z"))), times(utc("200101000000Z"), generalized("20560101000000Z")))},
		"lifetime_server": {wrong: list(times(utc("260101000000Z"), utc("270203000000Z"))),
			right: list(times(utc("260101000000Z"), utc("270202235959Z")), on(func() *build { return goodLeaf(purposeClient) }, func(b *build) { b.to = utc("300101000000Z") }))},
	}
}

func subjectFixtures() map[string]fixtures {
	const organization, locality = "\x55\x04\x0a", "\x55\x04\x07"
	return map[string]fixtures{
		"subject_present": {wrong: list(ca1(func(b *build) { b.subject = seq() }), on(func() *build { return goodLeaf(purposeClient) }, func(b *build) { b.subject = seq() })),
			right: list(server1(func(b *build) { b.subject = seq() }))},
		"subject_readable": {wrong: list(server1(func(b *build) { b.subject = seq(tlv(0x31)) }), server1(func(b *build) { b.subject = seq(tlv(0x31, seq(oid(attributeCN)))) }),
			server1(func(b *build) { b.subject = seq(null()) }), server1(func(b *build) { b.issuer = seq(null()) }))},
		"subject_lengths": {wrong: list(subject(att(attributeCN, 12, strings.Repeat("é", 65))), subject(att(organization, 12, strings.Repeat("o", 65))), subject(att(locality, 12, strings.Repeat("l", 129))),
			subject(att("\x55\x04\x11", 12, strings.Repeat("1", 41))), subject(att(attributeCN, 12, "")), subject(att(attributeCN, 30, strings.Repeat("\x00a", 65)))),
			right: list(subject(att(attributeCN, 12, strings.Repeat("é", 64))), subject(att(attributeCN, 30, strings.Repeat("\x00a", 64))), subject(att("\x55\x04\x63", 12, strings.Repeat("x", 300))))},
		"subject_strings": {wrong: list(subject(att(attributeCN, 19, "a*b")), subject(att(attributeCN, 12, "\xff")), subject(att(attributeCN, 20, "a")), subject(att(attributeCN, 28, "\x00\x00\x00a")), subject(att(attributeCN, 30, "\x00a"))),
			right: list(subject(att(attributeCN, 19, "a'()+,-./:=? b")), subject(att(attributeCN, 12, "a*é")))},
		"subject_ascii_attributes": {wrong: list(subject(att(attributeEmail, 12, "a@b.example")), subject(att(attributeDC, 19, "example")), subject(att(attributeEmail, 22, "\xe9@b.example"))),
			right: list(subject(att(attributeEmail, 22, "a@b.example"), att(attributeDC, 22, "example")))},
		"subject_country": {wrong: list(subject(att(attributeCountry, 19, "DEU")), subject(att(attributeCountry, 12, "DE")), subject(att(attributeCountry, 19, "D1"))),
			right: list(subject(att(attributeCountry, 19, "DE")))},
		"subject_clean": {wrong: list(subject(att(attributeCN, 12, " a")), subject(att(attributeCN, 12, "a\x07b")), subject(att(organization, 12, "-")), subject(att(organization, 12, ". ."))),
			right: list(subject(att(attributeCN, 12, "a b")), subject(att(attributeCN, 12, "é.")))},
		"subject_one_common_name": {wrong: list(subject(att(attributeCN, 12, "a.example"), att(attributeCN, 12, "a.example"))), right: list(subject(att(attributeCN, 12, "a.example"), att(organization, 12, "A")))},
	}
}

func keyFixtures() map[string]fixtures {
	ec := func(curve []byte, point string) *build {
		return server1(func(b *build) { b.key = ecKey(curve, point) })
	}
	ed := func(n int, params []byte) *build { return server1(func(b *build) { b.key = ed25519Key(n, params) }) }
	ml := func(id string, n int, params []byte) *build {
		return server1(func(b *build) { b.key = mldsaKey(id, n, params) })
	}
	good := modulus(256)
	e := []byte{1, 0, 1}
	even, threes := append([]byte(nil), good...), append([]byte(nil), good...)
	even[256] &^= 1
	for sum := 0; ; threes[256] += 2 { // divisible by 3: the sum of the octets is, as 256 leaves 1
		sum = 0
		for _, b := range threes {
			sum += int(b)
		}
		if sum%3 == 0 {
			break
		}
	}
	odd := append([]byte(nil), good[1:]...)
	odd[0] = 0x7f // 2047 bits
	issuer := issuerCertificate(nil)
	return map[string]fixtures{
		"key_kind": {wrong: list(server1(func(b *build) {
			b.key = seq(seq(oid("\x2a\x86\x48\xce\x38\x04\x01"), seq()), bitString(0, tlv(2, []byte{1})))
		}), server1(func(b *build) { b.key = seq(seq(oid("\x2a\x03")), bitString(0, nil)) })),
			right: list(ed(32, nil), ml(idMLDSA44, 1312, nil), rsa(null(), good, e))},
		"key_whole_bytes": {wrong: list(server1(func(b *build) { b.key = seq() }), server1(func(b *build) { b.key = seq(seq(oid(idEd25519)), bitString(1, make([]byte, 32))) }),
			server1(func(b *build) { b.key = seq(seq(oid(idEd25519), null(), null()), bitString(0, nil)) }), server1(func(b *build) { b.key = seq(seq(oid(idEd25519)), null()) }))},
		"rsa_readable":        {wrong: list(server1(func(b *build) { b.key = seq(seq(oid(idRSA), null()), bitString(0, null())) }), rsa(null(), []byte{0}, e), rsa(null(), []byte{0x80, 1}, e))},
		"rsa_parameters":      {wrong: list(rsa(nil, good, e), rsa(seq(), good, e)), right: list(rsa(null(), good, e))},
		"rsa_key_size":        {wrong: list(rsa(null(), modulus(128), e), rsa(null(), odd, e)), right: list(rsa(null(), good, e))},
		"rsa_key_large":       {wrong: list(rsa(null(), modulus(1025), e)), right: list(rsa(null(), modulus(1024), e))},
		"rsa_modulus_length":  {wrong: list(rsa(null(), odd, e)), right: list(rsa(null(), good, e))},
		"rsa_modulus_factors": {wrong: list(rsa(null(), even, e), rsa(null(), threes, e)), right: list(rsa(null(), good, e))},
		"rsa_exponent":        {wrong: list(rsa(null(), good, []byte{1}), rsa(null(), good, []byte{4}), rsa(null(), good, []byte{0x81})), right: list(rsa(null(), good, []byte{3}))},
		"rsa_exponent_range":  {wrong: list(rsa(null(), good, []byte{3}), rsa(null(), good, append([]byte{1}, make([]byte, 32)...))), right: list(rsa(null(), good, e))},
		"ec_curve": {wrong: list(ec(oid("\x2b\x81\x04\x00\x0a"), pointP256), ec(seq(), pointP256), ec(nil, pointP256)),
			right: list(ec(oid("\x2b\x81\x04\x00\x22"), pointP256), ec(oid("\x2b\x81\x04\x00\x23"), pointP256))},
		"ec_point": {wrong: list(ec(oid(curveP256), "\x02"+pointP256[1:33]), ec(oid(curveP256), pointP256[:64]+"\x00"), ec(oid(curveP256), ""), ec(oid(curveP256), pointP256+"x")),
			right: list(ec(oid(curveP256), pointP256), ec(seq(), "x"))},
		"ed25519_key": {wrong: list(ed(31, nil), ed(32, null()), server1(func(b *build) { b.key = seq(seq(oid(idEd448)), bitString(0, make([]byte, 56))) })),
			right: list(ed(32, nil), server1(func(b *build) { b.key = seq(seq(oid(idEd448)), bitString(0, make([]byte, 57))) }))},
		"ml_dsa_key": {wrong: list(ml(idMLDSA44, 1311, nil), ml(idMLDSA44, 1312, null()), ml(idMLDSA65, 1312, nil), ml(idMLDSA87, 0, nil)),
			right: list(ml(idMLDSA44, 1312, nil), ml(idMLDSA65, 1952, nil), ml(idMLDSA87, 2592, nil))},
		"key_not_of_issuer": {wrong: list(under(issuer, rsa(null(), modulus(384), e))), right: list(under(issuer, rsa(null(), good, e)), under(issuer, root1(func(b *build) { b.key = rsaKey(null(), modulus(384), e) })))},
	}
}
