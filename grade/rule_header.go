package grade

import (
	"fmt"
	"slices"
	"strings"
)

// headerRules judge the security headers of the lesson's checklist, with advice. Pins without a backup cost the plus, as the guide has it; the
// others do not touch the grade.
var headerRules = []rule{
	{id: "header-csp", severity: Info, title: "No Content-Security-Policy", reference: []string{"W3C Content Security Policy Level 3", lesson12},
		fix: "Send a policy that begins with default-src 'self'; try it first as Content-Security-Policy-Report-Only.", snippets: fixHeaders, check: checkNoCSP},
	{id: "header-csp-weak", severity: Info, title: "The Content-Security-Policy lets scripts in", reference: []string{"W3C Content Security Policy Level 3, Section 8"},
		fix: "Take 'unsafe-inline', 'unsafe-eval' and * out of script-src and default-src; give inline scripts a nonce or a hash.", snippets: fixHeaders, check: checkWeakCSP},
	{id: "header-nosniff", severity: Info, title: "No X-Content-Type-Options: nosniff", reference: []string{"WHATWG Fetch, X-Content-Type-Options header", lesson12},
		fix: "Send X-Content-Type-Options: nosniff, so that an uploaded picture is never run as a script.", snippets: fixHeaders, check: checkNoSniff},
	{id: "header-frame", severity: Info, title: "The page may be framed by anybody", reference: []string{"RFC 7034, Section 2.1", lesson12},
		fix: "Send X-Frame-Options: DENY, or frame-ancestors in the Content-Security-Policy.", snippets: fixHeaders, check: checkFrame},
	{id: "header-referrer", severity: Info, title: "No Referrer-Policy", reference: []string{"W3C Referrer Policy", lesson12},
		fix: "Send Referrer-Policy: strict-origin-when-cross-origin, so that old clients, too, keep addresses to themselves.", snippets: fixHeaders, check: checkReferrer},
	{id: "header-permissions", severity: Info, title: "No Permissions-Policy", reference: []string{"W3C Permissions Policy", lesson12},
		fix: "Send Permissions-Policy and close what the site does not use, as camera=(), microphone=(), geolocation=().", snippets: fixHeaders, check: checkPermissions},
	{id: "header-xss", severity: Info, title: "X-XSS-Protection is on", reference: []string{"the lesson's checklist of security headers"},
		fix: "Send X-XSS-Protection: 0, or nothing: the filter of old browsers made holes of its own.", snippets: fixHeaders, check: checkXSSFilter},
	{id: "hpkp-invalid", severity: Low, cap: "A", title: "Public-Key-Pins without a backup pin", reference: []string{guide, "RFC 7469, Section 4.3", lesson12}, number: 12,
		fix: "Take the header out: no browser reads it any more; a valid one has two pins or more, one of them of a key that is not in use.", check: checkInvalidHPKP},
	{id: "header-hpkp", severity: Info, title: "Public-Key-Pins is obsolete", reference: []string{"RFC 7469, Section 2.1"},
		fix: "Take the header out: no browser reads it any more, and it could lock a site out of its own name.", check: checkHPKP},
	{id: "header-twice", severity: Info, title: "A security header is sent twice, and says two things", reference: []string{"RFC 9110, Section 5.3", "RFC 6797, Section 8.1"},
		fix: "Send it in one place alone: the application or the server in front of it. Browsers take the first, or neither.", check: checkTwice},
	{id: "header-version", severity: Info, title: "The server tells its exact version", reference: []string{"RFC 9110, Section 10.2.4"},
		fix: "Send the product's name alone: a version tells who is worth attacking.", snippets: fixVersion, check: checkVersion},
}

// header finds a header's value; false: it was not sent.
func (h *HTTP) header(name string) (string, bool) {
	for _, f := range h.Headers {
		if strings.EqualFold(f.Name, name) {
			return f.Value, true
		}
	}
	return "", false
}

// seesHeaders reports whether there is an answer whose headers say something about the site. A quick look keeps HSTS alone.
func (s *subject) seesHeaders() bool { return s.isHTTP() && !s.f.Quick && len(s.f.HTTP.Headers) > 0 }

// absent fires where a header is not there.
func (s *subject) absent(name, reason string) *hit {
	if !s.seesHeaders() {
		return nil
	}
	if _, ok := s.f.HTTP.header(name); ok {
		return nil
	}
	return fired(reason, fmt.Sprintf("status %d, no %s among %s", s.f.HTTP.Status, name, count(len(s.f.HTTP.Headers), "header", "headers")))
}

func checkNoCSP(s *subject) *hit {
	return s.absent("Content-Security-Policy", "Nothing limits which scripts run in the page, should somebody manage to put one in.")
}

// directive finds a directive of a Content-Security-Policy; false: it is not there.
func directive(policy, name string) (string, bool) {
	for part := range strings.SplitSeq(policy, ";") {
		word, rest, _ := strings.Cut(strings.TrimSpace(part), " ")
		if strings.EqualFold(word, name) {
			return strings.ToLower(strings.TrimSpace(rest)), true
		}
	}
	return "", false
}

func checkWeakCSP(s *subject) *hit {
	if !s.seesHeaders() {
		return nil
	}
	policy, ok := s.f.HTTP.header("Content-Security-Policy")
	if !ok {
		return nil
	}
	scripts, ok := directive(policy, "script-src")
	if !ok {
		scripts, ok = directive(policy, "default-src")
	}
	if !ok {
		return fired("Without script-src or default-src scripts may come from anywhere.", "Content-Security-Policy: "+policy)
	}
	// With a nonce or a hash browsers ignore 'unsafe-inline'; it is there for old ones.
	hasKey := strings.Contains(scripts, "'nonce-") || strings.Contains(scripts, "'sha")
	for source := range strings.FieldsSeq(scripts) {
		if source == "*" || source == "'unsafe-eval'" || source == "'unsafe-inline'" && !hasKey {
			return fired("With "+source+" the policy lets in what it is there to keep out.", "Content-Security-Policy: "+policy)
		}
	}
	return nil
}

func checkNoSniff(s *subject) *hit {
	if !s.seesHeaders() {
		return nil
	}
	value, ok := s.f.HTTP.header("X-Content-Type-Options")
	if ok && strings.EqualFold(strings.TrimSpace(value), "nosniff") {
		return nil
	}
	if ok {
		return fired("Only the value nosniff means anything.", "X-Content-Type-Options: "+value)
	}
	return s.absent("X-Content-Type-Options", "Browsers may take a file for something else than it says it is.")
}

func checkFrame(s *subject) *hit {
	if !s.seesHeaders() {
		return nil
	}
	policy, _ := s.f.HTTP.header("Content-Security-Policy")
	if _, ok := directive(policy, "frame-ancestors"); ok {
		return nil
	}
	value, ok := s.f.HTTP.header("X-Frame-Options")
	if ok && (strings.EqualFold(value, "DENY") || strings.EqualFold(value, "SAMEORIGIN")) {
		return nil
	}
	if ok {
		return fired("Browsers know DENY and SAMEORIGIN alone and ignore the rest.", "X-Frame-Options: "+value)
	}
	return s.absent("X-Frame-Options", "Another site can put the page into a frame and lead clicks there.")
}

func checkReferrer(s *subject) *hit {
	return s.absent("Referrer-Policy", "What is sent along when a visitor follows a link is left to the browser.")
}

func checkPermissions(s *subject) *hit {
	return s.absent("Permissions-Policy", "What is embedded in the page may ask for camera, microphone and place.")
}

func checkXSSFilter(s *subject) *hit {
	if !s.seesHeaders() {
		return nil
	}
	value, ok := s.f.HTTP.header("X-XSS-Protection")
	if !ok || strings.HasPrefix(strings.TrimSpace(value), "0") {
		return nil
	}
	return fired("The filter is gone from browsers, and where it is not it can be turned against the page.", "X-XSS-Protection: "+value)
}

// pins finds the header with pins; valid: it has two pins at least and says how long they hold (RFC 7469, Sections 2.1.2 and
// 4.3).
func (s *subject) pins() (value string, valid, ok bool) {
	if !s.seesHeaders() {
		return "", false, false
	}
	value, ok = s.f.HTTP.header("Public-Key-Pins")
	words := strings.ToLower(value)
	return value, strings.Count(words, "pin-sha256=") >= 2 && strings.Contains(words, "max-age="), ok
}

func checkInvalidHPKP(s *subject) *hit {
	value, valid, ok := s.pins()
	if !ok || valid {
		return nil
	}
	return fired("A single pin, or none, is no valid header; if anything still honoured it, the next key would lock all visitors out.", "Public-Key-Pins: "+value)
}

func checkHPKP(s *subject) *hit {
	value, _, ok := s.pins()
	if !ok {
		return nil
	}
	return fired("Pins in a header are ignored by every current browser; certificate transparency took their place.", "Public-Key-Pins: "+value)
}

// onceHeaders are those of which one value counts.
var onceHeaders = [...]string{"Strict-Transport-Security", "X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy", "X-XSS-Protection"}

func checkTwice(s *subject) *hit {
	if !s.seesHeaders() {
		return nil
	}
	var evidence []string
	for _, name := range onceHeaders {
		var values []string
		for _, h := range s.f.HTTP.Headers {
			if strings.EqualFold(h.Name, name) && !slices.Contains(values, h.Value) {
				values = append(values, h.Value)
			}
		}
		if len(values) > 1 {
			evidence = append(evidence, name+": "+strings.Join(values, " and "))
		}
	}
	if n := s.f.HTTP.HSTSFields; n > 1 && len(evidence) == 0 {
		evidence = append(evidence, fmt.Sprintf("Strict-Transport-Security: %d times in one answer", n))
	}
	return firedIf("Which of them counts depends on the browser.", evidence)
}

func checkVersion(s *subject) *hit {
	if !s.seesHeaders() {
		return nil
	}
	for _, name := range []string{"Server", "X-Powered-By", "X-AspNet-Version"} {
		if value, ok := s.f.HTTP.header(name); ok && strings.ContainsAny(value, "0123456789") {
			return fired("Not a weakness by itself; it saves an attacker a step.", name+": "+value)
		}
	}
	return nil
}
