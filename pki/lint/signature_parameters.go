package lint

import (
	"slices"
	"strings"
)

var lintSignatureParameters = Lint{
	Name:        "signature_parameters",
	Severity:    Error,
	Requirement: "The parameters of a PKCS #1 signature algorithm are NULL; those of ECDSA (RFC 5758), Ed25519 (RFC 8410) and ML-DSA (RFC 9881) are absent.",
	Section:     "RFC 4055, Section 5",
	check: func(c *certificate) []string {
		id, params, ok := algorithmOf(c.innerAlgorithm)
		switch {
		case !ok:
			return complain("the signature algorithm cannot be read")
		case strings.HasPrefix(id, idPKCS1) && len(id) == len(idPKCS1)+1 && id != idPSS && string(params) != "\x05\x00":
			return complain("the parameters of the RSA signature algorithm are not NULL")
		case (strings.HasPrefix(id, idECDSAWith) || slices.Contains([]string{idEd25519, idEd448, idMLDSA44, idMLDSA65, idMLDSA87}, id)) && params != nil:
			return complain("the signature algorithm has parameters, but must not")
		}
		return nil
	},
}
