package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// compressions turns --cert-compression into algorithms.
func (n *negotiationFlags) compressions(cmd *cobra.Command) (out []wire.CompressionAlgorithm, err error) {
	all := tlsnet.CertificateCompressions()
	for _, name := range n.compression {
		i := slices.IndexFunc(all, func(a wire.CompressionAlgorithm) bool { return a.String() == strings.ToLower(name) })
		if i < 0 {
			return nil, usagef(cmd, "--cert-compression: %q is none of brotli, zstd and zlib", name)
		}
		if slices.Contains(out, all[i]) {
			return nil, usagef(cmd, "--cert-compression: %q appears twice", name)
		}
		out = append(out, all[i])
	}
	return out, nil
}

// compressionRows is the line of a report about compressed certificates.
func compressionRows(f tlscore.Facts) []row {
	var parts []string
	if f.PeerCompression != 0 {
		parts = append(parts, "the peer's with "+f.PeerCompression.String())
	}
	if f.OwnCompression != 0 {
		parts = append(parts, "ours with "+f.OwnCompression.String())
	}
	if parts == nil {
		return nil
	}
	return []row{{label: "compressed", value: "certificates: " + strings.Join(parts, ", ")}}
}
