package acmeclient

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// Options say whom to ask, and how.
type Options struct {
	Server string // URL of the ACME directory
	// Transport makes the requests; it decides which certificate of the server is trusted. Nil: that of net/http.
	Transport http.RoundTripper
	UserAgent string
	Now       func() time.Time // nil: time.Now
	Log       *slog.Logger     // nil: nothing is logged
	// Say tells a person what happens: one line each, without a line end. Nil: nobody listens.
	Say func(string)
	// Timeout bounds a whole order; 0: ten minutes.
	Timeout time.Duration
	// Answerer answers the challenges of orders whose way is Running; nil: there is none, and such orders fail.
	Answerer Answerer
}

// Client gets certificates of one server into one tree.
type Client struct {
	o        Options
	tree     *Tree
	protocol *acme.Client
}

// New makes a client. Nothing is asked and nothing made yet: the account comes with the first order, or by [Client.Register].
func New(t *Tree, o Options) *Client {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Say == nil {
		o.Say = func(string) {}
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Minute
	}
	return &Client{o: o, tree: t, protocol: &acme.Client{Directory: o.Server, UserAgent: o.UserAgent, Logger: o.Log,
		HTTPClient: &http.Client{Transport: o.Transport, Timeout: time.Minute}, PollTimeout: o.Timeout}}
}

// Request says which certificate is wanted.
type Request struct {
	Name    string // in the tree; "": NameFor(Names)
	Contact []string
	Binding *Binding
	Renewal
	// Ask answers challenges that need a person; nil: nobody is there.
	Ask func(ctx context.Context, text string) error
	// DryRun goes the whole way and keeps nothing.
	DryRun bool
	// replaces is the certificate that is renewed.
	replaces *x509.Certificate
}

// Obtain gets a certificate and files it; what was there under the name stays in the archive. It makes an account where there
// is none, proves control of each name, and returns when all is on disk, minutes later where a DNS has to follow. The error is
// or wraps a [*ServerError] where the server refused. With a [*HookError] the certificate is there, and is returned.
func (c *Client) Obtain(ctx context.Context, r Request) (*Certificate, error) {
	if r.Name == "" {
		r.Name = NameFor(r.Names)
	}
	if err := validName(r.Name); err != nil {
		return nil, err
	}
	r.Server = c.o.Server
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	release, err := c.tree.hold(r.Name)
	if err != nil {
		return nil, err
	}
	defer release()
	account, err := c.account(ctx, r.Contact, r.Binding)
	if err != nil {
		return nil, err
	}
	c.inheritInstaller(&r)
	key, err := c.keyFor(&r)
	if err != nil {
		return nil, err
	}
	chain, err := c.order(ctx, account, &r, key)
	if err != nil {
		return nil, err
	}
	if err := fits(chain, key, r.Names); err != nil {
		return nil, err
	}
	if r.DryRun {
		return &Certificate{Name: r.Name, Chain: chain, Renewal: r.Renewal}, nil
	}
	return c.keep(ctx, &r, chain, key)
}

// keep files a certificate, prepares the key of the next one, and runs the deploy hook.
func (c *Client) keep(ctx context.Context, r *Request, chain [][]byte, key crypto.Signer) (*Certificate, error) {
	kept := r.Renewal
	kept.Obtained = c.o.Now().UTC().Truncate(time.Second)
	kept.NextTry, kept.Fails = time.Time{}, 0
	kept.WindowStart, kept.WindowEnd, kept.Chosen, kept.AskAgain = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	kept.InstallPending = kept.Installer != "" // until it is done, so that a crash in between loses nothing
	n, err := c.tree.save(r.Name, chain, key, kept)
	if err != nil {
		return nil, err
	}
	if r.StageKey {
		if err := c.stage(r.Name, r.KeyType); err != nil {
			return nil, err
		}
	}
	done := &Certificate{Name: r.Name, Generation: n, Chain: chain, Renewal: kept}
	return done, errors.Join(c.install(ctx, done), r.Hooks.deploy(ctx, c.tree, done))
}

// inheritInstaller has a certificate that is obtained anew go where the old one went.
func (c *Client) inheritInstaller(r *Request) {
	if r.Installer != "" {
		return
	}
	if old, err := c.tree.Find(r.Name); err == nil {
		r.Installer, r.Nginx = old.Renewal.Installer, old.Renewal.Nginx
	}
}

// install tells the server that uses the certificate of a new one.
func (c *Client) install(ctx context.Context, done *Certificate) error {
	if done.Renewal.Installer != NginxServer {
		return nil
	}
	o := InstallOptions{Now: c.o.Now, Say: c.o.Say}
	if done.Renewal.Nginx != nil {
		o.Nginx = *done.Renewal.Nginx
	}
	if _, err := c.tree.installNginx(ctx, done, o); err != nil {
		return &HookError{Command: "install " + NginxServer, Output: pki.Printable(err.Error()), Err: err}
	}
	done.Renewal.InstallPending = false
	return c.tree.saveRenewal(done.Name, done.Renewal)
}

// installPending tries again what could not be installed.
func (c *Client) installPending(ctx context.Context, pending *Certificate) error {
	release, err := c.tree.hold(pending.Name)
	if err != nil {
		return err
	}
	defer release()
	return c.install(ctx, pending)
}

// keyFor is the key of the certificate to come: the staged one, the old one if it is to be used again, or a fresh one.
func (c *Client) keyFor(r *Request) (crypto.Signer, error) {
	if r.StageKey {
		key, err := keystore.ReadKey(c.tree.nextKey(r.Name))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return key, err
		}
	}
	if r.ReuseKey {
		if n, err := c.tree.newest(r.Name); err != nil || n > 0 {
			if err != nil {
				return nil, err
			}
			return keystore.ReadKey(c.tree.archived(r.Name, "privkey", n))
		}
	}
	return generate(r.KeyType)
}

func generate(kind string) (crypto.Signer, error) {
	if kind == "" {
		kind = string(pki.P256)
	}
	t, err := pki.ParseKeyType(kind)
	if err != nil {
		return nil, err
	}
	return pki.GenerateKey(t)
}

// stage makes the key of the next generation, so that its pin can be published before it is used.
func (c *Client) stage(name, kind string) error {
	key, err := generate(kind)
	if err != nil {
		return err
	}
	return keystore.WriteKey(c.tree.nextKey(name), key)
}

// NextPin is the pin of the key that the next certificate will have; ok is false where none is staged.
func (t *Tree) NextPin(name string) (pin string, ok bool, err error) {
	key, err := keystore.ReadKey(t.nextKey(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	p, err := pki.PinPublicKey(key.Public())
	return p.String(), err == nil, err
}

// order goes through the protocol and returns the chain.
func (c *Client) order(ctx context.Context, account *acme.Account, r *Request, key crypto.Signer) ([][]byte, error) {
	der, err := pki.CreateCSR(pki.CSRRequest{SANs: r.Names, MustStaple: r.MustStaple}, key)
	if err != nil {
		return nil, err
	}
	csr, err := cert.ParseRequest(der)
	if err != nil {
		return nil, err
	}
	solvers, err := r.Challenge.solvers(c, account, r.Ask)
	if err != nil {
		return nil, err
	}
	params, err := acmez.OrderParametersFromCSR(*account, csr)
	if err != nil {
		return nil, err
	}
	params.Profile, params.Replaces = r.Profile, r.replaces
	flow := acmez.Client{Client: c.protocol, ChallengeSolvers: solvers}
	c.o.Say(fmt.Sprintf("ordering a certificate for %s", listOf(r.Names)))
	chains, err := flow.ObtainCertificate(ctx, params)
	if err != nil {
		return nil, explain("obtain the certificate", err)
	}
	if len(chains) == 0 {
		return nil, errors.New("the server sent no certificate")
	}
	return c.prefer(chains, r.PreferredChain)
}

// prefer picks the chain in which an authority of that common name issued: best at its top, else anywhere. Where there is
// none it is the one that the server would have us take (RFC 8555, Section 7.4.2).
func (c *Client) prefer(offered []acme.Certificate, name string) ([][]byte, error) {
	var first, found [][]byte
	var issuers []string
	best := 0
	for i, o := range offered {
		chain, err := pki.CertificatesPEM(o.ChainPEM)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			first = chain
		}
		for j, der := range chain {
			x, err := cert.ParseX509(der)
			if err != nil {
				return nil, fmt.Errorf("the chain that came cannot be read: %w", err)
			}
			rank := 1
			if j == len(chain)-1 {
				rank = 2
				issuers = append(issuers, x.Issuer.CommonName)
			}
			if name != "" && x.Issuer.CommonName == name && rank > best {
				best, found = rank, chain
			}
		}
	}
	if name == "" {
		return first, nil
	}
	if found == nil {
		c.o.Say(fmt.Sprintf("no chain was issued by %s; there are those of %s, and the first is kept", pki.Printable(name), listOf(issuers)))
		return first, nil
	}
	return found, nil
}

// fits checks what came: for our key, and for all names. A server that errs must not replace a certificate that works.
func fits(chain [][]byte, key crypto.Signer, names []string) error {
	if len(chain) == 0 {
		return errors.New("the server sent an empty chain")
	}
	leaf, err := cert.ParseX509(chain[0])
	if err != nil {
		return fmt.Errorf("the certificate that came cannot be read: %w", err)
	}
	if !pki.SameKey(leaf.PublicKey, key.Public()) {
		return errors.New("the certificate that came is for another key")
	}
	for _, n := range names {
		if !slices.Contains(leaf.DNSNames, n) && leaf.VerifyHostname(n) != nil {
			return fmt.Errorf("the certificate that came is not for %s", pki.Printable(n))
		}
	}
	return nil
}

// Revoke revokes the newest certificate of a name, by its own key, so that no account is needed but for keys that sign no
// requests (see [Client.RevokeCertificate]). reason is a number of
// RFC 5280, Section 5.3.1: 0 is unspecified, 1 keyCompromise, 4 superseded, 5 cessationOfOperation. The error is a
// [*ServerError], or wraps [ErrNotFound].
func (c *Client) Revoke(ctx context.Context, name string, reason int) error {
	found, err := c.tree.Find(name)
	if err != nil {
		return err
	}
	if found.Generation == 0 {
		return fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	key, err := keystore.ReadKey(c.tree.archived(name, "privkey", found.Generation))
	if err != nil {
		return err
	}
	return c.RevokeCertificate(ctx, found.Chain[0], key, reason)
}

// RevokeCertificate revokes a certificate, DER: by its key, or, with key nil, by the account. Keys other than RSA and ECDSA sign no
// requests of ACME here, and leave it to the account, too.
func (c *Client) RevokeCertificate(ctx context.Context, der []byte, key crypto.Signer, reason int) error {
	leaf, err := cert.ParseX509(der)
	if err != nil {
		return err
	}
	account := &acme.Account{}
	if key == nil || !signsRequests(key.Public()) {
		if account, err = c.needAccount(); err != nil {
			return err
		}
		key = account.PrivateKey
	}
	return explain("revoke the certificate", c.protocol.RevokeCertificate(ctx, *account, leaf, key, reason))
}

// signsRequests reports whether keys of this kind sign ACME's requests: those that the library knows.
func signsRequests(key crypto.PublicKey) bool {
	switch key.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey:
		return true
	}
	return false
}

// hold keeps other processes from working on the same certificate.
func (t *Tree) hold(name string) (release func(), err error) {
	live, err := keystore.HoldLive(t.Live(name))
	if err != nil {
		return nil, err
	}
	return func() {
		_ = live.Close()
		_ = os.Remove(t.Live(name)) // goes only if it is empty: nothing was obtained
	}, nil
}

func listOf(names []string) string {
	text := ""
	for i, n := range names {
		if i > 0 {
			text += ", "
		}
		text += pki.Printable(n)
	}
	return text
}

// ServerError is what an ACME server answered with.
type ServerError struct {
	Doing  string
	Type   string // without the prefix: "rateLimited"
	Detail string
	Names  []string // what each name was refused for, fit to print
	Err    error
}

// Error says what could not be done, and why.
func (e *ServerError) Error() string {
	text := fmt.Sprintf("could not %s: %s (%s)", e.Doing, e.Detail, e.Type)
	for _, n := range e.Names {
		text += "; " + n
	}
	return text
}

// Unwrap gives the library's error.
func (e *ServerError) Unwrap() error { return e.Err }

// explain puts a problem of the server into our words.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	var p acme.Problem
	if !errors.As(err, &p) {
		return fmt.Errorf("could not %s: %w", doing, err)
	}
	e := &ServerError{Doing: doing, Type: pki.Printable(trimType(p.Type)), Detail: pki.Printable(p.Detail), Err: err}
	for _, s := range p.Subproblems {
		e.Names = append(e.Names, pki.Printable(s.Identifier.Value+": "+s.Detail))
	}
	return e
}

func trimType(t string) string {
	const prefix = "urn:ietf:params:acme:error:"
	if len(t) > len(prefix) && t[:len(prefix)] == prefix {
		return t[len(prefix):]
	}
	return t
}
