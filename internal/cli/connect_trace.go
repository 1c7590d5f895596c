package cli

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/trace"
)

// traceFlags are the flags by which `connect` records what happens.
type traceFlags struct {
	recordFlags
	format     string // "" where nothing is to be shown
	file       string
	isObserver bool
}

func (t *traceFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.format, "trace", "", "record the connection, down to the byte, and show it as `FORMAT`: "+strings.Join(trace.Formats(), ", ")+" (written with \"=\")")
	f.Lookup("trace").NoOptDefVal = formatBrief
	complete(cmd, "trace", trace.Formats())
	f.StringVar(&t.file, "trace-file", "", "with --trace and --http, where -o keeps the body: write the recording to `FILE`")
	f.BoolVar(&t.isObserver, "observer", false, "show what somebody on the path learns of the connection, and what not")
	t.recordFlags.register(cmd)
	_ = cmd.MarkFlagFilename("trace-file")
}

// tracer records the connections of one command. A nil tracer records nothing.
type tracer struct {
	app   *app
	flags traceFlags
	trust trust
	proxy *url.URL // nil: none

	mu        sync.Mutex
	client    trace.Endpoint // of the connection that is being made
	server    trace.Endpoint
	verified  string // the name that the certificate has to be for
	recorders []*trace.Recorder
	recording *trace.Recording // once it is asked for
	before    []trace.Sight    // what was said before TLS
}

// newTracer reads the flags; nil: nothing is to be recorded. file is that of -o, if it is the recording's.
func (a *app) newTracer(cmd *cobra.Command, o *connectFlags) (*tracer, error) {
	t := o.traceFlags
	if t.format != "" && !o.isHTTP {
		if o.output != "" && t.file != "" {
			return nil, usagef(cmd, "-o and --trace-file name the same thing: one of them will do")
		}
		t.file = orWord(t.file, o.output)
	}
	if t.file == "-" {
		t.file = ""
	}
	switch {
	case t.format == "" && !t.isObserver:
		if t.file != "" || t.secrets {
			return nil, usagef(cmd, "-o, --trace-file and --secrets belong to --trace")
		}
		return nil, nil
	case t.format == "" && (t.file != "" || t.secrets):
		return nil, usagef(cmd, "--observer shows what can be seen without secrets, on standard output")
	case t.format == "":
	case o.asJSON && t.file == "" && t.format == formatBrief:
		t.format = formatJSON
	case o.asJSON && t.file == "" && t.format != formatJSON:
		f := usagef(cmd, "--trace=%s does not fit into --json", t.format)
		f.hint = "write it to a file with -o FILE, or leave the format out"
		return nil, f
	}
	if t.format != "" {
		if err := t.check(cmd, a.ui, t.format, t.file); err != nil {
			return nil, err
		}
		isMixed := o.hasSend || o.early != "" || o.isHTTP && o.output == "-"
		if isMixed && t.file == "" && !o.asJSON && !isForReading(t.format) {
			f := usagef(cmd, "--trace=%s and what the peer sends would both go to standard output", t.format)
			f.hint = "write the recording to a file with -o FILE (with --http: --trace-file FILE)"
			return nil, f
		}
		t.warn(a.ui)
	}
	return &tracer{app: a, flags: t}, nil
}

// takesOutput reports whether standard output is the recording's, so that the report goes elsewhere.
func (t *tracer) takesOutput() bool {
	return t != nil && t.flags.format != "" && t.flags.file == "" && !isForReading(t.flags.format)
}

// watch has the connections of config recorded.
func (t *tracer) watch(config *tlsnet.Config) {
	if t == nil {
		return
	}
	config.Observer = func() tlscore.Observer {
		t.mu.Lock()
		defer t.mu.Unlock()
		r := trace.NewRecorder(trace.Client, t.client, t.server, t.app.now)
		t.recorders = append(t.recorders, r)
		return r
	}
	// Secrets are taken in any case: without them nobody can tell what was said. They are not written without --secrets.
	config.Secrets = func() tlscore.Secrets {
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.recorders[len(t.recorders)-1]
	}
}

// dialed says between whom the next connection is, and what was said before TLS.
func (t *tracer) dialed(nc net.Conn, o *outcome) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.client = trace.Endpoint{Address: nc.LocalAddr().String()}
	t.server = trace.Endpoint{Name: o.target.name(), Address: nc.RemoteAddr().String()}
	t.verified = o.name
	t.before = sightsBefore(o, t.proxy)
}

// fail says how the last connection ended.
func (t *tracer) fail(err error) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.recorders); n > 0 {
		t.recorders[n-1].Fail(err)
	}
}

// take decodes the last connection that was recorded; nil: there was none.
func (t *tracer) take() (*trace.Recording, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.recording != nil || len(t.recorders) == 0 {
		return t.recording, nil
	}
	c := t.recorders[len(t.recorders)-1].Capture()
	c.Trust = &pki.VerifyOptions{Roots: t.trust.roots, ServerName: t.verified, Time: c.Started}
	if t.trust.system {
		// Where the system's roots cannot be read, those of --ca and of the own CA are still there.
		c.Trust.SystemRoots, _ = x509.SystemCertPool()
	}
	var err error
	t.recording, err = trace.Decode(c)
	return t.recording, err
}

// view is what somebody on the path learns.
func (t *tracer) view(r *trace.Recording) (*trace.View, error) {
	v, err := r.OnPath()
	if err != nil {
		return nil, err
	}
	v.Seen = append(v.Seen, t.before...)
	return v, nil
}

// show writes the recording to where it belongs, and the observer's view to the stream of the report.
func (t *tracer) show(report *stream, asJSON bool) error {
	if t == nil {
		return nil
	}
	r, err := t.take()
	switch {
	case err != nil:
		return cannotRun(err, "--trace")
	case r == nil:
		t.app.ui.notef("nothing was recorded: there was no TLS connection")
		return nil
	}
	if n := len(t.recorders); n > 1 {
		t.app.ui.notef("%d connections were made; the recording is of the last one", n)
	}
	if t.flags.isObserver && !asJSON {
		view, err := t.view(r)
		if err != nil {
			return cannotRun(err, "--observer")
		}
		t.app.printView(report, view)
	}
	switch {
	case t.flags.format == "", asJSON && t.flags.file == "":
		return nil
	case t.flags.file == "" && isForReading(t.flags.format):
		t.app.ui.write(report, "\n")
		return t.app.writeRecording(report, r, t.flags.format, "", t.flags.recordFlags)
	}
	return t.app.writeRecording(&t.app.ui.out, r, t.flags.format, t.flags.file, t.flags.recordFlags)
}

// recordedJSON is what --trace and --observer add to --json.
type recordedJSON struct {
	Trace    json.RawMessage `json:"trace,omitempty"` // a recording, as of trace show --json
	Observer *trace.View     `json:"observer,omitempty"`
}

func (t *tracer) json() recordedJSON {
	var j recordedJSON
	if t == nil {
		return j
	}
	r, err := t.take()
	if err != nil || r == nil {
		return j // show tells it
	}
	if t.flags.isObserver {
		j.Observer, _ = t.view(r)
	}
	if t.flags.format == formatJSON && t.flags.file == "" {
		var b bytes.Buffer
		if trace.Write(&b, r, formatJSON, trace.Options{Secrets: t.flags.secrets}) == nil {
			j.Trace = b.Bytes()
		}
	}
	return j
}

// withTrace adds what was recorded to the report of a command that ended with err.
func (t *tracer) withTrace(err error, report *stream, asJSON bool) error {
	if t == nil {
		return err
	}
	var f *failure
	if errors.As(err, &f) && slices.Contains([]failureKind{kindUsage, kindInterrupted}, f.kind) {
		return err
	}
	return errors.Join(err, t.show(report, asJSON))
}
