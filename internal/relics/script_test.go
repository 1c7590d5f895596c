package relics

import (
	"crypto/tls"
	"strings"
	"testing"
)

// A client of TLS checks the signature and the messages up to ServerHelloDone, and fails where the script ends: the server
// cannot read what it sends.
func TestScriptsSatisfyAClientUntilTheKeysAreUsed(t *testing.T) {
	for name, s := range map[string]*Script{"rsa": Sound(), "ecdsa": {
		Versions: Sound().Versions, Groups: Sound().Groups, OnlyECDSA: true, Suites: Sound().Suites,
	}} {
		if name == "ecdsa" {
			s.Suites = append(s.Suites, 0xc009, 0xc02b)
		}
		server := s.Start(t)
		for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12} {
			c, err := tls.Dial("tcp", server.Addr, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
			if err == nil {
				c.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "remote error: tls: bad record MAC") {
				t.Errorf("%s, version %x: %v", name, version, err)
			}
		}
	}
}

func TestModernServerIsSound(t *testing.T) {
	server := Modern(t)
	c, err := tls.Dial("tcp", server.Addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 12)
	if n, err := c.Read(answer); err != nil || string(answer[:n]) != "HTTP/1.1 200" {
		t.Errorf("%q, %v", answer[:n], err)
	}
	if server.Connections() != 1 || server.Sent() == 0 || server.Received() == 0 {
		t.Error("the server did not count")
	}
}
