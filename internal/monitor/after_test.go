package monitor

import (
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/history"
)

// Who has no daemon, and looks from cron, is told of what nobody has acknowledged; and what is old goes.
func TestChecksFromCronLeaveNothingOut(t *testing.T) {
	l := newLab(t)
	h := newHook(t)
	l.c.Channels = []config.Channel{{Name: "hook", Kind: "webhook", URL: h.URL}}
	l.c.Escalate = map[string]time.Duration{"critical": time.Hour}
	l.c.Keep.Checks = 10 * day
	l.watched("web", "127.0.0.1:1").Policy.Patience = 1
	for range 40 {
		l.check(day)
		if err := l.e.AfterCheck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := h.said("unreachable"), "opened critical, escalated critical"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	looks, err := l.h.Looks(t.Context(), "web", history.Page{})
	if err != nil || len(looks) > 12 {
		t.Errorf("%d looks are kept, %v", len(looks), err)
	}
	if strings.Contains(h.said(KindChannel), "opened") {
		t.Error("the channel is said not to work")
	}
}
