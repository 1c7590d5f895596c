package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/monitor"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/scan"
)

// watching is an engine over a farm, in this process.
type watching struct {
	farm    *farm
	history *history.History
	engine  *monitor.Engine
	db      string
	began   time.Time
}

// newWatching makes an engine by a configuration, to which the farm is added: looked at every least to most, evenly distributed.
func newWatching(ctx context.Context, f *farm, dir string, least, most time.Duration, c *config.Monitor) (*watching, error) {
	roots, err := f.roots()
	if err != nil {
		return nil, err
	}
	w := &watching{farm: f, db: filepath.Join(dir, "monitor.db"), began: time.Now()}
	for i, e := range f.endpoints {
		every := least + time.Duration(i*7919%1000)*(most-least)/1000 // kinds stand together in the list, but not their intervals
		c.Targets = append(c.Targets, config.Watched{Name: e.Name, Address: e.Address, ServerName: e.Name, Schedule: config.Schedule{Every: every}})
	}
	if w.history, err = history.Open(ctx, w.db); err != nil {
		return nil, err
	}
	w.engine, err = monitor.New(c, monitor.Options{History: w.history, Look: monitor.LookOptions{Stores: []scan.Store{{Name: "farm", Own: true, Roots: roots}}}})
	return w, err
}

// outcome is what came of watching.
type outcome struct {
	Took     time.Duration
	Stats    monitor.Stats
	CPU      time.Duration
	RSS, DB  int64          // bytes; RSS at most
	Wrong    []string       // targets that do not stand as they should, or whose incidents are not those they should have
	States   map[string]int // targets by state
	Open     map[string]int // incidents by kind of trouble
	Graded   int
	Parallel int // processors
}

// judge compares what the history says with what the farm is like.
func (w *watching) judge(ctx context.Context) (*outcome, error) {
	o := &outcome{Took: time.Since(w.began), Stats: w.engine.Stats(), CPU: cpuTime(), RSS: status("VmHWM"), DB: size(w.db), States: make(map[string]int),
		Open: make(map[string]int), Parallel: runtime.GOMAXPROCS(0)}
	found := make(map[string]history.Target)
	for {
		list, total, err := w.history.Targets(ctx, history.TargetQuery{ByName: true, Page: history.Page{Limit: 10_000, Offset: len(found)}})
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			found[t.Name] = t
			o.States[t.State.String()]++
			if t.Grade != "" {
				o.Graded++
			}
		}
		if len(list) == 0 || len(found) >= total {
			break
		}
	}
	troubled, err := w.troubled(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, e := range w.farm.endpoints {
		t := found[e.Name]
		switch {
		case t.State != e.Want:
			o.Wrong = append(o.Wrong, fmt.Sprintf("%s (%s) is %v, %s; not %v", e.Name, e.Kind, t.State, t.Reason, e.Want))
		case troubled[e.Name] != (e.Want != watch.OK):
			o.Wrong = append(o.Wrong, fmt.Sprintf("%s (%s) has an incident: %v", e.Name, e.Kind, troubled[e.Name]))
		}
	}
	return o, nil
}

// troubled are the targets that an open incident is about.
func (w *watching) troubled(ctx context.Context, o *outcome) (map[string]bool, error) {
	names := make(map[string]bool)
	for offset := 0; ; {
		list, total, err := w.history.Incidents(ctx, history.IncidentQuery{Open: true, Page: history.Page{Limit: 10_000, Offset: offset}})
		if err != nil {
			return nil, err
		}
		for _, i := range list {
			o.Open[i.Key.Kind]++
			for name, s := range i.Targets {
				names[name] = names[name] || s.Active && s.Severity >= incident.Warning
			}
		}
		if offset += len(list); offset >= total || len(list) == 0 {
			return names, nil
		}
	}
}

// runEngine watches the farm of a folder until the time is up, and says what came of it.
func runEngine(o *options) error {
	f, err := readFarm(o.dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w, err := newWatching(ctx, f, o.dir, 10*time.Second, time.Minute, new(config.Monitor))
	if err != nil {
		return err
	}
	fmt.Println("ready")
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	timer := time.AfterFunc(o.run, cancel)
	defer timer.Stop()
	if err := w.engine.Run(ctx); err != nil {
		return err
	}
	result, err := w.judge(context.Background())
	if err != nil {
		return err
	}
	return say(result)
}

// watchFarm runs farm and engine beside each other and reports.
func watchFarm(o *options) error {
	result, err := watchApart(o)
	if err != nil {
		return err
	}
	result.print(o)
	return nil
}

// watchApart runs farm and engine in processes of their own.
func watchApart(o *options) (*outcome, error) {
	args := []string{"-dir", o.dir, "-n", fmt.Sprint(o.n)}
	if o.healthy {
		args = append(args, "-healthy")
	}
	servers, err := startHelper(append(args, "-role", "farm")...)
	if err != nil {
		return nil, err
	}
	defer servers.stop()
	engine, err := startHelper(append(args, "-role", "engine", "-run", o.run.String())...)
	if err != nil {
		return nil, err
	}
	defer engine.stop()
	line, err := engine.lines.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("the engine said nothing: %w", err)
	}
	result := new(outcome)
	return result, json.Unmarshal(line, result)
}

func (r *outcome) print(o *options) {
	counts := func(m map[string]int) string {
		var list []string
		for _, k := range slices.Sorted(maps.Keys(m)) {
			list = append(list, fmt.Sprintf("%s %d", k, m[k]))
		}
		return strings.Join(list, ", ")
	}
	looks, lag := float64(r.Stats.Looks), r.Stats.Lag
	fmt.Printf("\n%d servers for %v on %d processors, load %s at the end\n\n| what | |\n| --- | --- |\n", o.n, r.Took.Round(time.Second), r.Parallel, load())
	fmt.Printf("| looks | %.0f, %.1f/s; %d not filed; %d targets graded |\n", looks, looks/r.Took.Seconds(), r.Stats.Unfiled, r.Graded)
	fmt.Printf("| lag | half below %v, 99 %% below %v, at most %v |\n", ms(lag.P50), ms(lag.P99), ms(lag.Max))
	fmt.Printf("| CPU time | %.1f s, %.2f ms a look, %.1f %% of a processor |\n", r.CPU.Seconds(), r.CPU.Seconds()*1000/looks, 100*r.CPU.Seconds()/r.Took.Seconds())
	fmt.Printf("| resident at most | %d MB |\n| database | %.1f MB |\n", r.RSS>>20, float64(r.DB)/(1<<20))
	fmt.Printf("| states | %s |\n| open incidents | %s |\n| wrong | %d |\n", counts(r.States), counts(r.Open), len(r.Wrong))
	for _, text := range r.Wrong[:min(len(r.Wrong), 20)] {
		fmt.Println("*", text)
	}
}

func ms(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
