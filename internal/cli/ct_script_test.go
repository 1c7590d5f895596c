package cli

import (
	"net/http/httptest"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tlswright/tlswright/internal/logtest"
)

// logsKey is where a script keeps its logs.
type logsKey struct{}

func logsOf(ts *testscript.TestScript) map[string]*logtest.Log {
	return ts.Value(logsKey{}).(map[string]*logtest.Log)
}

// startLogs is `ctlogs FILE NAME...`: logs of Certificate Transparency, and a list of them in FILE. A name that begins with
// "tiled" is that of a log in the static form.
func startLogs(ts *testscript.TestScript, _ bool, args []string) {
	var list []*logtest.Log
	for _, name := range args[1:] {
		l := logsOf(ts)[name]
		if l == nil {
			var err error
			l, err = logtest.New(name, strings.HasPrefix(name, "tiled"))
			ts.Check(err)
			s := httptest.NewServer(l)
			ts.Defer(s.Close)
			l.URL = s.URL + "/" + name + "/"
			logsOf(ts)[name] = l
		}
		list = append(list, l)
	}
	text, err := logtest.List(list...)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o644))
}

// spoilLog is `ctfault NAME FAULT`: a log misbehaves from now on; without a fault, no more.
func spoilLog(ts *testscript.TestScript, _ bool, args []string) {
	fault := logtest.None
	if len(args) > 1 {
		fault = logtest.Fault(args[1])
	}
	logsOf(ts)[args[0]].Misbehave(fault)
}
