package authority

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/issue"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ocsp"
)

// signTimeout bounds how long a key may take to sign, where it lives in a token or
// behind a network.
const signTimeout = time.Minute

// Options say how an authority works. Store and Issuer are needed.
type Options struct {
	Store *store.Store
	// Issuer signs. Without its key the authority lists, searches, revokes and
	// verifies, but signs nothing.
	Issuer pki.Issuer
	// Chain is what is sent after a leaf, nearest first, the root left out. Nil: the
	// issuer's certificate.
	Chain []*x509.Certificate
	// Linters examine certificates after our own lints.
	Linters []issue.Linter
	// Now is the clock; nil: the system's.
	Now func() time.Time
	// Actor is who the audit log names; "": tlswright.
	Actor string
	// SignTimeout; 0: a minute.
	SignTimeout time.Duration
	// Publication says where relying parties find what this authority publishes.
	Publication Publication
	// Responder signs OCSP answers in the issuer's place; nil: the issuer.
	Responder *pki.Issuer
	// Profiles are profiles of one's own, by name, for Renew.
	Profiles map[string]pki.ProfileSpec
	// Meter is told what is done, for metrics; nil: nobody is.
	Meter Meter
	// Transparency shows certificates of servers to logs before they are signed; nil:
	// they are shown to none.
	Transparency *Transparency
}

// Authority issues for one issuer. Its methods may be called by many goroutines at
// once; many at once share their writes to the disk.
type Authority struct {
	Options
	record    store.Issuer
	ownsStore bool
	workshop  *workshop
	names     *ocsp.Issuer // by which OCSP requests call the issuer
}

// Open makes an authority. The issuer is made known to the store; its certificate
// must be that of a CA.
func Open(ctx context.Context, o Options) (*Authority, error) {
	c := o.Issuer.Certificate
	if o.Store == nil || c == nil {
		return nil, errors.New("an authority needs a store and an issuer")
	}
	if !c.BasicConstraintsValid || !c.IsCA {
		return nil, &pki.RefusedError{Reason: fmt.Sprintf("%q is not a CA certificate", pki.Name(c.Subject))}
	}
	if o.Issuer.Key != nil && !pki.SameKey(c.PublicKey, o.Issuer.Key.Public()) {
		return nil, &pki.RefusedError{Reason: fmt.Sprintf("the key does not belong to the certificate of %q", pki.Name(c.Subject))}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Actor == "" {
		o.Actor = "tlswright"
	}
	if o.SignTimeout == 0 {
		o.SignTimeout = signTimeout
	}
	if o.Meter == nil {
		o.Meter = unmetered{}
	}
	if o.Chain == nil {
		o.Chain = []*x509.Certificate{c}
	}
	if err := o.Publication.check(); err != nil {
		return nil, err
	}
	names, err := ocsp.NewIssuer(c)
	if err != nil {
		return nil, err
	}
	a := &Authority{Options: o, workshop: newWorkshop(), names: names}
	a.record, err = o.Store.Introduce(ctx, issuerRecord(c, o.Publication.Shards), a.by())
	if err != nil {
		return nil, err
	}
	if shards := o.Publication.Shards; shards > 1 && shards != a.record.Shards {
		had := a.record.Shards
		a.record, err = o.Store.SetShards(ctx, a.record.ID, shards, a.by())
		if errors.Is(err, store.ErrPartitioned) {
			return nil, &pki.RefusedError{
				Reason: fmt.Sprintf("the CRL has %d partitions, for ever, and not %d: certificates point to them", had, shards),
				Hint:   fmt.Sprintf("put %d back as the number of partitions (%s)", had, PublicationFile),
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Close ends what the authority has begun, and closes the store if OpenHome opened
// it. Nothing is issued afterwards.
func (a *Authority) Close() error {
	a.workshop.close()
	if !a.ownsStore {
		return nil
	}
	return a.Store.Close()
}

// As gives the same authority, acting for somebody else: the audit log names actor. It is not to be closed, and of no use
// when the first one is.
func (a *Authority) As(actor string) *Authority {
	other := *a
	other.Actor, other.ownsStore = actor, false
	return &other
}

// IssuerID is the number under which the store knows the issuer.
func (a *Authority) IssuerID() int64 { return a.record.ID }

func (a *Authority) by() store.By { return store.By{Actor: a.Actor, At: a.Now()} }

// needKey refuses what needs a signature where there is no key.
func (a *Authority) needKey() error {
	if a.Issuer.Key == nil {
		return &pki.RefusedError{Reason: fmt.Sprintf("the key of %q is not at hand, and this needs its signature", pki.Name(a.Issuer.Certificate.Subject))}
	}
	return nil
}

// issuerRecord is what the store keeps of an issuer. Name and key tell issuers
// apart: a renewed certificate continues the same one.
func issuerRecord(c *x509.Certificate, shards int) store.Issuer {
	return store.Issuer{
		Name:        pki.Name(c.Subject),
		KeyHash:     sha256.Sum256(append(append([]byte(nil), c.RawSubject...), c.RawSubjectPublicKeyInfo...)),
		Certificate: c.Raw,
		Shards:      shards,
	}
}

// Publication says where relying parties find revocation information and the
// issuer's certificate: URLs that go into certificates and CRLs. Empty: nothing is
// said.
type Publication struct {
	// CRL are URLs of the CRL. With more than one shard each must contain "{shard}",
	// which becomes the number of the partition, 0 to Shards-1.
	CRL []string `json:"crl,omitempty"`
	// Delta are URLs of delta CRLs, for the extension Freshest CRL of complete ones; with
	// "{shard}" as CRL has it.
	Delta []string `json:"delta,omitempty"`
	// OCSP are URLs of the OCSP responder.
	OCSP []string `json:"ocsp,omitempty"`
	// Issuer are URLs of the issuer's certificate, DER.
	Issuer []string `json:"issuer,omitempty"`
	// Shards is how many partitions the CRL has; 0 or 1: it is not partitioned. Once
	// more than one, the number stays for ever.
	Shards int `json:"shards,omitempty"`
}

// maxShards bounds how many partitions a CRL can have.
const maxShards = 10000

const shardMark = "{shard}"

func (p *Publication) check() error {
	if p.Shards < 0 || p.Shards > maxShards {
		return &pki.RefusedError{Reason: fmt.Sprintf("a CRL cannot have %d partitions (1 to %d)", p.Shards, maxShards)}
	}
	for _, u := range append(append([]string(nil), p.CRL...), p.Delta...) {
		if marked := strings.Contains(u, shardMark); marked != (p.Shards > 1) {
			if marked {
				return &pki.RefusedError{Reason: fmt.Sprintf("the URL %s names a partition, and the CRL has none", pki.Printable(u)), Hint: "say how many partitions there shall be"}
			}
			return &pki.RefusedError{Reason: fmt.Sprintf("the URL %s is the same for all partitions of the CRL", pki.Printable(u)), Hint: "put {shard} where the number of the partition belongs"}
		}
	}
	return nil
}

// urlsOf gives the URLs of one partition.
func urlsOf(urls []string, shard int) []string {
	var of []string
	for _, u := range urls {
		of = append(of, strings.ReplaceAll(u, shardMark, fmt.Sprint(shard)))
	}
	return of
}

// ParseSerial reads a serial number as people write it: hexadecimal, with or
// without colons, spaces or 0x.
func ParseSerial(s string) (*big.Int, error) {
	digits := strings.NewReplacer(":", "", " ", "").Replace(strings.TrimSpace(s))
	digits = strings.TrimPrefix(strings.TrimPrefix(digits, "0x"), "0X")
	n, ok := new(big.Int).SetString(digits, 16)
	if !ok || n.Sign() <= 0 || len(digits) > 40 || strings.ContainsAny(digits, "+-_") {
		return nil, &pki.RefusedError{Reason: fmt.Sprintf("%q is not a serial number", pki.Printable(s)), Hint: "it is written in hexadecimal, as `tlswright ca list` shows it"}
	}
	return n, nil
}

// SerialText is how serial numbers are shown: lower-case hexadecimal, two digits a
// byte.
func SerialText(serial *big.Int) string { return fmt.Sprintf("%x", serial.Bytes()) }
