package lint

import "strings"

var lintSignatureParameters = Lint{
	Name:        "signature_parameters",
	Severity:    Error,
	Requirement: "The parameters of a PKCS #1 signature algorithm are NULL; those of ECDSA (RFC 5758) and Ed25519 (RFC 8410) are absent.",
	Section:     "RFC 4055, Section 5",
	check: func(c *certificate) []string {
		id, params, ok := algorithmOf(c.innerAlgorithm)
		switch {
		case !ok:
			return complain("the signature algorithm cannot be read")
		case strings.HasPrefix(id, idPKCS1) && len(id) == len(idPKCS1)+1 && id != idPSS && string(params) != "\x05\x00":
			return complain("the parameters of the RSA signature algorithm are not NULL")
		case (strings.HasPrefix(id, idECDSAWith) || id == idEd25519 || id == idEd448) && params != nil:
			return complain("the signature algorithm has parameters, but must not")
		}
		return nil
	},
}
