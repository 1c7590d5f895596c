package monitor

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// node is the runner of one of several processes that share a database. River chooses a leader, whose clock brings up the
// jobs; any node works them. What is looked at is decided by the history's leases alone: a job that comes twice, or that
// died with its node, neither loses a look nor makes one twice.
type node struct {
	e    *Engine
	pool *pgxpool.Pool
	c    *crew
	p    *post
	jobs *river.Client[pgx.Tx]
}

// Times and sizes of the queue.
const (
	planPeriod   = time.Second
	postPeriod   = time.Second
	planHolds    = 45 * time.Second // a reserved target is planned anew after that: the job got lost
	batchMost    = 100
	batchLeast   = 10
	batchBacklog = 16 // batches that nobody has taken yet
	roomWithin   = 3 * time.Second
	jobTimeout   = 30 * time.Second
	rescueAfter  = 45 * time.Second
	sweepTimeout = 30 * time.Minute
	keepJobs     = 10 * time.Minute
	clocksDiffer = 5 * time.Second // that much is worth a warning
	stopWithin   = 10 * time.Second
	looksQueue   = "looks"
	choresQueue  = "chores"
	sweepsQueue  = "sweeps"
)

// lookArgs are the arguments of a job that looks at some targets, which the plan has reserved.
type lookArgs struct {
	Plan    string   `json:"plan"`
	Targets []string `json:"targets"`
}

// Kind implements river.JobArgs.
func (lookArgs) Kind() string { return "tlswright_look" }

// The chores have a type each, for that is how the queue tells them apart.
type (
	planArgs  struct{}
	postArgs  struct{}
	tickArgs  struct{}
	sweepArgs struct{}
)

// Kind implements river.JobArgs.
func (planArgs) Kind() string { return "tlswright_plan" }

// Kind implements river.JobArgs.
func (postArgs) Kind() string { return "tlswright_post" }

// Kind implements river.JobArgs.
func (tickArgs) Kind() string { return "tlswright_tick" }

// Kind implements river.JobArgs.
func (sweepArgs) Kind() string { return "tlswright_sweep" }

// periodic is a job that the leader puts into the queue again and again. It is unique within its period, whatever has
// become of it: one that died with its node must not keep the next one out.
func periodic[A river.JobArgs](args A, queue string, period time.Duration) *river.PeriodicJob {
	o := &river.InsertOpts{Queue: queue, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByPeriod: period}}
	return river.NewPeriodicJob(river.PeriodicInterval(period), func() (river.JobArgs, *river.InsertOpts) { return args, o }, &river.PeriodicJobOpts{ID: args.Kind(), RunOnStart: true})
}

// worker works a kind of job within a time.
type worker[A river.JobArgs] struct {
	river.WorkerDefaults[A]
	e       *Engine
	timeout time.Duration
	work    func(ctx context.Context, args A) error
}

// Work implements river.Worker.
func (w *worker[A]) Work(ctx context.Context, job *river.Job[A]) error {
	err := w.work(ctx, job.Args)
	var snooze *river.JobSnoozeError
	if !errors.As(err, &snooze) {
		w.e.trouble(ctx, "a job of the queue failed: "+job.Kind, err)
	}
	return err
}

// Timeout implements river.Worker.
func (w *worker[A]) Timeout(*river.Job[A]) time.Duration { return w.timeout }

func addChore[A river.JobArgs](all *river.Workers, e *Engine, timeout time.Duration, work func(ctx context.Context) error) {
	river.AddWorker(all, &worker[A]{e: e, timeout: timeout, work: func(ctx context.Context, _ A) error { return work(ctx) }})
}

func (n *node) run(ctx context.Context, c *crew, p *post) error {
	n.c, n.p = c, p
	if skew, err := n.e.o.History.Skew(ctx, n.e.o.Now()); err == nil && skew.Abs() > clocksDiffer {
		n.e.o.Log.Warn("this machine's clock is not the database's: nodes take each other's work away, set it by NTP", "ahead", skew.Round(time.Second).String())
	}
	all := river.NewWorkers()
	river.AddWorker(all, &worker[lookArgs]{e: n.e, timeout: jobTimeout, work: n.look})
	addChore[planArgs](all, n.e, jobTimeout, n.plan)
	addChore[postArgs](all, n.e, jobTimeout, func(context.Context) error { return p.round(ctx) }) // sends as long as the node runs
	addChore[tickArgs](all, n.e, jobTimeout, n.e.tick)
	addChore[sweepArgs](all, n.e, sweepTimeout, n.e.sweepOnce)
	var err error
	n.jobs, err = river.NewClient(riverpgxv5.New(n.pool), &river.Config{
		ID:         n.e.holder,
		Workers:    all,
		Queues:     map[string]river.QueueConfig{looksQueue: {MaxWorkers: 2}, choresQueue: {MaxWorkers: 4}, sweepsQueue: {MaxWorkers: 1}},
		JobTimeout: jobTimeout, RescueStuckJobsAfter: rescueAfter,
		CompletedJobRetentionPeriod: keepJobs, CancelledJobRetentionPeriod: keepJobs, DiscardedJobRetentionPeriod: keepJobs,
		Logger: slog.New(&quieter{to: n.e.o.Log}),
		PeriodicJobs: []*river.PeriodicJob{periodic(planArgs{}, choresQueue, planPeriod), periodic(postArgs{}, choresQueue, postPeriod),
			periodic(tickArgs{}, choresQueue, tickPeriod), periodic(sweepArgs{}, sweepsQueue, sweepTries)},
	})
	if err != nil {
		return fmt.Errorf("the queue of jobs: %w", err)
	}
	if err := n.jobs.Start(context.WithoutCancel(ctx)); err != nil { // it is stopped in order, see below
		return fmt.Errorf("the queue of jobs: %w", err)
	}
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if err := n.jobs.StopAndCancel(stop); err != nil {
		n.e.o.Log.Warn("the queue of jobs did not end in order", "error", err.Error()) // what was begun is taken up by others
	}
	return nil
}

// plan reserves what is due and cuts it into batches, as long as there are not too many that nobody has taken.
func (n *node) plan(ctx context.Context) error {
	backlog, err := n.e.o.History.Backlog(ctx, lookArgs{}.Kind())
	if err != nil || backlog >= batchBacklog {
		return err
	}
	var id [8]byte
	rand.Read(id[:])
	plan, now := "plan-"+hex.EncodeToString(id[:]), n.e.o.Now()
	names, err := n.e.o.History.Reserve(ctx, now, now.Add(n.e.holdPlan()), plan, (batchBacklog-backlog)*batchMost)
	if err != nil || len(names) == 0 {
		return err
	}
	// Few targets go to several nodes, too.
	size := min(max((len(names)+batchBacklog/2-1)/(batchBacklog/2), batchLeast), batchMost)
	var list []river.InsertManyParams
	for part := range slices.Chunk(names, size) {
		list = append(list, river.InsertManyParams{Args: lookArgs{plan, part}, InsertOpts: &river.InsertOpts{Queue: looksQueue, MaxAttempts: 3}})
	}
	if _, err = n.jobs.InsertManyFast(ctx, list); err != nil {
		free, cancel := context.WithTimeout(context.WithoutCancel(ctx), freeingLasts)
		defer cancel()
		return errors.Join(fmt.Errorf("put looks into the queue: %w", err), n.e.o.History.Postpone(free, plan, now, names))
	}
	return nil
}

func (e *Engine) holdPlan() time.Duration {
	if e.leaseFor > 0 {
		return e.leaseFor
	}
	return planHolds
}

// look takes a batch over, if there is room for it; else another node may. The job is done when its looks are in hand: from
// then on the lease counts.
func (n *node) look(ctx context.Context, args lookArgs) error {
	waiting, cancel := context.WithTimeout(ctx, roomWithin)
	defer cancel()
	if n.c.waitForRoom(waiting) == 0 {
		return river.JobSnooze(0)
	}
	due, err := n.e.o.History.Take(ctx, args.Plan, n.e.holder, n.e.o.Now().Add(n.e.lease()), args.Targets)
	if err != nil {
		return err
	}
	n.c.take(due)
	return nil
}

// quieter is the log that the queue gets: its doings are nobody's business as long as it works, and a database that is gone
// is worth a line a minute, not ten a second.
type quieter struct {
	to   *slog.Logger
	mu   sync.Mutex
	last time.Time
}

// Enabled implements slog.Handler.
func (q *quieter) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError && q.to.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (q *quieter) Handle(_ context.Context, r slog.Record) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r.Time.Sub(q.last) < time.Minute {
		return nil
	}
	q.last = r.Time
	reason := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "err" || a.Key == "error" {
			reason = a.Value.String()
		}
		return true
	})
	q.to.Error("the queue in the database does not work just now, it is tried again", "error", reason)
	return nil
}

// WithAttrs implements slog.Handler.
func (q *quieter) WithAttrs([]slog.Attr) slog.Handler { return q }

// WithGroup implements slog.Handler.
func (q *quieter) WithGroup(string) slog.Handler { return q }
