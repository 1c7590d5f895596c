package ocsp_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	xocsp "golang.org/x/crypto/ocsp"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ocsp"
)

func id(t testing.TB, serial []byte, issuer *x509.Certificate, h crypto.Hash) ocsp.CertID {
	t.Helper()
	id, err := ocsp.NewCertID(serial, issuer, h)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// singles are three statuses of three certificates, each named by another hash.
func singles(t testing.TB, ca *pkitest.CA) []ocsp.Single {
	at := ca.Now.UTC().Truncate(time.Second)
	return []ocsp.Single{
		{ID: id(t, []byte{1}, ca.Intermediate, crypto.SHA1), ThisUpdate: at.Add(-time.Hour), NextUpdate: at.Add(time.Hour)},
		{ID: id(t, []byte{0x80, 2}, ca.Intermediate, crypto.SHA256), Status: ocsp.Revoked, RevokedAt: at.Add(-2 * time.Hour), Reason: 1, ThisUpdate: at},
		{ID: id(t, []byte{3}, ca.Intermediate, crypto.SHA384), Status: ocsp.Unknown, ThisUpdate: at, NextUpdate: at.Add(time.Hour)},
		{ID: id(t, []byte{4}, ca.Intermediate, crypto.SHA512), Status: ocsp.Revoked, RevokedAt: at, ThisUpdate: at},
	}
}

func respond(t testing.TB, tm ocsp.ResponseTemplate, c *x509.Certificate, key crypto.Signer) *ocsp.Response {
	t.Helper()
	der, err := ocsp.CreateResponse(tm, c, key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ocsp.ParseResponse(der)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// delegate makes a certificate for a responder of a CA.
func delegate(t testing.TB, ca *pkitest.CA, change func(*x509.Certificate)) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	tm := &x509.Certificate{
		SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: "responder"}, NotBefore: ca.Now.Add(-24 * time.Hour), NotAfter: ca.Now.Add(24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}},
	}
	if change != nil {
		change(tm)
	}
	der, err := x509.CreateCertificate(rand.Reader, tm, ca.Intermediate, key.Public(), ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

func TestWhatIsAnsweredIsRead(t *testing.T) {
	for _, k := range pkitest.CAKeyTypes() {
		ca := pkitest.New(t, k)
		for _, byKey := range []bool{false, true} {
			tm := ocsp.ResponseTemplate{Singles: singles(t, ca), Nonce: []byte("a nonce"), ProducedAt: ca.Now, ByKey: byKey}
			r := respond(t, tm, ca.Intermediate, ca.Key)
			if err := r.Verify(ca.Intermediate, ca.Now); err != nil {
				t.Errorf("%s: %v", k, err)
			}
			if err := r.Verify(ca.Root, ca.Now); err == nil {
				t.Errorf("%s: taken as the root's", k)
			}
			if r.Status != ocsp.Successful || !bytes.Equal(r.Nonce, tm.Nonce) || !r.ProducedAt.Equal(ca.Now.Truncate(time.Second)) || (r.ResponderName == nil) != byKey || len(r.Singles) != len(tm.Singles) {
				t.Errorf("%s: %+v", k, r)
			}
			for i, s := range r.Singles {
				w := tm.Singles[i]
				if !s.ID.Equal(&w.ID) || s.Status != w.Status || !s.RevokedAt.Equal(w.RevokedAt) || s.Reason != w.Reason || !s.ThisUpdate.Equal(w.ThisUpdate) || !s.NextUpdate.Equal(w.NextUpdate) {
					t.Errorf("%s: %+v, want %+v", k, s, w)
				}
			}
			r.RawTBS[len(r.RawTBS)-1] ^= 1
			if r.Verify(ca.Intermediate, ca.Now) == nil {
				t.Errorf("%s: a changed response was taken", k)
			}
		}
	}
}

func TestRequestsForManyAreRead(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	var ids []ocsp.CertID
	for _, s := range singles(t, ca) {
		ids = append(ids, s.ID)
	}
	for _, nonce := range [][]byte{nil, []byte("n"), bytes.Repeat([]byte{7}, ocsp.MaxNonce)} {
		der, err := ocsp.CreateRequest(ids, nonce)
		if err != nil {
			t.Fatal(err)
		}
		r, err := ocsp.ParseRequest(der)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.IDs) != len(ids) || !bytes.Equal(r.Nonce, nonce) || r.UnknownCritical || r.Signed {
			t.Errorf("%+v", r)
		}
		again, err := ocsp.CreateRequest(r.IDs, r.Nonce)
		if err != nil || !bytes.Equal(again, der) {
			t.Errorf("%v: %x, want %x", err, again, der)
		}
	}
	for name, c := range map[string]struct {
		ids   []ocsp.CertID
		nonce []byte
	}{
		"none": {nil, nil}, "too many": {make([]ocsp.CertID, ocsp.MaxIDs+1), nil}, "empty nonce": {ids, []byte{}},
		"long nonce": {ids, make([]byte, ocsp.MaxNonce+1)}, "no hash": {[]ocsp.CertID{{}}, nil},
	} {
		if _, err := ocsp.CreateRequest(c.ids, c.nonce); err == nil {
			t.Errorf("%s: made", name)
		}
	}
}

func TestCertificatesAreMatchedByIssuerAndSerial(t *testing.T) {
	ca, other := pkitest.New(t, pkitest.P256), pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256).Certificate
	for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		n := id(t, leaf.SerialNumber.Bytes(), ca.Intermediate, h)
		if !n.Match(leaf, ca.Intermediate) || n.Match(leaf, other.Intermediate) || n.Match(leaf, ca.Namesake().Intermediate) || n.Match(ca.Intermediate, ca.Intermediate) {
			t.Errorf("%v: %+v", h, n)
		}
	}
	if _, err := ocsp.NewCertID([]byte{1}, ca.Intermediate, crypto.MD5); err == nil {
		t.Error("named by MD5")
	}
	r := respond(t, ocsp.ResponseTemplate{Singles: []ocsp.Single{{ID: id(t, leaf.SerialNumber.Bytes(), ca.Intermediate, crypto.SHA1), ThisUpdate: ca.Now}}, ProducedAt: ca.Now}, ca.Intermediate, ca.Key)
	if r.Find(leaf, ca.Intermediate) == nil || r.Find(leaf, other.Intermediate) != nil || r.Find(ca.Intermediate, ca.Root) != nil {
		t.Error("found wrongly")
	}
}

func TestOnlyDelegatesSpeakForTheIssuer(t *testing.T) {
	ca, other := pkitest.New(t, pkitest.P256), pkitest.New(t, pkitest.P256)
	good := ocsp.ResponseTemplate{Singles: singles(t, ca), ProducedAt: ca.Now}
	for name, c := range map[string]struct {
		ca     *pkitest.CA
		change func(*x509.Certificate)
		want   string
	}{
		"good":        {ca, nil, ""},
		"wrong usage": {ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, "may not"},
		"any usage":   {ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }, "may not"},
		"no signing":  {ca, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }, "key usage"},
		"expired":     {ca, func(c *x509.Certificate) { c.NotAfter = ca.Now.Add(-time.Hour) }, "not in force"},
		"other CA":    {other, nil, "another CA"},
		"namesake":    {ca.Namesake(), nil, "may not"},
		"unknown crit": {ca, func(c *x509.Certificate) {
			c.ExtraExtensions[0] = pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}
		}, "not understood"},
	} {
		cert, key := delegate(t, c.ca, c.change)
		tm := good
		tm.Certificates = []*x509.Certificate{cert}
		for _, tm.ByKey = range []bool{false, true} {
			r := respond(t, tm, cert, key)
			err := r.Verify(ca.Intermediate, ca.Now)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%s: %v", name, err)
			}
		}
		tm.Certificates = nil
		r := respond(t, tm, cert, key)
		if r.Verify(ca.Intermediate, ca.Now) == nil {
			t.Errorf("%s: taken without its certificate", name)
		}
		if signer, err := r.Signer(ca.Intermediate, ca.Now, cert); c.want == "" && (err != nil || !signer.Equal(cert) || !ocsp.NoCheck(signer)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if ocsp.NoCheck(ca.Intermediate) {
		t.Error("no check, for a CA")
	}
}

func TestErrorsCarryNoAnswer(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	for s := ocsp.MalformedRequest; s <= ocsp.Unauthorized; s++ {
		if s == 4 {
			continue
		}
		r, err := ocsp.ParseResponse(ocsp.ErrorResponse(s))
		if err != nil || r.Status != s {
			t.Errorf("%v: %v", s, err)
			continue
		}
		if err := r.Verify(ca.Intermediate, ca.Now); err == nil || !strings.Contains(err.Error(), s.String()) {
			t.Errorf("%v: %v", s, err)
		}
	}
	for name, der := range map[string][]byte{
		"success without answer": {0x30, 3, 0x0a, 1, 0}, "status 4": {0x30, 3, 0x0a, 1, 4}, "status 7": {0x30, 3, 0x0a, 1, 7}, "empty": nil,
		"bytes after it": {0x30, 3, 0x0a, 1, 1, 0}, "too long": make([]byte, ocsp.MaxResponse+1),
	} {
		if _, err := ocsp.ParseResponse(der); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	if !bytes.Equal(ocsp.ErrorResponse(ocsp.Successful), ocsp.ErrorResponse(ocsp.InternalError)) {
		t.Error("success without an answer")
	}
}

func TestImpossibleResponsesAreRefused(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	for name, change := range map[string]func(*ocsp.ResponseTemplate){
		"nothing":       func(tm *ocsp.ResponseTemplate) { tm.Singles = nil },
		"too much":      func(tm *ocsp.ResponseTemplate) { tm.Singles = make([]ocsp.Single, ocsp.MaxIDs+1) },
		"no time":       func(tm *ocsp.ResponseTemplate) { tm.ProducedAt = time.Time{}.AddDate(-1, 0, 0) },
		"empty nonce":   func(tm *ocsp.ResponseTemplate) { tm.Nonce = []byte{} },
		"long nonce":    func(tm *ocsp.ResponseTemplate) { tm.Nonce = make([]byte, 129) },
		"no status":     func(tm *ocsp.ResponseTemplate) { tm.Singles[0].Status = 3 },
		"ends early":    func(tm *ocsp.ResponseTemplate) { tm.Singles[0].NextUpdate = ca.Now.Add(-2 * time.Hour) },
		"unused reason": func(tm *ocsp.ResponseTemplate) { tm.Singles[1].Reason = 7 },
		"no hash":       func(tm *ocsp.ResponseTemplate) { tm.Singles[0].ID.Hash = 0 },
		"certificates":  func(tm *ocsp.ResponseTemplate) { tm.Certificates = make([]*x509.Certificate, 11) },
	} {
		tm := ocsp.ResponseTemplate{Singles: singles(t, ca), ProducedAt: ca.Now}
		change(&tm)
		if _, err := ocsp.CreateResponse(tm, ca.Intermediate, ca.Key); err == nil {
			t.Errorf("%s: made", name)
		}
	}
}

func TestTheWorstStatusCounts(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256).Certificate
	for _, c := range []struct {
		said []ocsp.CertStatus
		want ocsp.CertStatus
	}{
		{[]ocsp.CertStatus{ocsp.Good, ocsp.Good}, ocsp.Good}, {[]ocsp.CertStatus{ocsp.Good, ocsp.Revoked}, ocsp.Revoked}, {[]ocsp.CertStatus{ocsp.Revoked, ocsp.Unknown, ocsp.Good}, ocsp.Revoked},
		{[]ocsp.CertStatus{ocsp.Unknown, ocsp.Good}, ocsp.Unknown}, {[]ocsp.CertStatus{ocsp.Good, ocsp.Unknown}, ocsp.Unknown},
	} {
		tm := ocsp.ResponseTemplate{ProducedAt: ca.Now}
		for i, s := range c.said {
			h := []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA512}[i]
			tm.Singles = append(tm.Singles, ocsp.Single{ID: id(t, leaf.SerialNumber.Bytes(), ca.Intermediate, h), Status: s, RevokedAt: ca.Now, ThisUpdate: ca.Now})
		}
		if got := respond(t, tm, ca.Intermediate, ca.Key).Find(leaf, ca.Intermediate); got == nil || got.Status != c.want {
			t.Errorf("%v: %+v", c.said, got)
		}
	}
}

func TestExtensionsThatAreUnderstoodMayBeCritical(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256).Certificate
	scts := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 5}
	for label, c := range map[string]struct {
		extension pkix.Extension
		usable    bool
	}{
		"timestamps":         {pkix.Extension{Id: scts, Critical: true, Value: []byte{4, 2, 7, 7}}, true},
		"broken timestamps":  {pkix.Extension{Id: scts, Value: []byte{4, 2, 7}}, true},
		"critical, unusable": {pkix.Extension{Id: scts, Critical: true, Value: []byte{4, 2, 7}}, false},
		"unknown":            {pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}, true},
		"unknown, critical":  {pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}, false},
	} {
		der, err := xocsp.CreateResponse(ca.Intermediate, ca.Intermediate, xocsp.Response{SerialNumber: leaf.SerialNumber, ThisUpdate: ca.Now, ExtraExtensions: []pkix.Extension{c.extension}}, ca.Key)
		if err != nil {
			t.Fatal(err)
		}
		r, err := ocsp.ParseResponse(der)
		if err != nil {
			t.Errorf("%s: %v", label, err)
			continue
		}
		if err := r.Verify(ca.Intermediate, ca.Now); (err == nil) != c.usable {
			t.Errorf("%s: %v", label, err)
		}
		if label == "timestamps" && !bytes.Equal(r.Singles[0].SCTs, []byte{7, 7}) {
			t.Errorf("%+v", r.Singles[0])
		}
	}
}

func TestTheLibraryAndWeReadEachOther(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256).Certificate
	der, err := xocsp.CreateRequest(leaf, ca.Intermediate, nil)
	if err != nil {
		t.Fatal(err)
	}
	req, err := ocsp.ParseRequest(der)
	if err != nil || len(req.IDs) != 1 || !req.IDs[0].Match(leaf, ca.Intermediate) {
		t.Fatalf("%+v, %v", req, err)
	}
	ours, err := ocsp.CreateRequest([]ocsp.CertID{id(t, leaf.SerialNumber.Bytes(), ca.Intermediate, crypto.SHA1)}, nil)
	if err != nil || !bytes.Equal(ours, der) {
		t.Errorf("%v\n%x\n%x", err, ours, der)
	}
	r := respond(t, ocsp.ResponseTemplate{ProducedAt: ca.Now, Nonce: []byte("1234"), Singles: []ocsp.Single{
		{ID: req.IDs[0], Status: ocsp.Revoked, Reason: 4, RevokedAt: ca.Now, ThisUpdate: ca.Now, NextUpdate: ca.Now.Add(time.Hour)}}}, ca.Intermediate, ca.Key)
	x, err := xocsp.ParseResponseForCert(r.Raw, leaf, ca.Intermediate)
	if err != nil || x.Status != xocsp.Revoked || x.RevocationReason != 4 || !x.NextUpdate.Equal(r.Singles[0].NextUpdate) {
		t.Errorf("%+v, %v", x, err)
	}
	cert, key := delegate(t, ca, nil)
	der, err = xocsp.CreateResponse(ca.Intermediate, cert, xocsp.Response{SerialNumber: leaf.SerialNumber, Certificate: cert, ThisUpdate: ca.Now, NextUpdate: ca.Now.Add(time.Hour), IssuerHash: crypto.SHA256}, key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ocsp.ParseResponse(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Verify(ca.Intermediate, ca.Now); err != nil {
		t.Error(err)
	}
	if s := got.Find(leaf, ca.Intermediate); s == nil || s.Status != ocsp.Good {
		t.Errorf("%+v", s)
	}
}

func TestBrokenRequestsAndResponsesAreRefused(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	cert, key := delegate(t, ca, nil)
	response := respond(t, ocsp.ResponseTemplate{Singles: singles(t, ca), Nonce: []byte("n"), ProducedAt: ca.Now, Certificates: []*x509.Certificate{cert}}, cert, key).Raw
	request, err := ocsp.CreateRequest([]ocsp.CertID{singles(t, ca)[0].ID}, []byte("n"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range response {
		if _, err := ocsp.ParseResponse(response[:n]); err == nil {
			t.Fatalf("%d of %d bytes of a response were taken", n, len(response))
		}
	}
	for n := range request {
		if _, err := ocsp.ParseRequest(request[:n]); err == nil {
			t.Fatalf("%d of %d bytes of a request were taken", n, len(request))
		}
	}
	if _, err := ocsp.ParseRequest(append(request, 0)); err == nil {
		t.Error("a byte after a request was taken")
	}
	if _, err := ocsp.ParseRequest(make([]byte, ocsp.MaxRequest+1)); err == nil {
		t.Error("a large request was taken")
	}
	for label, c := range map[string]struct {
		old, new []byte
	}{
		"nonce without octets": {[]byte{0x04, 3, 0x04, 1, 'n'}, []byte{0x04, 3, 0x04, 0, 'n'}},
		"nonce of no string":   {[]byte{0x04, 3, 0x04, 1, 'n'}, []byte{0x04, 3, 0x05, 1, 'n'}},
		"no serial number":     {[]byte{0x02, 1, 1}, []byte{0x03, 1, 1}},
	} {
		changed := bytes.Replace(request, c.old, c.new, 1)
		if _, err := ocsp.ParseRequest(changed); err == nil || bytes.Equal(changed, request) {
			t.Errorf("%s: taken", label)
		}
	}
}
