package tlscore_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// mayDelegate is an identity whose certificate may delegate, changed by edit.
func mayDelegate(t testing.TB, key crypto.Signer, edit func(*x509.Certificate)) tlscore.Identity {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"a.example"},
		NotBefore: tlstest.Now.AddDate(0, -1, 0), NotAfter: tlstest.Now.AddDate(0, 1, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 44363, 44}, Value: []byte{5, 0}}},
	}
	if edit != nil {
		edit(tmpl)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tlscore.Identity{Chain: [][]byte{der}, Tag: key}
}

// delegating is an identity with a credential for a role, good for a day.
func delegating(t testing.TB, role tlscore.Role) tlscore.Identity {
	t.Helper()
	id, key := mayDelegate(t, p256(t), nil), ed(t)
	credential, err := tlscore.Delegate(id.Chain[0], id.Tag.(crypto.Signer), role, key.Public(), tlstest.Now, tlstest.Now.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	id.Delegated = &tlscore.Delegated{Credential: credential, Tag: key}
	return id
}

var delegable = tlscore.DelegatedSchemes()

func TestDelegatedCredentialsSign(t *testing.T) {
	for name, c := range map[string]struct {
		client func(*tlscore.Config)
		id     func(*tlscore.Identity)
		later  time.Duration
		used   bool
		fails  bool
	}{
		"wanted":                {used: true},
		"wanted, and stapled":   {id: func(id *tlscore.Identity) { id.Staple = []byte("staple") }, used: true},
		"wanted, after a retry": {client: func(c *tlscore.Config) { c.KeyShares = []wire.Group{} }, used: true},
		"not wanted":            {client: func(c *tlscore.Config) { c.DelegatedSchemes = nil }},
		"of another scheme":     {client: func(c *tlscore.Config) { c.DelegatedSchemes = []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256} }},
		"signed by another scheme": {client: func(c *tlscore.Config) {
			c.Schemes = []wire.SignatureScheme{wire.SchemeEd25519, wire.SchemeECDSASecp384r1SHA384}
		}, fails: true},
		"TLS 1.2":               {client: func(c *tlscore.Config) { c.MaxVersion = wire.VersionTLS12 }},
		"over":                  {later: 25 * time.Hour},
		"over, and it is all":   {later: 25 * time.Hour, id: func(id *tlscore.Identity) { id.Delegated.Alone, id.Tag = true, nil }, fails: true},
		"it is all":             {id: func(id *tlscore.Identity) { id.Delegated.Alone, id.Tag = true, nil }, used: true},
		"it is all, in TLS 1.2": {client: func(c *tlscore.Config) { c.MaxVersion = wire.VersionTLS12 }, id: func(id *tlscore.Identity) { id.Delegated.Alone, id.Tag = true, nil }, fails: true},
	} {
		for _, role := range []tlscore.Role{tlscore.RoleServer, tlscore.RoleClient} {
			t.Run(name+", of the "+role.String(), func(t *testing.T) {
				id := delegating(t, role)
				if c.id != nil {
					c.id(&id)
				}
				takes, shows := tlscore.Config{DelegatedSchemes: delegable}, tlscore.Config{Identities: []tlscore.Identity{id}}
				client, server := &takes, &shows
				if role == tlscore.RoleClient {
					shows.DelegatedSchemes = nil
					client, server = &shows, &takes
					server.Identities, server.ClientAuth = serverConfig(t).Identities, tlscore.RequireClientCert
				}
				if c.client != nil {
					c.client(&takes)
				}
				if takes.MaxVersion == wire.VersionTLS12 || takes.KeyShares != nil {
					client.MaxVersion, client.KeyShares = takes.MaxVersion, takes.KeyShares
				}
				l := link(t, *client, *server)
				l.Later = c.later
				var asked *tlscore.Question
				see := func(q *tlscore.Question) tlscore.Answer {
					if q.Kind == tlscore.NeedVerify {
						asked = q
					}
					return nil
				}
				judge, shower := l.Client, l.Server
				if role == tlscore.RoleClient {
					judge, shower = l.Server, l.Client
				}
				judge.Answer = see
				err := l.Handshake()
				if c.fails {
					if err == nil {
						t.Fatal("the handshake was made")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				theirs, ours := judge.Machine.Facts().PeerDelegation, shower.Machine.Facts().OwnDelegation
				if !c.used {
					if theirs != nil || ours != nil || asked.Delegation != nil {
						t.Errorf("used all the same: %+v, %+v", theirs, ours)
					}
					return
				}
				want := &tlscore.Delegation{Scheme: wire.SchemeEd25519, Algorithm: wire.SchemeECDSASecp256r1SHA256, Until: tlstest.Now.Add(24 * time.Hour)}
				if !reflect.DeepEqual(theirs, want) || !reflect.DeepEqual(ours, want) || asked.Delegation != theirs || judge.Machine.Facts().PeerScheme != wire.SchemeEd25519 {
					t.Errorf("%+v, %+v, want %+v", theirs, ours, want)
				}
				exchange(t, l)
			})
		}
	}
}

// delegation is a credential that a test can break.
type delegation struct {
	id  tlscore.Identity // of the certificate
	key crypto.Signer    // of the credential
	dc  wire.DelegatedCredential
	by  verify.Signer
}

func newDelegation(t testing.TB) *delegation {
	t.Helper()
	return delegationOf(t, mayDelegate(t, p256(t), nil), ed(t), verify.ServerSigner, func(*wire.DelegatedCredential) {})
}

// delegationOf makes a credential good for a day, changed by edit before it is signed.
func delegationOf(t testing.TB, id tlscore.Identity, key crypto.Signer, by verify.Signer, edit func(*wire.DelegatedCredential)) *delegation {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(id.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	d := &delegation{id: id, key: key, by: by}
	d.dc = wire.DelegatedCredential{
		ValidTime: uint32(tlstest.Now.Add(24*time.Hour).Sub(cert.NotBefore) / time.Second), Scheme: wire.SchemeEd25519, PublicKey: spki, Algorithm: wire.SchemeECDSASecp256r1SHA256,
	}
	edit(&d.dc)
	d.dc.Signature, err = suite.Sign(id.Tag.(crypto.Signer), suite.SchemeByID(wire.SchemeECDSASecp256r1SHA256), verify.DelegatedInput(by, id.Chain[0], &d.dc))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *delegation) takes() tlscore.Config { return tlscore.Config{DelegatedSchemes: delegable} }

// certificate has a puppet show the credential, and sign with its key.
func (d *delegation) certificate() *tlstest.Puppet {
	id := d.id
	id.Tag = d.key
	return &tlstest.Puppet{Identity: id, Edit: inCertificate(func(msg *wire.Certificate) { msg.Entries[0].Extensions.Add(&d.dc) })}
}

func inCertificate(change func(*wire.Certificate)) func(wire.HandshakeType, []byte) []byte {
	return func(kind wire.HandshakeType, raw []byte) []byte {
		var msg wire.Certificate
		if kind != wire.TypeCertificate || msg.Parse(raw) != nil {
			return raw
		}
		change(&msg)
		return wire.AppendMessage(nil, &msg)
	}
}

func delegatedTo(t testing.TB, client tlscore.Config, p *tlstest.Puppet) tlstest.Outcome {
	t.Helper()
	return p.Serve(tlscore.NewClient(compile(t, client), tlscore.Options{}))
}

// TestDelegatedCredentialsAreHeldToTheRules breaks each rule of RFC 9345, Sections 4.1.3 and 4.2, to a client and to a server.
func TestDelegatedCredentialsAreHeldToTheRules(t *testing.T) {
	signed := func(edit func(*wire.DelegatedCredential)) func(verify.Signer) *delegation {
		return func(by verify.Signer) *delegation {
			return delegationOf(t, mayDelegate(t, p256(t), nil), ed(t), by, edit)
		}
	}
	of := func(edit func(*x509.Certificate)) func(verify.Signer) *delegation {
		return func(by verify.Signer) *delegation {
			return delegationOf(t, mayDelegate(t, p256(t), edit), ed(t), by, func(*wire.DelegatedCredential) {})
		}
	}
	afterwards := func(edit func(*delegation)) func(verify.Signer) *delegation {
		return func(by verify.Signer) *delegation {
			d := signed(func(*wire.DelegatedCredential) {})(by)
			edit(d)
			return d
		}
	}
	const day, bad = 24 * 3600, tlscore.CodeBadDelegated
	for name, c := range map[string]struct {
		make func(verify.Signer) *delegation
		code tlscore.Code
		says string
	}{
		"as it should be":            {signed(func(*wire.DelegatedCredential) {}), 0, ""},
		"good for the longest":       {signed(func(dc *wire.DelegatedCredential) { dc.ValidTime += 6 * day }), 0, ""},
		"good for longer":            {signed(func(dc *wire.DelegatedCredential) { dc.ValidTime += 6*day + 1 }), bad, "more than seven days"},
		"good for much longer":       {signed(func(dc *wire.DelegatedCredential) { dc.ValidTime = 1<<32 - 1 }), bad, "longer than its certificate"},
		"good for this second still": {signed(func(dc *wire.DelegatedCredential) { dc.ValidTime -= day }), 0, ""},
		"over":                       {signed(func(dc *wire.DelegatedCredential) { dc.ValidTime -= day + 1 }), bad, "is over"},
		"over from the beginning":    {signed(func(dc *wire.DelegatedCredential) { dc.ValidTime = 0 }), bad, "is over"},
		"longer than its certificate": {of(func(c *x509.Certificate) { c.NotAfter = tlstest.Now.Add(23 * time.Hour) }), bad,
			"longer than its certificate"},
		"no DelegationUsage":           {of(func(c *x509.Certificate) { c.ExtraExtensions = nil }), bad, "DelegationUsage"},
		"no key usage":                 {of(func(c *x509.Certificate) { c.KeyUsage = 0 }), bad, "digital signatures"},
		"signed before it was changed": {afterwards(func(d *delegation) { d.dc.ValidTime++ }), bad, "signature"},
		"a broken signature":           {afterwards(func(d *delegation) { d.dc.Signature[7] ^= 1 }), bad, "signature"},
		"signed by its own key":        {afterwards(func(d *delegation) { d.dc.Signature, _ = d.key.Sign(nil, d.dc.AppendSigned(nil), crypto.Hash(0)) }), bad, "signature"},
		"for the other role": {func(by verify.Signer) *delegation {
			return signed(func(*wire.DelegatedCredential) {})(verify.ServerSigner + verify.ClientSigner - by)
		}, bad, "signature"},
		"for another certificate": {afterwards(func(d *delegation) {
			d.id = mayDelegate(t, d.id.Tag.(crypto.Signer), func(c *x509.Certificate) { c.SerialNumber = big.NewInt(2) })
		}), bad, "signature"},
		"a scheme of another key":                 {signed(func(dc *wire.DelegatedCredential) { dc.Scheme = wire.SchemeECDSASecp256r1SHA256 }), bad, "its key cannot sign"},
		"a scheme that nobody wants":              {signed(func(dc *wire.DelegatedCredential) { dc.Scheme = wire.SchemeRSAPSSRSAESHA256 }), bad, "do not take"},
		"signed with what is unknown":             {signed(func(dc *wire.DelegatedCredential) { dc.Algorithm = 0x0999 }), bad, "do not take"},
		"signed as in TLS 1.2":                    {signed(func(dc *wire.DelegatedCredential) { dc.Algorithm = wire.SchemeRSAPKCS1SHA256 }), bad, "cannot be signed with"},
		"no key":                                  {signed(func(dc *wire.DelegatedCredential) { dc.PublicKey = []byte{0x30, 0} }), bad, "its key"},
		"signed by the certificate's key instead": {afterwards(func(d *delegation) { d.key = d.id.Tag.(crypto.Signer) }), tlscore.CodeBadSchemeUsed, ""},
		"signed by a stranger":                    {afterwards(func(d *delegation) { d.key = ed(t) }), tlscore.CodeBadSignature, ""},
	} {
		server := serverConfig(t)
		server.ClientAuth, server.DelegatedSchemes = tlscore.RequireClientCert, delegable
		toClient := delegatedTo(t, tlscore.Config{DelegatedSchemes: delegable}, c.make(verify.ServerSigner).certificate())
		toServer := c.make(verify.ClientSigner).certificate().Connect(tlscore.NewServer(compile(t, server), tlscore.Options{}))
		for to, o := range map[string]tlstest.Outcome{"client": toClient, "server": toServer} {
			if c.code == 0 {
				if o.Err != nil || !o.Done {
					t.Errorf("%s, to the %s: %v, %v", name, to, o.Err, o.Stuck)
				}
				continue
			}
			if !codeIs(o.Err, c.code) || !strings.Contains(o.Err.Error(), c.says) {
				t.Errorf("%s, to the %s: %v", name, to, o.Err)
			}
			if c.code == bad && (o.Alert == nil || o.Alert.Code != wire.AlertIllegalParameter) {
				t.Errorf("%s, to the %s: alert %v", name, to, o.Alert)
			}
		}
	}
}

func TestCredentialsNobodyAskedForAreRefused(t *testing.T) {
	o := delegatedTo(t, tlscore.Config{}, newDelegation(t).certificate())
	if !codeIs(o.Err, tlscore.CodeUnaskedDelegated) || o.Alert == nil || o.Alert.Code != wire.AlertUnexpectedMessage {
		t.Errorf("to a client: %v, alert %v", o.Err, o.Alert)
	}
	server := serverConfig(t)
	server.ClientAuth = tlscore.RequireClientCert
	o = newDelegation(t).certificate().Connect(tlscore.NewServer(compile(t, server), tlscore.Options{}))
	if !codeIs(o.Err, tlscore.CodeUnaskedDelegated) || o.Alert == nil || o.Alert.Code != wire.AlertUnexpectedMessage {
		t.Errorf("to a server: %v, alert %v", o.Err, o.Alert)
	}
	d := newDelegation(t)
	p := &tlstest.Puppet{Identity: d.id, Edit: inCertificate(func(msg *wire.Certificate) {
		other := wire.CertificateEntry{Data: msg.Entries[0].Data}
		other.Extensions = wire.Extensions{{Type: wire.ExtDelegatedCredential, Data: []byte("of a CA: ignored")}}
		msg.Entries = append(msg.Entries, other)
	})}
	if o := delegatedTo(t, d.takes(), p); o.Err != nil || !o.Done {
		t.Errorf("above the leaf: %v", o.Err)
	}
	key, err := x509.MarshalPKIXPublicKey(d.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	raw := &tlstest.Puppet{Identity: tlscore.Identity{Chain: [][]byte{key}, Type: wire.CertificateTypeRawPublicKey, Tag: d.key}}
	ee, cert := inEE(&wire.SelectedServerCertificateType{Type: wire.CertificateTypeRawPublicKey}), inCertificate(func(msg *wire.Certificate) { msg.Entries[0].Extensions.Add(&d.dc) })
	raw.Edit = func(kind wire.HandshakeType, raw []byte) []byte { return cert(kind, ee(kind, raw)) }
	takes := d.takes()
	takes.PeerCertificateTypes = bothTypes
	if o := delegatedTo(t, takes, raw); !codeIs(o.Err, tlscore.CodeMisplacedExtension) {
		t.Errorf("with a raw public key: %v", o.Err)
	}
}

// TestSessionsEndWithTheCredential: RFC 9345, Section 8.4.
func TestSessionsEndWithTheCredential(t *testing.T) {
	s := newShop(t)
	id, key := mayDelegate(t, p256(t), nil), ed(t)
	credential, err := tlscore.Delegate(id.Chain[0], id.Tag.(crypto.Signer), tlscore.RoleServer, key.Public(), tlstest.Now, tlstest.Now.Add(10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	id.Delegated = &tlscore.Delegated{Credential: credential, Tag: key}
	s.server.Identities, s.client.DelegatedSchemes = []tlscore.Identity{id}, delegable
	session := s.first()
	if want := tlstest.Now.Add(10 * time.Minute); !session.DelegatedUntil.Equal(want) {
		t.Fatalf("the session rests on it until %v, want %v", session.DelegatedUntil, want)
	}
	l := s.visit(session, false, time.Minute)
	resumed(t, l, true)
	if d := l.Client.Machine.Facts().PeerDelegation; d == nil || !d.Until.Equal(session.DelegatedUntil) {
		t.Errorf("the resumed connection says %+v", d)
	}
	again := s.ticket(l)
	encoded, err := again.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if again, err = tlscore.ParseSession(encoded); err != nil || !again.DelegatedUntil.Equal(session.DelegatedUntil) {
		t.Fatalf("kept: %v, %v", again, err)
	}
	resumed(t, s.visit(again, false, 9*time.Minute), true)
	resumed(t, s.visit(again, false, 11*time.Minute), false)
	s.client.DelegatedSchemes = nil
	resumed(t, s.visit(again, false, 9*time.Minute), false)
}

func TestCredentialsAreMadeAndCompiled(t *testing.T) {
	id, now := mayDelegate(t, p256(t), nil), tlstest.Now
	owner := id.Tag.(crypto.Signer)
	plain := selfSigned(t, p256(t), "a.example")
	make := func(id tlscore.Identity, public crypto.PublicKey, until time.Time) error {
		_, err := tlscore.Delegate(id.Chain[0], id.Tag.(crypto.Signer), tlscore.RoleServer, public, now, until)
		return err
	}
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"plain certificate": {make(plain, ed(t).Public(), now.Add(time.Hour)), "DelegationUsage"},
		"too long":          {make(id, ed(t).Public(), now.Add(8*24*time.Hour)), "seven days"},
		"over":              {make(id, ed(t).Public(), now.Add(-time.Hour)), "is over"},
		"before it began":   {make(id, ed(t).Public(), now.AddDate(-1, 0, 0)), "cannot end then"},
		"a strange key":     {make(id, "key", now.Add(time.Hour)), "unsupported"},
		"another's key":     {func() error { other := id; other.Tag = ed(t); return make(other, ed(t).Public(), now.Add(time.Hour)) }(), "sign"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	good, err := tlscore.Delegate(id.Chain[0], owner, tlscore.RoleClient, p256(t).Public(), now, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for name, credential := range map[string][]byte{"nonsense": []byte("nonsense"), "nothing": nil, "one byte more": append(bytes.Clone(good), 0)} {
		bad := id
		bad.Delegated = &tlscore.Delegated{Credential: credential}
		if _, err := tlscore.Compile(tlscore.Config{Identities: []tlscore.Identity{bad}}); err == nil {
			t.Errorf("%s was compiled", name)
		}
	}
	if d, err := tlscore.CheckDelegated(id.Chain[0], tlscore.RoleClient, good); err != nil || d.Scheme != wire.SchemeECDSASecp256r1SHA256 || !d.Until.Equal(now.Add(time.Hour)) {
		t.Errorf("%+v, %v", d, err)
	}
	other := mayDelegate(t, owner, nil).Chain[0]
	for name, err := range map[string]error{
		"of another role":        second(tlscore.CheckDelegated(id.Chain[0], tlscore.RoleServer, good)),
		"of another certificate": second(tlscore.CheckDelegated(other, tlscore.RoleClient, good)),
		"of a plain certificate": second(tlscore.CheckDelegated(plain.Chain[0], tlscore.RoleClient, good)),
		"nonsense":               second(tlscore.CheckDelegated(id.Chain[0], tlscore.RoleClient, []byte("nonsense"))),
		"of no certificate":      second(tlscore.CheckDelegated([]byte("x"), tlscore.RoleClient, good)),
	} {
		if err == nil {
			t.Errorf("%s: it holds", name)
		}
	}
	for _, scheme := range []wire.SignatureScheme{wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPKCS1SHA256, 0x0999} {
		if _, err := tlscore.Compile(tlscore.Config{DelegatedSchemes: []wire.SignatureScheme{scheme}}); err == nil || !strings.Contains(err.Error(), "delegated") {
			t.Errorf("%v: %v", scheme, err)
		}
	}
}

// FuzzDelegatedCredential puts any bytes in the place of the server's credential: none that was not signed is taken.
func FuzzDelegatedCredential(f *testing.F) {
	d := newDelegation(f)
	takes := d.takes()
	takes.Groups = []wire.Group{wire.GroupX25519}
	pc := compile(f, takes)
	good := d.dc.AppendBody(nil)
	f.Add(good)
	f.Add([]byte("nonsense"))
	f.Fuzz(func(t *testing.T, body []byte) {
		id := d.id
		id.Tag = d.key
		p := &tlstest.Puppet{Identity: id, Edit: inCertificate(func(msg *wire.Certificate) {
			msg.Entries[0].Extensions = wire.Extensions{{Type: wire.ExtDelegatedCredential, Data: body}}
		})}
		o := p.Serve(tlscore.NewClient(pc, tlscore.Options{}))
		if o.Done && !bytes.Equal(body, good) {
			t.Errorf("taken: %x", body)
		}
	})
}

func second(_ *tlscore.Delegation, err error) error { return err }
