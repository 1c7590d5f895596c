package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki/revset"
)

// setMagic is how a revocation set begins.
const setMagic = "TWRS"

// setReport is a revocation set in `ca crl --json`.
type setReport struct {
	Revoked  int       `json:"revoked"`
	Known    int       `json:"known"`       // all certificates it speaks of
	TooNew   int       `json:"not_covered"` // of them: valid from later than it covers, so that they count as unknown
	Bytes    int       `json:"bytes"`
	CRLBytes int       `json:"crl_bytes"`    // of a complete CRL that says the same
	IsExact  bool      `json:"crl_measured"` // the CRL was made; otherwise its size is reckoned
	Created  time.Time `json:"created"`
	Covers   time.Time `json:"covers"` // certificates valid from then or earlier
	Expires  time.Time `json:"expires"`
	File     string    `json:"file"`
}

// What a complete CRL takes, in bytes: for itself, and for an entry with a random serial number and a reason.
const (
	crlFrame = 240
	crlEntry = 53
)

// makeSet makes a revocation set and writes it; lists are what was made in the same breath, to compare it with.
func (a *app) makeSet(cmd *cobra.Command, o *caCRLFlags, au *authority.Authority, lists []crlReport) (*setReport, error) {
	data, err := au.RevocationSet(cmd.Context())
	if err != nil {
		return nil, caFailure(err, "making the revocation set")
	}
	set, err := revset.Parse(data)
	if err != nil {
		return nil, cannotRun(err, "reading the new revocation set")
	}
	if err := keystore.WriteFile(o.set, data, certFileMode); err != nil {
		return nil, cannotRun(err, "writing the revocation set")
	}
	r := &setReport{Bytes: len(data), Created: set.Created, Covers: set.Covers, Expires: set.Expires, File: o.set}
	for _, i := range set.Issuers() {
		r.Revoked += i.Revoked
		r.Known += i.Known
	}
	if r.TooNew, err = newerThan(cmd, au, set.Covers); err != nil {
		return nil, err
	}
	for _, l := range lists {
		if l.Base == "" && o.shard == "" {
			r.CRLBytes, r.IsExact = r.CRLBytes+l.Bytes, true
		}
	}
	if !r.IsExact {
		r.CRLBytes = crlFrame + crlEntry*r.Revoked
	}
	return r, nil
}

// newerThan counts the certificates that are on record and valid only from a later time.
func newerThan(cmd *cobra.Command, au *authority.Authority, covers time.Time) (n int, err error) {
	q := authority.Query{Newest: true, Light: true, States: []store.State{store.StateIssued, store.StateOnHold, store.StateRevoked}}
	for r, err := range au.Search(cmd.Context(), q) {
		if err != nil {
			return 0, caFailure(err, "reading the records")
		}
		if r.NotBefore.After(covers) {
			n++
		}
		// Records come newest first, and certificates are seldom dated back by more than this.
		if r.AskedAt.Before(covers.Add(-day)) {
			break
		}
	}
	return n, nil
}

// text is the set in a line.
func (r *setReport) text() string {
	about := map[bool]string{true: "", false: "about "}[r.IsExact]
	return fmt.Sprintf("%s for %d revoked of %s; as a CRL %s%s", byteCount(int64(r.Bytes)), r.Revoked, countOf(r.Known, "certificate"), about, byteCount(int64(r.CRLBytes)))
}

func (r *setReport) rows() []row {
	covers := "certificates valid from " + timeOf(r.Covers) + " or earlier"
	if r.TooNew > 0 {
		covers += fmt.Sprintf("; %d newer not yet", r.TooNew)
	}
	return []row{
		{label: "size", value: r.text()},
		{label: "covers", value: covers},
		{label: "expires", value: timeOf(r.Expires)},
		{label: "file", value: r.File},
	}
}
