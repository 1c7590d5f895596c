package acmeserver

import (
	"encoding/asn1"
	"math/big"
)

// parseInteger reads a DER INTEGER that is a serial number.
func parseInteger(der []byte) (*big.Int, bool) {
	var n *big.Int
	rest, err := asn1.Unmarshal(der, &n)
	return n, err == nil && len(rest) == 0 && n.Sign() > 0
}
