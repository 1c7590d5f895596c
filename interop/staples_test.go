package interop

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/tlswright/tlswright/wire"
)

// staple is what a server sends beside its certificate: an OCSP response, or one SCT.
type staple struct {
	der  []byte
	file string // the OCSP response, or the SCT in OpenSSL's form
	scts [][]byte
}

// ocspSays makes an OCSP response for an identity, signed by its CA.
func (p *pki) ocspSays(id *identity, status int) (*staple, error) {
	leaf, err := x509.ParseCertificate(id.chain[0])
	if err != nil {
		return nil, err
	}
	now := time.Now()
	r := ocsp.Response{Status: status, SerialNumber: leaf.SerialNumber, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)}
	if status == ocsp.Revoked {
		r.RevokedAt = now.Add(-2 * time.Hour)
	}
	der, err := ocsp.CreateResponse(p.ca.Intermediate, p.ca.Intermediate, r, p.ca.Key)
	if err != nil {
		return nil, err
	}
	file, err := p.keep("ocsp-*.der", der)
	return &staple{der: der, file: file}, err
}

// anSCT makes an SCT that can be parsed, of a log that nobody knows.
func (p *pki) anSCT() (*staple, error) {
	prefixed := func(b []byte) []byte { return append([]byte{byte(len(b) >> 8), byte(len(b))}, b...) }
	sct := append([]byte{0}, make([]byte, 32+8)...) // v1, log id, timestamp
	sct = append(sct, prefixed(nil)...)             // no extensions
	sct = append(sct, 4, 3)                         // ecdsa with sha256
	sct = append(sct, prefixed([]byte{0x30, 6, 2, 1, 1, 2, 1, 1})...)
	list := prefixed(prefixed(sct))                                               // RFC 6962, Section 3.3
	info := []byte{0, 0, 0x11, 0xc0, 0, byte(wire.ExtSignedCertificateTimestamp)} // in ServerHello and Certificate, not when resumed
	info = append(info, prefixed(list)...)
	file, err := p.keep("sct-*.pem", pem.EncodeToMemory(&pem.Block{Type: "SERVERINFOV2 FOR SCT", Bytes: info}))
	return &staple{scts: [][]byte{sct}, file: file}, err
}

// keep writes a file for a peer.
func (p *pki) keep(pattern string, data []byte) (string, error) {
	f, err := os.CreateTemp(p.dir, pattern)
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	return f.Name(), errors.Join(err, f.Close())
}

// demanding issues a certificate that demands a stapled OCSP response (RFC 7633).
func demanding(t testing.TB, p *pki, like *identity) *identity {
	t.Helper()
	return extended(t, p, like, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}})
}

// extended issues a certificate like another one, with one extension more.
func extended(t testing.TB, p *pki, like *identity, more pkix.Extension) *identity {
	t.Helper()
	old, err := x509.ParseCertificate(like.chain[0])
	if err != nil {
		t.Fatal(err)
	}
	next := *old
	next.SerialNumber = new(big.Int).Add(old.SerialNumber, big.NewInt(1))
	next.ExtraExtensions = []pkix.Extension{more}
	der, err := x509.CreateCertificate(rand.Reader, &next, p.ca.Intermediate, like.key.Public(), p.ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	id := &identity{chain: [][]byte{der, like.chain[1]}, key: like.key, keyFile: like.keyFile, certFile: filepath.Join(t.TempDir(), "fullchain.pem")}
	var chain []byte
	for _, der := range id.chain {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	if err := os.WriteFile(id.certFile, chain, 0o600); err != nil {
		t.Fatal(err)
	}
	return id
}

func stapleFeatures() []feature {
	var fs []feature
	for _, v := range []wire.Version{wire.VersionTLS13, wire.VersionTLS12} {
		add := func(what string, r role, run func(context.Context, *pki, peer) (string, error)) {
			fs = append(fs, feature{what: fmt.Sprintf("%v: %s", v, what), role: r, run: run, version: v})
		}
		add("OCSP response, good", weAreClient, ocspClient)
		add("OCSP response, good", weAreServer, ocspServer)
		add("OCSP response, revoked: refused", weAreClient, revokedClient)
		add("the certificate demands an OCSP response, and there is one", weAreClient, demandMetClient)
		add("the certificate demands an OCSP response, and there is none: refused", weAreClient, demandUnmetClient)
		add("the certificate demands an OCSP response, and there is none: refused", weAreServer, demandUnmetServer)
		add("SCT in the handshake", weAreClient, sctClient)
		add("SCT in the handshake", weAreServer, sctServer)
	}
	return fs
}

// TestStaplesWithEveryPeer sends and reads OCSP responses and SCTs.
func TestStaplesWithEveryPeer(t *testing.T) {
	runFeatures(t, "staples", wire.VersionTLS13, stapleFeatures())
}

// ocspClient lets our client read and judge what the peer's server staples.
func ocspClient(ctx context.Context, p *pki, pr peer) (string, error) {
	if pr.ownStaples {
		return weakIf(weakStaple(ctx, p, pr, p.leaves[pr.stapledKind()], ocsp.Good, false))
	}
	return okIf(stapledTo(ctx, p, pr, p.leaves[pr.stapledKind()]))
}

func demandMetClient(ctx context.Context, p *pki, pr peer) (string, error) {
	if pr.ownStaples {
		return weakIf(weakStaple(ctx, p, pr, p.demandingRSA, ocsp.Good, true))
	}
	return okIf(stapledTo(ctx, p, pr, p.demanding))
}

// stapledKind is the certificate for which the peer's server sends a staple.
func (pr peer) stapledKind() keyKind {
	if pr.ownStaples {
		return rsaE
	}
	return ecdsaP256
}

// weakStaple is about a peer whose server signs its responses with SHA-1, which counts for nothing here: the response is
// there and says nothing, and where the certificate demands one the server is refused.
func weakStaple(ctx context.Context, p *pki, pr peer, id *identity, status int, demanded bool) error {
	st, err := p.ocspSays(id, status)
	if err != nil {
		return err
	}
	return withServer(ctx, p, pr, asks{identity: id, ocsp: st}, func(s peerServer) error {
		if demanded {
			return weRejectServer(ctx, p, pr, s, asks{name: serverName}, wire.AlertBadCertificateStatusResponse)
		}
		c, err := asks{name: serverName}.dial(ctx, p, s.addr())
		if err != nil {
			return err
		}
		defer c.Close()
		if got := c.Peer(); len(got.Staple) == 0 || got.Status != nil {
			return fmt.Errorf("a staple of %d bytes was judged %+v", len(got.Staple), got.Status)
		}
		return nil
	})
}

// weakCell is the cell of such a peer.
const weakCell = "weak"

func weakIf(err error) (string, error) {
	if err != nil {
		return "", err
	}
	return weakCell, nil
}

func stapledTo(ctx context.Context, p *pki, pr peer, id *identity) error {
	st, err := p.ocspSays(id, ocsp.Good)
	if err != nil {
		return err
	}
	return withServer(ctx, p, pr, asks{identity: id, ocsp: st}, func(s peerServer) error {
		c, err := asks{name: serverName}.dial(ctx, p, s.addr())
		if err != nil {
			return err
		}
		defer c.Close()
		got := c.Peer()
		if !bytes.Equal(got.Staple, st.der) {
			return fmt.Errorf("the staple has %d bytes, not those %d that were sent", len(got.Staple), len(st.der))
		}
		if got.Status == nil || got.Status.Revoked {
			return fmt.Errorf("the staple was judged %+v", got.Status)
		}
		return nil
	})
}

func revokedClient(ctx context.Context, p *pki, pr peer) (string, error) {
	id := p.leaves[pr.stapledKind()]
	if pr.ownStaples {
		return weakIf(weakStaple(ctx, p, pr, id, ocsp.Revoked, false))
	}
	st, err := p.ocspSays(id, ocsp.Revoked)
	if err != nil {
		return "", err
	}
	return okIf(withServer(ctx, p, pr, asks{identity: id, ocsp: st}, func(s peerServer) error {
		return weRejectServer(ctx, p, pr, s, asks{name: serverName}, wire.AlertCertificateRevoked)
	}))
}

func demandUnmetClient(ctx context.Context, p *pki, pr peer) (string, error) {
	return okIf(withServer(ctx, p, pr, asks{identity: p.demanding}, func(s peerServer) error {
		return weRejectServer(ctx, p, pr, s, asks{name: serverName}, wire.AlertBadCertificateStatusResponse)
	}))
}

// ocspServer lets our server staple, and the peer's client say what it read.
func ocspServer(ctx context.Context, p *pki, pr peer) (string, error) {
	if pr.readsOCSP == nil {
		return "", errNotThere
	}
	st, err := p.ocspSays(p.leaves[ecdsaP256], ocsp.Good)
	if err != nil {
		return "", err
	}
	return okIf(weStaple(ctx, p, pr, pr.readsOCSP, st, nil))
}

func sctServer(ctx context.Context, p *pki, pr peer) (string, error) {
	if pr.readsSCT == nil {
		return "", errNotThere
	}
	st, err := p.anSCT()
	if err != nil {
		return "", err
	}
	return okIf(weStaple(ctx, p, pr, pr.readsSCT, nil, st))
}

func weStaple(ctx context.Context, p *pki, pr peer, reads func(context.Context, *pki, string, asks) told, response, sct *staple) error {
	ours := asks{identity: p.leaves[ecdsaP256], ocsp: response, sct: sct, mute: true}
	theirs := asks{name: serverName, ocsp: response, sct: sct, versions: one(pr.speaks)}
	pr.dial = reads
	return weServe(ctx, p, pr, ours, theirs, verdict{name: serverName})
}

func demandUnmetServer(ctx context.Context, p *pki, pr peer) (string, error) {
	if !pr.mindsDemand {
		return "", errNotThere
	}
	return okIf(theyReject(ctx, p, pr, asks{identity: p.demanding}, asks{name: serverName}))
}

func sctClient(ctx context.Context, p *pki, pr peer) (string, error) {
	if !pr.sendsSCT {
		return "", errNotThere
	}
	st, err := p.anSCT()
	if err != nil {
		return "", err
	}
	return okIf(withServer(ctx, p, pr, asks{identity: p.leaves[ecdsaP256], sct: st}, func(s peerServer) error {
		c, err := asks{name: serverName}.dial(ctx, p, s.addr())
		if err != nil {
			return err
		}
		defer c.Close()
		if got := c.Peer().SCTs; !slices.EqualFunc(got, st.scts, bytes.Equal) {
			return fmt.Errorf("SCTs %x, not %x", got, st.scts)
		}
		return nil
	}))
}
