package cli

import (
	"bytes"
	"crypto/x509"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ocsp"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// staplesOf reads the OCSP answers of --staple into an identity, each beside the certificate that it is about.
func (a *app) staplesOf(files []string, id keystore.Identity, into *tlsnet.Identity) error {
	chain := parseChain(id.Chain)
	for _, file := range files {
		der, at, err := a.readStaple(file, chain)
		if err != nil {
			return err
		}
		if at == 0 {
			into.Staple = der
			continue
		}
		if into.Above == nil {
			into.Above = make([]tlscore.Stapled, len(id.Chain)-1)
		}
		into.Above[at-1].Staple = der
	}
	return nil
}

// readStaple reads an OCSP answer, and says which certificate of a chain it is about. One that no client would take is
// refused.
func (a *app) readStaple(file string, chain []*x509.Certificate) (der []byte, at int, err error) {
	der, origin, err := a.readBytes(file)
	if err != nil {
		return nil, 0, err
	}
	response, err := ocsp.ParseResponse(der)
	if err != nil {
		return nil, 0, &failure{kind: kindLocal, text: origin + " is no OCSP answer: " + pki.Printable(err.Error()), err: err, hint: "make one: tlswright ca ocsp --for SERIAL -o FILE"}
	}
	if len(chain) == 0 {
		return der, 0, nil // nobody can tell whom it is about
	}
	at, single := aboutWhom(response, chain)
	switch {
	case single == nil && len(chain) == 1:
		return der, 0, nil // without the issuer nobody can tell
	case single == nil:
		return nil, 0, &failure{kind: kindLocal, text: origin + " says nothing about " + nameOf(chain[0]), hint: "make another: tlswright ca ocsp --for SERIAL -o FILE"}
	case single.Status != ocsp.Good:
		a.ui.warnf("%s says that the certificate is %s: clients will refuse it", origin, single.Status)
	case !single.NextUpdate.IsZero() && a.now().After(single.NextUpdate):
		a.ui.warnf("%s is good until %s only: clients will not take it", origin, timeOf(single.NextUpdate))
	}
	return der, at, nil
}

// aboutWhom finds the certificate of a chain that an answer is about. The issuer of the last one is not at hand: there the
// serial number has to do.
func aboutWhom(r *ocsp.Response, chain []*x509.Certificate) (at int, single *ocsp.Single) {
	last := len(chain) - 1
	for i := range last {
		if single := r.Find(chain[i], chain[i+1]); single != nil {
			return i, single
		}
	}
	for i := range r.Singles {
		if last > 0 && bytes.Equal(r.Singles[i].ID.Serial, chain[last].SerialNumber.Bytes()) {
			return last, &r.Singles[i]
		}
	}
	return 0, nil
}

// stapleJSON is an OCSP answer that came with a certificate, in --json.
type stapleJSON struct {
	Depth      int       `json:"depth"` // 0: the leaf
	Subject    string    `json:"subject"`
	Status     string    `json:"status"` // good, or unchecked: not valid, or the chain is not trusted
	ThisUpdate time.Time `json:"this_update,omitzero"`
	NextUpdate time.Time `json:"next_update,omitzero"`
	Bytes      int       `json:"bytes"`
}

// staplesReport is what came along with the certificates. What says revoked ends the handshake before.
func staplesReport(p *tlsnet.Peer, sent []*x509.Certificate) (list []stapleJSON) {
	for i, c := range sent {
		var der []byte
		var said *pki.Staple
		switch {
		case i == 0:
			der, said = p.Staple, p.Status
		case i <= len(p.Above):
			der = p.Above[i-1].Staple
			for depth, s := range p.AboveStatus {
				if depth+1 < len(p.Chain) && p.Chain[depth+1].Equal(c) {
					said = s
				}
			}
		}
		if len(der) == 0 {
			continue
		}
		j := stapleJSON{Depth: i, Subject: nameOf(c), Status: "unchecked", Bytes: len(der)}
		if said != nil {
			j.Status, j.ThisUpdate, j.NextUpdate = "good", said.ThisUpdate, said.NextUpdate
		}
		list = append(list, j)
	}
	return list
}

// stapleRows are its lines in the report.
func stapleRows(o *outcome) (rows []row) {
	for i, s := range staplesReport(&o.peer, o.sent) {
		r := row{label: map[bool]string{true: "OCSP staple"}[i == 0], value: "there, and not valid", style: caution}
		switch {
		case s.Status == "good":
			r.value, r.style = "good until "+timeOf(s.NextUpdate), good
		case !o.peer.Verified():
			r.value = "there, not checked"
		}
		if s.Depth > 0 {
			r.value = s.Subject + ": " + r.value
		}
		rows = append(rows, r)
	}
	return rows
}
