package cli

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"

	"github.com/rogpeppe/go-internal/testscript"
)

// startResponder is the command "responder NAME" of the scripts: an HTTP server that hands every OCSP request to
// `tlswright ca ocsp -`, with the home of the script. It sets $NAME to its host:port.
func startResponder(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: responder NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	dir, env := ts.MkAbs("."), []string{"HOME=" + ts.Getenv("HOME"), "PATH=" + ts.Getenv("PATH"), "TLSWRIGHT_HOME=" + ts.Getenv("TLSWRIGHT_HOME")}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		cmd := exec.Command("tlswright", "ca", "ocsp", "-")
		cmd.Dir, cmd.Env, cmd.Stdin = dir, env, bytes.NewReader(request)
		answer, err := cmd.Output()
		if len(answer) == 0 {
			http.Error(w, "tlswright ca ocsp: "+err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/ocsp-response")
		_, _ = w.Write(answer)
	})}
	go func() { _ = server.Serve(l) }()
	ts.Defer(func() { _ = server.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// flipLast is the command "flip FILE" of the scripts: it changes the last byte, which in a certificate is one of the signature.
func flipLast(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flip FILE")
	}
	data := []byte(ts.ReadFile(args[0]))
	data[len(data)-1] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
}
