package relay

import (
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"strings"
)

// Headers that say who somebody is are ours to write. What comes under their names from outside is dropped, and so is
// what comes under names that a server behind us could take for them: CGI, WSGI and their kin see no difference
// between a dash, an underscore and other punctuation.

// maxChainField bounds the field Client-Cert-Chain, in bytes; a longer one is left out.
const maxChainField = 32 << 10

// isIdentity reports whether a field says who the client is, which way it came, or what it asked for before somebody
// rewrote it.
func isIdentity(name string) bool {
	if len(name) < 5 || !mayBeIdentity[lower(name[0])] {
		return false
	}
	var buf [40]byte // longer names are told by their beginning
	n := buf[:min(len(name), len(buf))]
	for i := range n {
		if n[i] = lower(name[i]); (n[i] < 'a' || n[i] > 'z') && (n[i] < '0' || n[i] > '9') {
			n[i] = '-'
		}
	}
	if len(name) <= len(buf) && identityFields[string(n)] {
		return true
	}
	for _, prefix := range identityPrefixes {
		if strings.HasPrefix(string(n), prefix) {
			return true
		}
	}
	return false
}

// mayBeIdentity says with what letter the names begin, so that most others cost nothing.
var mayBeIdentity = [256]bool{'c': true, 'f': true, 'p': true, 'r': true, 's': true, 't': true, 'x': true}

// identityFields are the names, in lower case and with dashes.
var identityFields = map[string]bool{
	"client-cert": true, "client-cert-chain": true, // RFC 9440
	"forwarded": true, // RFC 7239
	"x-real-ip": true, "x-client-ip": true, "x-cluster-client-ip": true, "x-originating-ip": true, "x-remote-ip": true,
	"x-remote-addr": true, "true-client-ip": true, "cf-connecting-ip": true, "client-ip": true, "fastly-client-ip": true,
	"x-remote-user": true, "remote-user": true, "x-authenticated-user": true, "x-host": true, "x-http-host-override": true,
	"x-scheme": true, "x-url-scheme": true, "front-end-https": true,
	"proxy": true, // becomes HTTP_PROXY
}

// identityPrefixes are what the names begin with.
var identityPrefixes = []string{"x-forwarded-", "x-ssl-", "ssl-client-", "x-client-cert", "x-client-dn", "x-client-s-dn", "x-client-verify", "x-tls-",
	"x-mtls-", "x-amzn-mtls-", "x-original-", "x-rewrite-", "x-arr-", "client-cert-", "x-envoy-"}

// appendIdentity appends the fields that tell an upstream who asks.
func appendIdentity(out []byte, c *Client) []byte {
	if addr := c.Addr.Addr(); addr.IsValid() {
		out = append(out, "X-Forwarded-For: "...)
		out = addr.Unmap().WithZone("").AppendTo(out)
		out = append(out, "\r\n"...)
	}
	proto := c.Proto
	if proto == "" {
		proto = "https"
	}
	out = appendField(out, "X-Forwarded-Proto", proto)
	if c.Early {
		out = append(out, "Early-Data: 1\r\n"...)
	}
	if len(c.Chain) == 0 {
		return out
	}
	out = append(out, "Client-Cert: "...)
	out = appendCertificate(out, c.Chain[0])
	out = append(out, "\r\n"...)
	return appendChain(out, c.Chain)
}

// appendCertificate appends a certificate as a byte sequence (RFC 9440, Section 2.1, and RFC 8941, Section 3.3.5).
func appendCertificate(out []byte, c *x509.Certificate) []byte {
	out = append(out, ':')
	out = base64.StdEncoding.AppendEncode(out, c.Raw)
	return append(out, ':')
}

// appendChain appends what lies between the leaf and the root, as a list (RFC 9440, Section 2.3). The root is left out:
// whoever asks for it has it.
func appendChain(out []byte, chain []*x509.Certificate) []byte {
	if len(chain) < 3 {
		return out
	}
	start := len(out)
	out = append(out, "Client-Cert-Chain: "...)
	for i, c := range chain[1 : len(chain)-1] {
		if i > 0 {
			out = append(out, ", "...)
		}
		out = appendCertificate(out, c)
	}
	if len(out)-start > maxChainField {
		return out[:start]
	}
	return append(out, "\r\n"...)
}

// isEarly reports whether a request was marked as one that may be a replay (RFC 8470, Section 5.1).
func isEarly(r *http.Request) bool { return len(r.Header["Early-Data"]) > 0 }
