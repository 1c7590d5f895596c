package trace_test

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

// TestThePageComputesItself opens the page of a real connection in Chromium and lets it compute every secret and check
// anew: all must agree, and nothing may be said on the console.
func TestThePageComputesItself(t *testing.T) {
	for _, version := range []wire.Version{wire.VersionTLS13, wire.VersionTLS12} {
		t.Run(version.String(), func(t *testing.T) {
			dom, console := compute(t, pageOf(t, connection(t, version)))
			if console != "" {
				t.Errorf("on the console: %s", console)
			}
			agrees, err := strconv.Atoi(counted(dom, "agrees"))
			if err != nil || agrees < 10 || counted(dom, "differs") != "0" || counted(dom, "computed") != "done" {
				t.Errorf("computed %q: %q agree, %q differ, %q lack a secret, %q the browser cannot",
					counted(dom, "computed"), counted(dom, "agrees"), counted(dom, "differs"), counted(dom, "missing"), counted(dom, "cannot"))
			}
		})
	}
}

// TestThePageFindsALie changes one secret in the recording: the page must say that it does not come out.
func TestThePageFindsALie(t *testing.T) {
	r := connection(t, wire.VersionTLS13)
	for i := range r.Keys {
		if r.Keys[i].Name == "client_handshake_traffic_secret" {
			r.Keys[i].Output = append(trace.Hex(nil), r.Keys[i].Output...)
			r.Keys[i].Output[0] ^= 1
		}
	}
	dom, _ := compute(t, pageOf(t, r))
	if differs, err := strconv.Atoi(counted(dom, "differs")); err != nil || differs < 1 {
		t.Errorf("%q differ", counted(dom, "differs"))
	}
}

func TestThePageWithoutSecretsSaysSo(t *testing.T) {
	page := pageOf(t, connection(t, wire.VersionTLS13).WithoutSecrets())
	if bytes.Contains(page, []byte("holds the secrets")) {
		t.Error("the page claims to hold secrets")
	}
	dom, console := compute(t, page)
	if missing, err := strconv.Atoi(counted(dom, "missing")); err != nil || missing < 10 || counted(dom, "differs") != "0" || console != "" {
		t.Errorf("%q lack a secret, %q differ, on the console %q", counted(dom, "missing"), counted(dom, "differs"), console)
	}
}

// TestThePageTakesNothingFromAPeer puts into the recording what a peer may have sent to break out of it.
func TestThePageTakesNothingFromAPeer(t *testing.T) {
	const evil = `</script><script>document.title="broken out"</script><img src=x onerror='document.title="broken out"'>` + "\x1b[2J\u202e"
	r := connection(t, wire.VersionTLS13)
	r.Summary.ServerName, r.Summary.ALPN, r.Server.Name = evil, evil, evil
	r.Failure = &trace.Failure{Text: evil, Change: evil, After: -1}
	for i := range r.Messages {
		for j := range r.Messages[i].Fields {
			r.Messages[i].Fields[j].Value = evil
		}
	}
	page := pageOf(t, r)
	if bytes.Contains(page, []byte("<script>document")) {
		t.Error("a script of the peer stands in the page")
	}
	dom, console := browse(t, page, "unfold")
	if strings.Contains(dom, "<title>broken out") || counted(dom, "drawn") != "yes" || console != "" {
		t.Errorf("the page was taken over, or not drawn (%q), on the console %q", counted(dom, "drawn"), console)
	}
}

// TestThePageNeedsNoNetwork looks for anything that a browser would fetch.
func TestThePageNeedsNoNetwork(t *testing.T) {
	page := pageOf(t, connection(t, wire.VersionTLS12))
	if found := regexp.MustCompile(`(?i)(<link|<iframe|<img|@import|url\(["']?[^#"')]|\b(src|href)="?(https?:)?//)`).Find(page); found != nil {
		t.Errorf("the page asks for something else: %s", found)
	}
	if !bytes.Contains(page, []byte("default-src &#39;none&#39;")) && !bytes.Contains(page, []byte("default-src 'none'")) {
		t.Error("the page has no content security policy")
	}
	if len(page) > 400<<10 {
		t.Errorf("the page has %d bytes", len(page))
	}
}
