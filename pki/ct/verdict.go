package ct

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Status is what a timestamp is worth.
type Status uint8

// The verdicts.
const (
	Valid          Status = iota // a log that counts has signed it
	UnknownVersion               // a version other than 1
	UnknownLog                   // the list does not have the log
	BadSignature                 // the log's signature does not fit
	FromTheFuture                // its time is still to come
	LogNotTrusted                // signed, but the log is pending, rejected, in no known state, or had been retired by then
	WrongInterval                // signed, but the log takes no certificates that expire then
)

// String says the status in a word or two.
func (s Status) String() string {
	switch s {
	case Valid:
		return "valid"
	case UnknownVersion:
		return "unknown version"
	case UnknownLog:
		return "unknown log"
	case BadSignature:
		return "bad signature"
	case FromTheFuture:
		return "from the future"
	case LogNotTrusted:
		return "log not trusted"
	case WrongInterval:
		return "wrong interval"
	}
	return "unknown"
}

// Verdict is the result of checking one timestamp.
type Verdict struct {
	SCT     SCT
	Log     *Log // nil: not in the list
	Status  Status
	Text    string // the status in a sentence, without names from outside
	Section string // the requirement, "RFC 6962, Section 3.2"
}

// VerifySCT checks one timestamp of a chain, leaf first, against a list of logs.
// The chain must hold the issuer if the timestamp is embedded. The error tells why
// nothing could be checked; what was checked and found wanting is a verdict.
func VerifySCT(s SCT, chain []*x509.Certificate, list *LogList, now time.Time) (Verdict, error) {
	if len(chain) == 0 {
		return Verdict{}, errors.New("no certificate to check a timestamp of")
	}
	if now.IsZero() {
		return Verdict{}, errors.New("checking a timestamp needs the present time")
	}
	v := Verdict{SCT: s, Log: list.Find(s.LogID), Section: "RFC 6962, Section 3.2"}
	say := func(status Status, format string, args ...any) (Verdict, error) {
		v.Status, v.Text = status, fmt.Sprintf(format, args...)
		return v, nil
	}
	if s.Version != 0 {
		v.Log = nil
		return say(UnknownVersion, "a timestamp of version %d, which nobody uses", int(s.Version)+1)
	}
	if v.Log == nil {
		return say(UnknownLog, "the log %x is not in the list", s.LogID[:8])
	}
	var issuer *x509.Certificate
	if len(chain) > 1 {
		issuer = chain[1]
	}
	entry, err := EntryOf(chain[0], issuer, s.Source)
	if err != nil {
		return Verdict{}, err
	}
	if err := CheckSignature(s, entry, v.Log.Key); errors.Is(err, ErrSignature) {
		return say(BadSignature, "%v", err)
	} else if err != nil {
		return say(BadSignature, "the log cannot have signed it: %v", err)
	}
	at := s.Time()
	if at.IsZero() || at.After(now) {
		v.Section = "RFC 6962, Section 5.2"
		return say(FromTheFuture, "the log claims to have seen it at a time that is still to come")
	}
	v.Section = ""
	switch v.Log.State {
	case Qualified, Usable, ReadOnly:
	case Retired:
		if !at.Before(v.Log.Since) {
			return say(LogNotTrusted, "the log had been retired on %s, before it signed", v.Log.Since.UTC().Format(time.DateOnly))
		}
	default:
		return say(LogNotTrusted, "the log is %s", v.Log.State)
	}
	expires := chain[0].NotAfter
	if !v.Log.NotBefore.IsZero() && expires.Before(v.Log.NotBefore) || !v.Log.NotAfter.IsZero() && !expires.Before(v.Log.NotAfter) {
		return say(WrongInterval, "the log takes certificates that expire from %s until %s only",
			v.Log.NotBefore.UTC().Format(time.DateOnly), v.Log.NotAfter.UTC().Format(time.DateOnly))
	}
	return say(Valid, "signed by the log on %s", at.Format(time.DateOnly))
}

// shortLived is the lifetime up to which two embedded timestamps are enough.
const shortLived = 180 * 24 * time.Hour

// Complies judges timestamps together, by the rule of Chrome and Apple for
// certificates of public CAs. Embedded: two valid ones from different logs, three
// if the certificate lives more than 180 days, by two operators at least, and one
// of them from a log that still counts today. In the TLS extension or OCSP: two,
// from logs that still count, by two operators. The reason says what is missing.
func Complies(leaf *x509.Certificate, verdicts []Verdict) (ok bool, reason string) {
	var embedded, sent []Verdict
	for _, v := range verdicts {
		sameLog := func(o Verdict) bool { return o.Log == v.Log }
		switch {
		case v.Status != Valid || v.Log == nil:
		case v.SCT.Source == Embedded && !slices.ContainsFunc(embedded, sameLog):
			embedded = append(embedded, v)
		case v.SCT.Source != Embedded && v.Log.State != Retired && !slices.ContainsFunc(sent, sameLog):
			sent = append(sent, v)
		}
	}
	if len(sent) >= 2 && operators(sent) >= 2 {
		return true, "two operators' logs have signed it"
	}
	need := 2
	if leaf.NotAfter.Sub(leaf.NotBefore)+time.Second > shortLived {
		need = 3
	}
	current := slices.ContainsFunc(embedded, func(v Verdict) bool { return v.Log.State != Retired })
	switch {
	case len(embedded)+len(sent) == 0:
		return false, "no log in the list has signed it"
	case len(embedded) < need:
		return false, fmt.Sprintf("%d of the %d logs that must have signed it have", len(embedded), need)
	case operators(embedded) < 2:
		return false, "all its timestamps come from one operator"
	case !current:
		return false, "all logs that have signed it are retired"
	}
	return true, fmt.Sprintf("%d logs have signed it", len(embedded))
}

// operators counts who ran the logs when they signed.
func operators(verdicts []Verdict) int {
	names := make(map[string]bool)
	for _, v := range verdicts {
		names[v.Log.OperatorAt(v.SCT.Time())] = true
	}
	return len(names)
}
