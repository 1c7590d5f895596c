package dashboard

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/pki"
)

// MinToken is how many characters a token has at least: 32 of hexadecimal are 128 bits.
const MinToken = 32

// Bounds on sessions.
const (
	sessionFor  = 12 * time.Hour
	maxEnded    = 10_000 // sessions that somebody has ended before their time
	maxName     = 60     // bytes of the name that somebody goes by
	minDistinct = 8      // different characters that a token has at least
)

// CheckToken reports why a token is too easy to guess.
func CheckToken(token string) error {
	distinct := make(map[rune]bool)
	for _, r := range token {
		distinct[r] = true
	}
	if len(token) < MinToken || len(distinct) < minDistinct {
		return fmt.Errorf("the token is too short or too simple: it has at least %d characters at random, as of: openssl rand -hex 32", MinToken)
	}
	return nil
}

// user is who may change things.
type user struct {
	name  string // as written into acknowledgements
	id    string // of the session, or of the client certificate; "": nobody
	isAPI bool   // it came with a token in the request itself
}

// sessions makes and reads what a browser keeps instead of the token. Cookies say themselves until when they are good, so that
// several nodes with one token know each other's, and none is lost when a node is started anew.
type sessions struct {
	key    []byte // of the cookies; nil: there is no token
	forms  []byte // of the forms' tokens
	digest [sha256.Size]byte

	mu    sync.Mutex
	ended map[string]time.Time // by id: when it would have ended by itself
	cut   time.Time            // sessions that would end by themselves until then are over, all of them
	wrong time.Time            // when a wrong token was told last
}

func newSessions(token string) *sessions {
	s := &sessions{ended: make(map[string]time.Time), forms: make([]byte, sha256.Size)}
	rand.Read(s.forms)
	if token != "" {
		s.digest = sha256.Sum256([]byte(token))
		s.key = s.mac([]byte(token), "tlswright dashboard session")
		s.forms = s.mac([]byte(token), "tlswright dashboard forms")
	}
	return s
}

func (s *sessions) mac(key []byte, parts ...string) []byte {
	m := hmac.New(sha256.New, key)
	for _, p := range parts {
		fmt.Fprintf(m, "%d:%s", len(p), p)
	}
	return m.Sum(nil)
}

// isToken compares in a time that does not depend on what was sent.
func (s *sessions) isToken(text string) bool {
	sum := sha256.Sum256([]byte(text))
	return s.key != nil && hmac.Equal(sum[:], s.digest[:])
}

// tellsWrong reports whether a wrong token is worth a line in the log: who tries many does not fill it.
func (s *sessions) tellsWrong(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.wrong) < time.Minute {
		return false
	}
	s.wrong = now
	return true
}

// begin makes the value of a cookie.
func (s *sessions) begin(now time.Time, name string) string {
	var nonce [16]byte
	rand.Read(nonce[:])
	payload := strings.Join([]string{strconv.FormatInt(now.Add(sessionFor).Unix(), 10), hex.EncodeToString(nonce[:]), base64.RawURLEncoding.EncodeToString([]byte(name))}, ".")
	return payload + "." + hex.EncodeToString(s.mac(s.key, payload))
}

// read finds out whose session a cookie is; the zero user: nobody's.
func (s *sessions) read(now time.Time, cookie string) user {
	payload, sum, ok := cutLast(cookie, ".")
	if s.key == nil || !ok || len(cookie) > 500 || !hmac.Equal([]byte(sum), []byte(hex.EncodeToString(s.mac(s.key, payload)))) {
		return user{}
	}
	parts := strings.Split(payload, ".")
	if len(parts) != 3 {
		return user{}
	}
	until, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil || now.Unix() >= until {
		return user{}
	}
	name, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return user{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, isOver := s.ended[parts[1]]; isOver || until <= s.cut.Unix() {
		return user{}
	}
	return user{name: string(name), id: parts[1]}
}

// end ends a session before its time, here; other nodes learn it when its time has come. Where more are ended than can be
// remembered, all are: an ended one must not count again.
func (s *sessions) end(now time.Time, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, until := range s.ended {
		if now.After(until) {
			delete(s.ended, old)
		}
	}
	if len(s.ended) >= maxEnded {
		clear(s.ended)
		s.cut = now.Add(sessionFor)
	}
	s.ended[id] = now.Add(sessionFor)
}

// csrf is what a form of somebody holds.
func (s *sessions) csrf(u user) string {
	if u.id == "" {
		return ""
	}
	return hex.EncodeToString(s.mac(s.forms, u.id))
}

func (s *sessions) isCSRF(u user, text string) bool {
	return u.id != "" && hmac.Equal([]byte(s.csrf(u)), []byte(text))
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// cookieName is bound to this host by browsers where it is served over TLS.
func (s *Server) cookieName() string {
	if s.o.IsTLS {
		return "__Host-tlswright"
	}
	return "tlswright"
}

// userOf finds out who asks. A cookie is for pages alone: programs bring the token itself, which no browser adds by itself.
func (s *Server) userOf(r *http.Request) user {
	if name := s.o.Client(r); name != "" {
		return user{name: pki.Printable(cut(name, maxName)), id: "certificate " + name, isAPI: true}
	}
	if isAPI(r) {
		if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && s.sessions.isToken(token) {
			return user{name: "API", id: "token", isAPI: true}
		}
		return user{}
	}
	if c, err := r.Cookie(s.cookieName()); err == nil {
		return s.sessions.read(s.o.Now(), c.Value)
	}
	return user{}
}

// mayWrite says why somebody may not change things; nil: they may.
func (s *Server) mayWrite(u user, r *http.Request) error {
	switch {
	case s.o.Keeper == nil || s.isReadOnly():
		return refusal(http.StatusForbidden, "this dashboard only shows", "name a token-file or a client-ca in its settings, or use \"tlswright monitor ack\"")
	case u.id == "":
		e := refusal(http.StatusUnauthorized, "changing something needs the token, or a client certificate", "log in with the token")
		if isAPI(r) {
			e.Hint = "send it as Authorization: Bearer TOKEN"
		}
		return e
	case isAPI(r) && !u.isAPI:
		return refusal(http.StatusUnauthorized, "programs bring the token themselves", "send it as Authorization: Bearer TOKEN")
	}
	return nil
}

// isReadOnly reports whether nobody could ever change anything.
func (s *Server) isReadOnly() bool { return s.o.Token == "" && !s.o.HasClients }

// loginPage asks for the token.
func (c *call) loginPage() error {
	return c.show(http.StatusOK, "login", "", "Log in", loginView{To: backTo(c.query.Get("to")), IsReadOnly: c.s.isReadOnly() || c.s.o.Keeper == nil})
}

// loginView is the page that asks for the token.
type loginView struct {
	To, Wrong  string
	IsReadOnly bool
}

// login takes the token once, and gives a cookie for it.
func (c *call) login() error {
	to := backTo(c.query.Get("to"))
	if !c.s.sessions.isToken(strings.TrimSpace(c.form.Get("token"))) {
		if c.s.sessions.tellsWrong(c.now) {
			c.s.o.Log.Warn("a wrong token was brought to the dashboard", "from", c.RemoteAddr)
		}
		return c.show(http.StatusForbidden, "login", "", "Log in", loginView{To: to, Wrong: "That is not the token.", IsReadOnly: c.s.isReadOnly()})
	}
	name, err := line(c.form, "name", maxName)
	if err != nil {
		return err
	}
	if name == "" {
		name = "dashboard"
	}
	http.SetCookie(c.w, &http.Cookie{Name: c.s.cookieName(), Value: c.s.sessions.begin(c.now, name), Path: "/", MaxAge: int(sessionFor / time.Second), Secure: c.s.o.IsTLS,
		HttpOnly: true, SameSite: http.SameSiteStrictMode})
	c.goTo(to)
	return nil
}

// logout ends the session.
func (c *call) logout() error {
	c.s.sessions.end(c.now, c.user.id)
	http.SetCookie(c.w, &http.Cookie{Name: c.s.cookieName(), Path: "/", MaxAge: -1, Secure: c.s.o.IsTLS, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	c.goTo("/")
	return nil
}

// goTo sends a browser to another page of ours, which it asks for anew.
func (c *call) goTo(to string) { http.Redirect(c.w, c.Request, to, http.StatusSeeOther) }

// backTo lets through what is a page of ours: a path with no host before it, however a browser may read it.
func backTo(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") || len(to) > 1000 {
		return "/"
	}
	return to
}

// line reads a field of a form that is one line, fit to print.
func line(form map[string][]string, name string, most int) (string, error) {
	text := ""
	if v := form[name]; len(v) == 1 {
		text = strings.TrimSpace(v[0])
	}
	if len(form[name]) > 1 || len(text) > most || pki.Printable(text) != text {
		return "", refusal(http.StatusBadRequest, fmt.Sprintf("%s is one line of at most %d bytes that can be printed", name, most), "")
	}
	return text, nil
}
