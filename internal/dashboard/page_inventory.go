package dashboard

import (
	"context"
	"errors"
	"net/http"

	"github.com/tlswright/tlswright/internal/history"
)

// inventoryList is the page of what the own CA has issued.
type inventoryList struct {
	Text  string
	List  []issuedRow
	Pager pager
}

// issuedRow is an issued certificate with where it was seen.
type issuedRow struct {
	Issued
	certificateRow
	IsSeen bool
}

// readInventory reads a page of what was issued, and where each of it was seen.
func (s *Server) readInventory(ctx context.Context, q IssuedQuery) (rows []issuedRow, total int, err error) {
	if s.o.Inventory == nil {
		return nil, 0, refusal(http.StatusNotFound, "there is no CA of our own here", "\"tlswright ca init\" makes one")
	}
	list, total, err := s.o.Inventory.Issued(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	for _, i := range list {
		row := issuedRow{Issued: i}
		k, err := s.o.Source.Certificate(ctx, i.Fingerprint)
		if err != nil && !errors.Is(err, history.ErrNotFound) {
			return nil, 0, err
		}
		if row.IsSeen = err == nil; row.IsSeen {
			row.certificateRow = newCertificateRow(k)
		}
		rows = append(rows, row)
	}
	return rows, total, nil
}

// inventory lists what the own CA has issued.
func (c *call) inventory() error {
	ctx, cancel := c.reading()
	defer cancel()
	text, err := search(c.query)
	if err != nil {
		return err
	}
	n, p, err := pageOf(c.query, rowsOfPage)
	if err != nil {
		return err
	}
	rows, total, err := c.s.readInventory(ctx, IssuedQuery{Text: text, Limit: p.Limit, Offset: p.Offset})
	if err != nil {
		return err
	}
	return c.show(http.StatusOK, "inventory", "inventory", "Inventory of the CA", &inventoryList{Text: text, List: rows, Pager: newPager(c.URL, n, rowsOfPage, len(rows), total)})
}

// help is the page of keys and words.
func (c *call) help() error { return c.show(http.StatusOK, "help", "", "Help", nil) }
