package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// wholeMonitor reads the file that shows every key.
func wholeMonitor(t *testing.T) *Monitor {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "monitor.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadMonitor(text)
	if err != nil {
		t.Fatal(err)
	}
	m.RelativeTo("/etc/tlswright")
	return m
}

// refusedMonitors says of texts why they are refused.
func refusedMonitors(t *testing.T, list map[string]string) {
	t.Helper()
	for text, want := range list {
		_, err := ReadMonitor([]byte(text))
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Error()+e.Hint, want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestInventoriesAreRead(t *testing.T) {
	m := wholeMonitor(t)
	if len(m.Inventory) != 2 || m.Inventory[0] != OwnCA || m.Inventory[1] != "/etc/other-ca" || m.Policy.Deploy != 24*time.Hour {
		t.Errorf("%q, %v", m.Inventory, m.Policy.Deploy)
	}
	refusedMonitors(t, map[string]string{
		"monitor:\n  targets: [a:443]\n  inventory: []":            "line 3, column 14: monitor.inventory is empty",
		"monitor:\n  targets: [a:443]\n  inventory: [own, own]":    "line 3, column 20",
		"monitor:\n  targets: [a:443]\n  inventory: ['mysql://x']": "is no PostgreSQL database",
		"monitor:\n  targets: [a:443]\n  deploy: soon":             "is no time",
	})
}

func TestDomainsForLogsAreRead(t *testing.T) {
	m := wholeMonitor(t)
	if w := m.Targets[5]; len(w.CT) != 2 || w.CT[1] != "example.net" || m.CTLogs != "/etc/tlswright/log_list.json" || m.Backlog != 10000 {
		t.Errorf("%+v, %q, %d", w, m.CTLogs, m.Backlog)
	}
	refusedMonitors(t, map[string]string{
		"monitor:\n  targets:\n    - ct: a.test":                                               "line 3, column 7: there are domains for CT logs, and no list of logs",
		"monitor:\n  ct-logs: x\n  targets:\n    - ct: a.test\n      address: 'a:443'":         "line 4, column 7: monitor.targets[0] has domains for CT logs, and settings of a server or of files",
		"monitor:\n  ct-logs: x\n  targets:\n    - ct: a.test\n      only-own: true":           "make a target of its own",
		"monitor:\n  ct-logs: x\n  ct-backlog: some\n  targets:\n    - ct: a.test":             "line 3, column 15: monitor.ct-backlog is \"some\"",
		"monitor:\n  ct-logs: x\n  targets:\n    - ct: []":                                     "is empty",
		"monitor:\n  ct-logs: x\n  targets:\n    - {ct: a.test, every: 1h, cron: '* * * * *'}": "both every and cron",
	})
}

func TestClientCertificatesAreRead(t *testing.T) {
	m := wholeMonitor(t)
	if w := m.Targets[4]; w.Client != "/etc/tlswright/probe.pem" || w.ClientKey != "/etc/tlswright/probe.key" {
		t.Errorf("%+v", w)
	}
	refusedMonitors(t, map[string]string{
		"monitor:\n  targets:\n    - address: a:443\n      client-certificate: x": "line 3, column 7: monitor.targets[0] has a client certificate or its key, and not both",
		"monitor:\n  targets:\n    - files: [x]\n      client-key: x":             "settings of a server",
	})
}

func TestMetricsAreOnLoopbackUnlessToldOtherwise(t *testing.T) {
	if m := wholeMonitor(t); m.Metrics != "127.0.0.1:9465" {
		t.Errorf("%q", m.Metrics)
	}
	for text, want := range map[string]string{":9465": "127.0.0.1:9465", "0.0.0.0:9465": "0.0.0.0:9465", "[::1]:9465": "[::1]:9465"} {
		m, err := ReadMonitor([]byte("monitor: {targets: ['a:443'], metrics: '" + text + "'}"))
		if err != nil || m.Metrics != want {
			t.Errorf("%s: %+v, %v", text, m, err)
		}
	}
	refusedMonitors(t, map[string]string{
		"monitor:\n  targets: [a:443]\n  metrics: here":            `line 3, column 12: monitor.metrics: "here" is not an address with a port`,
		"monitor:\n  targets: [a:443]\n  metrics: 'example.com:1'": "is not an address of this machine",
	})
}

// TestJSONSaysTheSame: a file in JSON means what it means in YAML, with the same mistakes at their places.
func TestJSONSaysTheSame(t *testing.T) {
	m, err := ReadMonitor([]byte(`{"monitor": {"inventory": ["own"], "ct-logs": "logs.json", "ct-backlog": "all", "metrics": ":9465", "deploy": "12h", "targets": [
		{"ct": ["example.com"], "issuers": ["X"]},
		{"address": "a.example:443", "client-certificate": "c.pem", "client-key": "c.key", "files": ["/etc/a/*.pem"], "warning": "14d or 33%"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	y, err := ReadMonitor([]byte("monitor:\n  inventory: own\n  ct-logs: logs.json\n  ct-backlog: all\n  metrics: ':9465'\n  deploy: 12h\n  targets:\n    - ct: example.com\n      issuers: X\n" +
		"    - address: a.example:443\n      client-certificate: c.pem\n      client-key: c.key\n      files: /etc/a/*.pem\n      warning: 14d or 33%\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, both := range []*Monitor{m, y} {
		for i := range both.Targets {
			both.Targets[i].Place = Place{}
		}
	}
	if !reflect.DeepEqual(m, y) {
		t.Errorf("JSON %+v, YAML %+v", m, y)
	}
	refusedMonitors(t, map[string]string{
		"{\"monitor\": {\n  \"targets\": [\n    {\"ct\": [\"a.test\"]}]}}": "line 3, column 5: there are domains for CT logs",
		"{\"monitor\": {\n  \"targets\": [{\"adress\": \"a:443\"}]}}":      `line 2, column 16: unknown key "adress"`,
	})
}
