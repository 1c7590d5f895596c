package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/watch"
)

func TestAMonitorIsRead(t *testing.T) {
	m := wholeMonitor(t)
	if len(m.Targets) != 6 || m.Targets[0].Address != "www.example.com:443" || m.Defaults.Every != 6*time.Hour {
		t.Fatalf("%+v", m)
	}
	mail := m.Targets[1]
	if mail.Name != "mail" || mail.StartTLS != "smtp" || mail.Addresses != "192.0.2.1,2001:db8::1" || mail.Policy.Warning != (watch.Span{Time: 14 * 24 * time.Hour}) ||
		mail.Policy.Critical != (watch.Span{Time: 3 * 24 * time.Hour, Share: 0.1}) || mail.Schedule.Cron != "*/10 * * * *" || mail.CA[0] != "/etc/tlswright/own-root.pem" || !mail.System {
		t.Errorf("%+v", mail)
	}
	if w := m.Targets[2]; w.Files[0] != "/etc/nginx/ssl/**/*.pem" || w.Renew.Live != "shop.example.com" || len(w.Renew.Reload) != 3 || w.Labels["team"] != "shop" {
		t.Errorf("%+v", w)
	}
	if len(m.Channels) != 4 || m.Channels[0].Password != "/etc/tlswright/smtp-password" || m.Channels[1].Least != "critical" || m.Channels[3].Command[1] != "-x" {
		t.Errorf("%+v", m.Channels)
	}
	if m.Escalate["critical"] != 4*time.Hour || m.Keep.Checks != 30*24*time.Hour || m.Beat.URL != "https://beat.example/abc" || m.Lists[0] != "/etc/tlswright/fleet.txt" {
		t.Errorf("%+v", m)
	}
}

func TestTheLessonsFormIsRead(t *testing.T) {
	for _, text := range []string{"monitor: {targets: [{address: \"host:443\"}]}", `{"monitor": {"targets": [{"address": "host:443"}]}}`, "monitor:\n  targets: [host:443]\n"} {
		m, err := ReadMonitor([]byte(text))
		if err != nil || len(m.Targets) != 1 || m.Targets[0].Address != "host:443" {
			t.Errorf("%s: %+v, %v", text, m, err)
		}
	}
}

func TestMistakesInAMonitorAreShown(t *testing.T) {
	for text, want := range map[string]string{
		"":            "the file is empty",
		"gateway: {}": "there is no section monitor",
		"monitor: {}": "there is nothing to watch",
		"monitor:\n  targets:\n    - adress: a:443":                                                                                                  `line 3, column 7: unknown key "adress"`,
		"monitor:\n  targets:\n    - name: x":                                                                                                        "names nothing to look at",
		"monitor:\n  targets:\n    - files: [a.pem]\n      starttls: smtp":                                                                           "settings of a server",
		"monitor:\n  targets:\n    - address: a:443\n      passwords: p":                                                                             "passwords, and no files",
		"monitor:\n  targets:\n    - address: a:443\n      system: true":                                                                             "says nothing without ca",
		"monitor:\n  targets:\n    - address: a:443\n      every: 1h\n      cron: '* * * * *'":                                                       "both every and cron",
		"monitor:\n  targets:\n    - address: a:443\n      renew: {reload: [x]}":                                                                     "renews nothing",
		"monitor:\n  targets:\n    - address: a:443\n      warning: soon":                                                                            "is no time",
		"monitor:\n  targets:\n    - address: a:443\n      warning: 150%":                                                                            "is no share",
		"monitor:\n  targets: [a:443]\n  every: 6":                                                                                                   "is no time",
		"monitor:\n  targets: [a:443]\n  channels: [{name: x}]":                                                                                      "has no kind",
		"monitor:\n  targets: [a:443]\n  channels: [{kind: slack, server: x}]":                                                                       "server of a channel of kind slack means nothing",
		"monitor:\n  targets: [a:443]\n  channels: [{kind: slack, url: x, url-file: y, name: z}]":                                                    "both url and url-file",
		"monitor:\n  targets: [a:443]\n  channels: [{kind: slack, url: x}, {kind: slack, url: y}]":                                                   "two channels are called slack",
		"monitor:\n  targets: [a:443]\n  escalate: {bad: 1h}":                                                                                        `unknown key "bad"`,
		"monitor:\n  targets: [a:443]\n  heartbeat: {url: 'ftp://x'}":                                                                                "ftp",
		"monitor:\n  targets: [a:443]\n  warning: nan%":                                                                                              "is no share",
		"monitor:\n  targets: [a:443]\n  every: 1h\n  cron: '* * * * *'":                                                                             "both every and cron",
		"monitor:\n  targets: [a:443]\n  cron: 'often'":                                                                                              `line 3, column 9: monitor.cron is "often"`,
		"monitor:\n  targets: [a:443]\n  cron: '0 0 30 2 *'":                                                                                         "never comes",
		"monitor:\n  targets:\n    - address: a:443\n      cron: '61 * * * *'":                                                                       `line 4, column 13: monitor.targets[0].cron is "61`,
		"monitor:\n  targets: [a:443]\n  warning: 7d\n  critical: 30d":                                                                               "critical begins before warning",
		"monitor:\n  targets:\n    - {address: 'a:443', warning: 10%, critical: 33%}":                                                                "critical begins before warning",
		"monitor:\n  targets: [a:443]\n  timeout: none":                                                                                              "is no time",
		"monitor:\n  targets: [a:443]\n  every: none":                                                                                                "is no time",
		"monitor:\n  targets: [a:443]\n  reload: none":                                                                                               "is no time",
		"monitor:\n  targets: [a:443]\n  parallel: none":                                                                                             "write a number",
		"monitor:\n  targets: [a:443]\n  patience: none":                                                                                             "write a number",
		"monitor:\n  targets: [a:443]\n  parallel: 2000000000":                                                                                       "10000",
		"monitor:\n  targets: [a:443]\n  channels: [{kind: slack, url: x, url-file: y}]":                                                             "both url and url-file",
		"monitor:\n  targets: [a:443]\n  channels: [{kind: slack}]":                                                                                  "needs url or url-file",
		"monitor:\n  targets: [a:443]\n  channels: [{kind: command}]":                                                                                "needs command",
		"monitor:\n  targets: [a:443]\n  channels: [{kind: email, server: 'x:25', from: a@b}]":                                                       "needs to",
		"monitor:\n  targets: [a:443]\n  channels: [{kind: email, server: 'x:25', from: a@b, to: [c@d], user: u}]":                                   "password-file",
		"monitor:\n  targets: [a:443]\n  channels: [{kind: email, server: 'x:25', from: a@b, to: [c@d], password-file: p}]":                          "user",
		"monitor:\n  targets: [a:443]\n  channels: [{kind: email, server: 'x:25', from: a@b, to: [c@d], user: u, password-file: p, security: none}]": "without TLS",
		"monitor:\n  targets: [a:443]\n  channels:\n    - {name: x, kind: email, server: smtp.example, from: a@b, to: [c@d]}":                        "line 4, column 38: server",
	} {
		_, err := ReadMonitor([]byte(text))
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Error()+e.Hint, want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestWhatMayBeLeftOff(t *testing.T) {
	m, err := ReadMonitor([]byte("monitor:\n  targets: [a:443]\n  warning: none\n  grade: none\n  renew-before: none\n  keep: {looks: none, days: none, changes: none}\n  escalate: {warning: none}\n  channels: [{kind: slack, url-file: 'env:SLACK'}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	m.RelativeTo("/etc")
	if m.Policy.Warning.Time >= 0 || m.Defaults.Grade >= 0 || m.Keep.Checks >= 0 || m.Escalate["warning"] > 0 || m.Channels[0].URLFile != "env:SLACK" || m.Channels[0].Name != "slack" {
		t.Errorf("%+v", m)
	}
}

func FuzzReadMonitor(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", "monitor.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("monitor: {targets: [a]}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ReadMonitor(text)
		if (m == nil) == (err == nil) {
			t.Errorf("%v, %v", m, err)
		}
	})
}

func TestThousandsOfTargetsFitIntoAFile(t *testing.T) {
	var b strings.Builder
	b.WriteString("monitor:\n  targets:\n")
	for i := range maxWatched {
		fmt.Fprintf(&b, "    - {name: host%d, address: \"host%d.example:443\", server-name: host%d.example, ca: [/etc/roots/own.pem], warning: 20d or 30%%, labels: {team: shop}}\n", i, i, i)
	}
	m, err := ReadMonitor([]byte(b.String()))
	if err != nil || len(m.Targets) != maxWatched {
		t.Fatalf("%v", err)
	}
	for what, text := range map[string]string{"more than the limit": strings.Repeat("#", maxMonitorFile+1), "more than 100000 entries": "monitor: {targets: [" + strings.Repeat("a,", maxMonitorEntries) + "a]}"} {
		if _, err := ReadMonitor([]byte(text)); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("want %q, got %v", what, err)
		}
	}
}
