package config

import (
	"time"

	"github.com/tlswright/tlswright/internal/watch"
)

// Monitor is the section "monitor" of a file: what is watched, how often, and who is told.
type Monitor struct {
	Targets  []Watched
	Lists    []string     // files with further addresses, one a line
	Defaults Schedule     // of targets that say nothing else
	Policy   watch.Policy // of targets that say nothing else
	Channels []Channel
	Escalate map[string]time.Duration // by severity: when an incident that nobody acknowledged is told once more
	Keep     Retention
	Database string // URL of a PostgreSQL database that several nodes share; "": a file in the home
	CTLogs   string // file with the list of logs for targets of Certificate Transparency, in the form that Chrome's has
	Backlog  int64  // entries of a log that was never read to begin with; 0: from its end on
	// Inventory is where our own CAs keep what they have issued: [OwnCA], the home of another CA, the URL of a PostgreSQL
	// database.
	Inventory []string
	Beat      Beat
	Dashboard Dashboard
	Metrics   string // address where Prometheus reads; "": none. One without a host is on loopback
	Parallel  int    // looks at the same time; 0: 64
	PerHost   int    // at one address at the same time; 0: 2
	// AllowPrivate lets what certificates name (issuers, CRLs, OCSP) be fetched from private addresses.
	AllowPrivate bool
	// NotOwn says that what `up` serves beside this monitor is not watched unless a target names it.
	NotOwn bool
}

// OwnCA is what an inventory calls the CA of the home that the monitor itself uses.
const OwnCA = "own"

// Watched is one thing that is watched: an address with everything behind it, files, or both, which are then compared.
type Watched struct {
	Name       string   // "": the address, or the first file
	Address    string   // "host:port"; a URL is read too; "": files alone
	ServerName string   // sent and verified in the place of the host
	StartTLS   string   // "": by the port, where TLS is not spoken at once
	Addresses  string   // all (default), first, or addresses with commas between, to connect to in the place of those of the name
	Files      []string // globs: PEM, DER, PKCS#12, JKS, kubeconfig, CRLs
	CT         []string // domains that are looked for in logs of Certificate Transparency; alone
	CTLogs     string   // as in Monitor
	Backlog    int64    // as in Monitor
	Passwords  string   // file with passwords for them, one a line; never shown
	CA         []string // files of further roots
	Client     string   // file with the certificate that is shown to a server that asks for one, with its chain
	ClientKey  string   // file with its key, for its owner alone
	System     bool     // trust the system's roots as well, where CA is given
	// OnlyOwn says that only certificates may be served here that our own CA has issued, or that lie in Files: all others are
	// strangers.
	OnlyOwn  bool
	Schedule Schedule
	Policy   watch.Policy
	Renew    Renewal
	Labels   map[string]string
	Place    Place
}

// Schedule is how often something is looked at.
type Schedule struct {
	Every   time.Duration // 0: the default, six hours
	Cron    string        // five fields, in UTC; "": Every counts
	Grade   time.Duration // how often the whole scan is made for a grade; 0: once a day; negative: never
	Timeout time.Duration // of one look; 0: 10 s
}

// Renewal is who renews a certificate that runs out, and what must happen then.
type Renewal struct {
	Live   string   // name in the live/ tree: renewed over ACME
	Reload []string // command, with arguments, that makes the server take the new one
}

// Channel is somewhere that notices go.
type Channel struct {
	Name     string
	Kind     string   // email, slack, webhook, command
	Least    string   // severity from which on it is told; "": warning
	Targets  []string // patterns; empty: all
	URL      string   // slack, webhook
	URLFile  string   // where the URL is a secret
	Secret   string   // file with the key that webhooks are signed with
	Server   string   // email: "smtp.example:587"
	Security string   // email: starttls (default), tls, none
	User     string
	Password string // file
	From     string
	To       []string
	CA       string // file of roots, for email, slack and webhook
	Command  []string
	Place    Place
}

// Retention is how long what was seen is kept.
type Retention struct {
	Checks  time.Duration // each look; 0: 30 days
	Rollups time.Duration // by the day; 0: five years
	Changes time.Duration // 0: for ever
}

// Beat is a sign of life, for somebody else to miss.
type Beat struct {
	URL   string
	Every time.Duration // 0: a minute
}
