package config

import (
	"net/netip"
	"time"

	"github.com/tlswright/tlswright/internal/access"
)

// Gateway is the section "gateway" of a file: what listens, which sites there are, and who may go where.
type Gateway struct {
	Listeners []Listener
	Sites     []Site
	Limits    Limits // of the whole gateway; listeners may have less
	AccessLog string // file; "": none, "-": standard output
	Metrics   string // loopback address of the operator's page: metrics and health; "": none
	User      string // to run as once the listeners are bound; "": who started it
	Tickets   string // file of session-ticket keys that several nodes share; "": own keys
	// AllowPrivate lets CRLs and OCSP answers that certificates name be fetched from private and loopback addresses, too.
	AllowPrivate bool
}

// Listener is one address that is listened on.
type Listener struct {
	Name     string // "": the address
	Address  string // "127.0.0.1:8443", "unix:/run/x.sock", "systemd:NAME"
	Protocol Protocol
	Sites    []string       // names of the sites that are reached here (http: redirected); empty: all that fit the protocol
	Trusted  []netip.Prefix // peers that speak the PROXY protocol to us; empty: nobody does
	ECHKeys  []ECHKeyFile   // for Encrypted ClientHello (RFC 9849), of listeners with TLS; none: it is not taken
	Limits   Limits
	Place    Place
}

// ECHKeyFile is a file with a key for Encrypted ClientHello, as "ech new -o" writes it.
type ECHKeyFile struct {
	File  string
	Old   bool // ClientHellos are decrypted with it, but clients are not told to use it
	Place Place
}

// Protocol is what a listener speaks.
type Protocol string

// The protocols of listeners.
const (
	ProtocolHTTPS Protocol = "https" // HTTP/1.1 and HTTP/2 behind TLS
	ProtocolTLS   Protocol = "tls"   // any protocol behind TLS, which is taken off
	ProtocolHTTP  Protocol = "http"  // redirects to https, and answers http-01
	ProtocolPlain Protocol = "plain" // client mode: plain in, TLS out; reaches exactly one site
)

// Site is what is served under some names.
type Site struct {
	Name        string
	Hosts       []string // DNS names, "*.example.com", addresses; empty: the default site of its listeners
	Certificate Certificates
	Profile     string   // modern, intermediate, old-but-sound; "": intermediate
	Clients     *Clients // nil: no certificate is asked for
	EarlyData   uint32   // bytes of 0-RTT data; 0: off
	Headers     Headers
	Target      Target  // of what no route fits
	Routes      []Route // the longest path that fits decides, "=" before a prefix
	Page        bool    // a refused request gets a page with the denial's id (HTTP 403) in the place of a TLS alert, where TLS itself is content
	NoRedirect  bool    // http listeners answer 404 in the place of a redirect
	Place       Place
}

// Certificates say where a site's certificates come from; exactly one of the sources is set. None: Own.
type Certificates struct {
	Files []CertificateFiles // pairs; several key types side by side
	Live  string             // name in the live/ tree of `acme obtain`
	Own   bool               // the estate's own CA issues and renews
	ACME  *ACME
	OCSP  Staple
}

// CertificateFiles is a chain and its key; SCTs is a file with signed certificate timestamps for it, as the TLS extension
// carries them (RFC 6962, Section 3.3) and "ct submit -o" writes them; "": those in the certificate must do.
type CertificateFiles struct{ Chain, Key, SCTs string }

// OwnDirectory stands for the ACME directory of the estate's own CA.
const OwnDirectory = "own"

// ACME says which server certificates come from.
type ACME struct {
	Directory string // URL, or OwnDirectory
	Email     string
	CA        string // file of roots to trust the server with; "": the system's and the own CA's
	Profile   string
	Binding   string // file with an external account binding; "": none
	Challenge string // tls-alpn-01 or http-01; "": whichever listener there is
}

// Staple is how OCSP answers are sent along.
type Staple string

// Whether answers are fetched and sent.
const (
	StapleAuto Staple = ""    // where the certificate names a responder
	StapleOff  Staple = "off" // never
)

// Clients say which client certificates are asked for and let in.
type Clients struct {
	Mode          ClientMode
	CA            []string       // files of roots
	OwnCA         bool           // the estate's own root as well
	Policy        *access.Policy // nil: every verified certificate; ReadGateway wants it said, and never gives nil
	CRL           []string       // files and http URLs, in addition to what certificates name
	Revocation    RevocationMode
	CloseOnRevoke bool // open connections of a certificate that is revoked are closed
}

// ClientMode is whether client certificates are asked for.
type ClientMode string

// The modes.
const (
	ClientsRequire ClientMode = "require" // no connection without one
	ClientsRequest ClientMode = "request" // rules of routes decide
)

// RevocationMode is what an unknown status of a client's certificate means.
type RevocationMode string

// The modes.
const (
	RevocationHard RevocationMode = "hard" // refused (default)
	RevocationSoft RevocationMode = "soft" // let in
	RevocationOff  RevocationMode = "off"  // nothing is looked up
)

// Route is a part of a site. Of several with the same path the one that names the method is taken, else the one that
// names none, else the answer is 405: a shorter path, with rules that may be laxer, is no way out.
type Route struct {
	Path    string         // "/api": this path and all below it, by whole segments; "/": all; "=/x": exactly this one
	Methods []string       // empty: all others; GET includes HEAD
	Policy  *access.Policy // in addition to the site's: a route narrows, and never widens; nil: no more than the site's
	Target  *Target        // nil: the site's
	Place   Place
}

// Target is where connections or requests go; exactly one is set.
type Target struct {
	URL  string // http, https: upstreams of HTTP; tcp, tls: of any protocol; unix:/path or unix+http:/path
	Dir  string
	Echo bool
	// Welcome is a page for browsers that says what their connection is like.
	Welcome bool
	Status  int // answers with it: 404, 403, 204
	// Of https and tls upstreams.
	CA, Cert, Key, ServerName string
	Pins                      []string
	PinsAlone                 bool // a single pin without a backup is meant
	ProxyProtocol             bool // say who the client is by PROXY protocol, version 2 (L4)
	Place                     Place
}

// Headers are what is added to responses (of HTTP sites).
type Headers struct {
	Off                         bool          // none of the defaults
	HSTS                        time.Duration // 0: two years; negative: none
	HSTSSubdomains, HSTSPreload bool
	CSP                         string            // "": none, "strict": default-src 'self' and its kin, else as written
	Frame                       string            // X-Frame-Options; "": DENY
	Extra                       map[string]string // set last; "" removes
}

// Limits bound what peers may take; 0: the default, negative: none.
type Limits struct {
	Connections, PerAddress               int
	Handshake, HeaderTime, BodyTime, Idle time.Duration
	HeaderBytes                           int
	BodyBytes                             int64
}

// Place is where something stands in the file.
type Place struct{ Line, Column int }
