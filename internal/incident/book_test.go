package incident

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newBook() *Book {
	n := 0
	return &Book{Open: make(map[Key]*Incident), NewID: func() string { n++; return fmt.Sprintf("i%d", n) },
		Rules: Rules{Escalate: map[Severity]time.Duration{Critical: time.Hour}}}
}

func expiry(severity Severity, step string) Finding {
	return Finding{Key: Key{"expiry", "cert"}, Severity: severity, Step: step, Title: "expires", Text: "in " + step}
}

// said writes notices down as a test can compare them: "opened warning 30d ×2".
func said(notices []Notice) string {
	var list []string
	for _, n := range notices {
		text := fmt.Sprintf("%s %v", n.Event, n.Severity)
		if n.Step != "" {
			text += " " + n.Step
		}
		text += fmt.Sprintf(" x%d", n.Affected)
		if n.Silenced != "" {
			text += " silenced"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

func check(t *testing.T, what string, got []Notice, want string) {
	t.Helper()
	if said(got) != want {
		t.Errorf("%s: told %q, want %q", what, said(got), want)
	}
}

func observe(b *Book, at time.Duration, target string, f ...Finding) []Notice {
	n, _ := b.Observe(start.Add(at), target, f)
	return n
}

func TestEachThresholdIsToldOnce(t *testing.T) {
	b := newBook()
	check(t, "30 days", observe(b, 0, "a", expiry(Warning, "30d")), "opened warning 30d x1")
	check(t, "the same again", observe(b, 1, "a", expiry(Warning, "30d")), "")
	check(t, "7 days", observe(b, 2, "a", expiry(Critical, "7d")), "raised critical 7d x1")
	check(t, "the same again", observe(b, 3, "a", expiry(Critical, "7d")), "")
	check(t, "back to 30 days by a wrong clock", observe(b, 4, "a", expiry(Warning, "30d")), "")
	check(t, "expired", observe(b, 5, "a", expiry(Emergency, "0")), "raised emergency 0 x1")
	check(t, "renewed", observe(b, 6, "a"), "resolved emergency x0")
	check(t, "nothing", observe(b, 7, "a"), "")
	check(t, "again, a new one", observe(b, 8, "a", expiry(Warning, "30d")), "opened warning 30d x1")
}

func TestOneCertificateIsOneIncident(t *testing.T) {
	b := newBook()
	var told []Notice
	for i := range 500 {
		told = append(told, observe(b, time.Duration(i), fmt.Sprintf("host%03d", i), expiry(Warning, "30d"))...)
	}
	check(t, "500 endpoints", told, "opened warning 30d x1")
	n, changed := b.Observe(start.Add(time.Minute), "host499", []Finding{expiry(Critical, "7d")})
	check(t, "the next threshold", n, "raised critical 7d x500")
	if len(n[0].Targets) != MaxTargets || len(changed) != 1 {
		t.Errorf("%d targets by name, %d incidents changed", len(n[0].Targets), len(changed))
	}
	for i := range 499 {
		check(t, "some are renewed", observe(b, time.Hour, fmt.Sprintf("host%03d", i)), "")
	}
	check(t, "the last one is renewed", observe(b, time.Hour, "host499"), "resolved critical x0")
}

func TestFlappingIsWaitedFor(t *testing.T) {
	b := newBook()
	down := Finding{Key: Key{"unreachable", "a"}, Severity: Critical, Title: "down", Seen: 3, Gone: 2}
	check(t, "once", observe(b, 1, "a", down), "")
	check(t, "and up", observe(b, 2, "a"), "")
	if len(b.Open) != 0 {
		t.Errorf("what was never told stays in the book")
	}
	observe(b, 3, "a", down)
	observe(b, 4, "a", down)
	check(t, "three times", observe(b, 5, "a", down), "opened critical x1")
	check(t, "up once", observe(b, 6, "a"), "")
	check(t, "down again", observe(b, 7, "a", down), "")
	check(t, "up once", observe(b, 8, "a"), "")
	check(t, "up twice", observe(b, 9, "a"), "resolved critical x0")
}

func TestWhatNobodyAcknowledgesIsEscalatedOnce(t *testing.T) {
	b := newBook()
	observe(b, 0, "a", expiry(Critical, "7d"))
	tick := func(at time.Duration) []Notice { n, _ := b.Tick(start.Add(at)); return n }
	check(t, "in time", tick(59*time.Minute), "")
	check(t, "too late", tick(time.Hour), "escalated critical x1")
	check(t, "once", tick(5*time.Hour), "")

	b = newBook()
	observe(b, 0, "a", expiry(Critical, "7d"))
	i := b.Open[Key{"expiry", "cert"}]
	check(t, "acknowledged", b.Acknowledge(start, i, "ops", "on it"), "acknowledged critical x1")
	check(t, "no escalation", tick(2*time.Hour), "")
	check(t, "the next threshold of the same severity", observe(b, 3, "a", expiry(Critical, "3d")), "")
	check(t, "worse is told", observe(b, 4, "a", expiry(Emergency, "0")), "raised emergency 0 x1")
	if i.Acknowledged != nil {
		t.Error("what was acknowledged is not what it has become")
	}
}

func TestASilenceHoldsBackAndTellsLater(t *testing.T) {
	b := newBook()
	b.Silences = []*Silence{{ID: "s", From: start, To: start.Add(time.Hour), Target: "db*.corp"}}
	check(t, "silenced", observe(b, 0, "db1.corp", expiry(Warning, "30d")), "opened warning 30d x1 silenced")
	n, _ := b.Tick(start.Add(time.Minute))
	check(t, "during it", n, "")
	n, _ = b.Tick(start.Add(time.Hour))
	check(t, "after it", n, "opened warning x1")
	n, _ = b.Tick(start.Add(2 * time.Hour))
	check(t, "once", n, "")

	check(t, "another target breaks it", observe(b, 0, "web", Finding{Key: Key{"chain", "web"}, Severity: Warning}), "opened warning x1")
	observe(b, time.Minute, "db2.corp", Finding{Key: Key{"chain", "db2"}, Severity: Warning})
	check(t, "the end of what nobody heard of", observe(b, 2*time.Minute, "db2.corp"), "resolved warning x0 silenced")
}

func TestAForgottenTargetEndsItsIncidents(t *testing.T) {
	b := newBook()
	observe(b, 0, "a", expiry(Warning, "30d"))
	observe(b, 0, "b", expiry(Warning, "30d"))
	n, _ := b.Forget(start.Add(1), "a")
	check(t, "one of two", n, "")
	n, _ = b.Forget(start.Add(2), "b")
	i := b.Open[Key{"expiry", "cert"}]
	if i != nil {
		t.Error("it is open")
	}
	check(t, "the other", n, "resolved warning x0")
	if n, changed := b.Forget(start.Add(3), "b"); len(n)+len(changed) != 0 {
		t.Errorf("forgotten again: %v", n)
	}
}

func TestWhereItWasIsRememberedOfWhatIsForgotten(t *testing.T) {
	b := newBook()
	observe(b, 0, "a", expiry(Warning, "30d"))
	observe(b, 0, "b", expiry(Warning, "30d"))
	i := b.Open[Key{"expiry", "cert"}]
	b.Forget(start.Add(1), "a")
	if i.Targets["a"] != nil {
		t.Error("an incident that goes on has a target that is gone")
	}
	b.Forget(start.Add(2), "b")
	if s := i.Targets["b"]; s == nil || s.Active || s.Until.IsZero() {
		t.Errorf("of the last one it says %+v", s)
	}
}

func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBook()
		var all []Notice
		var closed []*Incident
		note := func(n []Notice, changed []*Incident) {
			all = append(all, n...)
			for _, i := range changed {
				if !i.IsOpen() {
					closed = append(closed, i)
				}
			}
		}
		targets := []string{"a", "b", "c"}
		steps := rapid.IntRange(1, 60).Draw(t, "steps")
		now := start
		for range steps {
			now = now.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "seconds")) * time.Second)
			switch rapid.IntRange(0, 9).Draw(t, "act") {
			case 0:
				note(b.Tick(now))
			case 1:
				for _, k := range sortedKeys(b.Open) {
					if i := b.Open[k]; i.ID != "" {
						note(b.Acknowledge(now, i, "x", ""), nil)
						break
					}
				}
			default:
				var found []Finding
				for k := range rapid.IntRange(0, 3).Draw(t, "findings") {
					found = append(found, Finding{Key: Key{"k", fmt.Sprint(k)}, Severity: Severity(rapid.IntRange(1, 3).Draw(t, "severity")),
						Step: rapid.SampledFrom([]string{"", "30d", "7d"}).Draw(t, "step"), Seen: rapid.IntRange(0, 2).Draw(t, "seen"), Gone: rapid.IntRange(0, 2).Draw(t, "gone")})
				}
				note(b.Observe(now, rapid.SampledFrom(targets).Draw(t, "target"), found))
			}
		}
		for range 4 { // all is well again
			for _, target := range targets {
				now = now.Add(time.Second)
				note(b.Observe(now, target, nil))
			}
		}
		if len(b.Open) != 0 {
			t.Fatalf("%d incidents stay open when all is well", len(b.Open))
		}
		judgeNotices(t, all, closed)
	})
}

// judgeNotices holds what must be true of any history.
func judgeNotices(t *rapid.T, all []Notice, closed []*Incident) {
	seen := make(map[string]bool)
	events := make(map[string][]Event)
	steps := make(map[string][]string)
	for _, n := range all {
		if seen[n.ID] {
			t.Fatalf("two notices are called %s", n.ID)
		}
		seen[n.ID] = true
		events[n.Incident] = append(events[n.Incident], n.Event)
		if n.Step != "" {
			if slices.Contains(steps[n.Incident], n.Step) {
				t.Fatalf("%s: the threshold %s was told twice", n.Incident, n.Step)
			}
			steps[n.Incident] = append(steps[n.Incident], n.Step)
		}
	}
	for id, list := range events {
		if list[0] != Opened || list[len(list)-1] != ResolvedNow || slices.Index(list, ResolvedNow) != len(list)-1 {
			t.Fatalf("%s was told as %v", id, list)
		}
	}
	for _, i := range closed {
		if i.ID == "" || len(i.Affected()) != 0 || i.Worst < i.Severity {
			t.Fatalf("a resolved incident is %+v", i)
		}
	}
}

func TestSeveritiesAreWords(t *testing.T) {
	for s := None; s <= Emergency; s++ {
		text, _ := s.MarshalText()
		var back Severity
		if err := back.UnmarshalText(text); err != nil || back != s {
			t.Errorf("%v comes back as %v, %v", s, back, err)
		}
	}
	var s Severity
	if err := s.UnmarshalText([]byte("bad")); err == nil || !strings.Contains(err.Error(), `"bad"`) {
		t.Errorf("an unknown word: %v", err)
	}
}

func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"*b", "ab", true}, {"a*a", "a", false}, {"*", "", true},
		{"a*b*c", "axbxbxc", true}, {"a*b*c", "axc", false}, {"**", "x", true},
	} {
		if got := Matches(test.pattern, test.text); got != test.want {
			t.Errorf("%q fits %q: %v", test.pattern, test.text, got)
		}
	}
}

// A certificate always begins as a warning: what became of that must not use up the escalation of what is worse.
func TestEachSeverityIsEscalatedInItsTime(t *testing.T) {
	b := newBook()
	b.Rules.Escalate[Warning] = 48 * time.Hour
	tick := func(at time.Duration) []Notice { n, _ := b.Tick(start.Add(at)); return n }
	observe(b, 0, "a", expiry(Warning, "30d"))
	check(t, "the warning", tick(48*time.Hour), "escalated warning x1")
	day := 24 * time.Hour
	check(t, "it becomes worse", observe(b, 23*day, "a", expiry(Critical, "7d")), "raised critical 7d x1")
	check(t, "not at once", tick(23*day+time.Minute), "")
	check(t, "after an hour", tick(23*day+time.Hour), "escalated critical x1")
	check(t, "once", tick(24*day), "")
}

func TestWhatIsSilencedIsEscalatedLater(t *testing.T) {
	b := newBook()
	tick := func(at time.Duration) []Notice { n, _ := b.Tick(start.Add(at)); return n }
	b.Silences = []*Silence{{ID: "s", From: start, To: start.Add(3 * time.Hour)}}
	observe(b, 0, "a", expiry(Critical, "7d"))
	check(t, "during the silence", tick(2*time.Hour), "")
	check(t, "after it", tick(3*time.Hour), "opened critical x1")
	check(t, "soon after it", tick(3*time.Hour+time.Minute), "")
	check(t, "an hour after it was told", tick(4*time.Hour), "escalated critical x1")
}

// Who heard of the beginning hears of the end.
func TestASilenceKeepsNoEndBack(t *testing.T) {
	b := newBook()
	observe(b, 0, "a", expiry(Warning, "30d"))
	b.Silences = []*Silence{{ID: "s", From: start.Add(time.Hour), To: start.Add(100 * time.Hour)}}
	check(t, "worse, during a silence", observe(b, 2*time.Hour, "a", expiry(Critical, "7d")), "raised critical 7d x1 silenced")
	check(t, "the end, during a silence", observe(b, 3*time.Hour, "a"), "resolved critical x0")
}

func TestAfterASilenceWhatWasToldIsNotOpenedAgain(t *testing.T) {
	b := newBook()
	observe(b, 0, "a", expiry(Warning, "30d"))
	b.Silences = []*Silence{{ID: "s", From: start.Add(time.Hour), To: start.Add(10 * time.Hour)}}
	observe(b, 2*time.Hour, "a", expiry(Critical, "7d"))
	n, _ := b.Tick(start.Add(10 * time.Hour))
	check(t, "after it", n, "raised critical x1")
	if len(n) == 1 && n[0].Text != "in 7d" {
		t.Errorf("it says %q", n[0].Text)
	}
}

func TestGettingBetterIsNoAlarm(t *testing.T) {
	b := newBook()
	check(t, "seen late", observe(b, 0, "a", expiry(Critical, "7d")), "opened critical 7d x1")
	check(t, "a laxer target has it, too", observe(b, 1, "b", expiry(Warning, "30d")), "")
	observe(b, 2, "b")
	check(t, "the threshold is set otherwise", observe(b, 3, "a", expiry(Warning, "30d")), "")
}

func TestASeverityThatFlapsIsToldOnce(t *testing.T) {
	b := newBook()
	trust := func(s Severity) Finding {
		return Finding{Key: Key{"untrusted", "cert"}, Severity: s, Title: "untrusted"}
	}
	observe(b, 0, "a", trust(Warning))
	check(t, "worse", observe(b, 1*time.Hour, "a", trust(Critical)), "raised critical x1")
	for i := range 10 {
		at := time.Duration(2+2*i) * time.Hour
		check(t, "better", observe(b, at, "a", trust(Warning)), "")
		check(t, "and worse", observe(b, at+time.Hour, "a", trust(Critical)), "")
	}
	observe(b, 30*time.Hour, "a", trust(Warning))
	check(t, "worse after two quiet days", observe(b, 80*time.Hour, "a", trust(Critical)), "raised critical x1")
}

func TestAllAddressesOfATargetAreNamed(t *testing.T) {
	b := newBook()
	down := func(text string) Finding {
		return Finding{Key: Key{"unreachable", "a"}, Severity: Critical, Title: "down", Text: text}
	}
	n := observe(b, 0, "a", down("192.0.2.1: refused"), down("192.0.2.2: no answer"), down("192.0.2.1: refused"))
	if len(n) != 1 || n[0].Text != "192.0.2.1: refused; 192.0.2.2: no answer" {
		t.Errorf("told %+v", n)
	}
}

func TestWhereItWasIsRemembered(t *testing.T) {
	b := newBook()
	observe(b, 0, "a", expiry(Warning, "30d"))
	i := b.Open[Key{"expiry", "cert"}]
	observe(b, time.Hour, "b", expiry(Warning, "30d"))
	observe(b, 2*time.Hour, "a")
	observe(b, 2*time.Hour, "a")
	check(t, "the end", observe(b, 3*time.Hour, "b"), "resolved warning x0")
	if s := i.Targets["a"]; s == nil || s.Active || !s.Until.Equal(start.Add(2*time.Hour)) || s.Gone != 1 {
		t.Errorf("where it was is kept as %+v", s)
	}
}

// Whatever is silenced and acknowledged: who heard of the beginning hears of the end, and nobody hears of a beginning twice.
func TestWhateverIsSilenced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBook()
		b.Rules.Escalate[Warning] = 3 * time.Hour
		told := make(map[string][]Event) // what was not kept back
		note := func(list []Notice, _ []*Incident) {
			for _, n := range list {
				if n.Silenced == "" {
					told[n.Incident] = append(told[n.Incident], n.Event)
				} else if len(told[n.Incident]) > 0 && n.Event == ResolvedNow {
					t.Fatalf("%s was told as %v, and its end is kept back", n.Incident, told[n.Incident])
				}
			}
		}
		now := start
		targets := []string{"a", "b"}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 200).Draw(t, "minutes")) * time.Minute)
			switch rapid.IntRange(0, 9).Draw(t, "act") {
			case 0, 1:
				note(b.Tick(now))
			case 2:
				b.Silences = append(b.Silences, &Silence{ID: "s", From: now, To: now.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "for")) * time.Minute), Target: rapid.SampledFrom([]string{"", "a", "*"}).Draw(t, "pattern")})
			case 3:
				b.Silences = nil
			case 4:
				for _, k := range sortedKeys(b.Open) {
					if i := b.Open[k]; i.ID != "" {
						note(b.Acknowledge(now, i, "x", ""), nil)
					}
				}
			default:
				var found []Finding
				if rapid.Bool().Draw(t, "bad") {
					found = append(found, Finding{Key: Key{"k", "s"}, Severity: Severity(rapid.IntRange(1, 3).Draw(t, "severity")), Step: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "step"),
						Seen: rapid.IntRange(0, 2).Draw(t, "seen"), Gone: rapid.IntRange(0, 2).Draw(t, "gone")})
				}
				note(b.Observe(now, rapid.SampledFrom(targets).Draw(t, "target"), found))
			}
		}
		b.Silences = nil
		for range 4 {
			for _, target := range targets {
				now = now.Add(time.Minute)
				note(b.Observe(now, target, nil))
			}
		}
		for id, list := range told {
			list = slices.DeleteFunc(slices.Clone(list), func(e Event) bool { return e == Acknowledged })
			if len(list) == 0 {
				continue
			}
			if list[0] != Opened || list[len(list)-1] != ResolvedNow || slices.Index(list[1:], Opened) >= 0 || slices.Index(list, ResolvedNow) != len(list)-1 {
				t.Fatalf("%s was told as %v", id, list)
			}
		}
	})
}
