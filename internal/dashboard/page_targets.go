package dashboard

import (
	"net/http"
	"slices"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/watch"
)

// targetList is the page of all targets.
type targetList struct {
	Query  history.TargetQuery
	Filter string // states, with commas between
	List   []history.Target
	Pager  pager
	States []stateChoice
	Orders []orderChoice
}

type stateChoice struct {
	State watch.State
	Count int
	IsOn  bool
	Link  string
}

type orderChoice struct {
	Order history.Order
	Text  string
	IsOn  bool
}

// targets lists them: searched, filtered by state, in an order, page by page.
func (c *call) targets() error {
	ctx, cancel := c.reading()
	defer cancel()
	n, q, err := targetQuery(c.query, rowsOfPage)
	if err != nil {
		return err
	}
	v := &targetList{Query: q, Filter: c.query.Get("state")}
	list, total, err := c.s.o.Source.Targets(ctx, q)
	if err != nil {
		return err
	}
	v.List, v.Pager = list, newPager(c.URL, n, rowsOfPage, len(list), total)
	summary, err := c.s.o.Source.Summary(ctx, c.now)
	if err != nil {
		return err
	}
	for _, s := range states() {
		isOn := slices.Contains(q.States, s)
		to := s.String()
		if isOn {
			to = "" // once more takes the filter away
		}
		v.States = append(v.States, stateChoice{State: s, Count: summary.States[s], IsOn: isOn, Link: link("/targets", "q", q.Text, "state", to, "order", q.Order)})
	}
	for _, o := range []orderChoice{{Order: history.ByUrgency, Text: "most urgent first"}, {Order: history.ByName, Text: "by name"}, {Order: history.ByEnd, Text: "by end"},
		{Order: history.ByGrade, Text: "worst grade first"}, {Order: history.ByLook, Text: "longest not looked at"}} {
		o.IsOn = o.Order == q.Order
		v.Orders = append(v.Orders, o)
	}
	return c.show(http.StatusOK, "targets", "targets", "Targets", v)
}
