package config

import (
	"slices"
	"testing"
)

func TestADashboardIsOnLoopbackOrHasTLS(t *testing.T) {
	d := wholeMonitor(t).Dashboard
	if d.Listen != "0.0.0.0:9780" || d.Token != "/etc/tlswright/dashboard-token" || d.Certificate != "/etc/tlswright/live/monitor/fullchain.pem" || d.ClientCA != "/etc/tlswright/ops-root.pem" || !slices.Equal(d.Names, []string{"monitor.example.com"}) || !d.NoRecords {
		t.Errorf("%+v", d)
	}
	for text, want := range map[string]string{":9780": "127.0.0.1:9780", "'[::1]:80'": "[::1]:80", "{token-file: x}": "127.0.0.1:9780", "{listen: ':1'}": "127.0.0.1:1"} {
		m, err := ReadMonitor([]byte("monitor: {targets: ['a:443'], dashboard: " + text + "}"))
		if err != nil || m.Dashboard.Listen != want {
			t.Errorf("%s: %+v, %v", text, m, err)
		}
	}
	refusedMonitors(t, map[string]string{
		"monitor:\n  targets: [a:443]\n  dashboard: '0.0.0.0:80'":                    "line 3, column 14: monitor.dashboard: 0.0.0.0:80 can be reached by others, and there is no TLS",
		"monitor:\n  targets: [a:443]\n  dashboard:\n    listen: '[2001:db8::1]:80'": "can be reached by others",
		"monitor:\n  targets: [a:443]\n  dashboard: {certificate: x}":                "certificate and key go together",
		"monitor:\n  targets: [a:443]\n  dashboard: {client-ca: x}":                  "client certificates need TLS",
		"monitor:\n  targets: [a:443]\n  dashboard: {names: ['*.example']}":          "a star stands for any name",
		"monitor:\n  targets: [a:443]\n  dashboard: {names: ['https://x']}":          "write the name alone",
		"monitor:\n  targets: [a:443]\n  dashboard: {tokenfile: x}":                  "token-file",
		"monitor:\n  targets: [a:443]\n  dashboard:\n    listen: nowhere":            "line 4, column 13",
	})
}
