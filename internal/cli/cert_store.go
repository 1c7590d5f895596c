package cli

import (
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

func isKeyStore([]byte) bool { return false }
func isPKCS12([]byte) bool   { return false }
func isPKCS7([]byte) bool    { return false }

func (a *app) takePKCS12(*contents, []byte, *secretFlags) error { return nil }
func takePKCS7(*contents, []byte) error                         { return nil }
func (a *app) takeJKS(*contents, []byte, *secretFlags) error    { return nil }

func cutSequence(data []byte) (first, rest []byte, ok bool) {
	in := cryptobyte.String(data)
	var s cryptobyte.String
	ok = in.ReadASN1Element(&s, cbasn1.SEQUENCE)
	return s, in, ok
}
