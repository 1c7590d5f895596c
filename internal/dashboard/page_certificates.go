package dashboard

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/watch"
)

// certificateList is the page of all certificates.
type certificateList struct {
	Query     history.CertificateQuery
	WithEnded bool
	List      []certificateRow
	Pager     pager
}

// certificateRow is a certificate with where it was seen, by kind of place.
type certificateRow struct {
	history.Known
	Served, Disk, Shown, Issued, Logged int
}

func newCertificateRow(k history.Known) certificateRow {
	r := certificateRow{Known: k}
	for _, w := range k.Where {
		switch w.Source {
		case watch.Served:
			r.Served++
		case watch.Disk:
			r.Disk++
		case watch.Shown:
			r.Shown++
		case watch.Issued:
			r.Issued++
		case watch.Logged:
			r.Logged++
		}
	}
	return r
}

// Targets lists the targets that show it.
func (r certificateRow) Targets() []string {
	var list []string
	for _, w := range seen(r.Where) {
		if !slices.Contains(list, w.Target) {
			list = append(list, w.Target)
		}
	}
	return list
}

// certificates lists what was seen: served, on disk, issued, logged.
func (c *call) certificates() error {
	ctx, cancel := c.reading()
	defer cancel()
	n, q, err := c.certificateQuery(rowsOfPage)
	if err != nil {
		return err
	}
	list, total, err := c.s.o.Source.Certificates(ctx, q)
	if err != nil {
		return err
	}
	v := &certificateList{Query: q, WithEnded: q.Ends.IsZero(), Pager: newPager(c.URL, n, rowsOfPage, len(list), total)}
	for _, k := range list {
		v.List = append(v.List, newCertificateRow(k))
	}
	return c.show(http.StatusOK, "certificates", "certificates", "Certificates", v)
}

// certificate is the page of one.
func (c *call) certificate() error {
	ctx, cancel := c.reading()
	defer cancel()
	print, err := c.fingerprint()
	if err != nil {
		return err
	}
	k, err := c.s.known(ctx, c.now, print)
	if err != nil {
		return err
	}
	return c.show(http.StatusOK, "certificate", "certificates", k.Subject, newCertificateRow(k))
}

// known finds a certificate among those that were seen, or that our own CAs have issued.
func (s *Server) known(ctx context.Context, now time.Time, print string) (history.Known, error) {
	k, err := s.o.Source.Certificate(ctx, print)
	if !errors.Is(err, history.ErrNotFound) || !s.o.HasCA {
		return k, err
	}
	list, _, issuedErr := s.o.Source.Issued(ctx, now, history.IssuedQuery{Text: print, Page: history.Page{Limit: 1}})
	if issuedErr != nil || len(list) == 0 {
		return k, errors.Join(err, issuedErr)
	}
	return history.Known{Certificate: list[0].Certificate, Where: list[0].Where}, nil
}

// fingerprint reads which certificate is meant.
func (c *call) fingerprint() (string, error) {
	text, err := c.name("sha256")
	if err != nil {
		return "", err
	}
	text = strings.ToLower(strings.ReplaceAll(text, ":", ""))
	if raw, err := hex.DecodeString(text); err != nil || len(raw) != 32 {
		return "", refusal(http.StatusBadRequest, "sha256 is a fingerprint of 64 hexadecimal digits", "")
	}
	return text, nil
}
