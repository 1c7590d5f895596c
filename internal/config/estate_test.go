package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const usualEstate = "ca: {lifetime: 90d}\ngateway: {listeners: [\"127.0.0.1:8443\"], sites: {app: {target: welcome}}}\nmonitor: {every: 1m, dashboard: \"127.0.0.1:9780\"}\n"

func TestReadEstate(t *testing.T) {
	usual, err := ReadEstate([]byte(usualEstate), nil)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{
		usualEstate:                         {"ca", "gateway", "monitor"},
		"ca:\ngateway:\nmonitor:\n":         {"ca", "gateway", "monitor"},
		"ca: {}\n":                          {"ca"},
		"gateway:\n":                        {"gateway"},
		"monitor: {targets: [\"a:443\"]}\n": {"monitor"},
		"monitor: {own: false, targets: [\"a:443\"]}\n": {"monitor"},
	} {
		e, err := ReadEstate([]byte(text), usual)
		if err != nil || !slices.Equal(e.Sections(), want) {
			t.Errorf("%q: %v, %v", text, e, err)
			continue
		}
		if strings.Contains(text, "gateway:\n") && len(e.Gateway.Sites) != 1 {
			t.Errorf("%q: an empty section is not the usual one: %+v", text, e.Gateway)
		}
	}
	for text, want := range map[string]string{
		"":                                  "the file is empty",
		"# nothing\n":                       "the file is empty",
		"acme: {}\n":                        `line 1, column 1: unknown key "acme"`,
		"ca: {}\nca: {}\n":                  `"ca"`,
		"ca: {listens: \":1\"}\n":           `unknown key "listens"`,
		"gateway: {sites: {}}\n":            "listens nowhere",
		"monitor: {every: 1m}\n":            "line 1, column 1: there is nothing to watch",
		"ca:\nmonitor: {own: false}\n":      "line 2, column 1: there is nothing to watch",
		"ca: {}\nmonitor: {own: perhaps}\n": `monitor.own is "perhaps"`,
		"- ca\n":                            "not a mapping",
	} {
		var wrong *Error
		if _, err := ReadEstate([]byte(text), usual); !errors.As(err, &wrong) || !strings.Contains(wrong.Error(), want) {
			t.Errorf("%q: %v, not %q", text, err, want)
		}
	}
}

// TestDifferences: what has changed is named as the file names it, and what may be a secret is not shown.
func TestDifferences(t *testing.T) {
	const old = `
ca:
  lifetime: 90d
gateway:
  listeners:
    - address: 127.0.0.1:8443
  sites:
    app:
      hosts: [a.test]
      target: http://127.0.0.1:1
      routes:
        - path: /admin
          allow: nobody
monitor:
  every: 1m
  inventory: own
  targets:
    - www.example.com:443
    - {address: mail.example.com:25, every: 1h}
  channels:
    - {name: team, kind: webhook, url: "https://hooks.example/one"}
`
	for name, c := range map[string]struct {
		from, to string
		want     []string
	}{
		"nothing":        {"", "", nil},
		"a comment":      {"  lifetime: 90d", "  # as usual\n  lifetime:   90d", nil},
		"a value":        {"90d", "5m", []string{"ca: lifetime 90d -> 5m"}},
		"a key more":     {"  lifetime: 90d", "  lifetime: 90d\n  no-caa: true", []string{"ca: no-caa added"}},
		"a section less": {"ca:\n  lifetime: 90d\n", "", []string{"ca: section removed"}},
		"a site more":    {"    app:\n", "    more: {target: 404}\n    app:\n", []string{"gateway: site more added"}},
		"of a site":      {"[a.test]", "[a.test, b.test]", []string{"gateway: site app: hosts [a.test] -> [a.test, b.test]"}},
		"a route":        {"allow: nobody", "allow: anyone", []string{"gateway: site app: routes./admin.allow nobody -> anyone"}},
		"a listener":     {"127.0.0.1:8443", "127.0.0.1:8444", []string{"gateway: listener 127.0.0.1:8444 added", "gateway: listener 127.0.0.1:8443 removed"}},
		"a target less":  {"    - {address: mail.example.com:25, every: 1h}\n", "", []string{"monitor: target mail.example.com:25 removed"}},
		"of a target":    {"every: 1h", "every: 2h", []string{"monitor: target mail.example.com:25: every 1h -> 2h"}},
		"a secret":       {"example/one", "example/two", []string{"monitor: channel team: url changed"}},
		"a database":     {"inventory: own", "inventory: [own, \"postgres://ca:geheim@db/ca\"]", []string{"monitor: inventory changed"}},
		"an address":     {"inventory: own", "inventory: \"postgres://ca:geheim@db/ca\"", []string{"monitor: inventory changed"}},
		"not YAML":       {"ca:", "ca: [", nil},
	} {
		var got []string
		for _, d := range Differences([]byte(old), []byte(strings.Replace(old, c.from, c.to, 1))) {
			got = append(got, d.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}

func TestPlaceOf(t *testing.T) {
	text := []byte("gateway: {}\nca:\n  listen: x\n  http: y\n")
	for path, want := range map[string]Place{"ca": {2, 1}, "ca http": {4, 3}, "ca admin": {2, 1}, "monitor": {}, "ca http deeper": {4, 3}} {
		if got := PlaceOf(text, strings.Fields(path)...); got != want {
			t.Errorf("%s: %+v, not %+v", path, got, want)
		}
	}
	if got := PlaceOf([]byte("ca: ["), "ca"); got != (Place{}) {
		t.Errorf("%+v", got)
	}
}
