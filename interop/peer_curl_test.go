package interop

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

func curlPeer() peer {
	return peer{
		name:      "curl",
		version:   func() (string, error) { return shortVersion("curl", "--version") },
		groups:    func() []wire.Group { return opensslCan("curl", "--version") },
		kinds:     allKinds,
		suites:    slices.Concat(allSuites, allSuites12),
		dial:      curlDial,
		http:      true,
		httpDial:  curlDial,
		namesLate: true,
		onlyIDs:   true,
		returns: func(ctx context.Context, p *pki, addr string, a asks) told {
			a.twice = true
			return curlDial(ctx, p, addr, a)
		},
		readsOCSP: func(ctx context.Context, p *pki, addr string, a asks) told {
			a.extra = one("--cert-status")
			return curlDial(ctx, p, addr, a)
		},
		alpn:      "http/1.1",
		alertText: alertTextOpenSSL(),
		note:      "as a client only: a `POST` of 1 MB to our HTTP server, which answers with 1 MB, over HTTP/1.1; HTTP/2 below",
	}
}

// curlDial posts the payload. The version of HTTP follows alpn: curl offers "h2" only beside "http/1.1".
func curlDial(ctx context.Context, p *pki, addr string, a asks) told {
	dir, err := os.MkdirTemp(p.dir, "curl-")
	if err != nil {
		return told{err: err}
	}
	defer os.RemoveAll(dir)
	up, down := filepath.Join(dir, "up"), filepath.Join(dir, "down")
	if err := os.WriteFile(up, a.up(), 0o600); err != nil {
		return told{err: err}
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return told{err: err}
	}
	host := a.name
	args := []string{"--disable", "--silent", "--show-error", "--fail", "--cacert", p.rootFile,
		"--header", "Expect:", "--data-binary", "@" + up, "--output", down}
	if a.name == "" {
		host = "127.0.0.1"
	} else {
		args = append(args, "--resolve", a.name+":"+port+":127.0.0.1")
	}
	if len(a.alpn) > 0 && a.alpn[0] == "h2" {
		args = append(args, "--http2")
	} else {
		args = append(args, "--http1.1")
	}
	args = append(args, "--"+strings.ToLower(opensslVersions[a.oldest()]), "--tls-max", opensslVersions[a.newest()][len("TLSv"):])
	if old, new := opensslCiphers(a); old != "" {
		args = append(args, "--ciphers", old)
		if new != "" {
			args = append(args, "--tls13-ciphers", new)
		}
	}
	if a.groups != nil {
		names := make([]string, len(a.groups))
		for i, g := range a.groups {
			names[i] = opensslGroups[g]
		}
		args = append(args, "--curves", strings.Join(names, ":"))
	}
	if a.identity != nil {
		args = append(args, "--cert", a.identity.certFile, "--key", a.identity.keyFile)
	}
	args = append(args, a.extra...)
	url := "https://" + net.JoinHostPort(host, port) + "/"
	if a.twice {
		args = append(args, "--output", down+"2", url)
	}
	prog, err := start(ctx, false, "curl", append(args, url)...)
	if err != nil {
		return told{err: err}
	}
	defer prog.stop()
	<-prog.done
	got := told{err: prog.err, log: prog.log.String()}
	if prog.err == nil {
		body, err := os.ReadFile(down)
		got.err = errors.Join(err, a.down().same("us to client", body))
		if a.twice && got.err == nil {
			body, err = os.ReadFile(down + "2")
			got.err = errors.Join(err, a.down().same("us to client again", body))
		}
	}
	return got
}
