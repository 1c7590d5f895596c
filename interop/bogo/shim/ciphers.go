package main

import (
	"slices"
	"strings"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// cipherList reads a list of TLS 1.2 cipher suites in the language of OpenSSL, as far as tests speak it. What names
// nothing that tlswright has adds nothing; a list that comes to nothing has no meaning here.
func cipherList(to *[]wire.CipherSuite, v string) bool {
	// Of suites in brackets the client's order counts. With us it does where the choice is between AES and ChaCha20-Poly1305,
	// which is all that is left of the runner's brackets without CBC.
	v = strings.NewReplacer("[", "", "]", "", "|", ":").Replace(v)
	var list []wire.CipherSuite
	for part := range strings.SplitSeq(v, ":") {
		unwanted, remove := strings.CutPrefix(part, "!")
		if remove {
			list = slices.DeleteFunc(list, func(id wire.CipherSuite) bool { return named(id, unwanted) })
			continue
		}
		for _, id := range suite.Defaults12() {
			if named(id, part) && !slices.Contains(list, id) {
				list = append(list, id)
			}
		}
	}
	*to = list
	return len(list) > 0
}

// named reports whether a name of one cipher suite or of many means this one.
func named(id wire.CipherSuite, name string) bool {
	switch name {
	case "ALL", "DEFAULT":
		return true
	case "AES":
		return strings.Contains(id.String(), "_AES_")
	case "AES128":
		return strings.Contains(id.String(), "_AES_128_")
	}
	return id.String() == name
}
