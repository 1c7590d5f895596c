package cli

import (
	"context"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

// issueOnRecord makes a key and has the CA of the estate certify it; the certificate is on record, the key in memory only.
func (a *app) issueOnRecord(ctx context.Context, req pki.Request, keyType pki.KeyType) (id keystore.Identity, err error) {
	b, err := a.serviceBase(nil)
	if err != nil {
		return id, err
	}
	id, err = b.IssueOnRecord(ctx, req, keyType)
	if err != nil {
		return id, caFailure(err, "issuing the certificate")
	}
	return id, nil
}

// issueFrom makes a key and has a CA certify it, on no record: for CAs that live no longer than the process.
func issueFrom(ca *keystore.CA, req pki.Request, keyType pki.KeyType, now time.Time) (keystore.Identity, error) {
	key, err := pki.GenerateKey(keyType)
	if err != nil {
		return keystore.Identity{}, cannotRun(err, "making a key")
	}
	req.Key = key.Public()
	leaf, err := ca.Issuer().Issue(req, now)
	if err != nil {
		return keystore.Identity{}, refusedRequest(err, "issuing the certificate")
	}
	return keystore.Identity{Chain: append([][]byte{leaf.Raw}, ca.Chain()...), Key: key}, nil
}
