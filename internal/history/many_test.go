package history

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// ofMany is what holds where targets are many.
func ofMany() []conformanceCase {
	return []conformanceCase{
		{"first grades of many are spread", firstGradesAreSpread},
		{"many are taken by name", manyAreTaken},
	}
}

// many are targets that are graded once a day.
func (f *fixture) many(n int) (list []Wanted) {
	for i := range n {
		list = append(list, Wanted{Name: fmt.Sprintf("host%04d:443", i), Spec: json.RawMessage(`{}`), First: f.now, Grade: 24 * time.Hour})
	}
	return list
}

func firstGradesAreSpread(f *fixture) {
	const all = 600
	from := func() (list []time.Time) {
		targets, _, err := f.Targets(f.Context(), TargetQuery{ByName: true, Page: Page{Limit: 2 * all}})
		f.must(err)
		for _, t := range targets {
			list = append(list, t.GradeFrom)
		}
		return list
	}
	_, err := f.Synchronize(f.Context(), FromFile, f.many(all))
	f.must(err)
	first := from()
	var quarters [4]int
	for _, at := range first[gradeAtOnce:] {
		if late := at.Sub(f.now); late < 0 || late > 24*time.Hour {
			f.Fatalf("a first grade is put off by %v", late)
		}
		quarters[min(3, int(at.Sub(f.now)/(6*time.Hour)))]++
	}
	if slices.ContainsFunc(first[:gradeAtOnce], func(t time.Time) bool { return !t.IsZero() }) || slices.Min(quarters[:]) < (all-gradeAtOnce)/8 {
		f.Errorf("in the quarters of the day first grades of %v", quarters)
	}
	f.now = f.now.Add(time.Hour)
	_, err = f.Synchronize(f.Context(), FromFile, append(f.many(all), Wanted{Name: "new:443", Spec: json.RawMessage(`{}`), First: f.now, Grade: 24 * time.Hour}))
	f.must(err)
	if again := from(); !slices.Equal(again[:all], first) || !again[all].IsZero() {
		f.Error("one more target changes the others' grades, or waits for its own")
	}
}

func manyAreTaken(f *fixture) {
	const all = 900
	wanted := f.many(all)
	_, err := f.Synchronize(f.Context(), FromFile, wanted)
	f.must(err)
	names := []string{"nowhere:443"}
	for _, w := range wanted {
		names = append(names, w.Name)
	}
	one, err := f.Force(f.Context(), f.now, f.now.Add(time.Minute), "somebody", "host0500:443")
	f.must(err)
	due, err := f.ForceAll(f.Context(), f.now, f.now.Add(time.Minute), "me", names)
	f.must(err)
	if len(due) != all-1 || slices.ContainsFunc(due, func(d Due) bool { return d.Name == one.Name }) {
		f.Errorf("%d of %d were taken", len(due), all-1)
	}
	if due, err = f.ForceAll(f.Context(), f.now.Add(2*time.Minute), f.now.Add(time.Hour), "another", names); err != nil || len(due) != all {
		f.Errorf("when the claims have ended %d of %d were taken: %v", len(due), all, err)
	}
}

// What is asked at every look must not grow with the number of targets and incidents: SQLite begins with what is asked for.
func TestSQLiteUsesItsIndexes(t *testing.T) {
	h := openIn(t, filepath.Join(t.TempDir(), "history.db"))
	for query, index := range map[string]string{
		openOfTarget:                      "affected_by_target",
		new(change).due("$1", "$2", "$3"): "targets_due",
	} {
		args := []any{1, 2, 3}
		var plan []string
		err := each(t.Context(), h.readers, func(scan func(...any) error) error {
			var id, parent, unused int
			var text string
			err := scan(&id, &parent, &unused, &text)
			plan = append(plan, text)
			return err
		}, "EXPLAIN QUERY PLAN "+query, args[:strings.Count(query, "$")]...)
		if text := strings.Join(plan, "; "); err != nil || !strings.Contains(plan[0], index) || strings.Contains(text, "SCAN") || strings.Contains(text, "TEMP B-TREE") {
			t.Errorf("%s\nis answered by %s, %v", query, text, err)
		}
	}
}
