package cli

import (
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
)

// spanValue is a flag with a time, which may be in days as in the file: "36h", "2d".
type spanValue time.Duration

// spanVar adds one.
func spanVar(cmd *cobra.Command, to *time.Duration, name, usage string) {
	cmd.Flags().Var((*spanValue)(to), name, usage)
}

// Set implements pflag.Value.
func (s *spanValue) Set(text string) error {
	if d, err := time.ParseDuration(text); err == nil {
		*s = spanValue(d)
		return nil
	}
	if n := len(text) - 1; n > 0 && text[n] == 'd' {
		if days, err := strconv.ParseUint(text[:n], 10, 16); err == nil && days < 100*365 {
			*s = spanValue(time.Duration(days) * day)
			return nil
		}
	}
	return errors.New("write it as 30m, 6h or 2d")
}

// String implements pflag.Value.
func (s *spanValue) String() string {
	if *s == 0 {
		return ""
	}
	return time.Duration(*s).String()
}

// Type implements pflag.Value.
func (s *spanValue) Type() string { return "duration" }

// checkDays refuses what is no number of days to look back.
func checkDays(cmd *cobra.Command, days int) error {
	if days < 1 || days > math.MaxInt32 {
		return usagef(cmd, "--days %d is no number of days", days)
	}
	return nil
}

// silenceReport is a silence in --json. The names are stable.
type silenceReport struct {
	ID     string `json:"id"`
	From   string `json:"from"`
	To     string `json:"to"`
	Target string `json:"target,omitempty"`
	Kind   string `json:"kind,omitempty"`
	By     string `json:"by,omitempty"`
	Note   string `json:"note,omitempty"`
}

func ofSilence(s *incident.Silence) silenceReport {
	return silenceReport{ID: s.ID, From: jsonTime(s.From), To: jsonTime(s.To), Target: s.Target, Kind: s.Kind, By: s.By, Note: s.Note}
}

// noticeReport is a notice in --json, with what became of it. The names are stable.
type noticeReport struct {
	ID       string            `json:"id"`
	Event    incident.Event    `json:"event"`
	At       string            `json:"at"`
	Severity incident.Severity `json:"severity"`
	Step     string            `json:"step,omitempty"`
	Text     string            `json:"text,omitempty"`
	Affected int               `json:"affected"`
	Silenced string            `json:"silenced,omitempty"` // the silence that keeps it back
	Channels []receiptReport   `json:"channels"`
}

// receiptReport is what became of a notice at a channel.
type receiptReport struct {
	Channel   string `json:"channel"`
	Delivered string `json:"delivered,omitempty"`
	Tries     int    `json:"tries,omitempty"` // that failed
	Trouble   string `json:"trouble,omitempty"`
}

func ofNotices(told []history.Told) []noticeReport {
	list := []noticeReport{}
	for _, n := range told {
		r := noticeReport{ID: n.ID, Event: n.Event, At: jsonTime(n.At), Severity: n.Severity, Step: n.Step, Text: n.Text, Affected: n.Affected, Silenced: n.Silenced, Channels: []receiptReport{}}
		for _, c := range n.Channels {
			r.Channels = append(r.Channels, receiptReport{Channel: c.Channel, Delivered: jsonTime(c.Delivered), Tries: c.Tries, Trouble: c.Trouble})
		}
		list = append(list, r)
	}
	return list
}
