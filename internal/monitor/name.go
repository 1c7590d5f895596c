package monitor

import (
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// parseName writes the attributes of a Name as "CN=…", fit to print.
func parseName(der []byte) ([]string, error) {
	attributes, err := cert.ParseName(der)
	if err != nil {
		return nil, err
	}
	short := map[string]string{"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU"}
	var list []string
	for _, a := range attributes {
		word := short[a.Type]
		if word == "" {
			word = a.Type
		}
		list = append(list, pki.Printable(word+"="+a.Value))
	}
	return list, nil
}
