package estate

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/monitor"
	"github.com/tlswright/tlswright/internal/store"
)

// MonitorCAs are the CAs whose records a file names; where a target says that nothing but our own may be served, that of the
// home is one of them.
func (b *Base) MonitorCAs(m *config.Monitor) []monitor.CA {
	places := slices.Clone(m.Inventory)
	if len(places) == 0 && slices.ContainsFunc(m.Targets, func(w config.Watched) bool { return w.OnlyOwn }) {
		places = []string{config.OwnCA}
	}
	var list []monitor.CA
	for _, place := range places {
		list = append(list, monitor.CA{Name: caLabel(place), Read: func(ctx context.Context, since time.Time, give func(monitor.Issuance)) (err error) {
			records, err := b.openInventory(ctx, place)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, records.Close()) }()
			return readIssued(ctx, records, since, b.Now(), give)
		}})
	}
	return list
}

// caLabel names a place where records are, without its password.
func caLabel(place string) string {
	if !strings.Contains(place, "://") {
		return place
	}
	u, err := url.Parse(place)
	if err != nil {
		return "a database"
	}
	return strings.TrimPrefix(u.Path, "/") + " on " + u.Host
}

// openInventory opens the records of the CA of this home, of another home, or in a database.
func (b *Base) openInventory(ctx context.Context, place string) (*store.Store, error) {
	switch {
	case place == config.OwnCA:
		ca, err := b.OpenAuthority(ctx, "", false)
		if err != nil {
			return nil, err
		}
		return ca.Store, nil
	case strings.Contains(place, "://"):
		return store.OpenPostgres(ctx, place)
	}
	ca, err := authority.OpenHome(ctx, place, authority.HomeOptions{WithoutKey: true, Now: b.Now, Actor: b.Actor})
	if err != nil {
		return nil, err
	}
	return ca.Store, nil
}

// endedFor is how long after its end a certificate of the own CA is known. One that has run out and is served all the same is
// no stranger.
const endedFor = 400 * 24 * time.Hour

// readIssued gives what was asked for since a time, and all that is revoked; but for what has ended long since.
func readIssued(ctx context.Context, records *store.Store, since, now time.Time, give func(monitor.Issuance)) error {
	ends := now.Add(-endedFor)
	for _, q := range []store.Query{
		{States: []store.State{store.StateIssued}, EndsFrom: ends, From: since},
		{States: []store.State{store.StateRevoked, store.StateOnHold}, EndsFrom: ends},
	} {
		for c, err := range records.All(ctx, q) {
			if err != nil {
				return fmt.Errorf("list what the CA has issued: %w", err)
			}
			i := monitor.Issuance{DER: c.DER, Profile: c.Profile, State: c.State.String(), At: c.IssuedAt}
			if c.Revocation != nil {
				i.Revoked = c.Revocation.At
			}
			give(i)
		}
	}
	return nil
}
