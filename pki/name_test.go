package pki

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
)

func TestNamesReadFromTheMostSpecificPart(t *testing.T) {
	attribute := func(value any, arcs ...int) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier(arcs), Value: value}
	}
	for _, c := range []struct {
		name pkix.Name
		want string
	}{
		{pkix.Name{}, ""},
		{pkix.Name{CommonName: "www.example", Organization: []string{"Example"}, Country: []string{"DE"}}, "CN=www.example, O=Example, C=DE"},
		{pkix.Name{CommonName: "a, CN=b"}, `CN=a\, CN=b`},
		{pkix.Name{CommonName: " #x\\\"y "}, `CN=\ #x\\\"y\ `},
		{pkix.Name{CommonName: "#x"}, `CN=\#x`},
		{pkix.Name{CommonName: "a\x1b]0;b\u202e\xff"}, `CN=a\x1b]0\;b\u202e\xff`},
		{pkix.Name{Names: []pkix.AttributeTypeAndValue{
			attribute("org", 0, 9, 2342, 19200300, 100, 1, 25), attribute("x@y", 1, 2, 840, 113549, 1, 9, 1), attribute(7, 1, 2, 3),
		}}, "1.2.3=7, emailAddress=x@y, DC=org"},
		{pkix.Name{Names: []pkix.AttributeTypeAndValue{
			attribute("DE", 1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 3), attribute("Hesse", 1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 2), attribute("Kassel", 1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 1),
		}}, "jurisdictionL=Kassel, jurisdictionST=Hesse, jurisdictionC=DE"},
	} {
		if got := Name(c.name); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
