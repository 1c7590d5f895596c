package ct_test

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ct"
)

// testLog is a log of our own: a key, and how a log list describes it.
type testLog struct {
	key     crypto.Signer
	name    string
	owner   string
	state   string
	since   time.Time
	from    time.Time
	until   time.Time
	tiled   bool
	former  string // operator until formerly
	formers time.Time
}

func newLog(t testing.TB, k pki.KeyType, name, owner string) *testLog {
	t.Helper()
	key, err := pki.GenerateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return &testLog{key: key, name: name, owner: owner, state: "usable", since: time.Unix(0, 0)}
}

// listOf writes the logs as a log list and reads that.
func listOf(t testing.TB, logs ...*testLog) *ct.LogList {
	t.Helper()
	list, err := ct.ParseLogList(jsonOf(t, logs...))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func jsonOf(t testing.TB, logs ...*testLog) []byte {
	t.Helper()
	type object = map[string]any
	var operators []object
	for _, l := range logs {
		der, err := x509.MarshalPKIXPublicKey(l.key.Public())
		if err != nil {
			t.Fatal(err)
		}
		id := sha256.Sum256(der)
		entry := object{"description": l.name, "log_id": id[:], "key": der, "mmd": 60, "url": "https://log.example/"}
		if l.state != "" {
			entry["state"] = object{l.state: object{"timestamp": l.since.UTC()}}
		}
		if !l.from.IsZero() {
			entry["temporal_interval"] = object{"start_inclusive": l.from.UTC(), "end_exclusive": l.until.UTC()}
		}
		if l.former != "" {
			entry["previous_operators"] = []object{{"name": l.former, "end_time": l.formers.UTC()}}
		}
		kind := "logs"
		if l.tiled {
			kind = "tiled_logs"
			entry["submission_url"], entry["monitoring_url"] = "https://submit.example/", "https://monitor.example/"
		}
		operators = append(operators, object{"name": l.owner, kind: []object{entry}, "unknown": 1})
	}
	data, err := json.Marshal(object{"version": "1.0", "log_list_timestamp": time.Unix(0, 0).UTC(), "operators": operators})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// issued is a chain whose leaf has embedded timestamps, with its key.
type issued struct {
	chain []*x509.Certificate
	key   crypto.Signer
	now   time.Time
}

// issue makes a precertificate, has it signed by the logs, and makes the
// certificate.
func issue(t testing.TB, lifetime time.Duration, logs ...*testLog) issued {
	t.Helper()
	ca := pkitest.New(t, pkitest.P256)
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	start := ca.Now.Add(-time.Hour).Truncate(time.Second)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: "a.example"}, DNSNames: []string{"a.example", "localhost"},
		NotBefore: start, NotAfter: start.Add(lifetime - time.Second), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	sign := func(e pkix.Extension) *x509.Certificate {
		template.ExtraExtensions = []pkix.Extension{e}
		der, err := x509.CreateCertificate(rand.Reader, template, ca.Intermediate, key.Public(), ca.Key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	pre := sign(pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 3}, Critical: true, Value: []byte{5, 0}})
	entry, err := ct.EntryOf(pre, ca.Intermediate, ct.Embedded)
	if err != nil {
		t.Fatal(err)
	}
	var list []ct.SCT
	for _, l := range logs {
		list = append(list, signed(t, l, entry, ca.Now.Add(-time.Minute)))
	}
	value, err := ct.MarshalExtension(list)
	if err != nil {
		t.Fatal(err)
	}
	leaf := sign(pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: value})
	return issued{chain: []*x509.Certificate{leaf, ca.Intermediate, ca.Root}, key: key, now: ca.Now}
}

func signed(t testing.TB, l *testLog, e ct.Entry, at time.Time) ct.SCT {
	t.Helper()
	s, err := ct.Sign(e, at, nil, l.key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// judge verifies all embedded timestamps.
func (i issued) judge(t testing.TB, list *ct.LogList) []ct.Verdict {
	t.Helper()
	embedded, err := ct.FromCertificate(i.chain[0])
	if err != nil {
		t.Fatal(err)
	}
	var all []ct.Verdict
	for _, s := range embedded {
		v, err := ct.VerifySCT(s, i.chain, list, i.now)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

const day = 24 * time.Hour

func TestTimestampsOfOurOwnLogsAreJudged(t *testing.T) {
	good, rsaLog := newLog(t, pki.P256, "good", "A"), newLog(t, pki.RSA2048, "rsa", "B")
	stranger := newLog(t, pki.P256, "stranger", "C")
	i := issue(t, 90*day, good, rsaLog, stranger)
	list := listOf(t, good, rsaLog)
	got := i.judge(t, list)
	for n, want := range []ct.Status{ct.Valid, ct.Valid, ct.UnknownLog} {
		if got[n].Status != want || got[n].Text == "" || (got[n].Log == nil) != (want == ct.UnknownLog) {
			t.Errorf("%d: %s (%s)", n, got[n].Status, got[n].Text)
		}
	}
	if got[1].Log.Description != "rsa" || got[1].Log.Operator != "B" {
		t.Errorf("%+v", got[1].Log)
	}
	if ok, reason := ct.Complies(i.chain[0], got); !ok {
		t.Error(reason)
	}
}

func TestEachReasonToDoubtATimestampIsFound(t *testing.T) {
	base := newLog(t, pki.P256, "log", "A")
	i := issue(t, 90*day, base)
	s := i.judge(t, listOf(t, base))[0].SCT
	with := func(change func(l *testLog)) *ct.LogList {
		l := *base
		change(&l)
		return listOf(t, &l)
	}
	same := listOf(t, base)
	altered, newer, late, wrongKind := s, s, s, s
	altered.Timestamp++
	newer.Version = 1
	late.Timestamp = 1 << 60
	wrongKind.Algorithm = 1
	signedAt := s.Time()
	for name, c := range map[string]struct {
		sct  ct.SCT
		list *ct.LogList
		now  time.Time
		want ct.Status
		text string
	}{
		"valid":              {s, same, i.now, ct.Valid, "signed"},
		"no list":            {s, nil, i.now, ct.UnknownLog, "not in the list"},
		"altered":            {altered, same, i.now, ct.BadSignature, "does not fit"},
		"beyond calendars":   {late, same, i.now, ct.BadSignature, ""},
		"RSA by ECDSA":       {wrongKind, same, i.now, ct.BadSignature, "cannot have"},
		"version":            {newer, same, i.now, ct.UnknownVersion, "version 2"},
		"early":              {s, same, signedAt.Add(-time.Second), ct.FromTheFuture, "to come"},
		"pending":            {s, with(func(l *testLog) { l.state = "pending" }), i.now, ct.LogNotTrusted, "pending"},
		"rejected":           {s, with(func(l *testLog) { l.state = "rejected" }), i.now, ct.LogNotTrusted, "rejected"},
		"no state":           {s, with(func(l *testLog) { l.state = "" }), i.now, ct.LogNotTrusted, "unknown"},
		"read-only":          {s, with(func(l *testLog) { l.state = "readonly" }), i.now, ct.Valid, ""},
		"retired later":      {s, with(func(l *testLog) { l.state, l.since = "retired", signedAt.Add(time.Second) }), i.now, ct.Valid, ""},
		"retired before":     {s, with(func(l *testLog) { l.state, l.since = "retired", signedAt }), i.now, ct.LogNotTrusted, "retired"},
		"within interval":    {s, with(func(l *testLog) { l.from, l.until = i.now, i.now.Add(100*day) }), i.now, ct.Valid, ""},
		"after interval":     {s, with(func(l *testLog) { l.from, l.until = i.now, i.chain[0].NotAfter }), i.now, ct.WrongInterval, "expire"},
		"before interval":    {s, with(func(l *testLog) { l.from, l.until = i.now.Add(95*day), i.now.Add(99*day) }), i.now, ct.WrongInterval, "expire"},
		"tiled, valid still": {s, with(func(l *testLog) { l.tiled = true }), i.now, ct.Valid, ""},
	} {
		v, err := ct.VerifySCT(c.sct, i.chain, c.list, c.now)
		if err != nil || v.Status != c.want || !strings.Contains(v.Text, c.text) {
			t.Errorf("%s: %s (%s), %v", name, v.Status, v.Text, err)
		}
	}
	for name, chain := range map[string][]*x509.Certificate{"nothing": nil, "no issuer": i.chain[:1], "other issuer": {i.chain[0], i.chain[2]}} {
		if _, err := ct.VerifySCT(s, chain, same, i.now); err == nil {
			t.Errorf("%s: a verdict", name)
		}
	}
	if _, err := ct.VerifySCT(s, i.chain, same, time.Time{}); err == nil {
		t.Error("a verdict without the time")
	}
	// The same issuer name with another key: the log has signed the hash of the key.
	namesake := *i.chain[1]
	namesake.RawSubjectPublicKeyInfo = i.chain[2].RawSubjectPublicKeyInfo
	if v, err := ct.VerifySCT(s, []*x509.Certificate{i.chain[0], &namesake}, same, i.now); err != nil || v.Status != ct.BadSignature {
		t.Errorf("%v, %v", v.Status, err)
	}
}

func TestTimestampsBesideTheCertificateAreJudged(t *testing.T) {
	a, b := newLog(t, pki.P384, "a", "A"), newLog(t, pki.P256, "b", "B")
	i := issue(t, 365*day, a)
	entry, err := ct.EntryOf(i.chain[0], nil, ct.Extension)
	if err != nil {
		t.Fatal(err)
	}
	data, err := ct.AppendList([]byte("before"), []ct.SCT{signed(t, a, entry, i.now), signed(t, b, entry, i.now)})
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []ct.Source{ct.Extension, ct.Staple} {
		list, err := ct.ParseList(data[len("before"):], source)
		if err != nil {
			t.Fatal(err)
		}
		var verdicts []ct.Verdict
		for _, s := range list {
			v, err := ct.VerifySCT(s, i.chain[:1], listOf(t, a, b), i.now)
			if err != nil || v.Status != ct.Valid || v.SCT.Source != source {
				t.Errorf("%s: %s (%s), %v", source, v.Status, v.Text, err)
			}
			verdicts = append(verdicts, v)
		}
		if ok, reason := ct.Complies(i.chain[0], verdicts); !ok {
			t.Errorf("%s: %s", source, reason)
		}
		if ok, _ := ct.Complies(i.chain[0], verdicts[:1]); ok {
			t.Errorf("%s: one is enough", source)
		}
	}
}

func TestTimestampsInOCSPResponsesAreFound(t *testing.T) {
	l := newLog(t, pki.P256, "a", "A")
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256).Certificate
	entry, err := ct.EntryOf(leaf, nil, ct.Staple)
	if err != nil {
		t.Fatal(err)
	}
	value, err := ct.MarshalExtension([]ct.SCT{signed(t, l, entry, ca.Now)})
	if err != nil {
		t.Fatal(err)
	}
	for _, extensions := range [][]pkix.Extension{nil, {{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 5}, Value: value}}} {
		response, err := ocsp.CreateResponse(ca.Intermediate, ca.Intermediate, ocsp.Response{
			Status: ocsp.Good, SerialNumber: leaf.SerialNumber, ThisUpdate: ca.Now, NextUpdate: ca.Now.Add(time.Hour), ExtraExtensions: extensions,
		}, ca.Key)
		if err != nil {
			t.Fatal(err)
		}
		list, err := ct.FromOCSP(response)
		if err != nil || len(list) != len(extensions) {
			t.Fatalf("%d timestamps, %v", len(list), err)
		}
		for _, s := range list {
			if v, err := ct.VerifySCT(s, []*x509.Certificate{leaf}, listOf(t, l), ca.Now); err != nil || v.Status != ct.Valid || s.Source != ct.Staple {
				t.Errorf("%v, %v", v.Status, err)
			}
		}
	}
	if _, err := ct.FromOCSP([]byte{0x30, 0}); err == nil {
		t.Error("a broken response was read")
	}
}

func TestBrowsersRuleIsKept(t *testing.T) {
	a, a2, b := newLog(t, pki.P256, "a", "A"), newLog(t, pki.P256, "a2", "A"), newLog(t, pki.P256, "b", "B")
	retired := newLog(t, pki.P256, "r", "C")
	retired2 := newLog(t, pki.P256, "r2", "D")
	list := listOf(t, a, a2, b)
	moved := *a2
	moved.former, moved.formers = "Z", time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		days int
		logs []*testLog
		list *ct.LogList
		want string // in the reason; "" for yes
	}{
		"none known":         {90, []*testLog{retired}, list, "no log"},
		"one":                {90, []*testLog{a}, list, "1 of the 2"},
		"twice the same":     {90, []*testLog{a, a}, list, "1 of the 2"},
		"one operator":       {90, []*testLog{a, a2}, list, "one operator"},
		"another by then":    {90, []*testLog{a, a2}, listOf(t, a, &moved), ""},
		"two":                {90, []*testLog{a, b}, list, ""},
		"two, 180 days":      {180, []*testLog{a, b}, list, ""},
		"two, 181 days":      {181, []*testLog{a, b}, list, "2 of the 3"},
		"three, 181 days":    {181, []*testLog{a, a2, b}, list, ""},
		"one of two retired": {90, []*testLog{a, retired}, listRetired(t, a, retired), ""},
		"all retired":        {90, []*testLog{retired, retired2}, listRetired(t, a, retired, retired2), "retired"},
	} {
		i := issue(t, time.Duration(c.days)*day, c.logs...)
		if ok, reason := ct.Complies(i.chain[0], i.judge(t, c.list)); ok != (c.want == "") || !strings.Contains(reason, c.want) {
			t.Errorf("%s: %t, %s", name, ok, reason)
		}
	}
}

// listRetired lists the first log as usable, and the others as retired a moment
// from now.
func listRetired(t testing.TB, usable *testLog, others ...*testLog) *ct.LogList {
	t.Helper()
	logs := []*testLog{usable}
	for _, l := range others {
		r := *l
		r.state, r.since = "retired", time.Now().Add(time.Hour)
		logs = append(logs, &r)
	}
	return listOf(t, logs...)
}

func TestUnsoundLogListsAreRefused(t *testing.T) {
	l := newLog(t, pki.P256, "log", "A")
	good := jsonOf(t, l)
	ed := newLog(t, pki.Ed25519, "ed", "B")
	for name, c := range map[string]struct{ data, want string }{
		"empty":      {"", "JSON"},
		"no logs":    {`{"operators":[]}`, "no logs"},
		"array":      {`[]`, "cannot unmarshal"},
		"larger":     {strings.Repeat(" ", 4<<20+1), "limit"},
		"other key":  {strings.Replace(string(good), `"log_id":"`, `"log_id":"AAAA`, 1), "no logs"},
		"Ed25519":    {string(jsonOf(t, ed)), "no logs"},
		"two states": {strings.Replace(string(good), `"usable":`, `"pending":{},"usable":`, 1), "no logs"},
		"delay":      {strings.Replace(string(good), `"mmd":60`, `"mmd":-1`, 1), "no logs"},
	} {
		if _, err := ct.ParseLogList([]byte(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	twice, err := ct.ParseLogList(jsonOf(t, l, l, ed))
	if err != nil || len(twice.Logs) != 1 || len(twice.Unreadable) != 2 {
		t.Errorf("%+v, %v", twice, err)
	}
	tiled := *l
	tiled.tiled = true
	list := listOf(t, &tiled)
	if got := list.Logs[0]; !got.Tiled || got.URL != "https://submit.example/" || got.MonitoringURL != "https://monitor.example/" {
		t.Errorf("%+v", got)
	}
	for _, k := range []pki.KeyType{pki.RSA2048, pki.P256, pki.Ed25519} {
		signer := newLog(t, k, "", "").key
		digest := sha256.Sum256(good)
		var opts crypto.SignerOpts = crypto.SHA256
		message := digest[:]
		if k == pki.Ed25519 {
			opts, message = crypto.Hash(0), good
		}
		signature, err := signer.Sign(rand.Reader, message, opts)
		if err != nil {
			t.Fatal(err)
		}
		if err := ct.CheckLogList(good, signature, signer.Public()); (err == nil) != (k != pki.Ed25519) {
			t.Errorf("%s: %v", k, err)
		}
		if err := ct.CheckLogList(good[1:], signature, signer.Public()); err == nil {
			t.Errorf("%s: a changed list passes", k)
		}
	}
}

func TestLogsHaveTwoKindsOfKeys(t *testing.T) {
	for _, key := range []crypto.PublicKey{ed25519.PublicKey(make([]byte, 32)), "key"} {
		if err := ct.CheckSignature(ct.SCT{}, ct.Entry{}, key); err == nil {
			t.Errorf("%T passes", key)
		}
	}
	ed := newLog(t, pki.Ed25519, "", "")
	if _, err := ct.Sign(ct.Entry{}, time.Now(), nil, ed.key); err == nil {
		t.Error("a log with an Ed25519 key signed")
	}
	for _, k := range []pki.KeyType{pki.P256, pki.RSA2048} {
		l := newLog(t, k, "", "")
		h := ct.TreeHead{Size: 5, Timestamp: 6}
		if err := h.Sign(l.key); err != nil {
			t.Fatal(err)
		}
		if err := h.CheckSignature(l.key.Public()); err != nil {
			t.Errorf("%s: %v", k, err)
		}
		h.Root[3]++
		if err := h.CheckSignature(l.key.Public()); err == nil {
			t.Errorf("%s: another root passes", k)
		}
	}
}

func TestBrokenListsAreRefused(t *testing.T) {
	l := newLog(t, pki.P256, "a", "A")
	one := signed(t, l, ct.Entry{Data: []byte{1}}, time.Now())
	list, err := ct.AppendList(nil, []ct.SCT{one})
	if err != nil {
		t.Fatal(err)
	}
	many := make([]ct.SCT, 65)
	for i := range many {
		many[i] = one
	}
	if _, err := ct.AppendList(nil, many); err == nil {
		t.Error("65 were written")
	}
	if _, err := ct.AppendList(nil, nil); err == nil {
		t.Error("none were written")
	}
	long := []byte{0, 0}
	for range 65 {
		long = append(long, list[2:]...)
	}
	long[0], long[1] = byte((len(long)-2)>>8), byte(len(long)-2)
	for name, data := range map[string][]byte{
		"nothing": nil, "empty": {0, 0}, "cut off": list[:len(list)-1], "trailing": append(bytes.Clone(list), 0),
		"empty one": {0, 2, 0, 0}, "65": long, "short": {0, 5, 0, 3, 0, 1, 2},
	} {
		if got, err := ct.ParseList(data, ct.Extension); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	future, err := ct.ParseList([]byte{0, 5, 0, 3, 7, 1, 2}, ct.Extension)
	if err != nil || len(future) != 1 || future[0].Version != 7 {
		t.Errorf("%v, %v", future, err)
	}
	if again, err := ct.AppendList(nil, future); err != nil || !bytes.Equal(again, []byte{0, 5, 0, 3, 7, 1, 2}) {
		t.Errorf("%x, %v", again, err)
	}
	if _, err := ct.ParseExtension([]byte{5, 0}, ct.Embedded); err == nil {
		t.Error("an extension of another type was read")
	}
}

func TestOpenSSLReadsOurTimestamps(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	l := newLog(t, pki.P256, "a", "A")
	i := issue(t, 90*day, l)
	path := filepath.Join(t.TempDir(), "leaf.pem")
	if err := os.WriteFile(path, pki.AppendCertificatePEM(nil, i.chain[0].Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := pkitest.Run(t, openssl, "x509", "-in", path, "-noout", "-ext", "ct_precert_scts")
	if err != nil || !strings.Contains(out, "Signed Certificate Timestamp") || !strings.Contains(out, "ecdsa-with-SHA256") {
		t.Errorf("%v\n%s", err, out)
	}
}

// OpenSSL's client is the only program at hand that judges timestamps.
func TestOpenSSLFindsOurTimestampsValid(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	good, stranger := newLog(t, pki.P256, "good", "A"), newLog(t, pki.P256, "stranger", "B")
	i := issue(t, 90*day, good, stranger)
	dir := t.TempDir()
	file := func(name string, text []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	der, err := x509.MarshalPKIXPublicKey(good.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.MarshalPrivateKeyPEM(i.key)
	if err != nil {
		t.Fatal(err)
	}
	logs := file("logs.cnf", fmt.Appendf(nil, "enabled_logs = good\n[good]\ndescription = good\nkey = %s\n", base64.StdEncoding.EncodeToString(der)))
	server := exec.CommandContext(t.Context(), openssl, "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-www",
		"-cert", file("leaf.pem", pki.AppendCertificatePEM(nil, i.chain[0].Raw)), "-key", file("key.pem", key),
		"-cert_chain", file("chain.pem", pki.AppendCertificatePEM(nil, i.chain[1].Raw)))
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}()
	address := ""
	for lines := bufio.NewScanner(stdout); address == "" && lines.Scan(); {
		if _, after, ok := strings.Cut(lines.Text(), "ACCEPT "); ok {
			address = after
		}
	}
	out, err := pkitest.Run(t, openssl, "s_client", "-connect", address, "-ct", "-ctlogfile", logs,
		"-CAfile", file("root.pem", pki.AppendCertificatePEM(nil, i.chain[2].Raw)), "-servername", "a.example")
	if !strings.Contains(out, "SCT validation status: valid") || !strings.Contains(out, "SCT validation status: unknown log") {
		t.Errorf("at %q: %v\n%s", address, err, out)
	}
}

func FuzzParseList(f *testing.F) {
	l := newLog(f, pki.P256, "a", "A")
	one := signed(f, l, ct.Entry{Data: []byte{1}}, time.Now())
	for n := 1; n < 4; n++ {
		list, err := ct.AppendList(nil, []ct.SCT{one, one, one}[:n])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(list)
	}
	f.Add([]byte{0, 5, 0, 3, 7, 1, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := ct.ParseList(data, ct.Extension)
		if err != nil {
			return
		}
		again, err := ct.AppendList(nil, list)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%x became %x, %v", data, again, err)
		}
	})
}

func FuzzParseLogList(f *testing.F) {
	data, err := os.ReadFile("testdata/loglist3.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(jsonOf(f, newLog(f, pki.P256, "a", "A")))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := ct.ParseLogList(data)
		if err != nil {
			return
		}
		if !ct.IsLogList(data) {
			t.Fatal("read, but not recognised")
		}
		for _, l := range list.Logs {
			if list.Find(l.ID) != l || l.OperatorAt(time.Now()) == "\x00" {
				t.Fatalf("%+v", l)
			}
		}
	})
}

func FuzzEntryOf(f *testing.F) {
	i := issue(f, 90*day, newLog(f, pki.P256, "a", "A"))
	f.Add(i.chain[0].Raw)
	f.Add(i.chain[1].Raw)
	f.Fuzz(func(t *testing.T, der []byte) {
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		issuer := &x509.Certificate{RawSubject: leaf.RawIssuer}
		e, err := ct.EntryOf(leaf, issuer, ct.Embedded)
		if err != nil {
			return
		}
		_, _ = ct.FromCertificate(leaf)
		if len(e.Data) > len(leaf.RawTBSCertificate) {
			t.Fatal("leaving something out made it longer")
		}
	})
}

func TestAListOfOnesOwnLogsIsSearched(t *testing.T) {
	log := &ct.Log{ID: [32]byte{1}}
	list := &ct.LogList{Logs: []*ct.Log{{ID: [32]byte{2}}, log}}
	if list.Find(log.ID) != log || list.Find([32]byte{3}) != nil || (*ct.LogList)(nil).Find(log.ID) != nil {
		t.Error("a list that was put together by hand finds other logs than it has")
	}
}
