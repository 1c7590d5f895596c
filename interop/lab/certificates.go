package lab

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Host is the name of every server of the lab.
const Host = "lab.test"

// The defects of a certificate, or of how it is served, in words that every scanner's findings are brought to.
const (
	Expired     = "expired"
	NotYetValid = "not yet valid"
	SelfSigned  = "self-signed"
	Untrusted   = "untrusted" // no path to the lab's root, for whatever reason
	Incomplete  = "incomplete"
	RootSent    = "root sent"
	OutOfOrder  = "out of order"
	Surplus     = "surplus"
	WrongName   = "wrong name"
	SHA1        = "SHA-1"
	MD5         = "MD5"
	WeakKey     = "weak key" // less than 2048 bits of RSA, or its equivalent
	MustStaple  = "must-staple"
)

// Identity is a chain and its key in files.
type Identity struct {
	Chain, Leaf, Key string
	Kind             string   // "RSA", "ECDSA", "Ed25519", "DSA", "GOST"
	Defects          []string // sorted by nothing; each is one of the constants
}

// pki makes the lab's certificates with openssl, which signs what crypto/x509 would not: MD5, RSA with 512 bits, P-192.
type pki struct {
	dir  string
	ctx  context.Context
	root string
}

func (p *pki) path(name string) string { return filepath.Join(p.dir, name) }

func (p *pki) openssl(args ...string) error {
	_, err := output(p.ctx, p.dir, nil, "openssl", args...)
	return err
}

const extensions = `[req]
distinguished_name=dn
[dn]
[root]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
[inter]
basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
[leaf]
basicConstraints=CA:FALSE
keyUsage=critical,digitalSignature,keyEncipherment,keyAgreement
extendedKeyUsage=serverAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
subjectAltName=DNS:lab.test
[other]
basicConstraints=CA:FALSE
extendedKeyUsage=serverAuth
subjectAltName=DNS:other.example
[nosan]
basicConstraints=CA:FALSE
extendedKeyUsage=serverAuth
[staple]
basicConstraints=CA:FALSE
extendedKeyUsage=serverAuth
subjectAltName=DNS:lab.test
tlsfeature=status_request
[wild]
basicConstraints=CA:FALSE
extendedKeyUsage=serverAuth
subjectAltName=DNS:*.test,DNS:lab.test
`

// newPKI makes root, intermediate and the keys; leaves are made as they are asked for.
func newPKI(ctx context.Context, dir string) (*pki, error) {
	p := &pki{dir: dir, ctx: ctx, root: filepath.Join(dir, "root.pem")}
	if err := os.WriteFile(p.path("ext.cnf"), []byte(extensions), 0o644); err != nil {
		return nil, err
	}
	for _, step := range []string{
		"req -x509 -newkey rsa:2048 -nodes -sha256 -keyout root.key -out root.pem -days 3650 -subj /CN=Lab|Root -config ext.cnf -extensions root",
		"req -newkey rsa:2048 -nodes -sha256 -keyout inter.key -out inter.csr -subj /CN=Lab|Intermediate -config ext.cnf",
		"x509 -req -in inter.csr -CA root.pem -CAkey root.key -set_serial 2 -days 3000 -sha256 -extfile ext.cnf -extensions inter -out inter.pem",
	} {
		args := strings.Fields(step)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "|", " ")
		}
		if err := p.openssl(args...); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// key makes a key of a kind once, and returns its file.
func (p *pki) key(kind string) (string, error) {
	file := p.path("key-" + kind + ".pem")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	var args []string
	switch name, bits, _ := strings.Cut(kind, "-"); name {
	case "rsa":
		args = []string{"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:" + bits, "-out", file}
	case "ec":
		args = []string{"ecparam", "-name", bits, "-genkey", "-noout", "-out", file}
	case "dsa":
		if err := p.openssl("dsaparam", "-out", file+".par", bits); err != nil {
			return "", err
		}
		args = []string{"gendsa", "-out", file, file + ".par"}
	default:
		args = []string{"genpkey", "-algorithm", kind, "-out", file}
	}
	return file, p.openssl(args...)
}

// leafPlan says how a leaf is made. Zero values are those of a good one.
type leafPlan struct {
	key     string // kind, as "rsa-2048"
	hash    string // "" is SHA-256
	section string // of the extensions
	days    int
	chain   string // what is sent behind the leaf: words "inter", "root", "other"; "-" nothing
	own     bool   // self-signed
	from    time.Duration
	until   time.Duration // with from: validity around now
	defects []string
}

// plans are the lab's identities by name.
func plans() map[string]leafPlan {
	const year = 365 * 24 * time.Hour
	return map[string]leafPlan{
		"rsa":          {key: "rsa-2048"},
		"ecdsa":        {key: "ec-prime256v1"},
		"p384":         {key: "ec-secp384r1"},
		"ed25519":      {key: "ed25519"},
		"rsa4096":      {key: "rsa-4096"},
		"rsa1024":      {key: "rsa-1024", defects: []string{WeakKey}},
		"rsa512":       {key: "rsa-512", defects: []string{WeakKey}},
		"p192":         {key: "ec-prime192v1", defects: []string{WeakKey}},
		"dsa":          {key: "dsa-2048", defects: []string{Untrusted}}, // no client of today takes a key of DSA
		"sha1":         {key: "rsa-2048", hash: "sha1", defects: []string{SHA1, Untrusted}},
		"md5":          {key: "rsa-2048", hash: "md5", defects: []string{MD5, Untrusted}},
		"wrong name":   {key: "rsa-2048", section: "other", defects: []string{WrongName}},
		"no SAN":       {key: "rsa-2048", section: "nosan", defects: []string{WrongName}},
		"must-staple":  {key: "rsa-2048", section: "staple", defects: []string{MustStaple}},
		"ten years":    {key: "rsa-2048", days: 3650},
		"wildcard":     {key: "rsa-2048", section: "wild"},
		"expired":      {key: "rsa-2048", from: -400 * 24 * time.Hour, until: -370 * 24 * time.Hour, defects: []string{Expired}},
		"not yet":      {key: "rsa-2048", from: 30 * 24 * time.Hour, until: year, defects: []string{NotYetValid}},
		"self-signed":  {key: "rsa-2048", own: true, chain: "-", defects: []string{SelfSigned, Untrusted}},
		"incomplete":   {key: "rsa-2048", chain: "-", defects: []string{Incomplete}},
		"root sent":    {key: "rsa-2048", chain: "inter root", defects: []string{RootSent}},
		"out of order": {key: "rsa-2048", chain: "root inter", defects: []string{RootSent, OutOfOrder}},
		"surplus":      {key: "rsa-2048", chain: "other inter", defects: []string{Surplus}},
	}
}

// identity makes a leaf once, by its name in plans.
func (p *pki) identity(name string) (*Identity, error) {
	plan, ok := plans()[name]
	if !ok {
		return nil, fmt.Errorf("there is no identity %q", name)
	}
	base := strings.ReplaceAll(name, " ", "-")
	id := &Identity{Chain: p.path(base + ".chain.pem"), Leaf: p.path(base + ".pem"), Kind: kindOf(plan.key), Defects: plan.defects}
	var err error
	if id.Key, err = p.key(plan.key); err != nil {
		return nil, err
	}
	if _, err := os.Stat(id.Chain); err == nil {
		return id, nil
	}
	if plan.until != 0 {
		err = p.dated(plan, id)
	} else {
		err = p.sign(plan, base, id)
	}
	if err != nil {
		return nil, err
	}
	return id, p.join(plan, id)
}

// sign lets openssl make the leaf.
func (p *pki) sign(plan leafPlan, base string, id *Identity) error {
	days, hash, section := "90", "-sha256", "leaf"
	if plan.days > 0 {
		days = fmt.Sprint(plan.days)
	}
	if plan.hash != "" {
		hash = "-" + plan.hash
	}
	if plan.section != "" {
		section = plan.section
	}
	subject := "/CN=" + Host
	if plan.own {
		return p.openssl("req", "-x509", "-key", id.Key, "-days", days, "-subj", subject, "-config", "ext.cnf", "-addext", "subjectAltName=DNS:"+Host, "-out", id.Leaf)
	}
	if err := p.openssl("req", "-new", "-key", id.Key, "-subj", subject, "-config", "ext.cnf", "-out", base+".csr"); err != nil {
		return err
	}
	return p.openssl("x509", "-req", "-in", base+".csr", "-CA", "inter.pem", "-CAkey", "inter.key", "-CAcreateserial", "-days", days, hash,
		"-extfile", "ext.cnf", "-extensions", section, "-out", id.Leaf)
}

// dated makes a leaf that is valid at another time than now, which openssl x509 cannot.
func (p *pki) dated(plan leafPlan, id *Identity) error {
	issuer, err := readCertificate(p.path("inter.pem"))
	if err != nil {
		return err
	}
	issuerKey, err := readKey(p.path("inter.key"))
	if err != nil {
		return err
	}
	key, err := readKey(id.Key)
	if err != nil {
		return err
	}
	now := time.Now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: Host}, DNSNames: []string{Host},
		NotBefore: now.Add(plan.from), NotAfter: now.Add(plan.until), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, issuer, key.Public(), issuerKey)
	if err != nil {
		return err
	}
	return os.WriteFile(id.Leaf, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

// join writes the chain as it is to be served.
func (p *pki) join(plan leafPlan, id *Identity) error {
	files := []string{id.Leaf}
	chain := plan.chain
	if chain == "" {
		chain = "inter"
	}
	for _, word := range strings.Fields(strings.ReplaceAll(chain, "-", "")) {
		file := p.path(word + ".pem")
		if word == "other" {
			other, err := p.identity("ecdsa")
			if err != nil {
				return err
			}
			file = other.Leaf
		}
		files = append(files, file)
	}
	all, err := concat(files...)
	if err != nil {
		return err
	}
	return os.WriteFile(id.Chain, []byte(all), 0o644)
}

func kindOf(key string) string {
	switch name, _, _ := strings.Cut(key, "-"); name {
	case "rsa":
		return "RSA"
	case "ec":
		return "ECDSA"
	case "dsa":
		return "DSA"
	}
	return "Ed25519"
}

func readCertificate(file string) (*x509.Certificate, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM", file)
	}
	return x509.ParseCertificate(block.Bytes)
}

// readKey reads a key of RSA in PKCS #8.
func readKey(file string) (crypto.Signer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(bytes.TrimSpace(text))
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	rsaKey, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T", file, key)
	}
	return rsaKey, nil
}

// concat reads files one after the other.
func concat(files ...string) (string, error) {
	var all []byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		all = append(all, text...)
	}
	return string(all), nil
}
