package lint

import "crypto/ecdsa"

var lintEcPoint = Lint{
	Name:        "ec_point",
	Severity:    Error,
	Requirement: "The key is a point of its curve, written uncompressed.",
	Section:     "RFC 5480, Section 2.2",
	check: func(c *certificate) []string {
		k := c.key()
		curve := k.curve()
		if k.algorithm != idECKey || curve == nil {
			return nil
		}
		if len(k.bits) > 0 && (k.bits[0] == 2 || k.bits[0] == 3) {
			return complain("the point is written compressed, which many programs cannot read")
		}
		if _, err := ecdsa.ParseUncompressedPublicKey(curve, k.bits); err != nil {
			return complain("the key is no point of the curve %s", curve.Params().Name)
		}
		return nil
	},
}
