package cli

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strconv"
	"strings"
)

// subjectTypes are the attributes that a subject may be made of, by their names in RFC 4514 and in OpenSSL.
var subjectTypes = map[string]asn1.ObjectIdentifier{
	"cn": {2, 5, 4, 3}, "commonname": {2, 5, 4, 3},
	"sn": {2, 5, 4, 4}, "surname": {2, 5, 4, 4}, "gn": {2, 5, 4, 42}, "givenname": {2, 5, 4, 42},
	"serialnumber": {2, 5, 4, 5}, "c": {2, 5, 4, 6}, "countryname": {2, 5, 4, 6},
	"l": {2, 5, 4, 7}, "localityname": {2, 5, 4, 7}, "st": {2, 5, 4, 8}, "stateorprovincename": {2, 5, 4, 8},
	"street": {2, 5, 4, 9}, "o": {2, 5, 4, 10}, "organizationname": {2, 5, 4, 10},
	"ou": {2, 5, 4, 11}, "organizationalunitname": {2, 5, 4, 11}, "title": {2, 5, 4, 12}, "postalcode": {2, 5, 4, 17},
	"businesscategory": {2, 5, 4, 15}, "organizationidentifier": {2, 5, 4, 97},
	"uid": {0, 9, 2342, 19200300, 100, 1, 1}, "dc": {0, 9, 2342, 19200300, 100, 1, 25},
	"emailaddress": {1, 2, 840, 113549, 1, 9, 1},
}

// parseSubject reads a distinguished name as people write them: as OpenSSL does, "/C=US/O=Example/CN=app.test", the most
// general part first, or as RFC 4514 does, "CN=app.test, O=Example, C=US", the most specific part first. A backslash takes
// the meaning from the character after it. A text without "=" is the common name.
func parseSubject(text string) (pkix.Name, error) {
	var name pkix.Name
	if !strings.Contains(text, "=") {
		name.CommonName = text
		return name, nil
	}
	separator, body := byte(','), text
	if strings.HasPrefix(text, "/") {
		separator, body = '/', text[1:]
	}
	for _, part := range splitEscaped(body, separator) {
		kind, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			return name, fmt.Errorf("%q is no attribute: write TYPE=VALUE", part)
		}
		id, err := subjectType(strings.TrimSpace(kind))
		if err != nil {
			return name, err
		}
		value = unescape(strings.TrimSpace(value))
		if value == "" {
			return name, fmt.Errorf("%q has no value", part)
		}
		if kind = strings.ToLower(kind); (kind == "c" || kind == "countryname") && len(value) != 2 {
			return name, fmt.Errorf("the country %q is not two letters", value)
		}
		name.ExtraNames = append(name.ExtraNames, pkix.AttributeTypeAndValue{Type: id, Value: value})
	}
	if separator == ',' { // certificates have the most general part first
		for i, j := 0, len(name.ExtraNames)-1; i < j; i, j = i+1, j-1 {
			name.ExtraNames[i], name.ExtraNames[j] = name.ExtraNames[j], name.ExtraNames[i]
		}
	}
	for _, a := range name.ExtraNames {
		if a.Type.Equal(subjectTypes["cn"]) {
			name.CommonName = a.Value.(string)
		}
	}
	return name, nil
}

func subjectType(word string) (asn1.ObjectIdentifier, error) {
	if id, ok := subjectTypes[strings.ToLower(word)]; ok {
		return id, nil
	}
	var id asn1.ObjectIdentifier
	for arc := range strings.SplitSeq(word, ".") {
		n, err := strconv.ParseUint(arc, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("%q is no attribute of a name: write C, ST, L, O, OU, CN or a number such as 2.5.4.3", word)
		}
		id = append(id, int(n))
	}
	if len(id) < 2 {
		return nil, fmt.Errorf("%q is no attribute of a name", word)
	}
	return id, nil
}

// splitEscaped splits at a separator that has no backslash before it.
func splitEscaped(text string, separator byte) []string {
	var parts []string
	start := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case separator:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
