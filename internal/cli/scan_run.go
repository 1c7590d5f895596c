package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/grade/report"
	"github.com/tlswright/tlswright/internal/starttls"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/scan"
)

// scanRun is one run of `scan`.
type scanRun struct {
	app      *app
	o        *scanFlags
	judgeBy  judgement
	out      *scanOutput
	progress *scanProgress
	first    *failure // of the targets that could not be scanned
	failed   int
	targets  int
	quiet    int // addresses of blocks where nobody answers
}

// scan is the command.
func (a *app) scan(cmd *cobra.Command, o *scanFlags, args []string) error {
	if len(o.policies) == 1 && o.policies[0] == "list" {
		return a.listPolicies()
	}
	args = o.takePaths(args)
	if err := o.check(cmd, args); err != nil {
		return err
	}
	if o.targets == "" && !cmd.Flags().Changed("allow-private") {
		o.allowsPrivate = len(args) > 0 && !slices.ContainsFunc(args, isElsewhere)
	}
	judgeBy, err := a.newJudgement(cmd, &o.scanOutputFlags)
	if err != nil {
		return err
	}
	r := &scanRun{app: a, o: o, judgeBy: judgeBy}
	if r.out, err = a.newScanOutput(cmd, &o.scanOutputFlags); err != nil {
		return err
	}
	r.out.judge, r.out.note = r.judgeBy.judge, r.judgeBy.note
	switch {
	case o.grade != "":
		err = r.gradeAgain(o.grade)
	case len(args) > 0 || o.targets != "":
		err = r.scanTargets(cmd, args)
	}
	if err == nil && len(o.files) > 0 {
		err = r.lookAtFiles()
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		r.out.abandon()
		return err
	}
	// What was found before an interruption is told, too.
	if closing := r.out.close(); closing != nil {
		return closing
	}
	if err != nil {
		return err
	}
	return r.verdict()
}

// isElsewhere reports whether a target is not this machine by its very name. A server on this machine that names addresses
// of this machine leads nowhere where it could not go itself.
func isElsewhere(target string) bool {
	if rest, ok := strings.CutPrefix(target, "https://"); ok {
		target, _, _ = strings.Cut(rest, "/")
	}
	return !isLoopback(target) && !isLoopback(target+":443")
}

// takePaths lets --files stand before several paths: with it, an argument that is there on the disk is one of them.
func (o *scanFlags) takePaths(args []string) (targets []string) {
	if len(o.files) == 0 {
		return args
	}
	for _, arg := range args {
		if _, err := os.Stat(arg); err == nil {
			o.files = append(o.files, arg)
		} else {
			targets = append(targets, arg)
		}
	}
	return targets
}

// check refuses flags that contradict one another.
func (o *scanFlags) check(cmd *cobra.Command, args []string) error {
	hasTargets := len(args) > 0 || o.targets != ""
	switch {
	case !hasTargets && o.grade == "" && len(o.files) == 0:
		f := usagef(cmd, "what to scan?")
		f.hint = "for example: tlswright scan example.com"
		return f
	case o.grade != "" && hasTargets:
		return usagef(cmd, "--grade judges what is stored; it takes no targets")
	case o.grade != "" && o.resume != "":
		return usagef(cmd, "--grade and --resume exclude each other")
	case o.only4 && o.only6:
		return usagef(cmd, "-4 and -6 exclude each other")
	case o.rate < 0 || o.parallel < 0 || o.concurrency < 0 || o.pace < 0:
		return usagef(cmd, "--rate, --parallel, --concurrency and --pace cannot be negative")
	case o.timeout <= 0 || o.hostTimeout <= 0:
		return usagef(cmd, "--timeout and --host-timeout must be more than nothing")
	case o.httpPort < 1 || o.httpPort > 65535:
		return usagef(cmd, "--http-port %d is no port (1 to 65535)", o.httpPort)
	case o.resume != "" && o.resume == o.output:
		return usagef(cmd, "--resume keeps results in %s already; name another file with -o", o.resume)
	}
	if o.serverName != "" {
		name, err := asciiName(strings.ToLower(strings.TrimSuffix(o.serverName, ".")))
		if err != nil || strings.ContainsFunc(name, isNoHostRune) || isAddress(name) {
			return usagef(cmd, "--servername %q is no host name", o.serverName)
		}
		o.serverName = name
	}
	if o.starttls != "" {
		if _, ok := starttls.Parse(o.starttls); !ok {
			f := usagef(cmd, "--starttls %q is not a protocol we know", o.starttls)
			f.hint = "known are " + strings.Join(names(starttls.Protocols()), ", ")
			return f
		}
	}
	return nil
}

// scanTargets scans what the command line and --targets name.
func (r *scanRun) scanTargets(cmd *cobra.Command, args []string) error {
	var targets []scan.Target
	for t, err := range scan.TargetsOf(args) {
		if err != nil { // on the command line it is a wrong command line; in a list it is one bad line
			f := usagef(cmd, "%s", pki.Printable(err.Error()))
			f.hint = "write it like example.com, example.com:8443, [::1]:8443, mail.example.com:25/smtp or 192.0.2.0/28"
			return f
		}
		targets = append(targets, t)
	}
	options, err := r.options(cmd)
	if err != nil {
		return err
	}
	all := r.eachTarget(targets, nil)
	r.progress = newScanProgress(r.app, len(targets), r.o.targets == "")
	if r.o.targets != "" {
		list, err := r.openTargets()
		if err != nil {
			return err
		}
		defer list.Close()
		all = r.eachTarget(targets, list)
	}
	options.Progress = r.progress.probe
	r.out.isFleet = len(targets) > 1 || r.o.targets != ""
	// What to write into which file would be said of each server anew; --grade brings it back for one.
	r.judgeBy.options.NoSnippets = r.out.isFleet
	if r.o.isQuick && len(r.o.policies) == 0 {
		r.judgeBy.options.Policies = []grade.Policy{} // one handshake keeps none and breaks few
	}
	return r.runFleet(cmd.Context(), scan.New(options), all)
}

// openTargets opens --targets.
func (r *scanRun) openTargets() (io.ReadCloser, error) {
	if r.o.targets == "-" {
		return io.NopCloser(r.app.ui.in), nil
	}
	f, err := os.Open(r.o.targets)
	if err != nil {
		return nil, cannotRun(err, "--targets")
	}
	return f, nil
}

// eachTarget gives the targets of the command line, then those of the list, with what the flags say of all.
func (r *scanRun) eachTarget(named []scan.Target, list io.Reader) iter.Seq2[scan.Target, error] {
	return func(yield func(scan.Target, error) bool) {
		for _, t := range named {
			if !yield(r.o.apply(t), nil) {
				return
			}
		}
		if list == nil {
			return
		}
		for t, err := range scan.Targets(list) {
			if err == nil {
				t = r.o.apply(t)
			}
			if !yield(t, err) {
				return
			}
		}
	}
}

// apply puts --starttls and --servername into a target.
func (o *scanFlags) apply(t scan.Target) scan.Target {
	if p, ok := starttls.Parse(o.starttls); ok && o.starttls != "" && t.StartTLS == "" {
		t.StartTLS = p.String()
		if t.Port == 443 { // nobody named a port
			t.Port, _ = strconv.Atoi(p.Port())
		}
	}
	if o.serverName != "" {
		t.ServerName = o.serverName
	}
	return t
}

// options turns the flags into those of a scanner.
func (r *scanRun) options(cmd *cobra.Command) (scan.Options, error) {
	o := r.o
	s := scan.Options{
		Quick: o.isQuick, Concurrency: o.concurrency, Pace: o.pace, Timeout: o.timeout, HostTimeout: o.hostTimeout,
		IPv4: o.only4, IPv6: o.only6, Offline: o.isOffline, HTTPPort: o.httpPort, AllowPrivate: o.allowsPrivate,
		Simulate: !o.isQuick, AllClients: o.allClients, Now: r.app.now,
	}
	var err error
	if o.resolver != "" {
		if s.Resolver, err = resolverAddress(cmd, o.resolver); err != nil {
			return s, err
		}
	}
	if s.CT, err = r.app.readLogList(o.logList); err != nil {
		return s, err
	}
	if s.WeakKeys, err = r.app.readWeakKeys(o.weakKeys); err != nil {
		return s, err
	}
	s.Stores, err = r.app.scanStores(o.ca, o.isQuick)
	return s, err
}

// resolverAddress reads --resolver: an address, with or without a port.
func resolverAddress(cmd *cobra.Command, text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = unbracketed(text), "53"
	}
	if n, err := strconv.ParseUint(port, 10, 16); !isAddress(host) || err != nil || n == 0 {
		return "", usagef(cmd, "--resolver %q is no ADDRESS or ADDRESS:PORT", text)
	}
	return net.JoinHostPort(host, port), nil
}

// runFleet scans the targets, and tells of each as soon as it is done.
func (r *scanRun) runFleet(ctx context.Context, s *scan.Scanner, targets iter.Seq2[scan.Target, error]) error {
	o := scan.FleetOptions{Parallel: r.o.parallel, Rate: r.o.rate}
	var kept *resumeFile
	if r.o.resume != "" {
		var err error
		if kept, err = openResume(r.o.resume, r.o.isQuick, func(old report.Report) error { return r.take(old, nil) }); err != nil {
			return err
		}
		if n := len(kept.done); n > 0 {
			r.app.ui.notef("%s holds %s, which are not scanned again", r.o.resume, countOf(n, "target"))
		}
	}
	o.Skip = r.skips(kept)
	defer r.progress.clear()
	_, err := s.Fleet(ctx, targets, o, func(found scan.FleetResult) error {
		if found.Skipped {
			r.progress.done(found)
			return nil
		}
		return r.found(found, kept)
	})
	if closing := kept.close(); err == nil {
		err = closing
	}
	return err
}

// skips knows the targets that are in a file of results already, and those that come a second time.
func (r *scanRun) skips(kept *resumeFile) func(scan.Target) bool {
	const most = 1 << 20 // of a list that is longer than that, no more is remembered
	seen := make(map[string]bool)
	return func(t scan.Target) bool {
		key := keyOfTarget(t)
		if kept.has(key) || seen[key] {
			return true
		}
		if len(seen) < most {
			seen[key] = true
		}
		return false
	}
}

// found takes what came of one target.
func (r *scanRun) found(found scan.FleetResult, kept *resumeFile) error {
	defer r.progress.done(found)
	if found.Err == nil && found.Target.InBlock && silent(found.Facts) != "" {
		r.quiet++
		return nil
	}
	r.targets++
	if found.Err != nil {
		why := r.fail(found.Target, found.Err)
		if found.Target.Host == "" {
			return nil // a line that is no target is told, and is none of the results
		}
		found.Facts = []*grade.Facts{unreachable(found.Target, why, r.app.now())}
	} else if why := silent(found.Facts); why != "" {
		r.fail(found.Target, errors.New(why))
	}
	for _, f := range found.Facts {
		if err := r.take(report.Report{Facts: f, Result: r.judgeBy.judge(f)}, kept); err != nil {
			return err
		}
	}
	return kept.flush()
}

// silent says why no address of a target could be scanned; "" if one could.
func silent(facts []*grade.Facts) string {
	for _, f := range facts {
		if f.Unreachable == "" {
			return ""
		}
	}
	if len(facts) == 0 {
		return "no address of it was scanned"
	}
	return facts[0].Unreachable
}

// take gives a result to the output, to the file of --resume, and to those who judge the run.
func (r *scanRun) take(one report.Report, kept *resumeFile) error {
	if one.Result == nil && one.Facts != nil {
		one.Result = r.judgeBy.judge(one.Facts)
	}
	r.judgeBy.note(&one)
	if err := kept.add(one); err != nil {
		return err
	}
	return r.out.add(one)
}

// unreachable are the facts about a target whose name led nowhere: so that it has its place among the results.
func unreachable(t scan.Target, why string, now time.Time) *grade.Facts {
	return &grade.Facts{
		Schema: grade.FactsSchema, Host: t.Host, Port: t.Port, ServerName: t.ServerName, StartTLS: t.StartTLS, Time: now, Unreachable: why,
	}
}

// fail notes that a target could not be scanned, and in a fleet tells it at once. It gives the reason, fit to print.
func (r *scanRun) fail(t scan.Target, err error) (why string) {
	r.failed++
	f := &failure{kind: kindNetwork, text: pki.Printable(err.Error()), err: err}
	why = f.text
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		f = explainDNS(dns)
		why = f.text
	case errors.Is(err, scan.ErrNoAddress):
		f.kind, f.hint = kindDNS, "has it an address of this family?"
	case t.Host != "":
		f.text = t.String() + ": " + f.text
		f.hint = "is the server running, and does this port speak TLS?"
	}
	if r.first == nil {
		r.first = f
	}
	const enough = 20 // the results have them all
	if r.out.isFleet && r.failed <= enough {
		r.progress.clear()
		r.app.ui.warnf("%s", f.text)
	}
	return why
}

// lookAtFiles is --files.
func (r *scanRun) lookAtFiles() error {
	facts, err := scan.Files(r.o.files, scan.FilesOptions{Served: r.judgeBy.served})
	if err != nil {
		return cannotRun(err, "--files")
	}
	one := report.Report{Files: facts, Result: judgedFiles(facts)}
	for _, f := range one.Result.Findings {
		if f.Severity != grade.Info && f.Severity != grade.Good {
			r.judgeBy.fail("%s: %s", f.Evidence[0], f.Title)
		}
	}
	return r.out.add(one)
}

func judgedFiles(facts []grade.FileFact) *grade.Result {
	r := &grade.Result{Schema: grade.FactsSchema, Rules: grade.RulesVersion, Findings: grade.JudgeFiles(facts)}
	if r.Findings == nil {
		r.Findings = []grade.Finding{}
	}
	return r
}

// gradeAgain is --grade: stored facts are judged by the rules of today.
func (r *scanRun) gradeAgain(file string) error {
	in := io.Reader(r.app.ui.in)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return cannotRun(err, "--grade")
		}
		defer f.Close()
		in = f
	}
	stored := report.NewReader(in)
	for count := 0; ; count++ {
		one, err := stored.Next()
		switch {
		case errors.Is(err, io.EOF) && count == 0:
			return &failure{kind: kindLocal, text: file + " holds no results"}
		case errors.Is(err, io.EOF):
			r.out.isFleet = count > 1
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			r.app.ui.warnf("%s ends in the middle of a result: what was broken off there is left out", file)
			return nil
		case err != nil:
			return cannotRun(err, "%s", file)
		}
		if one.Facts != nil {
			one.Result = r.judgeBy.judge(one.Facts)
		} else if one.Files != nil {
			one.Result = judgedFiles(one.Files)
		}
		if err := r.take(one, nil); err != nil {
			return err
		}
	}
}

// verdict turns what was found into the end of the command.
func (r *scanRun) verdict() error {
	if r.quiet > 0 {
		r.app.ui.notef("addresses of the blocks where nobody answers: %d", r.quiet)
	}
	if f := r.judgeBy.failure(); f != nil {
		return f
	}
	switch {
	case r.failed == 0:
		return nil
	case !r.out.isFleet:
		return r.first
	}
	return &failure{kind: kindNetwork, text: fmt.Sprintf("%d of %s could not be scanned", r.failed, countOf(r.targets, "target"))}
}
