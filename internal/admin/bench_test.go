package admin

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// BenchmarkMeasuredOCSP is what measuring adds to an OCSP answer that is kept, the fastest thing a publisher does.
func BenchmarkMeasuredOCSP(b *testing.B) {
	m := NewMetrics("x")
	h := m.Requests("publish", PublicRoute, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { m.Answered("good", true) }))
	r, w := httptest.NewRequest("POST", "/ocsp/default", nil), httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

// BenchmarkMeasuredWrite is what measuring adds to a transaction.
func BenchmarkMeasuredWrite(b *testing.B) {
	m := NewMetrics("x")
	for b.Loop() {
		m.Wrote(16, time.Millisecond, nil)
	}
}

// BenchmarkList is a page of certificates over the API.
func BenchmarkList(b *testing.B) {
	l := newLab(b)
	for range 100 {
		l.issue("a.test")
	}
	b.ReportAllocs()
	for b.Loop() {
		if w := l.ask("GET", "/v1/certificates", nil); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
