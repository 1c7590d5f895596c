package dashboard

import (
	"context"
	"time"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
)

// Source is what a dashboard reads. A *history.History is one.
type Source interface {
	Summary(ctx context.Context, now time.Time) (history.Summary, error)
	Ends(ctx context.Context, now time.Time, spans []time.Duration) (history.Ends, error)
	Targets(ctx context.Context, q history.TargetQuery) ([]history.Target, int, error)
	Target(ctx context.Context, name string) (history.Target, error)
	Places(ctx context.Context, target string) ([]history.Place, error)
	Changes(ctx context.Context, target string, since time.Time, p history.Page) ([]history.Changed, error)
	Looks(ctx context.Context, target string, p history.Page) ([]history.Look, error)
	Days(ctx context.Context, target string, since time.Time) ([]history.Day, error)
	Traces(ctx context.Context, target string) ([]history.Trace, error)
	Trace(ctx context.Context, target, place string) (history.Trace, error)
	Certificates(ctx context.Context, q history.CertificateQuery) ([]history.Known, int, error)
	Certificate(ctx context.Context, fingerprint string) (history.Known, error)
	Incidents(ctx context.Context, q history.IncidentQuery) ([]*incident.Incident, int, error)
	Incident(ctx context.Context, id string) (*incident.Incident, error)
	Notices(ctx context.Context, id string) ([]history.Told, error)
	Silences(ctx context.Context) ([]incident.Silence, error)
	Issued(ctx context.Context, now time.Time, q history.IssuedQuery) ([]history.Issued, int, error)
	IssuedStandings(ctx context.Context, now time.Time) (map[history.Standing]int, error)
}

// Keeper is what a dashboard changes. Errors that are [history.ErrNotFound] are told as such.
type Keeper interface {
	Acknowledge(ctx context.Context, id, by, note string) error
	Silence(ctx context.Context, s incident.Silence) (id string, err error)
	EndSilence(ctx context.Context, id string) error
}

// Pulse is how a monitor in the same process keeps time.
type Pulse struct {
	Looks   int           `json:"looks"`  // since it began
	Failed  int           `json:"failed"` // that could not be kept
	Median  time.Duration `json:"-"`      // by which looks begin late
	Ninety9 time.Duration `json:"-"`      // the same, of the worst hundredth
	Most    time.Duration `json:"-"`
}
