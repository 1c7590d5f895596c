package cli

import (
	"github.com/tlswright/tlswright/tlsnet"
)

// kernelReport is what the kernel does for a connection, in --json.
type kernelReport struct {
	Protects string `json:"protects"`          // none, sent, received or both
	Problem  string `json:"problem,omitempty"` // why not both
}

// newKernelReport is nil without --kernel-tls.
func newKernelReport(k tlsnet.KernelTLS) *kernelReport {
	if k == (tlsnet.KernelTLS{}) {
		return nil
	}
	r := &kernelReport{Protects: k.String()}
	if k.Problem != nil {
		r.Problem = k.Problem.Error()
	}
	return r
}

// kernelRows is the line of a report about the kernel's part, if anybody asked for it.
func kernelRows(k tlsnet.KernelTLS) []row {
	r := newKernelReport(k)
	switch {
	case r == nil:
		return nil
	case r.Problem != "":
		return []row{{label: "kernel TLS", value: "protects " + r.Protects + ": " + r.Problem, style: caution}}
	}
	return []row{{label: "kernel TLS", value: "protects what is sent and received"}}
}
