package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// padding reads --pad: 512, least:1400, random:100, everything.
func (r *recordSizeFlags) padding(cmd *cobra.Command) (p tlscore.Padding, err error) {
	for _, word := range r.pad {
		kind, number, hasNumber := strings.Cut(word, ":")
		to := map[string]*int{"least": &p.AtLeast, "random": &p.Random}[kind]
		switch {
		case word == "everything":
			p.Everything = true
			continue
		case !hasNumber:
			to, number = &p.To, kind
		}
		n, err := strconv.Atoi(number)
		if to == nil || err != nil || n < 1 || n > wire.MaxPlaintext {
			f := usagef(cmd, "--pad: %q is no policy", word)
			f.hint = "a number of bytes to pad to multiples of, least:BYTES, random:BYTES up to that many more, everything; 1 to 16384 bytes"
			return p, f
		}
		*to = n
	}
	if p.Everything && p == (tlscore.Padding{Everything: true}) {
		return p, usagef(cmd, "--pad everything needs a length too, such as everything,512")
	}
	return p, nil
}
