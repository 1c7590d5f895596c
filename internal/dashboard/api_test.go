package dashboard

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/history"
)

var update = flag.Bool("update", false, "rewrite docs/dashboard-api.json")

// decoded asks the API for something that must be there.
func decoded[T any](l *lab, path string) (v T) {
	l.Helper()
	l.must(json.Unmarshal([]byte(l.get(apiPath+path)), &v))
	return v
}

func TestTheAPITellsWhatThePagesShow(t *testing.T) {
	l := newLab(t, func(o *Options) {
		o.HasCA = true
		o.Pulse = func() Pulse { return Pulse{Looks: 7, Ninety9: 1500 * time.Millisecond} }
	})
	l.estate()
	k := l.certificate("shop.example", 110)
	l.must(l.h.NoteIssued(t.Context(), "own", []history.Issued{{Certificate: k, Profile: "server", State: "issued", At: l.now}}))

	s := decoded[SummaryView](l, "summary")
	if s.Targets != 7 || s.States["EXPIRED"] != 1 || s.States["OK"] != 2 || s.State.String() != "EXPIRED" || s.Incidents["emergency"] != 1 || s.Pulse.Ninety9 != 1.5 || s.Pulse.Looks != 7 || s.Overdue != 1 || s.Grades["A+"] != 1 {
		t.Errorf("%+v", s)
	}
	targets := decoded[list[TargetView]](l, "targets?order=name&limit=3&page=2")
	if targets.Total != 7 || targets.Page != 2 || len(targets.Items) != 3 || targets.Items[2].Name != "shop.example:443" || targets.Items[2].Labels["team"] != "web" || *targets.Items[2].DaysLeft < 100 {
		t.Errorf("%+v", targets)
	}
	in := decoded[TargetInDepth](l, "target?name=gone.example:443")
	if in.State.String() != "ERROR" || len(in.Shows) != 1 || in.Shows[0].Observation.Place != "192.0.2.9:443" || len(in.Incidents) != 1 || in.Incidents[0].Kind != "unreachable" {
		t.Errorf("%+v", in)
	}
	days := decoded[[]DayView](l, "target/days?name=shop.example:443&days=30")
	if len(days) < 29 || days[0].DaysLeft == nil || days[0].Millis < 5 {
		t.Errorf("%d days: %+v", len(days), days[0])
	}
	if looks := decoded[[]LookView](l, "target/looks?name=shop.example:443&limit=2"); len(looks) != 2 || !looks[0].At.After(looks[1].At) {
		t.Errorf("%+v", looks)
	}
	if changes := decoded[[]history.Changed](l, "changes?days=365&limit=5"); len(changes) != 5 || changes[0].Target != "shop.example:443" {
		t.Errorf("%+v", changes)
	}
	if seen := decoded[list[CertificateView]](l, "certificates?source=disk"); seen.Total != 1 || len(seen.Items[0].Where) != 2 {
		t.Errorf("%+v", seen)
	}
	if one := decoded[CertificateView](l, "certificate?sha256="+strings.ToUpper(k.Fingerprint)); one.Subject != "CN=shop.example" {
		t.Errorf("%+v", one)
	}
	if issued := decoded[list[history.Issued]](l, "inventory?standing=served"); issued.Total != 1 || issued.Items[0].CA != "own" || issued.Items[0].Standing != history.StandsServed {
		t.Errorf("%+v", issued)
	}
	unused := l.certificate("unused.example", 80)
	l.must(l.h.NoteIssued(t.Context(), "own", []history.Issued{{Certificate: unused, Profile: "server", State: "issued", At: l.now}}))
	if page := l.get("/certificate?sha256=" + unused.Fingerprint); !strings.Contains(page, "not seen yet") {
		t.Error("what was issued and not seen has no page")
	}
	if page := l.get("/inventory?q=shop"); !strings.Contains(page, "1 to 1 of 1") || !strings.Contains(page, "shop.example:443") {
		t.Error("the inventory's page does not show what was issued")
	}
	story := decoded[IncidentStory](l, "incident?id="+l.incidentOf("old.example:443"))
	if story.Severity.String() != "emergency" || len(story.Told) != 1 || len(story.Told[0].Channels) != 2 || !strings.Contains(story.Texts["old.example:443"], "since") {
		t.Errorf("%+v", story)
	}
	if all := decoded[list[IncidentView]](l, "incidents"); all.Total != 4 || !all.Items[0].Open {
		t.Errorf("%+v", all)
	}
}

func TestProgramsChangeWithTheToken(t *testing.T) {
	l := newLab(t, nil)
	l.estate()
	id := l.incidentOf("old.example:443")
	token := map[string]string{"Authorization": "Bearer " + labToken, "Content-Type": "application/json"}
	send := func(method, path, body string, want int, answer any) {
		t.Helper()
		r, text := l.ask(method, apiPath+path, token, strings.NewReader(body))
		if r.StatusCode != want {
			t.Fatalf("%s %s: %s\n%s", method, path, r.Status, text)
		}
		if answer != nil {
			l.must(json.Unmarshal([]byte(text), answer))
		}
	}
	var i IncidentView
	send(http.MethodPost, "incident/acknowledge", `{"id":"`+id+`","by":"Ada","note":"on it"}`, 200, &i)
	if i.Acknowledged != "Ada (API)" || i.Note != "on it" {
		t.Errorf("%+v", i)
	}
	var x SilenceView
	send(http.MethodPost, "silences", `{"for":"2h","kind":"expiry","note":"moving"}`, 200, &x)
	if x.By != "API" || x.Kind != "expiry" || x.To.Sub(x.From) != 2*time.Hour {
		t.Errorf("%+v", x)
	}
	if list := decoded[[]SilenceView](l, "silences"); len(list) != 1 || list[0].ID != x.ID {
		t.Errorf("%+v", list)
	}
	send(http.MethodDelete, "silences/"+x.ID, "", 204, nil)
	send(http.MethodDelete, "silences/"+x.ID, "", 404, nil)
}

func TestTheAPIIsDescribed(t *testing.T) {
	l := newLab(t, nil)
	text := l.get(apiPath + "openapi.json")
	var d struct {
		OpenAPI    string
		Paths      map[string]map[string]struct{ Summary, OperationID string }
		Components struct {
			Schemas map[string]struct{ Type string }
		}
	}
	l.must(json.Unmarshal([]byte(text), &d))
	described, ids := 0, make(map[string]bool)
	for _, methods := range d.Paths {
		for _, op := range methods {
			described++
			ids[op.OperationID] = true
			if op.Summary == "" {
				t.Errorf("%s is not described", op.OperationID)
			}
		}
	}
	if d.OpenAPI != "3.1.0" || described != len(l.server.api) || len(ids) != described {
		t.Errorf("%s: %d described, %d served, %d names", d.OpenAPI, described, len(l.server.api), len(ids))
	}
	for _, ref := range regexp.MustCompile(`#/components/schemas/(\w+)`).FindAllStringSubmatch(text, -1) {
		if d.Components.Schemas[ref[1]].Type != "object" {
			t.Errorf("%s leads nowhere", ref[1])
		}
	}
	file := filepath.Join("..", "..", "docs", "dashboard-api.json")
	want := string(l.server.spec) + "\n"
	if *update {
		l.must(os.WriteFile(file, []byte(want), 0o644))
	}
	if kept, err := os.ReadFile(file); err != nil || string(kept) != want {
		t.Errorf("%s is not fresh (%v): go test ./internal/dashboard -run Described -update", file, err)
	}
}
