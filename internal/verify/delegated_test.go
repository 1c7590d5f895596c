package verify

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// delegationCertificate is the example of RFC 9345, Appendix B.
const delegationCertificate = `-----BEGIN CERTIFICATE-----
MIIFRjCCBMugAwIBAgIQDGevB+lY0o/OecHFSJ6YnTAKBggqhkjOPQQDAzBMMQsw
CQYDVQQGEwJVUzEVMBMGA1UEChMMRGlnaUNlcnQgSW5jMSYwJAYDVQQDEx1EaWdp
Q2VydCBFQ0MgU2VjdXJlIFNlcnZlciBDQTAeFw0xOTAzMjYwMDAwMDBaFw0yMTAz
MzAxMjAwMDBaMGoxCzAJBgNVBAYTAlVTMRMwEQYDVQQIEwpDYWxpZm9ybmlhMRYw
FAYDVQQHEw1TYW4gRnJhbmNpc2NvMRkwFwYDVQQKExBDbG91ZGZsYXJlLCBJbmMu
MRMwEQYDVQQDEwprYzJrZG0uY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
d4azI83Bw0fcPgfoeiZpZZnwGuxjBjv++wzE0zAj8vNiUkKxOWSQiGNLn+xlWUpL
lw9djRN1rLmVmn2gb9GgdKOCA28wggNrMB8GA1UdIwQYMBaAFKOd5h/52jlPwG7o
kcuVpdox4gqfMB0GA1UdDgQWBBSfcb7fS3fUFAyB91fRcwoDPtgtJjAjBgNVHREE
HDAaggprYzJrZG0uY29tggwqLmtjMmtkbS5jb20wDgYDVR0PAQH/BAQDAgeAMB0G
A1UdJQQWMBQGCCsGAQUFBwMBBggrBgEFBQcDAjBpBgNVHR8EYjBgMC6gLKAqhiho
dHRwOi8vY3JsMy5kaWdpY2VydC5jb20vc3NjYS1lY2MtZzEuY3JsMC6gLKAqhiho
dHRwOi8vY3JsNC5kaWdpY2VydC5jb20vc3NjYS1lY2MtZzEuY3JsMEwGA1UdIARF
MEMwNwYJYIZIAYb9bAEBMCowKAYIKwYBBQUHAgEWHGh0dHBzOi8vd3d3LmRpZ2lj
ZXJ0LmNvbS9DUFMwCAYGZ4EMAQICMHsGCCsGAQUFBwEBBG8wbTAkBggrBgEFBQcw
AYYYaHR0cDovL29jc3AuZGlnaWNlcnQuY29tMEUGCCsGAQUFBzAChjlodHRwOi8v
Y2FjZXJ0cy5kaWdpY2VydC5jb20vRGlnaUNlcnRFQ0NTZWN1cmVTZXJ2ZXJDQS5j
cnQwDAYDVR0TAQH/BAIwADAPBgkrBgEEAYLaSywEAgUAMIIBfgYKKwYBBAHWeQIE
AgSCAW4EggFqAWgAdgC72d+8H4pxtZOUI5eqkntHOFeVCqtS6BqQlmQ2jh7RhQAA
AWm5hYJ5AAAEAwBHMEUCICiGfq+hSThRL2m8H0awoDR8OpnEHNkF0nI6nL5yYL/j
AiEAxwebGs/T6Es0YarPzoQJrVZqk+sHH/t+jrSrKd5TDjcAdgCHdb/nWXz4jEOZ
X73zbv9WjUdWNv9KtWDBtOr/XqCDDwAAAWm5hYNgAAAEAwBHMEUCIQD9OWA8KGL6
bxDKfgIleHJWB0iWieRs88VgJyfAg/aFDgIgQ/OsdSF9XOy1foqge0DTDM2FExuw
0JR0AGZWXoNtJzMAdgBElGUusO7Or8RAB9io/ijA2uaCvtjLMbU/0zOWtbaBqAAA
AWm5hYHgAAAEAwBHMEUCIQC4vua1n3BqthEqpA/VBTcsNwMtAwpCuac2IhJ9wx6X
/AIgb+o00k28JQo9TMpP4vzJ3BD3HXWSNc2Zizbq7mkUQYMwCgYIKoZIzj0EAwMD
aQAwZgIxAJsX7d0SuA8ddf/m7IWfNfs3MQfJyGkEezMJX1t6sRso5z50SS12LpXe
muGa1FE2ZgIxAL+CDUF5pz7mhrAEIjQ1MqlpF9tH40dJGvYZZQ3W23cMzSkDfvlt
y5S4RfWHIIPjbw==
-----END CERTIFICATE-----
`

func TestTheExampleCertificateMayDelegate(t *testing.T) {
	block, _ := pem.Decode([]byte(delegationCertificate))
	if err := MayDelegate(block.Bytes); err != nil {
		t.Error(err)
	}
	key := ecdsaKey(t, elliptic.P256())
	if err := MayDelegate(certify(t, key.Public(), nil)); !errors.Is(err, ErrDelegated) {
		t.Errorf("any certificate: %v", err)
	}
	if err := MayDelegate([]byte("certificate")); !errors.Is(err, ErrCertificate) {
		t.Errorf("no certificate: %v", err)
	}
}

// TestDelegationsAreProven: what is only read is no proof, and the time is looked at.
func TestDelegationsAreProven(t *testing.T) {
	owner, key := ecdsaKey(t, elliptic.P256()), ecdsaKey(t, elliptic.P256())
	der := certify(t, owner.Public(), nil)
	leaf, err := Leaf(der)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	dc := &wire.DelegatedCredential{ValidTime: 3600, Scheme: wire.SchemeECDSASecp256r1SHA256, PublicKey: spki, Algorithm: wire.SchemeECDSASecp256r1SHA256}
	if dc.Signature, err = suite.Sign(owner, suite.SchemeByID(dc.Algorithm), DelegatedInput(ServerSigner, der, dc)); err != nil {
		t.Fatal(err)
	}
	d, err := Delegated(ServerSigner, der, leaf, dc)
	if err != nil || !d.Holds() {
		t.Fatalf("%+v, %v", d, err)
	}
	if read, err := ReadDelegated(der, leaf, dc); err != nil || read.Holds() || (*Delegation)(nil).Holds() {
		t.Errorf("what was only read proves something: %v", err)
	}
	if _, err := Delegated(ClientSigner, der, leaf, dc); !errors.Is(err, ErrDelegated) || !errors.Is(err, ErrSignature) {
		t.Errorf("as a client's: %v", err)
	}
	for after, ok := range map[time.Duration]bool{0: true, time.Second: false, -MaxDelegated: true, -MaxDelegated - time.Second: false} {
		if err := d.In(d.Until.Add(after)); (err == nil) != ok || err != nil && !errors.Is(err, ErrDelegated) {
			t.Errorf("%v after its end: %v", after, err)
		}
	}
}
