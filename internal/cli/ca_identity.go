package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

// issueOnRecord makes a key and has the CA of the estate certify it; the certificate is on record, the key in memory only.
func (a *app) issueOnRecord(ctx context.Context, req pki.Request, keyType pki.KeyType) (id keystore.Identity, err error) {
	au, err := a.openToIssue(ctx, &caFlags{})
	var refused *failure
	if errors.As(err, &refused) && strings.Contains(refused.hint, "--passphrase-") {
		refused.hint = "issue a certificate first (tlswright ca issue localhost), and name it with --cert and --key"
	}
	if err != nil {
		return id, err
	}
	defer closing(au, &err)
	key, err := pki.GenerateKey(keyType)
	if err != nil {
		return id, cannotRun(err, "making a key")
	}
	req.Key = key.Public()
	issued, err := au.Order(ctx, authority.Order{Request: req})
	if err != nil {
		return id, caFailure(err, "issuing the certificate")
	}
	return keystore.Identity{Chain: issued.Chain, Key: key}, nil
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
