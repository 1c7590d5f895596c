package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/pki"
)

const caServeLong = `Run the CA as a service: ACME over https for clients such as certbot, lego,
Caddy or "tlswright acme", and over plain http what relying parties fetch:
OCSP, CRLs, issuers' certificates, and a page to download the root.

The ACME directory is at /acme/directory. Clients must trust the CA's root to
talk to it: it is at /roots.pem of the plain http address, and "tlswright ca
show --pem" prints it. With --issuer NAME, which may be repeated, each further
intermediate gets a directory of its own at /acme/ca/NAME/directory.

Names are validated by http-01, dns-01, tls-alpn-01, dns-account-01 and
dns-persist-01, wildcards by the DNS. What a client asks to be validated is
connected to, so only public addresses are, until --allow-network opens others:
"--allow-network 10.0.0.0/8", say, for the machines of an own network. CAA
records count unless --no-caa is given, and --caa-identity is the name that they
call this CA by.

With -c FILE the settings stand in the section "ca" of a file, which "tlswright
up" reads as well: its keys are the words of the flags, and flags that are given
win. See "tlswright init".

Without a publication of its own (see "ca init --help") certificates carry the
addresses below --http-url, so that clients find OCSP and CRL. With --ct-logs,
here or at "ca init", they are shown to logs of Certificate Transparency first;
an order whose certificate too few logs take fails.

Where a CA is certified by several roots, as when a new root takes over from an
old one, --alternate-chain offers clients the further ways up, each a PEM file
that begins with the other certificate of the issuing CA or of its root.

Several nodes serve one CA from one PostgreSQL database, behind one address
(--url): give each a copy of the home that "ca init" made, before anything was
issued, and the same --database. Any node answers any request, and goes on with
what one that died has left. Keys stay on the nodes; the records, what clients
have ordered and the nonces they have used are in the database. The home
remembers the address, so that "ca list", "ca revoke" and all others look
there, too. A pooler before the database must keep sessions. Records that are in
a file so far go there with "ca move".

Those who run the CA can do so from elsewhere: --admin ADDRESS is an API over
https for client certificates of "ca admin issue", and of no other; "ca admin"
says more. --metrics ADDRESS tells Prometheus what happens, at /metrics, and
supervisors whether all is well, at /healthz and /readyz; keep it on loopback.

--chaos makes the server misbehave as real ones do now and then, to test
clients: refused nonces, 503, 429, dropped connections, delays. "--chaos mild"
or "--chaos wild", or single ones such as
"nonces=15,unavailable=5,drop=2,slow=300ms".`

const caServeExample = `  tlswright ca serve
  tlswright ca serve --listen :443 --http :80 --allow-network 10.0.0.0/8
  tlswright ca serve --allow-name corp.example --require-binding
  tlswright ca serve -c /etc/tlswright/tlswright.yaml
  tlswright ca serve --http01-port 5002 --allow-network 127.0.0.0/8 --chaos mild
  tlswright ca serve --admin 127.0.0.1:9444 --metrics 127.0.0.1:9464
  tlswright ca serve --listen :443 --database postgres://ca@db.corp.example/ca
  certbot certonly --standalone -d NAME --server https://CA/acme/directory`

func newCAServe(a *app) *cobra.Command {
	o := &caServeFlags{}
	cmd := &cobra.Command{
		Use:     "serve",
		Short:   "Run the CA as a service: ACME, OCSP, CRLs, the roots",
		Long:    caServeLong,
		Example: caServeExample,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.caServe(cmd, o) },
	}
	o.register(cmd, a)
	return cmd
}

func (a *app) caServe(cmd *cobra.Command, o *caServeFlags) (err error) {
	chaos, err := parseChaos(cmd, o.chaos)
	if err != nil {
		return err
	}
	c, err := o.settings(cmd, a)
	if err != nil {
		return err
	}
	a.database = c.Database
	b, err := a.base(&caFlags{secret: o.secret})
	if err != nil {
		return err
	}
	if len(c.AllowNetworks) == 0 {
		a.ui.notef("names are validated at public addresses only; --allow-network opens others")
	}
	told := &serveLog{app: a, asJSON: o.asJSON, isQuiet: o.isQuiet}
	service, err := estate.OpenCA(cmd.Context(), b, c, estate.CAOptions{Chaos: chaos, Log: a.serviceLog(o.isQuiet), Requests: told.requests, Refused: told.refused})
	if isGivenUp(cmd.Context(), err) {
		return nil
	}
	if err != nil {
		return o.failure(cmd, err)
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	told.ca(service)
	defer spareCollector()()
	return service.Run(cmd.Context())
}

// ca tells where a CA is served.
func (l *serveLog) ca(service *estate.CA) {
	l.listening("https", service.Address("listen"))
	for _, link := range service.Links() {
		key := map[string]string{"admin API": "admin", "metrics": "metrics"}[link.What]
		switch {
		case key != "":
			l.tell(&l.app.ui.out, event{Event: "listening", Address: service.Address(key).String(), URL: link.URL}, link.What+": "+link.URL+"\n")
		case !l.asJSON:
			l.app.ui.printf("%s: %s", link.What, link.URL)
		}
	}
}

// failure puts what keeps the CA from being served into words, and names the flag or the key that it is about.
func (o *caServeFlags) failure(cmd *cobra.Command, err error) error {
	var problem *estate.Problem
	if !errors.As(err, &problem) {
		return serviceFailure(err)
	}
	f := problemFailure(problem)
	if f.hint == "" && f.kind == kindUsage {
		f.hint = helpHint(cmd)
	}
	switch flag := caFlagOf(problem.Key); {
	case problem.Key == "":
	case o.file == "" || cmd.Flags().Changed(flag):
		f.text = "--" + flag + ": " + f.text
	default:
		f.text = pki.Printable(o.file) + ": ca." + problem.Key + ": " + f.text
	}
	return f
}

// serviceFailure puts what keeps a service of the estate from running into words.
func serviceFailure(err error) error {
	var refused *pki.RefusedError
	if errors.Is(err, pki.ErrWrongPassphrase) || errors.As(err, &refused) {
		return caFailure(err, "opening the CA")
	}
	return caFailure(err, "")
}

// chooseDatabase has the records of the CA looked for in PostgreSQL.
func (a *app) chooseDatabase(cmd *cobra.Command, address string) error {
	if cmd.Flags().Changed("database") && !config.IsDatabase(address) {
		return notADatabase(cmd)
	}
	a.database = address
	return nil
}

func notADatabase(cmd *cobra.Command) error {
	f := usagef(cmd, "--database is no address of a PostgreSQL database")
	f.hint = "write it like postgres://user@db.example/name; passwords are better kept in ~/.pgpass"
	return f
}
