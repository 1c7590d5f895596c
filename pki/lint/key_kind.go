package lint

var lintKeyKind = Lint{
	Name:        "key_kind",
	Severity:    Warning,
	Requirement: "The key is of a kind that programs can use today: RSA, ECDSA, Ed25519, Ed448 or ML-DSA.",
	Section:     "RFC 8446, Section 4.2.3",
	check: func(c *certificate) []string {
		switch k := c.key(); k.algorithm {
		case idRSA, idPSS, idECKey, idEd25519, idEd448, idMLDSA44, idMLDSA65, idMLDSA87:
		case "\x2a\x86\x48\xce\x38\x04\x01":
			return complain("a DSA key: no current program accepts it")
		default:
			return complain("a key of a kind that is not known here (%s)", dotted(k.algorithm))
		}
		return nil
	},
}
