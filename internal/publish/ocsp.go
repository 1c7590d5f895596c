package publish

import (
	"encoding/base64"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/pki/ocsp"
)

// Bounds of OCSP over HTTP.
const (
	maxQuestion = 4 << 10 // bytes of a request
	maxAnswers  = 20_000  // that are kept for each issuer
	answerAge   = time.Hour
)

// answers keeps signed answers by the request they answer: all clients that ask about a certificate without a nonce ask in
// the same few ways.
type answers struct {
	mu   sync.RWMutex
	kept map[string]answer
	// epoch counts how often all was forgotten, so that an answer that was being made meanwhile is not kept.
	epoch int
}

type answer struct {
	der     []byte
	made    time.Time
	expires time.Time // its nextUpdate
	says    string    // for metrics
}

func newAnswers() *answers { return &answers{kept: make(map[string]answer)} }

func (a *answers) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.kept)
	a.epoch++
}

func (a *answers) find(request []byte, now time.Time) (answer, int, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	found, ok := a.kept[string(request)]
	return found, a.epoch, ok && now.Sub(found.made) < answerAge
}

func (a *answers) keep(request []byte, made answer, epoch int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.epoch != epoch {
		return
	}
	if len(a.kept) >= maxAnswers {
		// Any will do: a few of those that a walk over a map meets first.
		n := 0
		for k := range a.kept {
			delete(a.kept, k)
			if n++; n == maxAnswers/16 {
				break
			}
		}
	}
	a.kept[string(request)] = made
}

// ocsp answers by POST, and by GET with the request in base64 in the path (RFC 6960, Appendix A.1).
func (p *Publisher) ocsp(w http.ResponseWriter, r *http.Request, rest string) {
	name, encoded, _ := strings.Cut(rest, "/")
	i := p.issuers[name]
	if i == nil {
		http.NotFound(w, r)
		return
	}
	request, status := readQuestion(r, encoded)
	if status != 0 {
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, http.StatusText(status), status)
		return
	}
	now := p.o.Now()
	found, epoch, ok := i.answers.find(request, now)
	if !ok {
		made, err := i.Authority.OCSPFrom(r.Context(), request, i.statuses.source(i.Authority.Status))
		if err != nil {
			p.o.Log.Error("no OCSP answer", "error", err.Error())
			p.o.Meter.Answered(ocsp.TryLater.String(), false)
			p.send(w, "application/ocsp-response", ocsp.ErrorResponse(ocsp.TryLater), 0)
			return
		}
		var keep bool
		if found, keep = lasting(&made, now); keep {
			i.answers.keep(request, found, epoch)
		}
	}
	p.o.Meter.Answered(found.says, ok)
	p.sendAnswer(w, r, found, now)
}

// readQuestion gets the request; status is an HTTP error.
func readQuestion(r *http.Request, encoded string) (request []byte, status int) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		text, err := url.PathUnescape(encoded)
		if err != nil || len(text) > maxQuestion {
			return nil, http.StatusBadRequest
		}
		// Spaces are what some clients make of a plus sign.
		request, err = base64.StdEncoding.DecodeString(strings.ReplaceAll(text, " ", "+"))
		if err != nil || len(request) == 0 {
			return nil, http.StatusBadRequest
		}
		return request, 0
	case http.MethodPost:
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/ocsp-request" {
			return nil, http.StatusUnsupportedMediaType
		}
		request, err := io.ReadAll(io.LimitReader(r.Body, maxQuestion+1))
		if err != nil {
			return nil, http.StatusBadRequest
		}
		if len(request) > maxQuestion {
			return nil, http.StatusRequestEntityTooLarge
		}
		return request, 0
	}
	return nil, http.StatusMethodNotAllowed
}

// lasting tells whether an answer may be kept: a successful one, without a nonce, about certificates that are known. One
// that is not known now may be issued in the next second.
func lasting(made *authority.OCSPAnswer, now time.Time) (a answer, keep bool) {
	a = answer{der: made.DER, made: now, says: saying(made)}
	keep = made.Status == ocsp.Successful && made.Nonce == nil
	for _, s := range made.Singles {
		keep = keep && s.Status != ocsp.Unknown
		if a.expires.IsZero() || s.NextUpdate.Before(a.expires) {
			a.expires = s.NextUpdate
		}
	}
	if !keep {
		a.expires = time.Time{}
	}
	return a, keep
}

// sendAnswer writes an answer with the headers of RFC 5019, Section 6.2. What cannot be kept by us must not be kept by
// proxies either.
func (p *Publisher) sendAnswer(w http.ResponseWriter, r *http.Request, a answer, now time.Time) {
	if a.expires.IsZero() || r.Method == http.MethodPost {
		p.send(w, "application/ocsp-response", a.der, 0)
		return
	}
	h := w.Header()
	keep := min(a.expires.Sub(now), answerAge)
	h.Set("Last-Modified", a.made.UTC().Format(http.TimeFormat))
	h.Set("Expires", now.Add(keep).UTC().Format(http.TimeFormat))
	h.Set("ETag", `"`+strconv.FormatInt(a.made.UnixNano(), 36)+`"`)
	p.send(w, "application/ocsp-response", a.der, keep)
}
