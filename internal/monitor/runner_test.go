package monitor

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// A database that is gone makes a line, not a flood.
func TestTheQueueComplainsOnce(t *testing.T) {
	var b bytes.Buffer
	l := slog.New(&quieter{to: slog.New(slog.NewTextHandler(&b, nil))}).With("queue", "looks").WithGroup("x")
	l.Info("started")
	l.Warn("slow")
	for range 100 {
		l.Error("producer: Error fetching jobs", "err", errors.New("connection refused"))
	}
	if got := b.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "connection refused") {
		t.Errorf("the log has %q", got)
	}
}
