package lab

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// nmapTable is the nested tables of a script's result.
type nmapTable struct {
	Key    string      `xml:"key,attr"`
	Tables []nmapTable `xml:"table"`
	Elems  []struct {
		Key  string `xml:"key,attr"`
		Text string `xml:",chardata"`
	} `xml:"elem"`
}

func (t *nmapTable) elem(key string) string {
	for _, e := range t.Elems {
		if e.Key == key {
			return e.Text
		}
	}
	return ""
}

type nmapRun struct {
	Scripts []struct {
		ID string `xml:"id,attr"`
		nmapTable
	} `xml:"host>ports>port>script"`
}

// ParseNmap reads what nmap -oX writes of the scripts ssl-enum-ciphers and sslv2.
func ParseNmap(text []byte) (*Said, error) {
	if len(text) > maxReport {
		return nil, fmt.Errorf("the report has %d bytes", len(text))
	}
	var run nmapRun
	if err := xml.Unmarshal(text, &run); err != nil {
		return nil, fmt.Errorf("nmap's XML: %w", err)
	}
	s, no := newSaid(), false
	s.SSL2 = &no
	names := suiteNames()
	for _, script := range run.Scripts {
		switch script.ID {
		case "sslv2":
			yes := true
			s.SSL2 = &yes
		case "ssl-enum-ciphers":
			for _, v := range nmapVersions() {
				s.Versions[v] = false
			}
			for _, t := range script.Tables {
				if v, ok := nmapVersions()[t.Key]; ok {
					s.Versions[v] = true
					s.nmapVersion(v, &t, names)
				}
			}
		}
	}
	return s, nil
}

func nmapVersions() map[string]wire.Version {
	return map[string]wire.Version{"SSLv3": wire.VersionSSL30, "TLSv1.0": wire.VersionTLS10, "TLSv1.1": wire.VersionTLS11,
		"TLSv1.2": wire.VersionTLS12, "TLSv1.3": wire.VersionTLS13}
}

func (s *Said) nmapVersion(v wire.Version, t *nmapTable, names map[string]wire.CipherSuite) {
	for _, list := range t.Tables {
		if list.Key != "ciphers" {
			continue
		}
		for _, row := range list.Tables {
			name := strings.Replace(row.elem("name"), "TLS_AKE_WITH_", "TLS_", 1)
			if id, ok := names[name]; ok {
				s.addSuite(v, id)
			}
		}
	}
	switch t.elem("cipher preference") {
	case "server":
		s.Order[v] = "yes"
	case "client":
		s.Order[v] = "no"
	}
}
