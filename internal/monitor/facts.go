package monitor

import (
	"encoding/base64"
	"encoding/hex"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/scan"
)

// observed turns what a scan of one address has found into an observation.
func observed(target string, f *grade.Facts) *watch.Observation {
	o := &watch.Observation{Target: target, Place: net.JoinHostPort(f.Address, strconv.Itoa(f.Port)), Source: watch.Served, At: f.Time,
		Took: time.Duration(f.Seconds * float64(time.Second)), AsksClient: f.Features.ClientAuth == grade.Yes}
	for i := range f.Chains {
		if len(f.Chains[i].Sent) > 0 {
			o.Leaves = append(o.Leaves, leafOf(&f.Chains[i]))
		}
	}
	for i := len(f.Protocols) - 1; i >= 0; i-- {
		if p := &f.Protocols[i]; p.Offered == grade.Yes {
			o.Version = p.Name
			if len(p.Suites) > 0 {
				o.Suite = p.Suites[0].Name
			}
			break
		}
	}
	if len(f.Groups) > 0 {
		o.Group = f.Groups[0].Name
	}
	for _, g := range f.Gaps {
		if g.Probe == scan.ClientGap {
			o.ClientRefused = g.Reason
		}
	}
	o.Outcome = watch.Answered
	if len(o.Leaves) == 0 {
		o.Outcome, o.Error = outcomeOf(f)
	}
	return o
}

// outcomeOf says why there is no certificate.
func outcomeOf(f *grade.Facts) (watch.Outcome, string) {
	text := f.Unreachable
	if text == "" && len(f.Gaps) > 0 {
		text = f.Gaps[0].Reason
	}
	switch {
	case strings.Contains(text, "connection refused"):
		return watch.Refused, text
	case strings.Contains(text, "no route"), strings.Contains(text, "unreachable"):
		return watch.Unreachable, text
	case strings.Contains(text, "timeout"), strings.Contains(text, "timed out"), strings.Contains(text, "time for this host"), strings.Contains(text, "no answer"):
		return watch.TimedOut, text
	}
	return watch.NotTLS, text
}

// leafOf turns a chain that was judged into what the monitor needs of it.
func leafOf(c *grade.Chain) watch.Leaf {
	l := watch.Leaf{Incomplete: c.Complete == grade.No && !c.SelfSigned, Repairable: c.AIARepairs == grade.Yes, MustStaple: c.Sent[0].MustStaple}
	known := make(map[string]watch.Certificate)
	for i := range c.Sent {
		cert := certificateOf(&c.Sent[i])
		l.Chain = append(l.Chain, cert)
		known[cert.Fingerprint] = cert
	}
	for i := range c.Unsent {
		cert := certificateOf(&c.Unsent[i])
		known[cert.Fingerprint] = cert
	}
	for _, print := range c.Path {
		if c.Trusted != grade.Yes {
			break // it leads nowhere
		}
		if cert, ok := known[bare(print)]; ok {
			l.Path = append(l.Path, cert)
		}
	}
	for _, t := range c.Trust {
		l.Trust = append(l.Trust, watch.Trust{Store: t.Store, Own: t.Own, Trusted: t.Trusted, Problem: t.Reason})
	}
	if c.NameMatches == grade.No {
		l.Name = "it is for " + strings.Join(c.Sent[0].Names[:min(len(c.Sent[0].Names), 5)], ", ")
		if len(c.Sent[0].Names) == 0 {
			l.Name = "it names no host"
		}
	}
	switch c.Revoked {
	case grade.Yes:
		l.Revocation = "revoked"
	case grade.No:
		l.Revocation = "good"
	case grade.Unknown:
		l.Revocation = "unknown"
	}
	l.Revoked = strings.Join(c.Revocation, "; ")
	if s := c.Staple; s != nil {
		l.Staple = &watch.Staple{Status: s.Status, ThisUpdate: s.ThisUpdate, NextUpdate: s.NextUpdate}
		if !s.Valid {
			l.Staple.Problem = s.Reason
		}
	}
	return l
}

func certificateOf(c *grade.Certificate) watch.Certificate {
	return watch.Certificate{Fingerprint: bare(c.SHA256), Subject: c.Subject, Issuer: c.Issuer, Names: c.Names, Serial: c.Serial, NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		Key: c.Key, Pin: pinOf(c.SPKI), Signature: c.Signature, IsCA: c.IsCA, SelfSigned: c.IsSelfSigned, Weak: weaknessOf(c)}
}

// bare is a fingerprint without colons, in small letters.
func bare(print string) string { return strings.ToLower(strings.ReplaceAll(print, ":", "")) }

// pinOf turns "sha256/BASE64" into hexadecimal.
func pinOf(pin string) string {
	_, text, _ := strings.Cut(pin, "/")
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return pin
	}
	return hex.EncodeToString(raw)
}

// weaknessOf says why a certificate is too weak for today; "": it is not.
func weaknessOf(c *grade.Certificate) string {
	switch signature := strings.ToUpper(c.Signature); {
	case c.WeakKey != "":
		return c.WeakKey
	case c.KeyStrength > 0 && c.KeyStrength < 2048:
		return "its key, " + c.Key + ", is too short"
	case strings.Contains(signature, "SHA1") || strings.Contains(signature, "SHA-1") || strings.Contains(signature, "MD5") || strings.Contains(signature, "MD2"):
		return "it is signed with " + c.Signature
	}
	return ""
}
