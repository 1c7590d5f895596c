package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// recordSizeFlags are the flags about the sizes of records, of either role.
type recordSizeFlags struct {
	limit    int // record_size_limit
	fragment int // max_fragment_length, a client's
	most     int // of what we send
	pad      []string
	dynamic  bool
}

func (r *recordSizeFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&r.limit, "record-size-limit", 0, "take records with at most `BYTES` of content, 64 to 16385, and tell the peer (RFC 8449)")
	f.StringSliceVar(&r.pad, "pad", nil, "hide the length of what we send, by a `POLICY`: a number to pad to multiples of, least:BYTES, random:BYTES, everything (the handshake, too)")
	f.BoolVar(&r.dynamic, "dynamic-records", false, "begin each burst with short records, of which the peer can use the first before the last has come")
	f.IntVar(&r.most, "max-record", 0, "put at most `BYTES` into a record that we send, 64 to 16384")
}

func (r *recordSizeFlags) registerClient(cmd *cobra.Command) {
	cmd.Flags().IntVar(&r.fragment, "max-fragment-length", 0, "ask for records of at most `BYTES` both ways: 512, 1024, 2048 or 4096 (RFC 6066)")
	complete(cmd, "max-fragment-length", []string{"512", "1024", "2048", "4096"})
}

// apply puts the flags into a configuration.
func (r *recordSizeFlags) apply(cmd *cobra.Command, c *tlscore.Config) error {
	switch {
	case r.limit != 0 && (r.limit < 64 || r.limit > wire.MaxPlaintext+1):
		return usagef(cmd, "--record-size-limit %d: it must be 64 to %d bytes", r.limit, wire.MaxPlaintext+1)
	case r.most != 0 && (r.most < 64 || r.most > wire.MaxPlaintext):
		return usagef(cmd, "--max-record %d: it must be 64 to %d bytes", r.most, wire.MaxPlaintext)
	case r.fragment != 0 && r.fragment != 512 && r.fragment != 1024 && r.fragment != 2048 && r.fragment != 4096:
		return usagef(cmd, "--max-fragment-length %d: it must be 512, 1024, 2048 or 4096 bytes", r.fragment)
	}
	var err error
	if c.Padding, err = r.padding(cmd); err != nil {
		return err
	}
	c.RecordSizeLimit, c.MaxFragmentLength, c.MaxRecord = r.limit, r.fragment, r.most
	return nil
}

// recordSizeRows is the line of a report about limits that were agreed on.
func recordSizeRows(f tlscore.Facts) []row {
	if f.RecordLimitRead == 0 && f.RecordLimitWrite == 0 {
		return nil
	}
	return []row{{label: "record size", value: fmt.Sprintf("agreed: at most %d bytes to us, %d to the peer", f.RecordLimitRead, f.RecordLimitWrite)}}
}

// recordLimits are those agreed on, in --json: bytes of plaintext of a protected record.
type recordLimits struct {
	Receive int `json:"receive"`
	Send    int `json:"send"`
}

func newRecordLimits(f tlscore.Facts) *recordLimits {
	if f.RecordLimitRead == 0 && f.RecordLimitWrite == 0 {
		return nil
	}
	return &recordLimits{f.RecordLimitRead, f.RecordLimitWrite}
}
