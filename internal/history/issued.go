package history

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/watch"
)

// Issued is a certificate that a CA of our own has issued.
type Issued struct {
	watch.Certificate
	CA      string    `json:"ca"` // which of them, as the configuration has it
	Profile string    `json:"profile,omitempty"`
	State   string    `json:"state"` // "issued", "revoked", "on hold"
	At      time.Time `json:"issued_at"`
	Revoked time.Time `json:"revoked_at,omitzero"`
	// The rest is not kept, but found out when it is read.
	Standing Standing `json:"standing,omitempty"`
	Seen     bool     `json:"seen"` // it was seen served, ever
	Where    []Where  `json:"where,omitempty"`
}

// Standing is what has become of an issued certificate.
type Standing string

// The standings. A certificate that is not served and lies in no file that is watched may be in use all the same, at a place
// that nobody watches.
const (
	StandsServed        Standing = "served"
	StandsRevokedServed Standing = "revoked-served" // it is revoked, and a server goes on with it
	StandsOnDisk        Standing = "on-disk"        // it lies in a file, and no server shows it
	StandsReplaced      Standing = "replaced"       // it was seen, and is not any more
	StandsUnused        Standing = "unused"         // it was never seen
	StandsRevoked       Standing = "revoked"
	StandsExpired       Standing = "expired"
)

// Standings lists them, those that want looking at in front.
func Standings() []Standing {
	return []Standing{StandsRevokedServed, StandsUnused, StandsOnDisk, StandsServed, StandsReplaced, StandsRevoked, StandsExpired}
}

// issuedTogether is how many certificates are noted in one transaction.
const issuedTogether = 200

// NoteIssued notes what a CA has issued. Certificates that are known are brought up to date.
func (h *History) NoteIssued(ctx context.Context, ca string, list []Issued) error {
	for part := range slices.Chunk(list, issuedTogether) {
		err := h.update(ctx, func(c *change) error {
			for i := range part {
				if err := c.noteIssued(ca, &part[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("note what %s has issued: %w", ca, err)
		}
	}
	return nil
}

func (c *change) noteIssued(ca string, i *Issued) error {
	body, err := json.Marshal(&i.Certificate)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(i.Names))
	for _, n := range i.Names {
		if n = strings.ToLower(n); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if err := c.exec(`INSERT INTO issued (fingerprint, ca, profile, state, subject, names, serial, issued_at, not_after, revoked_at, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (fingerprint) DO UPDATE SET ca = excluded.ca, state = excluded.state, revoked_at = excluded.revoked_at`,
		i.Fingerprint, ca, i.Profile, i.State, i.Subject, " "+strings.Join(names, " ")+" ", i.Serial, millis(i.At), millis(i.NotAfter), millis(i.Revoked), string(body)); err != nil {
		return err
	}
	for _, n := range names {
		if err := c.exec(`INSERT INTO issued_names (name, fingerprint) VALUES ($1, $2) ON CONFLICT (name, fingerprint) DO NOTHING`, n, i.Fingerprint); err != nil {
			return err
		}
	}
	return nil
}

// Released notes that certificates of a CA are off hold: all but those that still are.
func (h *History) Released(ctx context.Context, ca string, held map[string]bool) error {
	return h.update(ctx, func(c *change) error {
		var off []string
		err := each(ctx, c, func(scan func(...any) error) error {
			var fingerprint string
			err := scan(&fingerprint)
			if !held[fingerprint] {
				off = append(off, fingerprint)
			}
			return err
		}, `SELECT fingerprint FROM issued WHERE ca = $1 AND state = 'on hold'`, ca)
		if err != nil {
			return err
		}
		for _, fingerprint := range off {
			if err := c.exec(`UPDATE issued SET state = 'issued', revoked_at = 0 WHERE fingerprint = $1`, fingerprint); err != nil {
				return err
			}
		}
		return nil
	})
}

// How a certificate stands, in SQL. Who shows it now was filed at the same time as the last look at the place.
const (
	isShown     = `EXISTS (SELECT 1 FROM sightings s JOIN places p ON p.target = s.target AND p.place = s.place WHERE s.fingerprint = i.fingerprint AND s.last_seen >= p.seen_at AND s.source = `
	wasSeen     = `EXISTS (SELECT 1 FROM sightings s WHERE s.fingerprint = i.fingerprint AND s.source IN ('served', 'disk'))`
	wasServed   = `EXISTS (SELECT 1 FROM sightings s WHERE s.fingerprint = i.fingerprint AND s.source = 'served')`
	standingSQL = `CASE WHEN i.state <> 'issued' THEN CASE WHEN ` + isShown + `'served') THEN 'revoked-served' ELSE 'revoked' END
		WHEN i.not_after <= $1 THEN 'expired' WHEN ` + isShown + `'served') THEN 'served' WHEN ` + isShown + `'disk') THEN 'on-disk' WHEN ` + wasSeen + ` THEN 'replaced' ELSE 'unused' END`
	issuedColumns = `i.body, i.ca, i.profile, i.state, i.issued_at, i.revoked_at, CASE WHEN ` + wasServed + ` THEN 1 ELSE 0 END`
)

func scanIssued(scan func(...any) error, more ...any) (i Issued, err error) {
	var body string
	var at, revoked, seen int64
	if err := scan(append([]any{&body, &i.CA, &i.Profile, &i.State, &at, &revoked, &seen}, more...)...); err != nil {
		return i, err
	}
	i.At, i.Revoked, i.Seen = moment(at), moment(revoked), seen == 1
	return i, json.Unmarshal([]byte(body), &i.Certificate)
}

// maxIssuedFor bounds how many certificates are given for one name.
const maxIssuedFor = 100

// IssuedFor gives what our CAs have issued: the certificates with these fingerprints, and those for one of these names that
// have not ended and are not revoked, the newest first, up to a hundred for each name.
func (h *History) IssuedFor(ctx context.Context, now time.Time, fingerprints, names []string) (map[string]Issued, error) {
	found := make(map[string]Issued)
	take := func(scan func(...any) error) error {
		i, err := scanIssued(scan)
		if err == nil {
			found[i.Fingerprint] = i
		}
		return err
	}
	for _, print := range fingerprints {
		if err := each(ctx, h.readers, take, `SELECT `+issuedColumns+` FROM issued i WHERE i.fingerprint = $1`, print); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		err := each(ctx, h.readers, take, `SELECT `+issuedColumns+` FROM issued_names n JOIN issued i ON i.fingerprint = n.fingerprint
			WHERE n.name = $1 AND i.state = 'issued' AND i.not_after > $2 ORDER BY i.issued_at DESC LIMIT $3`, strings.ToLower(name), millis(now), maxIssuedFor)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// IssuedQuery says which issued certificates are wanted.
type IssuedQuery struct {
	Page
	Text     string   // part of a name, of the subject, or the beginning of fingerprint or serial number, in any case; "": all
	Standing Standing // "": all
}

// Issued lists what our CAs have issued, those that end first in front, with where each was seen.
func (h *History) Issued(ctx context.Context, now time.Time, q IssuedQuery) (list []Issued, total int, err error) {
	where, args := `CAST($1 AS BIGINT) > 0`, []any{millis(now)}
	mark := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	if q.Text != "" {
		like, begin := pattern(q.Text), strings.TrimPrefix(pattern(q.Text), "%")
		where += ` AND (LOWER(i.subject) LIKE ` + mark(like) + ` ESCAPE '\' OR i.names LIKE ` + mark(like) + ` ESCAPE '\' OR i.fingerprint LIKE ` + mark(begin) + ` ESCAPE '\' OR i.serial LIKE ` + mark(begin) + ` ESCAPE '\')`
	}
	if q.Standing != "" {
		where += ` AND ` + standingSQL + ` = ` + mark(string(q.Standing))
	}
	if err := h.readers.QueryRowContext(ctx, `SELECT COUNT(*) FROM issued i WHERE `+where, args...).Scan(&total); err != nil {
		return nil, 0, err
	}
	err = each(ctx, h.readers, func(scan func(...any) error) error {
		var standing string
		i, err := scanIssued(scan, &standing)
		i.Standing = Standing(standing)
		list = append(list, i)
		return err
	}, `SELECT `+issuedColumns+`, `+standingSQL+` FROM issued i WHERE `+where+` ORDER BY i.not_after, i.fingerprint LIMIT `+mark(q.limit())+` OFFSET `+mark(q.Offset), args...)
	if err != nil {
		return nil, 0, err
	}
	for i := range list {
		if list[i].Where, err = h.whereabouts(ctx, list[i].Fingerprint); err != nil {
			return nil, 0, err
		}
	}
	return list, total, nil
}

// IssuedStandings counts what our CAs have issued by how it stands.
func (h *History) IssuedStandings(ctx context.Context, now time.Time) (map[Standing]int, error) {
	count := make(map[Standing]int)
	err := each(ctx, h.readers, func(scan func(...any) error) error {
		var standing string
		var n int
		err := scan(&standing, &n)
		count[Standing(standing)] = n
		return err
	}, `SELECT standing, COUNT(*) FROM (SELECT `+standingSQL+` AS standing FROM issued i) AS all_issued GROUP BY standing`, millis(now))
	return count, err
}

// SeenIdentities tells which certificates are known here, of those with these serial numbers: seen served or in a file, or
// issued by a CA of our own. The keys are those of [watch.Certificate.Identity].
func (h *History) SeenIdentities(ctx context.Context, serials []string) (map[string]bool, error) {
	seen := make(map[string]bool)
	take := func(scan func(...any) error) error {
		var body string
		var c watch.Certificate
		if err := scan(&body); err != nil {
			return err
		}
		err := json.Unmarshal([]byte(body), &c)
		seen[c.Identity()] = true
		return err
	}
	for _, serial := range serials {
		err := each(ctx, h.readers, take, `SELECT c.body FROM certificates c WHERE c.serial = $1 AND EXISTS (SELECT 1 FROM sightings s WHERE s.fingerprint = c.fingerprint AND s.source IN ('served', 'disk'))
			UNION ALL SELECT i.body FROM issued i WHERE i.serial = $2`, serial, serial)
		if err != nil {
			return nil, err
		}
	}
	return seen, nil
}
