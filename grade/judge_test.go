package grade

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tlswright/tlswright/wire"
)

// TestExercise4 goes through the nine checks of the lesson's exercise 4, by number: each finds what it is to find on a bad
// server and is silent about the good one.
func TestExercise4(t *testing.T) {
	for _, c := range []struct {
		check string
		bad   func(*Facts)
		rules []string
	}{
		{"1 supported TLS versions, TLS 1.0 and 1.1 deprecated", func(f *Facts) { f.setProtocol(offered(wire.VersionTLS10, wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA)) }, []string{"B7"}},
		{"2 supported suites, weak ones", addSuite(wire.VersionTLS12, Suite{ID: wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA}), []string{"weak-suites"}},
		{"3 chain completeness", func(f *Facts) { f.chain().Complete = No }, []string{"B3"}},
		{"4 expiration date: expired", certificateOf(90*oneDay, -oneDay), []string{"T-expired"}},
		{"4 expiration date: within 30 days", certificateOf(70*oneDay, 20*oneDay), []string{"expires-30"}},
		{"4 expiration date: within 7 days", certificateOf(85*oneDay, 5*oneDay), []string{"expires-7"}},
		{"5 HSTS presence", func(f *Facts) { f.HTTP.HSTS = HSTS{} }, []string{"hsts-absent"}},
		{"5 HSTS max-age", func(f *Facts) { f.HTTP.HSTS.MaxAge = 300 }, []string{"hsts-short"}},
		{"6 OCSP stapling status", func(f *Facts) { f.leaf().OCSP = []string{"http://ocsp.example.net"} }, []string{"staple-missing"}},
		{"7 key size: RSA below 2048", func(f *Facts) { f.leaf().KeyBits, f.leaf().KeyStrength = 1024, 1024 }, []string{"B4"}},
		{"7 key size: ECDSA below 256", func(f *Facts) { f.chain().KeyType, f.leaf().KeyBits, f.leaf().KeyStrength = "ECDSA", 224, 2048 }, []string{"ecdsa-short"}},
		{"8 forward secrecy", func(f *Facts) {
			f.setProtocol(refused(wire.VersionTLS13))
			f.setProtocol(offered(wire.VersionTLS12, wire.TLS_RSA_WITH_AES_128_GCM_SHA256))
			f.Simulations = nil
		}, []string{"B5"}},
	} {
		f := goodFacts()
		c.bad(f)
		bad, good := Judge(f, Options{}), Judge(goodFacts(), Options{})
		for _, id := range c.rules {
			if bad.finding(id) == nil || good.finding(id) != nil {
				t.Errorf("%s: %s is found on the bad server: %v, on the good one: %v", c.check, id, bad.finding(id) != nil, good.finding(id) != nil)
			}
		}
		// 9: a score from A+ to F, and no bad server has a better one.
		if good.Grade != "A+" || bad.Grade.rank() < good.Grade.rank() || bad.Score > good.Score {
			t.Errorf("9, with %s: the good server has %s, the bad one %s", c.check, good.Grade, bad.Grade)
		}
	}
}

func TestTheTwelveMisconfigurationsAreFoundByNumber(t *testing.T) {
	cases := map[int]func(*Facts){
		1:  func(f *Facts) { f.setProtocol(offered(wire.VersionTLS10)) }, // whose suites would all be weak
		2:  addSuite(wire.VersionTLS12, Suite{ID: wire.TLS_RSA_WITH_AES_128_CBC_SHA}),
		3:  func(f *Facts) { f.chain().SelfSigned, f.chain().Trusted = true, No },
		4:  certificateOf(90*oneDay, -oneDay),
		5:  func(f *Facts) { f.chain().Complete = No },
		6:  func(f *Facts) { f.HTTP.HSTS = HSTS{} },
		7:  func(f *Facts) { f.HTTP.RedirectsToHTTPS = No },
		9:  func(f *Facts) { f.Features.Compression = Yes },
		10: func(f *Facts) { f.leaf().OCSP = []string{"http://ocsp.example.net"} },
		11: func(f *Facts) { f.leaf().Wildcard = []string{"*.example.org"} },
	}
	good := Judge(goodFacts(), Options{}).Misconfigurations
	for n := 1; n <= 12; n++ {
		m := good[n-1]
		if m.Number != n || m.Name == "" || m.Fix == "" {
			t.Errorf("%d: %+v", n, m)
		}
		change, ok := cases[n]
		if !ok {
			if m.Found != Unasked || !strings.Contains(m.Text, "--files") {
				t.Errorf("%d needs files: %+v", n, m)
			}
			continue
		}
		if m.Found != No {
			t.Errorf("%d is found on the good server: %+v", n, m)
		}
		f := goodFacts()
		change(f)
		for _, x := range Judge(f, Options{}).Misconfigurations {
			if (x.Found == Yes) != (x.Number == n) {
				t.Errorf("%d: %+v", n, x)
			}
		}
	}
}

func TestFilesTellNumbers8And12(t *testing.T) {
	key := FileFact{Path: "/etc/ssl/it's.key", Kind: "private key", Mode: "0644", Owner: "root", Group: "root", Problems: []string{"everybody can read it"}}
	pins := FileFact{Path: "pins.txt", Kind: "pin set", Mode: "0644", Pins: 1}
	group := FileFact{Path: "a.key", Kind: "private key", Mode: "0640", Group: "staff", Problems: []string{"the group staff can read it"}}
	for _, c := range []struct {
		file   FileFact
		rule   string
		number int
	}{
		{key, "file-key-open", 8}, {group, "file-key-group", 8}, {pins, "file-pins-no-backup", 12},
		{FileFact{Path: "b.key", Kind: "private key", Mode: "0600", Problems: []string{"the folder can be written by all"}}, "file-key-exposed", 8},
		{FileFact{Path: "c.pem", Kind: "certificate", Mode: "0666"}, "file-writable", 0},
		{FileFact{Path: "d", Kind: "other", Problems: []string{"odd"}}, "file-problem", 0},
	} {
		findings := JudgeFiles([]FileFact{c.file})
		if len(findings) != 1 || findings[0].Rule != c.rule || findings[0].Misconfiguration != c.number || findings[0].Evidence[0] != c.file.Path || findings[0].Fix == nil {
			t.Errorf("%s: %+v", c.rule, findings)
		}
	}
	if got, want := JudgeFiles([]FileFact{key})[0].Fix.Snippets[0].Text, "chmod 600 '/etc/ssl/it'\\''s.key'\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	good := []FileFact{
		{Path: "k", Kind: "private key", Mode: "0600", Owner: "root"}, {Path: "g", Kind: "private key", Mode: "0640", Group: "ssl-cert"},
		{Path: "p", Kind: "pin set", Mode: "0644", Pins: 2, Backup: Yes}, {Path: "c", Kind: "certificate", Mode: "0644"},
		{Path: "q", Kind: "pin set", Mode: "0644", Pins: 2, Backup: Unknown},
	}
	if findings := JudgeFiles(good); findings != nil {
		t.Errorf("good files: %+v", findings)
	}
	table := FileMisconfigurations(good)
	if table[0].Found != No || table[1].Found != No {
		t.Errorf("%+v", table)
	}
	table = FileMisconfigurations([]FileFact{key, pins})
	if table[0].Number != 8 || table[0].Found != Yes || table[1].Number != 12 || table[1].Found != Yes {
		t.Errorf("%+v", table)
	}
	if table = FileMisconfigurations(nil); table[0].Found != Unasked || table[1].Found != Unasked {
		t.Errorf("%+v", table)
	}
}

func TestTrustAndMismatchAreShownTogether(t *testing.T) {
	f := goodFacts()
	f.chain().Trusted, f.chain().NameMatches, f.chain().Suggestion = No, No, "example.org"
	r := Judge(f, Options{})
	if r.Grade != "T" || !r.Mismatch || r.GradeIgnoringTrust != "A+" {
		t.Errorf("%s, mismatch %v, without trust %s", r.Grade, r.Mismatch, r.GradeIgnoringTrust)
	}
	if fix := r.finding("M-name").Fix.Text; !strings.Contains(fix, "example.org") {
		t.Errorf("the fix suggests no name: %s", fix)
	}
}

func TestStartTLSGetsTheSameGradeWithANote(t *testing.T) {
	f := goodFacts()
	f.StartTLS, f.Port, f.HTTP, f.Software = "smtp", 25, nil, "Postfix"
	r := Judge(f, Options{})
	if r.Grade != "A+" || r.finding("starttls-scope") == nil {
		t.Errorf("%s: %v", r.Grade, r.Missing)
	}
	f.chain().Trusted = No
	if r = Judge(f, Options{}); r.Grade != "T" || r.GradeIgnoringTrust != "A+" {
		t.Errorf("%s, %s", r.Grade, r.GradeIgnoringTrust)
	}
	for _, s := range r.finding("T-untrusted").Fix.Snippets {
		if s.Server == nginx || s.Server == apache || s.Server == caddy {
			t.Errorf("a mail server is told about %s", s.Server)
		}
	}
	if s := r.finding("T-untrusted").Fix.Snippets[0].Server; s != postfix {
		t.Errorf("the first snippet is for %s", s)
	}
}

func TestWithoutSimulationsOurModelDecidesAndSaysSo(t *testing.T) {
	f := goodFacts()
	f.Simulations = nil
	f.setProtocol(refused(wire.VersionTLS13))
	p := offered(wire.VersionTLS12, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA, wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)
	f.setProtocol(p)
	r := Judge(f, Options{})
	for _, id := range []string{"B5", "B6", "C5"} {
		found := r.finding(id)
		if found == nil || !strings.Contains(found.Reason, "No client's own hello") || !strings.Contains(found.Evidence[0], modelName) {
			t.Errorf("%s: %+v", id, found)
		}
	}
	p.Order = No // the model puts ECDHE with GCM first
	f.setProtocol(p)
	r = Judge(f, Options{})
	for _, id := range []string{"B5", "B6", "C5"} {
		if r.finding(id) != nil {
			t.Errorf("%s fired though the client's order counts", id)
		}
	}
}

func TestQuickFactsAreJudgedAsFarAsTheyGo(t *testing.T) {
	f := goodFacts()
	f.Quick, f.Vulnerabilities, f.Simulations, f.DNS = true, nil, nil, nil
	f.Protocols = []Protocol{{Version: wire.VersionTLS13, Offered: Yes, Suites: suitesOf(wire.TLS_AES_256_GCM_SHA384)}}
	f.Groups, f.Features = nil, Features{}
	r := Judge(f, Options{})
	if r.Grade != "A+" || len(r.Incomplete) == 0 {
		t.Errorf("%s, incomplete: %v, missing: %v", r.Grade, r.Incomplete, r.Missing)
	}
	for _, finding := range r.Findings {
		if finding.Severity != Good {
			t.Errorf("a quick look cannot know: %+v", finding)
		}
	}
	for _, p := range r.Policies {
		if p.Complies == Yes {
			t.Errorf("%s: a quick look cannot prove this", p.Policy)
		}
	}
	f.leaf().NotAfter = scanTime.Add(-time.Hour)
	if r = Judge(f, Options{}); r.Grade != "T" {
		t.Errorf("expired, and the grade is %s", r.Grade)
	}
}

func TestNothingToJudgeHasNoGrade(t *testing.T) {
	r := Judge(&Facts{Host: "a.example", Unreachable: "connection \x1b[31mrefused"}, Options{})
	if r.Grade != "" || r.GradeIgnoringTrust != "" || len(r.Findings) != 1 || r.Findings[0].Rule != "unreachable" || len(r.Incomplete) == 0 {
		t.Errorf("%+v", r)
	}
	if strings.Contains(r.Findings[0].Evidence[0], "\x1b") || strings.Contains(r.Incomplete[0], "\x1b") {
		t.Error("what a server sent reaches the terminal as it came")
	}
}

func TestFindingsStandWorstFirstAndTheGoodOnesLast(t *testing.T) {
	f := goodFacts()
	f.HTTP.HSTS = HSTS{}
	f.setVerdict("robot", Vulnerable)
	f.chain().Complete = No
	r := Judge(f, Options{})
	if r.Findings[0].Rule != "F14" || r.Findings[len(r.Findings)-1].Severity != Good {
		t.Errorf("%s is first, %s last", r.Findings[0].Rule, r.Findings[len(r.Findings)-1].Rule)
	}
	if !slices.IsSortedFunc(r.Findings, func(a, b Finding) int { return a.Severity.rank() - b.Severity.rank() }) {
		t.Error("the findings are out of order")
	}
	want := []string{"F14", "B3", "hsts-absent"}
	for i, line := range r.Missing {
		if !strings.Contains(line, "("+want[i]+",") {
			t.Errorf("%d is %q, want %s", i, line, want[i])
		}
	}
}

func TestTheDetectedOrNamedServersSnippetComesFirst(t *testing.T) {
	f := goodFacts()
	f.HTTP.HSTS = HSTS{}
	for _, c := range []struct{ software, header, named, want string }{
		{"nginx/1.22.1", "", "", nginx}, {"", "Apache/2.4.62 (Debian)", "", apache}, {"", "Apache-Coyote/1.1", "", java}, {"", "Caddy", "", caddy},
		{"nginx", "", "haproxy", haproxy}, {"", "", "Go", goLang}, {"", "gws", "", nginx},
	} {
		f.Software, f.HTTP.Server = c.software, c.header
		snippets := Judge(f, Options{ServerKind: c.named}).finding("hsts-absent").Fix.Snippets
		if snippets[0].Server != c.want || len(snippets) < 6 {
			t.Errorf("%+v: %s is first of %d", c, snippets[0].Server, len(snippets))
		}
		for _, s := range snippets {
			if s.File == "" || !strings.HasSuffix(s.Text, "\n") || strings.Contains(s.File+s.Text, hostMark) {
				t.Errorf("%+v", s)
			}
		}
	}
	if fix := Judge(f, Options{NoSnippets: true}).finding("hsts-absent").Fix; fix.Snippets != nil || fix.Text == "" {
		t.Errorf("%+v", fix)
	}
}

func TestHostileNamesDoNotReachSnippets(t *testing.T) {
	for _, name := range []string{"a.example; rm -rf /", "$(id).example", "a\nb.example", "192.0.2.1", "2001:db8::1", "localhost", "", strings.Repeat("a.", 200)} {
		s := newSubject(&Facts{Host: name}, Options{})
		if got := s.hostName(); got != "www.example.org" {
			t.Errorf("%q: %q", name, got)
		}
	}
}

func TestRecordsForTheZoneHoldTheServersOwnKey(t *testing.T) {
	f := goodFacts()
	f.DNS = &DNS{TLSA: []TLSA{{Record: "3 1 1 00", Matches: No}}}
	f.leaf().Issuer = "CN=R11, O=Let's Encrypt, C=US"
	r := Judge(f, Options{})
	want := "_443._tcp.www.example.org. IN TLSA 3 1 1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
	if got := r.finding("tlsa-mismatch").Fix.Snippets; len(got) != 1 || got[0].Text != want {
		t.Errorf("%+v", got)
	}
	if got := r.finding("caa-absent").Fix.Snippets[0].Text; got != "www.example.org. IN CAA 0 issue \"letsencrypt.org\"\n" {
		t.Errorf("%q", got)
	}
}

func TestStoredFactsAreJudgedTheSame(t *testing.T) {
	for id, c := range ruleCases() {
		f := goodFacts()
		c.fires(f)
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var again Facts
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Judge(f, Options{}), Judge(&again, Options{})); diff != "" {
			t.Errorf("%s: %s", id, diff)
		}
	}
}

func TestJudgingDoesNotChangeTheFacts(t *testing.T) {
	f := goodFacts()
	f.chain().Revoked, f.chain().Revocation = Yes, append(make([]string, 0, 4), "the CRL says so")
	f.chain().Staple = &Staple{Status: "revoked", Valid: true}
	before, _ := json.Marshal(f)
	Judge(f, Options{})
	Diff(f, goodFacts())
	after, _ := json.Marshal(f)
	if string(before) != string(after) {
		t.Error("the facts have changed")
	}
}

func TestEveryFixHasSnippetsForWebAndMail(t *testing.T) {
	webOnly := []fixKind{fixHSTS, fixRedirect, fixHeaders, fixCookies, fixVersion, fixHTTPCompression, fixHTTP2, fixEarlyData, fixStrict, fixStaple}
	mail := goodFacts()
	mail.StartTLS, mail.Port, mail.HTTP, mail.Software = "imap", 143, nil, "Dovecot"
	for _, r := range rules() {
		if r.snippets == fixNone {
			continue
		}
		web := newSubject(goodFacts(), Options{}).snippets(r.snippets)
		if len(web) == 0 || web[0].Server != nginx && web[0].Server != zone {
			t.Errorf("%s: nothing for nginx: %+v", r.id, web)
		}
		if slices.Contains(webOnly, r.snippets) {
			continue
		}
		forMail := newSubject(mail, Options{}).snippets(r.snippets)
		if len(forMail) == 0 {
			t.Errorf("%s: nothing for a mail server", r.id)
		}
		for _, s := range append(web, forMail...) {
			if s.File == "" || s.Text == "" {
				t.Errorf("%s: %+v", r.id, s)
			}
		}
	}
}

func TestFactsBeyondAllMeasureAreJudgedInPart(t *testing.T) {
	f := goodFacts()
	for range 5000 {
		p := offered(wire.VersionTLS12, wire.TLS_RSA_WITH_RC4_128_SHA)
		p.Suites = slices.Repeat(p.Suites, 2000)
		f.Protocols = append(f.Protocols, p)
		f.Gaps = append(f.Gaps, Gap{Probe: strings.Repeat("x", 10), Reason: "y"})
		f.HTTP.Headers = append(f.HTTP.Headers, Header{"X", "y"})
		f.DNS.CAA = append(f.DNS.CAA, CAA{Tag: "issue", Value: "x"})
		f.Chains = append(f.Chains, goodChain())
	}
	f.Chains[1].Sent = slices.Repeat(f.Chains[1].Sent, 1000)
	f.Vulnerabilities[0].Verdict, f.Vulnerabilities[0].Text = Vulnerable, strings.Repeat("é", 10000)
	r := Judge(f, Options{})
	if r.Grade != "F" || len(r.Incomplete) > 20 {
		t.Errorf("%s, %d lines of what is incomplete", r.Grade, len(r.Incomplete))
	}
	for _, x := range r.Findings {
		if len(x.Reason) > maxLine+10 || len(x.Evidence) > maxEvidence+1 {
			t.Errorf("%s says too much", x.Rule)
		}
	}
	if len(f.Protocols) < 5000 {
		t.Error("the facts have changed")
	}
	Diff(goodFacts(), f)
}
