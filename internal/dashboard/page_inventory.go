package dashboard

import (
	"context"
	"net/http"

	"github.com/tlswright/tlswright/internal/history"
)

// inventoryList is the page of what our own CAs have issued.
type inventoryList struct {
	Query     history.IssuedQuery
	List      []history.Issued
	Pager     pager
	Standings []standingChoice
}

// standingChoice is one way to stand, with how many do.
type standingChoice struct {
	Standing history.Standing
	Count    int
	IsOn     bool
	Link     string
}

// issuedQuery reads which issued certificates are wanted.
func (c *call) issuedQuery(size int) (n int, q history.IssuedQuery, err error) {
	if !c.s.o.HasCA {
		return 0, q, refusal(http.StatusNotFound, "no CA of our own is known here", "\"tlswright ca init\" makes one; inventory: of the monitor's settings names others")
	}
	if q.Text, err = search(c.query); err != nil {
		return 0, q, err
	}
	standing, err := word(c.query, "standing", standings())
	if err != nil {
		return 0, q, err
	}
	q.Standing = history.Standing(standing)
	n, q.Page, err = pageOf(c.query, size)
	return n, q, err
}

func standings() []string {
	return view(history.Standings(), func(s history.Standing) string { return string(s) })
}

// inventory lists what our own CAs have issued.
func (c *call) inventory() error {
	ctx, cancel := c.reading()
	defer cancel()
	n, q, err := c.issuedQuery(rowsOfPage)
	if err != nil {
		return err
	}
	list, total, err := c.s.o.Source.Issued(ctx, c.now, q)
	if err != nil {
		return err
	}
	v := &inventoryList{Query: q, List: list, Pager: newPager(c.URL, n, rowsOfPage, len(list), total)}
	if v.Standings, err = c.s.standings(ctx, c, q); err != nil {
		return err
	}
	return c.show(http.StatusOK, "inventory", "inventory", "Inventory of the CA", v)
}

// standings counts what was issued by how it stands.
func (s *Server) standings(ctx context.Context, c *call, q history.IssuedQuery) (list []standingChoice, err error) {
	count, err := s.o.Source.IssuedStandings(ctx, c.now)
	for _, standing := range history.Standings() {
		to := standing
		if q.Standing == standing {
			to = "" // once more takes the filter away
		}
		list = append(list, standingChoice{Standing: standing, Count: count[standing], IsOn: q.Standing == standing, Link: link("/inventory", "q", q.Text, "standing", to)})
	}
	return list, err
}

// help is the page of keys and words.
func (c *call) help() error { return c.show(http.StatusOK, "help", "", "Help", nil) }
