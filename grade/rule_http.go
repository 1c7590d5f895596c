package grade

import (
	"fmt"
	"slices"
	"strings"
)

// halfYear is the least max-age for A+, in seconds: 180 days.
const halfYear = 180 * 24 * 3600

// httpRules judge HSTS and the way from plain HTTP.
var httpRules = []rule{
	{id: "A-3", severity: Low, cap: "A-", title: "HSTS is switched off or invalid", reference: []string{guide, rfcHSTS}, number: 6,
		fix: "Send a valid Strict-Transport-Security header with a max-age of two years.", snippets: fixHSTS, check: checkHSTSInvalid},
	{id: "hsts-absent", severity: Low, cap: "A", title: "No HSTS", reference: []string{guide, rfcHSTS}, number: 6,
		fix: "Send Strict-Transport-Security with a max-age of two years; begin with five minutes and raise it when all is well.", snippets: fixHSTS, check: checkNoHSTS},
	{id: "hsts-short", severity: Low, cap: "A", title: "HSTS is too short", reference: []string{guide, rfcHSTS}, number: 6,
		fix: "Raise max-age to two years (63072000).", snippets: fixHSTS, check: checkHSTSShort},
	{id: "hsts-unseen", severity: Info, cap: "A", title: "Whether there is HSTS could not be seen", reference: []string{guide},
		fix: "Scan again when the server answers a request for /.", check: checkHSTSUnseen},
	{id: "hsts-preload", severity: Info, title: "HSTS asks for the preload list, and is not fit for it", reference: []string{"hstspreload.org", lesson12},
		fix: "Mend what is named here, or take \"preload\" out of the header: it is a promise.", snippets: fixHSTS, check: checkPreload},
	{id: "redirect-missing", severity: Low, title: "Plain HTTP does not lead to HTTPS", reference: []string{"RFC 6797, Section 7.2", lesson12}, number: 7,
		fix: "Answer every request on port 80 with 301 and the same address in https.", snippets: fixRedirect, check: checkNoRedirect},
	{id: "redirect-downgrade", severity: Medium, title: "HTTPS leads back to plain HTTP", reference: []string{"RFC 6797, Section 7.2", lesson12}, number: 7,
		fix: "Take the redirect out, and serve the page over https.", snippets: fixRedirect, check: checkDowngrade},
	{id: "redirect-temporary", severity: Info, title: "The redirect to HTTPS is a temporary one", reference: []string{"RFC 9110, Section 15.4.2", "RFC 6797, Section 7.2"}, number: 7,
		fix: "Use 301 or 308 instead of 302 or 307; then clients remember.", snippets: fixRedirect, check: checkTemporary},
	{id: "redirect-detour", severity: Info, title: "The redirect makes detours over plain HTTP", reference: []string{"RFC 6797, Section 7.2"},
		fix: "Lead from plain HTTP straight to https on the same host; other names come after that.", snippets: fixRedirect, check: checkDetour},
	{id: "hsts-plain", severity: Info, title: "HSTS over plain HTTP", reference: []string{"RFC 6797, Section 7.2"},
		fix: "Send the header over HTTPS only; over plain HTTP it is ignored and prohibited.", snippets: fixHSTS, check: checkPlainHSTS},
}

func checkHSTSInvalid(s *subject) *hit {
	if s.f.HTTP == nil || !s.f.HTTP.HSTS.Present {
		return nil
	}
	h := &s.f.HTTP.HSTS
	switch {
	case h.Invalid != "":
		return fired("Browsers ignore the header: "+h.Invalid+".", "Strict-Transport-Security: "+h.Raw)
	case h.MaxAge <= 0:
		return fired("With max-age=0 browsers forget that the site wants HTTPS.", "Strict-Transport-Security: "+orElse(h.Raw, "max-age=0"))
	}
	return nil
}

func checkNoHSTS(s *subject) *hit {
	if !s.isHTTP() || s.f.HTTP.HSTS.Present {
		return nil
	}
	return fired("A visitor who types the name comes by plain HTTP first, and whoever is in between can keep him there.", fmt.Sprintf("status %d, no Strict-Transport-Security among %s", s.f.HTTP.Status, count(len(s.f.HTTP.Headers), "header", "headers")))
}

func checkHSTSShort(s *subject) *hit {
	if !s.isHTTP() {
		return nil
	}
	h := &s.f.HTTP.HSTS
	if !h.Present || h.Invalid != "" || h.MaxAge <= 0 || h.MaxAge >= halfYear {
		return nil
	}
	return fired(fmt.Sprintf("After %s without a visit a browser forgets; A+ wants 180 days.", seconds(h.MaxAge)), "Strict-Transport-Security: "+orElse(h.Raw, fmt.Sprintf("max-age=%d", h.MaxAge)))
}

// checkHSTSUnseen fires for a service that should speak HTTP and did not answer, so that silence earns no A+.
func checkHSTSUnseen(s *subject) *hit {
	if !s.isWeb() || s.isHTTP() || s.f.HTTP != nil && s.f.HTTP.HSTS.Present {
		return nil
	}
	evidence := "no request was sent"
	if s.f.HTTP != nil {
		evidence = orElse(s.f.HTTP.Problem, "no answer to a request for /")
	}
	return fired("The service begins with TLS, so it may be a web site, and A+ needs HSTS there.", evidence)
}

func checkPreload(s *subject) *hit {
	if !s.isHTTP() || !s.f.HTTP.HSTS.Preload || s.f.HTTP.HSTS.Preloadble != No {
		return nil
	}
	return fired("Browsers' list takes a site only if all of its conditions hold.", append([]string{"Strict-Transport-Security: " + s.f.HTTP.HSTS.Raw}, s.f.HTTP.HSTS.Unfit...)...)
}

// redirects words the way from plain HTTP.
func (s *subject) redirects() []string {
	lines := make([]string, 0, len(s.f.HTTP.Redirects))
	for _, r := range s.f.HTTP.Redirects {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s: %d%s", r.URL, r.Status, because(nonEmpty(r.To), " to "))))
	}
	if len(lines) == 0 {
		lines = append(lines, "plain HTTP is answered, without a redirect")
	}
	return lines
}

func checkNoRedirect(s *subject) *hit {
	if s.f.HTTP == nil || s.f.HTTP.PlainHTTP != Yes || s.f.HTTP.RedirectsToHTTPS != No {
		return nil
	}
	return fired("A visitor who types the name stays on plain HTTP, where everybody on the way can read and change everything.", s.redirects()...)
}

func checkDowngrade(s *subject) *hit {
	if s.f.HTTP == nil || s.f.HTTP.LeadsToHTTP != Yes {
		return nil
	}
	evidence := []string{orElse(s.f.HTTP.URL, "an https address") + " leads to plain HTTP"}
	for _, r := range append(slices.Clip(s.f.HTTP.Followed), s.f.HTTP.Redirects...) {
		if strings.HasPrefix(r.URL, "https://") && strings.HasPrefix(strings.ToLower(r.To), "http://") {
			evidence = []string{fmt.Sprintf("%s: %d to %s", r.URL, r.Status, r.To)}
		}
	}
	return fired("Who came safely is sent away to where everybody on the way can read and change everything.", evidence...)
}

func checkTemporary(s *subject) *hit {
	if s.f.HTTP == nil || s.f.HTTP.RedirectsToHTTPS != Yes || s.f.HTTP.Permanent != No {
		return nil
	}
	return fired("Clients do not remember it, so they come by plain HTTP again each time.", s.redirects()...)
}

func checkDetour(s *subject) *hit {
	if s.f.HTTP == nil || s.f.HTTP.RedirectsToHTTPS != Yes {
		return nil
	}
	plain := 0
	for _, r := range s.f.HTTP.Redirects {
		if strings.HasPrefix(r.URL, "http://") {
			plain++
		}
	}
	if plain < 2 {
		return nil
	}
	return fired("Each step over plain HTTP can be tampered with, and HSTS of the first name is never learned.", s.redirects()...)
}

func checkPlainHSTS(s *subject) *hit {
	if s.f.HTTP == nil {
		return nil
	}
	for _, r := range s.f.HTTP.Redirects {
		if r.HSTS && strings.HasPrefix(r.URL, "http://") {
			return fired("A header that anybody on the way could have written counts for nothing.", r.URL+" sends Strict-Transport-Security")
		}
	}
	return nil
}
