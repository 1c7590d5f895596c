package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// hidden is what a listener has for Encrypted ClientHello (RFC 9849). All of its doors have the same keys: which door a
// connection comes to is settled by the name inside, which no door is asked for before the hello is decrypted.
type hidden struct {
	files []config.ECHKeyFile
	now   atomic.Pointer[hiddenKeys] // replaced when the files change
}

// hiddenKeys are the keys of a listener, as they were read.
type hiddenKeys struct {
	keys []tlscore.ECHKey
	told []ECHStatus
}

// ECHStatus is a key for Encrypted ClientHello that a listener has.
type ECHStatus struct {
	File       string `json:"file"`
	ConfigID   uint8  `json:"config_id"`
	PublicName string `json:"public_name"`
	Old        bool   `json:"old,omitempty"` // clients are not told of it
}

// names are the files that are read.
func (h *hidden) names() []string {
	var out []string
	for _, f := range h.files {
		out = append(out, f.File)
	}
	return out
}

// keys are those in force.
func (h *hidden) keys() []tlscore.ECHKey {
	if k := h.now.Load(); k != nil {
		return k.keys
	}
	return nil
}

// status tells of them.
func (h *hidden) status() []ECHStatus {
	if k := h.now.Load(); k != nil {
		return k.told
	}
	return nil
}

// readHidden reads the keys of a listener. The error is a *[ConfigError] that says which of its files will not do.
func (r *reach) readHidden() (*hiddenKeys, error) {
	out := &hiddenKeys{}
	for _, f := range r.hidden.files {
		if err := r.readHiddenFile(out, f); err != nil {
			return nil, &ConfigError{Place: f.Place, Where: "listener " + listenerName(r.listener), Err: err}
		}
	}
	return out, nil
}

func (r *reach) readHiddenFile(out *hiddenKeys, f config.ECHKeyFile) error {
	keys, err := keystore.ReadECHKeys(f.File, !f.Old)
	if err != nil {
		return err
	}
	// What the handshake would refuse is refused while the file is known.
	if _, err := tlscore.Compile(tlscore.Config{ECHKeys: withRetry(keys)}); err != nil {
		return fmt.Errorf("%s: %w", pki.Printable(f.File), err)
	}
	for _, k := range keys {
		var c wire.ECHConfig
		if err := c.Parse(k.Config); err != nil {
			return fmt.Errorf("%s: %w", pki.Printable(f.File), err)
		}
		if err := r.servesPublicName(c.PublicName); err != nil {
			return fmt.Errorf("%s: %w", pki.Printable(f.File), err)
		}
		out.told = append(out.told, ECHStatus{File: f.File, ConfigID: c.ConfigID, PublicName: pki.Printable(c.PublicName), Old: f.Old})
	}
	out.keys = append(out.keys, keys...)
	return nil
}

// withRetry marks all keys as ones for clients to use, so that they can be tried without the others.
func withRetry(keys []tlscore.ECHKey) []tlscore.ECHKey {
	keys = slices.Clone(keys)
	for i := range keys {
		keys[i].Retry = true
	}
	return keys
}

// servesPublicName says why clients could not be told under a name which configuration to use; nil: they can. Every client
// asks for that name in the open, those whose hello can be decrypted, too.
//
// RFC 9849, Section 6.1.7: the client verifies that the certificate is valid for the public name.
func (r *reach) servesPublicName(name string) error {
	d := r.find(canonicalHost(name))
	if d == nil {
		return fmt.Errorf("its public name %s leads to no site of this listener, and every client asks for it: add it to the hosts of a site", pki.Printable(name))
	}
	d.site.mu.Lock()
	defer d.site.mu.Unlock()
	if len(d.site.identities) == 0 {
		return nil // ACME will bring one, for the hosts of the site
	}
	var errs []error
	for _, id := range d.site.identities {
		leaf, err := cert.ParseX509(id.Chain[0])
		if err == nil {
			err = leaf.VerifyHostname(name)
		}
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("the site %s has no certificate for its public name %s, so no client would believe what it is told under that name: %w", d.site.name, pki.Printable(name), errors.Join(errs...))
}

// reloadHidden reads the keys of a listener again, and turns its doors to them: all of them or, with an error, none.
func (g *Gateway) reloadHidden(r *reach) error {
	keys, err := r.readHidden()
	if err == nil {
		before := r.hidden.now.Swap(keys)
		var errs []error
		for _, d := range r.doors {
			errs = append(errs, d.refresh())
		}
		if err = errors.Join(errs...); err != nil {
			r.hidden.now.Store(before)
			for _, d := range r.doors {
				_ = d.refresh() // what it was made of before, it can be made of again
			}
		}
	}
	if err != nil {
		g.metrics.reloads.WithLabelValues("ech-keys", "failed").Inc()
		return err
	}
	g.metrics.reloads.WithLabelValues("ech-keys", "done").Inc()
	g.tell(slog.LevelInfo, Event{Kind: "ech-keys", Listener: listenerName(r.listener), Text: fmt.Sprintf("the keys for Encrypted ClientHello were read from disk again: %d", len(keys.keys))})
	return nil
}

// watchedHidden is what depends on the files of a listener's keys.
func (g *Gateway) watchedHidden(r *reach) *watched {
	return &watched{name: "", files: r.hidden.names(), reload: func(context.Context) error { return g.reloadHidden(r) }}
}

// countOffered counts a hello in which there is, or may be, another one. Whether it can be decrypted is counted by itself: the
// difference are keys that are not known any more, and GREASE, which look the same.
func (r *reach) countOffered(g *Gateway, h *tlsnet.ClientHello) {
	if len(r.hidden.files) == 0 {
		return
	}
	var v wire.ECHClientHello
	if ok, err := h.Message.Ext(&v); err == nil && ok && v.Type == wire.ECHOuter {
		g.metrics.hellos.WithLabelValues(listenerName(r.listener), "offered").Inc()
	}
}

// countAccepted counts a hello that was decrypted, all of which are taken.
func (d *door) countAccepted(*tlsnet.ClientHello) bool {
	d.g.metrics.hellos.WithLabelValues(d.listener, tlscore.ECHAccepted.String()).Inc()
	return true
}

// echWord is what became of Encrypted ClientHello, for logs and counters; "": the client sent nothing of the kind, or the
// listener has no keys.
func echWord(f tlscore.ECHFacts) string {
	switch f.Status {
	case tlscore.ECHAccepted, tlscore.ECHRejected:
		return f.Status.String()
	}
	return ""
}
