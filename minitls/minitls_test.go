package minitls

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// party is a CA with one server.
type party struct {
	root   *x509.Certificate
	caKey  ed25519.PrivateKey
	server *x509.Certificate
	key    ed25519.PrivateKey
}

// deterministic is a stream of bytes that is the same for the same start.
type deterministic byte

func (d *deterministic) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(*d)
		*d += 7
	}
	return len(p), nil
}

func seeded(b byte) *deterministic { d := deterministic(b); return &d }

func newParty(t testing.TB, seed byte) *party {
	t.Helper()
	p := &party{}
	_, p.caKey = keyFrom(seed)
	_, p.key = keyFrom(seed + 1)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Lesson Root CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
	}
	p.root = sign(t, ca, ca, p.caKey, p.caKey)
	p.server = sign(t, p.leaf(), p.root, p.key, p.caKey)
	return p
}

func keyFrom(seed byte) (ed25519.PublicKey, ed25519.PrivateKey) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	return key.Public().(ed25519.PublicKey), key
}

func (p *party) leaf() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "example-server"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 3, 0),
	}
}

func sign(t testing.TB, template, parent *x509.Certificate, key, by ed25519.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wire is one line on its way.
type wireLine struct {
	fromClient bool
	index      int // in its direction
	line       []byte
}

// conversation lets both talk: two lines of data each way, and the end. change may alter each line on the way, drop it
// (nil) or multiply it.
func conversation(p *party, config func(*ClientConfig, *ServerConfig), change func(wireLine) [][]byte) (lines []wireLine, err error) {
	cc := ClientConfig{ServerName: "example-server", Root: p.root, Options: Options{Rand: seeded(1)}}
	sc := ServerConfig{Certificate: p.server, Key: p.key, Options: Options{Rand: seeded(2)}}
	if config != nil {
		config(&cc, &sc)
	}
	client, hello, err := NewClient(cc)
	if err != nil {
		return nil, err
	}
	server, err := NewServer(sc)
	if err != nil {
		return nil, err
	}
	queue := split(nil, true, hello)
	sent, heard := map[bool]bool{}, map[bool]string{}
	for count := map[bool]int{}; len(queue) > 0; {
		w := queue[0]
		queue = queue[1:]
		w.index = count[w.fromClient]
		count[w.fromClient]++
		lines = append(lines, w)
		arriving := [][]byte{w.line}
		if change != nil {
			arriving = change(w)
		}
		for _, line := range arriving {
			feed, seal, end := server.Feed, server.Seal, server.Close
			if !w.fromClient {
				feed, seal, end = client.Feed, client.Seal, client.Close
			}
			r, err := feed(line, now)
			if err != nil {
				return lines, err
			}
			queue = split(queue, !w.fromClient, r.Send)
			heard[w.fromClient] += string(r.Data)
			if r.Done && !sent[w.fromClient] {
				sent[w.fromClient] = true
				for _, text := range []string{"first ", "second"} {
					sealed, err := seal([]byte(text))
					if err != nil {
						return lines, err
					}
					queue = split(queue, !w.fromClient, sealed)
				}
				queue = split(queue, !w.fromClient, end())
			}
		}
	}
	if heard[true] != "first second" || heard[false] != "first second" {
		return lines, errors.New("the conversation stops without an error")
	}
	return lines, nil
}

func split(queue []wireLine, fromClient bool, lines []byte) []wireLine {
	for line := range bytes.Lines(lines) {
		queue = append(queue, wireLine{fromClient: fromClient, line: bytes.Clone(line)})
	}
	return queue
}

func TestBothTalk(t *testing.T) {
	lines, err := conversation(newParty(t, 1), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, w := range lines {
		var m struct{ Type string }
		if err := json.Unmarshal(w.line, &m); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, m.Type)
	}
	want := "ClientHello ServerHello Certificate CertificateVerify Finished Finished Data Data Data Data Data Data"
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("lines %s\nwant  %s", got, want)
	}
	for _, w := range lines {
		if bytes.Contains(w.line, []byte("first")) {
			t.Errorf("a line tells what was said: %s", w.line)
		}
	}
}

// refusals returns the check that refuses each change of a line.
func refusal(t *testing.T, p *party, change func(wireLine) [][]byte) Check {
	t.Helper()
	_, err := conversation(p, nil, change)
	var refused *Error
	if !errors.As(err, &refused) {
		t.Fatalf("error %v", err)
	}
	return refused.Check
}

// at changes one line of one direction.
func at(fromClient bool, index int, change func([]byte) [][]byte) func(wireLine) [][]byte {
	return func(w wireLine) [][]byte {
		if w.fromClient == fromClient && w.index == index {
			return change(w.line)
		}
		return [][]byte{w.line}
	}
}

// set changes one field of a line and leaves it in its one form.
func set(field, old, replacement string) func([]byte) [][]byte {
	return func(line []byte) [][]byte {
		before := `"` + field + `":` + old
		if !bytes.Contains(line, []byte(before)) {
			return [][]byte{[]byte("the test does not find " + before + "\n")}
		}
		return [][]byte{bytes.Replace(line, []byte(before), []byte(`"`+field+`":`+replacement), 1)}
	}
}

// flip changes the last hexadecimal digit of a field.
func flip(field string) func([]byte) [][]byte {
	return func(line []byte) [][]byte {
		start := bytes.Index(line, []byte(`"`+field+`":"`))
		if start < 0 {
			return [][]byte{[]byte("the test does not find " + field + "\n")}
		}
		start += len(field) + 4
		end := start + bytes.IndexByte(line[start:], '"') - 1
		changed := bytes.Clone(line)
		if changed[end] == '0' {
			changed[end] = '1'
		} else {
			changed[end] = '0'
		}
		return [][]byte{changed}
	}
}

const toServer, toClient = true, false

// TestEveryFieldIsGuarded changes each field of each message, one at a time.
func TestEveryFieldIsGuarded(t *testing.T) {
	p := newParty(t, 1)
	for name, c := range map[string]struct {
		change func(wireLine) [][]byte
		want   Check
	}{
		"ClientHello.Type":            {at(toServer, 0, set("Type", `"ClientHello"`, `"Hello"`)), CheckOrder},
		"ClientHello.Version":         {at(toServer, 0, set("Version", `"minitls/1"`, `"minitls/0"`)), CheckVersion},
		"ClientHello.CipherSuites":    {at(toServer, 0, set("CipherSuites", `["`+Suite+`"]`, `["RC4"]`)), CheckSuite},
		"ClientHello.CipherSuites +1": {at(toServer, 0, set("CipherSuites", `["`, `["RC4","`)), CheckCertificateVerify},
		"ClientHello.ClientRandom":    {at(toServer, 0, flip("ClientRandom")), CheckCertificateVerify},
		"ClientHello.ClientRandom -1": {at(toServer, 0, set("ClientRandom", `"0108`, `"01`)), CheckRandom},
		"ClientHello.EphPubKey":       {at(toServer, 0, flip("EphPubKey")), CheckCertificateVerify},
		"ClientHello.ServerName":      {at(toServer, 0, set("ServerName", `"example-server"`, `"other-server"`)), CheckServerName},
		"ServerHello.Type":            {at(toClient, 0, set("Type", `"ServerHello"`, `"Certificate"`)), CheckOrder},
		"ServerHello.Version":         {at(toClient, 0, set("Version", `"minitls/1"`, `"minitls/2"`)), CheckVersion},
		"ServerHello.CipherSuite":     {at(toClient, 0, set("CipherSuite", `"`+Suite+`"`, `"NULL"`)), CheckSuite},
		"ServerHello.ServerRandom":    {at(toClient, 0, flip("ServerRandom")), CheckCertificateVerify},
		"ServerHello.EphPubKey":       {at(toClient, 0, flip("EphPubKey")), CheckCertificateVerify},
		"Certificate.Type":            {at(toClient, 1, set("Type", `"Certificate"`, `"Finished"`)), CheckOrder},
		"Certificate.Certificate":     {at(toClient, 1, flip("Certificate")), CheckForm},
		"CertificateVerify.Type":      {at(toClient, 2, set("Type", `"CertificateVerify"`, `"Data"`)), CheckOrder},
		"CertificateVerify.Signature": {at(toClient, 2, flip("Signature")), CheckCertificateVerify},
		"server Finished.Type":        {at(toClient, 3, set("Type", `"Finished"`, `"Data"`)), CheckOrder},
		"server Finished.MAC":         {at(toClient, 3, flip("MAC")), CheckServerFinished},
		"client Finished.Type":        {at(toServer, 1, set("Type", `"Finished"`, `"Data"`)), CheckOrder},
		"client Finished.MAC":         {at(toServer, 1, flip("MAC")), CheckClientFinished},
		"Data.Type":                   {at(toServer, 2, set("Type", `"Data"`, `"Finished"`)), CheckOrder},
		"Data.Seq":                    {at(toServer, 2, set("Seq", `0`, `1`)), CheckSequence},
		"Data.Ciphertext":             {at(toServer, 2, flip("Ciphertext")), CheckTag},
		"Data.Seq of the server":      {at(toClient, 5, set("Seq", `1`, `0`)), CheckSequence},
		"Data.Ciphertext, server":     {at(toClient, 5, flip("Ciphertext")), CheckTag},
	} {
		if got := refusal(t, p, c.change); got != c.want {
			t.Errorf("%s: refused by %q, want %q", name, got, c.want)
		}
	}
}

// TestEveryLineIsGuarded flips every byte of every line, and drops, doubles and reorders every line.
func TestEveryLineIsGuarded(t *testing.T) {
	p := newParty(t, 1)
	lines, err := conversation(p, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	step := 1
	if testing.Short() {
		step = 17
	}
	for _, w := range lines {
		for i := 0; i < len(w.line); i += step {
			change := at(w.fromClient, w.index, func(line []byte) [][]byte {
				changed := bytes.Clone(line)
				changed[i] ^= 1
				return [][]byte{changed}
			})
			if _, err := conversation(p, nil, change); err == nil {
				t.Fatalf("byte %d of %.40s… was changed unseen", i, w.line)
			}
		}
		for name, change := range map[string]func([]byte) [][]byte{
			"dropped": func([]byte) [][]byte { return nil },
			"doubled": func(line []byte) [][]byte { return [][]byte{line, line} },
			"blank":   func(line []byte) [][]byte { return [][]byte{append([]byte(" "), line...)} },
			"field":   func(line []byte) [][]byte { return [][]byte{bytes.Replace(line, []byte("{"), []byte(`{"X":1,`), 1)} },
		} {
			// The last line of each side may be dropped: what is missing then is the end, and the reader knows.
			_, err := conversation(p, nil, at(w.fromClient, w.index, change))
			if err == nil && !(name == "dropped" && w.index >= 4) {
				t.Errorf("%.30s… was %s unseen", w.line, name)
			}
		}
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	p, stranger := newParty(t, 1), newParty(t, 9)
	with := func(change func(*x509.Certificate), parent *x509.Certificate, key ed25519.PrivateKey) *x509.Certificate {
		leaf := p.leaf()
		if change != nil {
			change(leaf)
		}
		return sign(t, leaf, parent, p.key, key)
	}
	otherName := &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "Another CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	another := sign(t, otherName, otherName, stranger.caKey, stranger.caKey)
	for name, c := range map[string]struct {
		certificate *x509.Certificate
		want        Check
	}{
		"another issuer":              {with(nil, another, stranger.caKey), CheckIssuer},
		"another CA of the same name": {with(nil, stranger.root, stranger.caKey), CheckSignature},
		"expired":                     {with(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) }, p.root, p.caKey), CheckDates},
		"not yet valid":               {with(func(c *x509.Certificate) { c.NotBefore = now.Add(time.Minute) }, p.root, p.caKey), CheckDates},
		"a CA":                        {with(func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }, p.root, p.caKey), CheckSignature},
	} {
		_, err := conversation(p, func(_ *ClientConfig, s *ServerConfig) { s.Certificate = c.certificate }, nil)
		var refused *Error
		if !errors.As(err, &refused) || refused.Check != c.want {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	// The name is checked twice: the server knows its own, the client reads the certificate's.
	_, err := conversation(p, func(c *ClientConfig, s *ServerConfig) { c.ServerName = "other" }, nil)
	if refused := new(Error); !errors.As(err, &refused) || refused.Check != CheckServerName {
		t.Errorf("another name: %v", err)
	}
	_, err = conversation(p, func(c *ClientConfig, s *ServerConfig) { _, s.Key = keyFrom(77) }, nil)
	if refused := new(Error); !errors.As(err, &refused) || refused.Check != CheckCertificateVerify {
		t.Errorf("a certificate without its key: %v", err)
	}
}

func TestAFailedMachineTakesNothing(t *testing.T) {
	server, err := NewServer(ServerConfig{Certificate: newParty(t, 1).server, Key: newParty(t, 1).key})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := server.Feed([]byte("x\n"), now); err == nil {
			t.Fatal("a line that is no JSON passes")
		}
	}
	if _, err := server.Seal([]byte("x")); err == nil {
		t.Error("a machine that failed seals")
	}
	if line := server.Close(); line != nil {
		t.Error("a machine that failed closes in good order")
	}
}

func TestLongTextTravelsInPieces(t *testing.T) {
	d := keys(bytes.Repeat([]byte{1}, 32))
	m := machine{sealer: d.direction("client")}
	text := bytes.Repeat([]byte("x"), 3*MaxPlaintext+1)
	lines, err := m.Seal(text)
	if err != nil || bytes.Count(lines, []byte("\n")) != 4 {
		t.Fatalf("%d lines, error %v", bytes.Count(lines, []byte("\n")), err)
	}
	back, opener := []byte(nil), d.direction("client")
	for line := range bytes.Lines(lines) {
		if len(line) > MaxLine {
			t.Fatalf("a line of %d bytes", len(line))
		}
		piece, refused := opener.open(line)
		if refused != nil {
			t.Fatal(refused)
		}
		back = append(back, piece...)
	}
	if !bytes.Equal(back, text) {
		t.Error("the text changed on its way")
	}
}

func FuzzServer(f *testing.F) {
	p := newParty(f, 1)
	lines, err := conversation(p, nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, w := range lines {
		f.Add(w.line, w.fromClient)
	}
	f.Fuzz(func(t *testing.T, line []byte, toServer bool) {
		_, _ = conversation(p, nil, at(toServer, 1, func([]byte) [][]byte { return [][]byte{line} }))
		_, _ = conversation(p, nil, at(toServer, 0, func([]byte) [][]byte { return [][]byte{line} }))
	})
}
