package cli

import (
	"bufio"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// revokedWithin is how long a revocation may take to reach a gateway that reads the CA's records: it hears of it several times
// faster than that.
const revokedWithin = 20 * time.Second

// revoke takes alice's certificate back while she is connected, and shows that it counts: at once where the CA's records are
// read, and for everybody else by the list.
func (t *tour) revoke() {
	var alice *keystore.Identity
	var open *openVisit
	if !t.check("alice, before", func() (detail string, err error) {
		if alice, err = t.api.client(t.ctx, "alice"); err != nil {
			return "", err
		}
		if open, err = t.visitAPI(alice); err != nil {
			return "", err
		}
		t.later(func() error { open.conn.Close(); return nil })
		for range 2 { // the second shows that the connection stays open by itself
			if err := open.ask("hello, alice"); err != nil {
				return "", err
			}
		}
		return "is let in, and her connection stays open between requests", nil
	}) {
		return
	}
	if !t.check("her connection", func() (string, error) {
		if err := t.api.records.Revoke(t.ctx, parseChain(alice.Chain)[0].SerialNumber, crl.KeyCompromise, time.Time{}); err != nil {
			return "", err
		}
		took, err := open.untilClosed()
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("her certificate is revoked: the gateway closes the connection, %.1f s later", took.Seconds()), nil
	}) {
		return
	}
	t.check("alice, again", func() (string, error) {
		return t.refusedByAPI(t.api, alice, "alice", wire.AlertCertificateRevoked)
	})
	t.check("bob", func() (string, error) {
		bob, err := t.api.client(t.ctx, "bob")
		if err != nil {
			return "", err
		}
		detail, err := t.askAPI(t.api, bob, "bob", "/orders", http.StatusOK)
		return "is let in as before: " + detail, err
	})
	t.check("everybody else", func() (string, error) { return t.askCRL(parseChain(alice.Chain)[0]) })
	t.check("the log of the CA", func() (string, error) {
		head, err := t.api.records.VerifyAudit(t.ctx)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%d entries, each sealing the one before it: none was changed", head.Seq), nil
	})
}

// askCRL verifies a revoked certificate as somebody does who has only the CA's root and its list.
func (t *tour) askCRL(leaf *x509.Certificate) (string, error) {
	der, err := t.api.records.CRL(t.ctx, authority.CRLOptions{})
	if err != nil {
		return "", err
	}
	list, err := crl.Parse(der)
	if err != nil {
		return "", err
	}
	o := pki.VerifyOptions{Roots: rootsOf(t.ca), Intermediates: [][]byte{t.ca.Intermediate.Raw}, Time: t.app.now(), Usage: pki.UsageClient}
	if e := pki.Explain(leaf.Raw, o); !e.Trusted {
		return "", fmt.Errorf("without a list: %w", e.Err)
	}
	o.Revocation = &pki.RevocationOptions{Mode: pki.RevocationHard, CRLs: []*crl.List{list}}
	e := pki.Explain(leaf.Raw, o)
	if e.Trusted {
		return "", errors.New("the certificate is still trusted")
	}
	return "learns it from the CA's list: " + e.Err.Error(), nil
}

// openVisit is a client's connection that stays open between requests.
type openVisit struct {
	conn   *tlsnet.Conn
	reader *bufio.Reader
}

func (t *tour) visitAPI(id *keystore.Identity) (*openVisit, error) {
	c := t.clientWith(*id)
	c.Core.ALPN = []string{tlsnet.ProtocolHTTP1}
	conn, err := tlsnet.Dial(t.ctx, "tcp", t.api.addr, c)
	if err != nil {
		return nil, err
	}
	return &openVisit{conn: conn, reader: bufio.NewReader(conn)}, nil
}

// ask makes a request and compares the answer.
func (v *openVisit) ask(want string) error {
	v.conn.SetDeadline(time.Now().Add(revokedWithin))
	if _, err := io.WriteString(v.conn, "GET /orders HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return err
	}
	return readAnswer(v.reader, want)
}

// untilClosed waits until the other end closes the connection, and says how long that took.
func (v *openVisit) untilClosed() (time.Duration, error) {
	begun := time.Now()
	v.conn.SetReadDeadline(begun.Add(revokedWithin))
	_, err := v.reader.ReadByte()
	switch {
	case err == nil:
		return 0, errors.New("the gateway goes on sending")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, fmt.Errorf("the connection is still open after %v", revokedWithin)
	}
	return time.Since(begun), nil
}
