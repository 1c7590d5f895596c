package ocsp_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	xocsp "golang.org/x/crypto/ocsp"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki/ocsp"
)

func BenchmarkCreateResponse(b *testing.B) {
	ca := pkitest.New(b, pkitest.P256)
	leaf := ca.Server(pkitest.P256).Certificate
	tm := ocsp.ResponseTemplate{ProducedAt: ca.Now, Singles: []ocsp.Single{{ID: id(b, leaf.SerialNumber.Bytes(), ca.Intermediate, crypto.SHA1), ThisUpdate: ca.Now, NextUpdate: ca.Now.Add(time.Hour)}}}
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ocsp.CreateResponse(tm, ca.Intermediate, ca.Key); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("x/crypto", func(b *testing.B) {
		for b.Loop() {
			if _, err := xocsp.CreateResponse(ca.Intermediate, ca.Intermediate, xocsp.Response{SerialNumber: leaf.SerialNumber, ThisUpdate: ca.Now, NextUpdate: ca.Now.Add(time.Hour)}, ca.Key); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("raw", func(b *testing.B) {
		d := sha256.Sum256([]byte("x"))
		for b.Loop() {
			if _, err := ca.Key.Sign(rand.Reader, d[:], crypto.SHA256); err != nil {
				b.Fatal(err)
			}
		}
	})
	req, _ := ocsp.CreateRequest([]ocsp.CertID{tm.Singles[0].ID}, []byte("0123456789abcdef"))
	is, _ := ocsp.NewIssuer(ca.Intermediate)
	b.Run("parse request", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r, err := ocsp.ParseRequest(req)
			if err != nil || !is.Issued(&r.IDs[0]) {
				b.Fatal(err)
			}
		}
	})
}
