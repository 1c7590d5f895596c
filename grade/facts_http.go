package grade

// HTTP is what a web server says above TLS.
type HTTP struct {
	Status  int      `json:"status,omitempty"`
	URL     string   `json:"url,omitempty"`
	Problem string   `json:"problem,omitempty"` // why there was no answer
	HSTS    HSTS     `json:"hsts"`
	Headers []Header `json:"headers,omitempty"` // of the last answer that was asked for over TLS, as they came; at most 100
	Cookies []Cookie `json:"cookies,omitempty"`
	// Redirects are the addresses that plain HTTP led through, the first one included.
	Redirects []Redirect `json:"redirects,omitempty"`
	// Followed are the redirects over https within the same host that were followed; the headers are those behind them, HSTS
	// is the first answer's, or else theirs.
	Followed []Redirect `json:"followed,omitempty"`
	// LeadsToHTTP: an https address redirects to plain HTTP, away from TLS.
	LeadsToHTTP Answer `json:"leadsToHTTP,omitempty"`
	// HSTSFields is how many Strict-Transport-Security fields one answer had; of several, browsers read the first alone.
	HSTSFields int `json:"hstsFields,omitempty"`
	// PlainHTTP: port 80 (or that of --http-port) is open. RedirectsToHTTPS: it leads to https in the end.
	PlainHTTP        Answer `json:"plainHTTP,omitempty"`
	RedirectsToHTTPS Answer `json:"redirectsToHTTPS,omitempty"`
	Permanent        Answer `json:"permanent,omitempty"`       // by 301 or 308
	ContentEncoding  string `json:"contentEncoding,omitempty"` // when compression was offered
	AltSvc           string `json:"altSvc,omitempty"`
	Server           string `json:"server,omitempty"`
	// TooEarly: a request in early data was answered with 425 (RFC 8470).
	TooEarly Answer `json:"tooEarly,omitempty"`
}

// HSTS is the Strict-Transport-Security header (RFC 6797).
type HSTS struct {
	Present    bool     `json:"present"`
	Raw        string   `json:"raw,omitempty"`
	MaxAge     int64    `json:"maxAge"` // in seconds
	SubDomains bool     `json:"includeSubDomains,omitempty"`
	Preload    bool     `json:"preload,omitempty"`
	Invalid    string   `json:"invalid,omitempty"`    // why a browser ignores it
	Preloadble Answer   `json:"preloadFit,omitempty"` // fit for the preload list
	Unfit      []string `json:"preloadUnfit,omitempty"`
}

// Header is a field of the answer.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Cookie is a cookie's name and flags; its value is not kept.
type Cookie struct {
	Name     string `json:"name"`
	Secure   bool   `json:"secure"`
	HTTPOnly bool   `json:"httpOnly"`
	SameSite string `json:"sameSite,omitempty"`
	Prefix   string `json:"prefix,omitempty"` // "__Host-", "__Secure-"
}

// Redirect is one step of the way from plain HTTP.
type Redirect struct {
	URL    string `json:"url"`
	Status int    `json:"status"`
	To     string `json:"to,omitempty"`
	HSTS   bool   `json:"hsts,omitempty"` // the header over plain HTTP, where it is ignored
}

// DNS is what the name's zone says about TLS.
type DNS struct {
	Authentic Answer   `json:"authentic,omitempty"` // the resolver vouches for the answers (AD bit, RFC 4035)
	CAA       []CAA    `json:"caa,omitempty"`
	CAAAt     string   `json:"caaAt,omitempty"`     // the name whose records count (RFC 8659, Section 3)
	CAAAllows Answer   `json:"caaAllows,omitempty"` // the issuer of the certificate is among those allowed
	TLSA      []TLSA   `json:"tlsa,omitempty"`
	ECH       bool     `json:"ech,omitempty"`       // an HTTPS record gives an ECH configuration
	ALPN      []string `json:"httpsALPN,omitempty"` // of the HTTPS record
	MTASTS    string   `json:"mtaSTS,omitempty"`    // mode of the policy: "enforce", "testing", "none"
	Problems  []string `json:"problems,omitempty"`
	Addresses []string `json:"addresses,omitempty"` // all addresses of the name
}

// CAA is a certification authority authorization record (RFC 8659).
type CAA struct {
	Critical bool   `json:"critical,omitempty"`
	Tag      string `json:"tag"`
	Value    string `json:"value"`
}

// TLSA is a DANE record (RFC 6698).
type TLSA struct {
	Usage, Selector, Matching int    `json:"-"`
	Record                    string `json:"record"`  // "3 1 1 …"
	Matches                   Answer `json:"matches"` // a certificate of the chain, as its usage asks
	Text                      string `json:"text,omitempty"`
}

// FileFact is what `scan --files` found out about one file.
type FileFact struct {
	Path     string   `json:"path"`
	Kind     string   `json:"kind"`  // "private key", "certificate", "pin set", "other"
	Mode     string   `json:"mode"`  // "0644"
	Owner    string   `json:"owner"` // name or number
	Group    string   `json:"group"`
	Problems []string `json:"problems,omitempty"`
	Pins     int      `json:"pins,omitempty"`
	Backup   Answer   `json:"backup,omitempty"` // the pin set has a pin outside the chain that is served
	Key      string   `json:"key,omitempty"`
	Text     string   `json:"text,omitempty"`
}
