package cli

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/pki"
)

// alternateChain is a further chain that ACME clients may choose: PEM, what is sent after the leaf, nearest first.
type alternateChain struct {
	file  string
	chain []*x509.Certificate
	used  bool
}

// readAlternates reads the files of --alternate-chain. Whoever certified each certificate must be the next one.
func readAlternates(files []string) ([]*alternateChain, error) {
	var all []*alternateChain
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, cannotRun(err, "--alternate-chain")
		}
		ders, err := pki.CertificatesPEM(text)
		if err == nil && len(ders) == 0 {
			err = fmt.Errorf("there is no certificate in it")
		}
		a := &alternateChain{file: file}
		for i := 0; err == nil && i < len(ders); i++ {
			var c *x509.Certificate
			if c, err = x509.ParseCertificate(ders[i]); err != nil {
				break
			}
			switch {
			case !c.IsCA:
				err = fmt.Errorf("%s is no authority", pki.Printable(c.Subject.String()))
			case i > 0:
				err = a.chain[i-1].CheckSignatureFrom(c)
			}
			a.chain = append(a.chain, c)
		}
		if err != nil {
			return nil, cannotRun(err, "--alternate-chain %s", file)
		}
		all = append(all, a)
	}
	return all, nil
}

// alternatesOf are the chains for one issuing CA: those that begin with another certificate of its name and key, and those
// that begin with one of the authority above it, which its own certificates are put before.
func alternatesOf(all []*alternateChain, au *authority.Authority) [][]*x509.Certificate {
	own := append([]*x509.Certificate{}, au.Chain...)
	if len(own) == 0 {
		own = []*x509.Certificate{au.Issuer.Certificate}
	}
	var chains [][]*x509.Certificate
	for _, a := range all {
		first := a.chain[0]
		for i, c := range own {
			if bytes.Equal(first.RawSubject, c.RawSubject) && pki.SameKey(first.PublicKey, c.PublicKey) {
				a.used = true
				chains = append(chains, append(append([]*x509.Certificate{}, own[:i]...), a.chain...))
				break
			}
			if i == len(own)-1 && c.CheckSignatureFrom(first) == nil {
				a.used = true
				chains = append(chains, append(append([]*x509.Certificate{}, own...), a.chain...))
			}
		}
	}
	return chains
}

// checkAlternates demands that every chain belongs to a CA that issues here: one that leads nowhere is a mistake.
func checkAlternates(all []*alternateChain) error {
	for _, a := range all {
		if !a.used {
			return &failure{kind: kindLocal, text: fmt.Sprintf("--alternate-chain %s begins with %s, which is none of the CAs that issue here, nor above one",
				a.file, pki.Printable(a.chain[0].Subject.String())), hint: "the first certificate in it has the name and key of the issuing CA, or of its root"}
		}
	}
	return nil
}
