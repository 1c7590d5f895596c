package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/watch"
)

// PlaceState is how a place stands, without what it shows: as long as the digest is the same, that is the same but for the
// times of the look.
type PlaceState struct {
	Target, Place, Digest string
	At                    time.Time // of the last look
}

// PlaceStates gives the places of all targets to a function, ordered by target and place.
func (h *History) PlaceStates(ctx context.Context, give func(PlaceState)) error {
	return each(ctx, h.readers, func(scan func(...any) error) error {
		var p PlaceState
		var at int64
		err := scan(&p.Target, &p.Place, &p.Digest, &at)
		p.At = moment(at)
		give(p)
		return err
	}, `SELECT target, place, digest, seen_at FROM places ORDER BY target, place`)
}

// Shown gives what places of some targets show to a function: the last look and, where that brought no answer, the last one
// that did; nil: there was none.
func (h *History) Shown(ctx context.Context, targets []string, give func(s PlaceState, now, answered *watch.Observation)) error {
	const together = 400 // names in one query
	for part := range slices.Chunk(targets, together) {
		marks, args := make([]string, len(part)), make([]any, len(part))
		for i, name := range part {
			marks[i], args[i] = fmt.Sprintf("$%d", i+1), name
		}
		err := each(ctx, h.readers, func(scan func(...any) error) error {
			var p PlaceState
			var at int64
			var body, answered string
			if err := scan(&p.Target, &p.Place, &p.Digest, &at, &body, &answered); err != nil {
				return err
			}
			p.At = moment(at)
			var now, before []*watch.Observation
			if err := errors.Join(appendObservation(&now, body), appendObservation(&before, answered)); err != nil {
				return err
			}
			if len(before) == 0 {
				before = append(before, nil)
			}
			give(p, now[0], before[0])
			return nil
		}, `SELECT target, place, digest, seen_at, body, answered FROM places WHERE target IN (`+strings.Join(marks, ", ")+`) ORDER BY target, place`, args...)
		if err != nil {
			return fmt.Errorf("read what places show: %w", err)
		}
	}
	return nil
}

// TargetStates gives all targets to a function, ordered by name; their settings are left out.
func (h *History) TargetStates(ctx context.Context, give func(Target)) error {
	return each(ctx, h.readers, func(scan func(...any) error) error {
		t, err := scanTarget(scan)
		give(t)
		return err
	}, `SELECT `+strings.Replace(targetColumns, "spec,", "'',", 1)+` FROM targets ORDER BY name`)
}

// OpenKinds counts open incidents by their kind.
func (h *History) OpenKinds(ctx context.Context) (map[string]int, error) {
	count := make(map[string]int)
	err := each(ctx, h.readers, func(scan func(...any) error) error {
		var kind string
		var n int
		err := scan(&kind, &n)
		count[kind] = n
		return err
	}, `SELECT kind, COUNT(*) FROM incidents WHERE open = 1 AND id <> '' GROUP BY kind`)
	return count, err
}
