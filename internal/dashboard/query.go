package dashboard

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/watch"
)

// Bounds on lists.
const (
	rowsOfPage = 50
	maxLimit   = 1000
	maxPages   = 100_000
	maxSearch  = 200 // bytes
	maxDays    = 3650
	usualDays  = 90
)

// orders are those that a list of targets can have.
func orders() []string {
	return []string{string(history.ByUrgency), string(history.ByName), string(history.ByEnd), string(history.ByGrade), string(history.ByLook)}
}

// states are all that a target can have, the worst first.
func states() []watch.State {
	return []watch.State{watch.Expired, watch.Critical, watch.Error, watch.Warning, watch.Unknown, watch.OK}
}

// number reads a parameter that is a number from least to most.
func number(q url.Values, name string, usual, least, most int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, refusal(http.StatusBadRequest, fmt.Sprintf("%s is a number from %d to %d", name, least, most), "")
	}
	return n, nil
}

// word reads a parameter that is one of a few.
func word(q url.Values, name string, words []string) (string, error) {
	text := q.Get(name)
	if text != "" && !slices.Contains(words, text) {
		return "", refusal(http.StatusBadRequest, fmt.Sprintf("%s is one of %s", name, strings.TrimPrefix(strings.Join(words, ", "), ", ")), "")
	}
	return text, nil
}

// search reads what is searched for.
func search(q url.Values) (string, error) {
	text := strings.TrimSpace(q.Get("q"))
	if len(text) > maxSearch {
		return "", refusal(http.StatusBadRequest, fmt.Sprintf("at most %d bytes can be searched for", maxSearch), "")
	}
	return text, nil
}

// pageOf reads which page of a list is wanted, from 1.
func pageOf(q url.Values, size int) (n int, p history.Page, err error) {
	n, err = number(q, "page", 1, 1, maxPages)
	return n, history.Page{Limit: size, Offset: (n - 1) * size}, err
}

// targetQuery reads which targets are wanted, size of them a page.
func targetQuery(q url.Values, size int) (n int, t history.TargetQuery, err error) {
	if t.Text, err = search(q); err != nil {
		return 0, t, err
	}
	if text := q.Get("state"); text != "" {
		for _, w := range strings.Split(cut(text, 100), ",") {
			var s watch.State
			if s.UnmarshalText([]byte(w)) != nil || len(t.States) >= len(states()) {
				return 0, t, refusal(http.StatusBadRequest, "state is one of OK, UNKNOWN, WARNING, ERROR, CRITICAL and EXPIRED, or several with commas between", "")
			}
			t.States = append(t.States, s)
		}
	}
	order, err := word(q, "order", orders())
	if err != nil {
		return 0, t, err
	}
	t.Order = history.Order(order)
	n, t.Page, err = pageOf(q, size)
	return n, t, err
}

// sources are the kinds of places where certificates are seen.
func sources() []string {
	return []string{string(watch.Served), string(watch.Disk), string(watch.Shown), string(watch.Issued), string(watch.Logged)}
}

// certificateQuery reads which certificates are wanted.
func (c *call) certificateQuery(size int) (n int, k history.CertificateQuery, err error) {
	if k.Text, err = search(c.query); err != nil {
		return 0, k, err
	}
	k.Text = strings.ReplaceAll(k.Text, ":", "") // fingerprints are copied in either form, and no name has one
	source, err := word(c.query, "source", sources())
	if err != nil {
		return 0, k, err
	}
	k.Source = watch.Source(source)
	ended, err := word(c.query, "ended", []string{"yes"})
	if err != nil {
		return 0, k, err
	}
	if ended == "" {
		k.Ends = c.now
	}
	n, k.Page, err = pageOf(c.query, size)
	return n, k, err
}

// name reads the name of something, which must be there.
func (c *call) name(parameter string) (string, error) {
	text := c.query.Get(parameter)
	if text == "" {
		return "", refusal(http.StatusBadRequest, parameter+" is missing", "")
	}
	return text, nil
}
