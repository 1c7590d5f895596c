package lab

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

type sslscanDocument struct {
	Tests []struct {
		Protocols []struct {
			Type    string `xml:"type,attr"`
			Version string `xml:"version,attr"`
			Enabled string `xml:"enabled,attr"`
		} `xml:"protocol"`
		Ciphers []struct {
			Version string `xml:"sslversion,attr"`
			ID      string `xml:"id,attr"`
		} `xml:"cipher"`
		Groups []struct {
			ID string `xml:"id,attr"`
		} `xml:"group"`
		Heartbleed []struct {
			Vulnerable string `xml:"vulnerable,attr"`
		} `xml:"heartbleed"`
		Certificates []struct {
			Type      string `xml:"type,attr"`
			Algorithm string `xml:"signature-algorithm"`
			Key       struct {
				Type string `xml:"type,attr"`
				Bits string `xml:"bits,attr"`
			} `xml:"pk"`
			SelfSigned string `xml:"self-signed"`
			Expired    string `xml:"expired"`
		} `xml:"certificates>certificate"`
	} `xml:"ssltest"`
}

// ParseSSLScan reads what sslscan --xml writes. It lets pass bytes that are no UTF-8, which sslscan copies from
// certificates.
func ParseSSLScan(text []byte) (*Said, error) {
	if len(text) > maxReport {
		return nil, fmt.Errorf("the report has %d bytes", len(text))
	}
	decoder := xml.NewDecoder(bytes.NewReader(bytes.ToValidUTF8(text, []byte("?"))))
	decoder.Strict = false
	var document sslscanDocument
	if err := decoder.Decode(&document); err != nil && err != io.EOF {
		return nil, fmt.Errorf("sslscan's XML: %w", err)
	}
	s := newSaid()
	for _, test := range document.Tests {
		for _, p := range test.Protocols {
			on := p.Enabled == "1"
			if p.Type == "ssl" && p.Version == "2" {
				s.SSL2 = &on
			} else if v, ok := sslscanVersion(p.Type + p.Version); ok {
				s.Versions[v] = on
			}
		}
		for _, c := range test.Ciphers {
			number, err := strconv.ParseUint(strings.TrimPrefix(c.ID, "0x"), 16, 32)
			if v, ok := sslscanVersion(strings.ToLower(strings.Replace(c.Version, "v", "", 1))); ok && err == nil && number <= 0xffff {
				s.addSuite(v, wire.CipherSuite(number))
			}
		}
		for _, g := range test.Groups {
			if id, err := strconv.ParseUint(strings.TrimPrefix(g.ID, "0x"), 16, 16); err == nil {
				s.addGroup(wire.Group(id))
			}
		}
		for _, h := range test.Heartbleed {
			if h.Vulnerable == "1" {
				s.Alarms = append(s.Alarms, "heartbleed")
			}
		}
		for _, c := range test.Certificates {
			if c.Type != "short" {
				continue
			}
			s.judge(SelfSigned, c.SelfSigned == "true")
			s.judge(Expired, c.Expired == "true")
			s.judge(SHA1, strings.Contains(strings.ToLower(c.Algorithm), "sha1"))
			s.judge(MD5, strings.Contains(strings.ToLower(c.Algorithm), "md5"))
			bits, err := strconv.Atoi(c.Key.Bits) // of a curve: its strength
			s.judge(WeakKey, err == nil && (bits < 112 || bits < 2048 && c.Key.Type == "RSA"))
		}
	}
	return s, nil
}

func sslscanVersion(name string) (wire.Version, bool) {
	v, ok := map[string]wire.Version{"ssl3": wire.VersionSSL30, "ssl3.0": wire.VersionSSL30, "tls1.0": wire.VersionTLS10, "tls1.1": wire.VersionTLS11,
		"tls1.2": wire.VersionTLS12, "tls1.3": wire.VersionTLS13}[name]
	return v, ok
}
