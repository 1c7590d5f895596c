package cli

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/starttls"
	"github.com/tlswright/tlswright/wire"
)

// connectFlags are the flags of `connect`.
type connectFlags struct {
	negotiationFlags
	psk pskFlags
	ech echFlags
	routeFlags
	starttls   string
	resumes    bool
	early      string
	identity   identityFlags
	revocation connectRevocationFlags
	traceFlags traceFlags
	ca         []string
	serverName string
	isInsecure bool
	pins       []string
	rawKeys    []string
	late       bool
	delegated  delegatedFlags
	send       string
	hasSend    bool
	isHTTP     bool
	headers    []string
	output     string
	asJSON     bool

	offersHTTP bool    // no --alpn was given, and no data is to be sent
	tracer     *tracer // nil: nothing is recorded
}

const connectLong = `Connect to a TLS server, verify its certificate chain and its name, and report
what was negotiated. With several hosts they stand side by side, a line each.

Trusted are the roots of this system and the estate's own CA; --ca FILE trusts
the certificates of that file instead.

With --crl, --revocation-set or --ocsp it must be known, too, that the server's
certificate was not revoked, and a server of which nothing is known is refused:
--soft-fail lets it pass. --ocsp asks the responder whose address stands in the
certificate, once its chain is verified: at public addresses, and at private
ones if the chain ends in the own CA or in --ca, or with --allow-private. A
staple counts too. A revoked server gets the alert certificate_revoked.

With --send TEXT, or with data piped in, the data is sent, and what comes back
goes to standard output; the report goes to standard error then. After the last
byte our direction is closed, and the command ends when the peer closes too. (In
TLS 1.2, which cannot close one direction, and with --starttls, it ends when the
peer falls silent.)
Without data, h2 and http/1.1 are offered as application protocols; with data,
none is. In a script, "</dev/null" keeps connect from reading what is meant for
another command.

--starttls PROTOCOL begins in plain text and has the server go over to TLS:
smtp, lmtp, imap, pop3, sieve, ftp, nntp, ldap, xmpp, xmpp-server, irc,
postgres, mysql, rdp or telnet. It never goes on without TLS. The ports 465,
563, 636, 990, 992, 993, 995, 5223, 5270 and 6697 get TLS at once.

With --max 1.1, or --ciphers of which none is spoken here (RC4, say), the server
is shown such a hello, its answer is told, and the connection ends: a failed
check, whatever the answer.

--resume connects twice and tells whether the second handshake was spared the
certificates. --early-data sends data along with the first flight of the second
connection (0-RTT), where somebody in between can replay it; "@FILE" sends the
contents of a file. Data that the server refuses is sent again afterwards.

--trace records the connection, and shows it behind the report: in a dozen
lines, or with --trace=text every byte with its meaning, the key schedule and
each check, computed anew. Other formats go to standard output, and the report
to standard error; -o names a file instead (with --http: --trace-file). Keys and
contents are left out unless --secrets is given. Failed handshakes are recorded,
too; with --resume the second connection is. "tlswright trace" reads recordings
again.

--ech encrypts the ClientHello, so that nobody on the path learns the name: to a
list that "tlswright ech" shows, or to what the DNS says (which, unless asked
for by other means, is itself to be seen). Where the server wants another
configuration used, it is connected to once more.

--observer shows what somebody on the path learns of this connection, what not,
and what would hide it.

With --http the arguments are an optional method and a URL. Redirects are
followed, but never away from https. The report names the final URL, the status
and the headers; -o keeps the body, and "-o -" prints it. A status of 400 or
more is a failed check.

` + exitCodeHelp + `
With several hosts: 0 if all are well; the code of the failures if they are all
of one kind; otherwise 1.`

const connectExample = `  tlswright connect example.com
  tlswright connect google.com github.com letsencrypt.org
  tlswright connect --ca root.pem --servername app.test 127.0.0.1:8443
  tlswright connect --cert alice.pem --key alice.key --json api.test
  printf 'hello\n' | tlswright connect localhost:8443
  tlswright connect --max 1.2 --ciphers 'ECDHE+AESGCM' example.com
  tlswright connect --starttls smtp mail.example.com
  tlswright connect --crl ca.crl app.test
  tlswright connect --ocsp --soft-fail example.com
  tlswright connect --resume example.com
  tlswright connect --trace example.com
  tlswright connect --trace=pcapng --secrets -o run.pcapng example.com
  tlswright connect --observer example.com
  tlswright connect --ech auto example.com
  tlswright connect --http https://example.com/ -o page.html`

func newConnect(a *app) *cobra.Command {
	o := &connectFlags{}
	cmd := &cobra.Command{
		Use:     "connect HOST[:PORT]... | --http [METHOD] URL",
		Short:   "Connect to a TLS server, verify it, and report what was negotiated",
		Long:    connectLong,
		Example: connectExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				f := usagef(cmd, "whom to connect to?")
				f.hint = "for example: tlswright connect example.com"
				return f
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.hasSend = cmd.Flags().Changed("send")
			return a.connect(cmd, o, args)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.ca, "ca", nil, "trust the certificates in this PEM `FILE`, and no others")
	f.StringVar(&o.serverName, "servername", "", "the `NAME` to ask for (SNI) and to verify (default: the host)")
	f.BoolVar(&o.isInsecure, "insecure", false, "do not verify the certificate: for looking only")
	f.StringArrayVar(&o.pins, "pin", nil, "insist on this `PIN` in the verified chain, such as sha256/BASE64; several are alternatives, @FILE holds them (see tlswright cert pin)")
	f.StringArrayVar(&o.rawKeys, "raw-key", nil, "take a server that shows the public key of this `PIN` in the place of a certificate (RFC 7250)")
	o.revocation.register(cmd)
	o.identity.register(cmd, "our")
	o.negotiationFlags.register(cmd)
	o.records.registerClient(cmd)
	o.variety.registerClient(cmd)
	o.psk.register(cmd)
	o.ech.register(cmd)
	o.registerLate(cmd)
	o.delegated.register(cmd, "the server's")
	o.routeFlags.register(cmd)
	o.traceFlags.register(cmd)
	f.StringVar(&o.starttls, "starttls", "", "begin in plain text and go over to TLS, in `PROTOCOL`: "+strings.Join(names(starttls.Protocols()), ", "))
	complete(cmd, "starttls", names(starttls.Protocols()))
	f.BoolVar(&o.resumes, "resume", false, "connect twice, and tell whether the second connection was resumed")
	f.StringVar(&o.early, "early-data", "", "connect twice, and send `TEXT` (or @FILE) as early data of the second connection; it can be replayed")
	f.StringVar(&o.send, "send", "", "send this `TEXT`, and print what comes back; \"-\" reads standard input")
	f.BoolVar(&o.isHTTP, "http", false, "make an HTTP request")
	f.StringArrayVarP(&o.headers, "header", "H", nil, "with --http: a header to send, as \"`NAME: VALUE`\"")
	f.StringVarP(&o.output, "output", "o", "", "with --http: write the body to `FILE`; with --trace: the recording; \"-\" is standard output")
	f.BoolVar(&o.asJSON, "json", false, "print JSON, one object for each host")
	_ = cmd.MarkFlagFilename("ca", "pem", "crt", "cer")
	return cmd
}

func (a *app) connect(cmd *cobra.Command, o *connectFlags, args []string) (err error) {
	switch {
	case !o.isHTTP && o.output != "" && o.traceFlags.format == "":
		return usagef(cmd, "-o belongs to --http and --trace")
	case !o.isHTTP && len(o.headers) > 0:
		return usagef(cmd, "-H belongs to --http")
	}
	if o.tracer, err = a.newTracer(cmd, o); err != nil {
		return err
	}
	if o.isHTTP {
		return a.connectHTTP(cmd, o, args)
	}
	protocol, err := o.protocol(cmd)
	if err != nil {
		return err
	}
	var targets []target
	for _, arg := range args {
		t, err := parseTarget(cmd, arg, protocol.Port())
		if err != nil {
			return err
		}
		targets = append(targets, t)
	}
	if len(targets) > 1 && o.hasSend {
		return usagef(cmd, "--send goes to one host, but there are %d", len(targets))
	}
	if len(targets) > 1 && o.early != "" {
		return usagef(cmd, "--early-data goes to one host, but there are %d", len(targets))
	}
	if len(targets) > 1 && o.tracer != nil {
		return usagef(cmd, "--trace and --observer look at one host, but there are %d", len(targets))
	}
	src := a.dataToSend(o, len(targets))
	o.offersHTTP = src == nil && len(o.alpn) == 0 && o.early == ""
	c, err := a.newConnector(cmd, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if len(targets) > 1 {
		return c.connectAll(cmd.Context(), targets, o.asJSON)
	}
	return c.connectOne(cmd.Context(), targets[0], src, o.asJSON)
}

// dataToSend is where the data of the connection comes from: --send, or what is piped in. Nil: there is none.
func (a *app) dataToSend(o *connectFlags, hosts int) io.Reader {
	switch {
	case hosts > 1:
		return nil
	case o.hasSend && o.send != "-":
		return wholeText{strings.NewReader(o.send)}
	case o.hasSend:
		return a.ui.in
	case o.tracer.takesOutput():
		return nil // there is nowhere to print an answer to
	case a.ui.inputIsPiped():
		return pipedData(a.ui.in)
	}
	return nil
}

// connectOne connects to one host, reports, and carries data where there is some.
func (c *connector) connectOne(ctx context.Context, t target, src io.Reader, asJSON bool) error {
	report := &c.app.ui.out
	if src != nil || len(c.early) > 0 || c.trace.takesOutput() {
		report = &c.app.ui.err
	}
	return c.trace.withTrace(c.talk(ctx, t, src, report, asJSON), report, asJSON)
}

// talk is the connection to one host, and the report.
func (c *connector) talk(ctx context.Context, t target, src io.Reader, report *stream, asJSON bool) error {
	u := c.app.ui
	conn, o := c.dial(ctx, t)
	if conn == nil {
		return c.conclude(o, report, nil, asJSON)
	}
	src = c.settleEarly(conn, o, src)
	if src == nil {
		c.finish(conn, o)
		return c.conclude(o, report, nil, asJSON)
	}
	defer conn.Close()
	e := &exchange{
		conn: conn, src: src, patience: c.timeout, closesLast: o.facts.Version == wire.VersionTLS12 || c.starttls != 0,
	}
	if asJSON {
		kept := newCollector()
		e.dst = kept
		if err := e.run(ctx); err != nil {
			o.problem = c.afterHandshake(o, err)
		}
		o.facts = conn.Facts()
		return c.conclude(o, report, kept.json(e), true)
	}
	c.printReport(report, o)
	lines := &lineEnds{w: u.out.w}
	e.dst = lines
	err := e.run(ctx)
	if lines.isOpen && u.out.width > 0 {
		u.write(&u.out, "\n") // so that the shell's prompt gets a line of its own
	}
	if err != nil {
		return c.afterHandshake(o, err)
	}
	c.noteLate(conn.Facts())
	if e.wentMute {
		u.notef("the peer did not close the connection within %v; it is closed now", c.timeout)
	}
	return nil
}

// conclude prints what came of a connection and turns it into the end of the command.
func (c *connector) conclude(o *outcome, report *stream, data *dataJSON, asJSON bool) error {
	switch {
	case asJSON:
		j := c.json(o)
		j.Data = data
		if err := c.app.ui.printJSON(j); err != nil {
			return err
		}
	case o.problem == nil || o.facts.Version != 0 || o.answer != nil:
		c.printReport(report, o)
	}
	if o.problem != nil {
		return o.problem
	}
	return nil
}

// lineEnds passes data on and remembers whether the last line is still open.
type lineEnds struct {
	w      io.Writer
	isOpen bool
}

func (l *lineEnds) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.isOpen = p[len(p)-1] != '\n'
	}
	return l.w.Write(p)
}
