package grade

// fixKind names a set of snippets: the same change for each kind of server.
type fixKind string

const (
	fixNone            fixKind = ""
	fixProtocols       fixKind = "protocols"
	fixTLS13           fixKind = "tls13"
	fixSuites          fixKind = "suites"
	fixGroups          fixKind = "groups"
	fixDH              fixKind = "dh"
	fixCompression     fixKind = "compression"
	fixRenegotiation   fixKind = "renegotiation"
	fixChain           fixKind = "chain"
	fixRenew           fixKind = "renew"
	fixKey             fixKind = "key"
	fixStaple          fixKind = "staple"
	fixHSTS            fixKind = "hsts"
	fixRedirect        fixKind = "redirect"
	fixHeaders         fixKind = "headers"
	fixCookies         fixKind = "cookies"
	fixVersion         fixKind = "version"
	fixHTTPCompression fixKind = "http-compression"
	fixHTTP2           fixKind = "http2"
	fixEarlyData       fixKind = "early-data"
	fixResumption      fixKind = "resumption"
	fixStrict          fixKind = "strict"
	fixUpdate          fixKind = "update"
	fixCAA             fixKind = "caa"
	fixTLSA            fixKind = "tlsa"
)

func (s *subject) snippets(k fixKind) []Snippet {
	if k == fixNone || s.options.NoSnippets {
		return nil
	}
	return nil
}
