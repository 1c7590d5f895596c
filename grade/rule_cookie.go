package grade

import "strings"

// cookieRules judge the flags of the cookies that the first answer set. None touches the grade.
var cookieRules = []rule{
	{id: "cookie-secure", severity: Low, title: "Cookies without Secure", reference: []string{"RFC 6265, Section 4.1.2.5"},
		fix: "Set Secure on every cookie of an HTTPS site.", snippets: fixCookies, check: checkCookieSecure},
	{id: "cookie-httponly", severity: Info, title: "Cookies that scripts can read", reference: []string{"RFC 6265, Section 4.1.2.6"},
		fix: "Set HttpOnly on every cookie that no script has to read, the session's above all.", snippets: fixCookies, check: checkCookieHTTPOnly},
	{id: "cookie-samesite", severity: Info, title: "Cookies without SameSite", reference: []string{"draft-ietf-httpbis-rfc6265bis, Section 4.1.2.7"},
		fix: "Set SameSite=Lax, or Strict, so that other sites cannot use the cookie.", snippets: fixCookies, check: checkCookieSameSite},
	{id: "cookie-prefix", severity: Low, title: "A cookie breaks the promise of its name", reference: []string{"draft-ietf-httpbis-rfc6265bis, Section 4.1.3"},
		fix: "Set Secure on cookies that begin with __Secure- or __Host-; browsers refuse them otherwise.", snippets: fixCookies, check: checkCookiePrefix},
}

// cookiesThat lists the cookies with a property.
func (s *subject) cookiesThat(match func(*Cookie) bool) []string {
	if s.f.HTTP == nil {
		return nil
	}
	var names []string
	for i := range s.f.HTTP.Cookies {
		if c := &s.f.HTTP.Cookies[i]; match(c) {
			names = append(names, c.Name)
		}
	}
	return names
}

func checkCookieSecure(s *subject) *hit {
	return firedIf("A browser sends them over plain HTTP, too, where they can be read.", s.cookiesThat(func(c *Cookie) bool { return !c.Secure }))
}

func checkCookieHTTPOnly(s *subject) *hit {
	return firedIf("A script that somebody smuggled into the page can carry them off.", s.cookiesThat(func(c *Cookie) bool { return !c.HTTPOnly }))
}

func checkCookieSameSite(s *subject) *hit {
	return firedIf("What happens with requests from other sites is left to the browser, and None needs Secure.",
		s.cookiesThat(func(c *Cookie) bool { return c.SameSite == "" || strings.EqualFold(c.SameSite, "None") && !c.Secure }))
}

func checkCookiePrefix(s *subject) *hit {
	return firedIf("The name says that the cookie is secure, and it is not.", s.cookiesThat(func(c *Cookie) bool {
		return !c.Secure && (c.Prefix != "" || strings.HasPrefix(c.Name, "__Host-") || strings.HasPrefix(c.Name, "__Secure-"))
	}))
}
