package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/grade/report"
	"github.com/tlswright/tlswright/internal/starttls"
)

// scanFlags are the flags of `scan`.
type scanFlags struct {
	scanOutputFlags
	starttls, serverName string
	targets              string
	ca, files            []string
	isQuick, isOffline   bool
	only4, only6         bool
	allClients           bool
	allowsPrivate        bool
	rate                 float64
	parallel             int
	concurrency          int
	pace                 time.Duration
	timeout, hostTimeout time.Duration
	httpPort             int
	resolver, logList    string
	weakKeys             []string
	resume               string
	grade                string
}

const scanLong = `Scan TLS servers and grade them from A+ to F, by the rules of the SSL Labs
Server Rating Guide: every version down to SSL 2.0, every cipher suite, group
and signature scheme, the order of preference, extensions, resumption, the
known attacks, certificates and trust, HTTP headers, and what well-known
clients would come to. Each problem comes with its reason, the evidence and how
to mend it.

A target is HOST, HOST:PORT, an address, a URL as https://HOST or smtp://HOST,
or HOST:PORT/PROTOCOL where a protocol begins in plain text (STARTTLS). A block
of addresses as 192.0.2.0/24 or 192.0.2.0/24:8443 stands for each of them
(65,536 at most). All addresses of a name are scanned. --targets reads a list,
one target a line, "#" comments; a second word in a line is the name to ask
for. A target that cannot be scanned never stops the others.

Nothing is harmed: no check does more than prove what it says. At most 4
connections to one address are open at once (--concurrency), fewer where a
server pushes back, and --pace and --rate slow a scan down. What a throttled or
silent server does not answer counts as unknown, never as absent.

--quick makes one connection: version, chain, dates, HSTS. For many hosts.

Trusted are the roots of this system, the estate's own CA, and Java's if there
is one, each for itself; --ca FILE trusts the certificates of that file
instead.

With --min-grade the command ends with 1 if a grade is worse, with --policy if
a policy is not kept: its name (--policy list shows them) or a file in YAML or
JSON.

--format chooses how it is told; -o writes it to a file. --resume FILE keeps the
results in FILE, as JSON lines, and goes on there after a run that broke off.
--grade FILE judges stored results again by today's rules, without a connection.
"tlswright scan diff" compares two results.

--files looks at private keys, pin sets and the configuration files of servers
on this machine: who may read and replace the keys, and whether pins have a
backup. Arguments behind it that are files or folders are looked at, too.

` + exitCodeHelp + `
With several targets: 1 if a grade or policy failed; otherwise 3 if one of them
could not be scanned. A single one that does not answer is 3, too.`

const scanExample = `  tlswright scan example.com
  tlswright scan -v --min-grade A- example.com:8443
  tlswright scan --starttls smtp mail.example.com
  tlswright scan --format html -o report.html example.com
  tlswright scan --quick --targets hosts.txt --format jsonl -o found.jsonl
  tlswright scan --targets hosts.txt --resume run.jsonl -o fleet.html
  tlswright scan 192.0.2.0/28 --rate 2
  tlswright scan --policy mozilla-intermediate app.test
  tlswright scan --files /etc/nginx/nginx.conf
  tlswright scan --grade run.jsonl`

func newScan(a *app) *cobra.Command {
	o := &scanFlags{}
	cmd := &cobra.Command{
		Use:               "scan TARGET...",
		Short:             "Scan TLS servers, grade them A+ to F, and say what to mend",
		Long:              scanLong,
		Example:           scanExample,
		Annotations:       map[string]string{takesArguments: "yes"},
		Args:              cobra.ArbitraryArgs, // whether any are needed depends on the flags
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.scan(cmd, o, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.starttls, "starttls", "", "begin in plain text and go over to TLS, in `PROTOCOL`: "+strings.Join(names(starttls.Protocols()), ", "))
	f.BoolVar(&o.isQuick, "quick", false, "one connection only: version, chain, dates, HSTS")
	f.StringVar(&o.targets, "targets", "", "read targets from `FILE`, a line each; \"-\" is standard input")
	f.StringVar(&o.serverName, "servername", "", "the `NAME` to ask for (SNI) and to verify (default: the host)")
	f.StringSliceVar(&o.ca, "ca", nil, "trust the certificates in this PEM `FILE`, and no others")
	f.StringArrayVar(&o.files, "files", nil, "look at the keys, pins and server configurations in this `PATH`, a file or folder")
	f.StringVar(&o.grade, "grade", "", "judge the stored results in `FILE` again; \"-\" is standard input")
	f.StringVar(&o.resume, "resume", "", "keep results in `FILE`, as JSON lines, and leave out targets that are in it already")
	f.Float64Var(&o.rate, "rate", 0, "begin at most so many targets a second, as `NUMBER`")
	f.IntVar(&o.parallel, "parallel", 0, "scan so many targets at once, as `NUMBER` (default 16, with --quick 256)")
	f.IntVar(&o.concurrency, "concurrency", 0, "open so many connections to one address at once, as `NUMBER` (default 4)")
	f.DurationVar(&o.pace, "pace", 0, "the least `TIME` between two connections to one address")
	f.DurationVar(&o.timeout, "timeout", 5*time.Second, "how long one step of a connection may take, as a `TIME` such as 5s")
	f.DurationVar(&o.hostTimeout, "host-timeout", 2*time.Minute, "how long the scan of one address may take, as a `TIME`")
	f.IntVar(&o.httpPort, "http-port", 80, "the `PORT` where plain HTTP is looked for")
	f.StringVar(&o.resolver, "resolver", "", "ask this DNS server, as `ADDRESS[:PORT]` (default: the system's)")
	f.StringVar(&o.logList, "log-list", "", "check timestamps of CT logs with the list in `FILE`, as published for Chrome")
	f.StringSliceVar(&o.weakKeys, "weak-keys", nil, "report keys that are in the list in `FILE`, as in Debian's package openssl-blacklist")
	f.BoolVar(&o.isOffline, "offline", false, "connect to the target only: no DNS records, CRLs, OCSP, missing issuers or port 80")
	f.BoolVar(&o.allowsPrivate, "allow-private", false, "fetch CRLs, OCSP and issuers from private addresses, too (default where localhost or a loopback address is scanned)")
	f.BoolVar(&o.allClients, "all-clients", false, "simulate every client that is known, not only the telling ones")
	f.BoolVarP(&o.only4, "ipv4", "4", false, "IPv4 addresses only")
	f.BoolVarP(&o.only6, "ipv6", "6", false, "IPv6 addresses only")
	o.scanOutputFlags.register(cmd)
	complete(cmd, "starttls", names(starttls.Protocols()))
	_ = cmd.MarkFlagFilename("ca", "pem", "crt", "cer")
	cmd.AddCommand(newScanDiff(a))
	return cmd
}

// takesArguments marks a command that has commands below it and takes arguments itself.
const takesArguments = "takes-arguments"

// scanOutputFlags say how results are told and what counts as a failure.
type scanOutputFlags struct {
	format   string
	asJSON   bool
	output   string
	verbose  int
	minGrade string
	policies []string
}

func (o *scanOutputFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	var formats []string
	for _, known := range report.Formats() {
		formats = append(formats, string(known))
	}
	f.StringVar(&o.format, "format", "text", "tell the results as `FORMAT`: "+strings.Join(formats, ", "))
	f.BoolVar(&o.asJSON, "json", false, "the same as --format json")
	f.StringVarP(&o.output, "output", "o", "", "write the results to `FILE` instead of standard output")
	f.CountVarP(&o.verbose, "verbose", "v", "tell everything; twice: with snippets for every kind of server")
	f.StringVar(&o.minGrade, "min-grade", "", "fail if a grade is worse than this `GRADE`: A+, A, A-, B, C, D, E")
	f.StringArrayVar(&o.policies, "policy", nil, "fail unless this policy is kept, by `NAME` or file; \"list\" shows the names")
	complete(cmd, "format", formats)
	complete(cmd, "policy", grade.PolicyNames())
	complete(cmd, "min-grade", []string{"A+", "A", "A-", "B", "C", "D", "E"})
}
