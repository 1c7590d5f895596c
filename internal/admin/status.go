package admin

import (
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// Identity is an admin.
type Identity struct {
	Name      string    `json:"name"`
	Roles     []string  `json:"roles"`
	SHA256    string    `json:"sha256"` // of the certificate
	NotAfter  time.Time `json:"not_after"`
	CreatedAt time.Time `json:"created_at"`
	RemovedAt time.Time `json:"removed_at,omitzero"` // may nothing since then
}

// NewIdentity shows an admin.
func NewIdentity(a *store.Admin) Identity {
	return Identity{Name: a.Name, Roles: append([]string{}, a.Roles...), SHA256: hex.EncodeToString(a.Digest[:]), NotAfter: a.NotAfter, CreatedAt: a.CreatedAt, RemovedAt: a.RemovedAt}
}

func (c *call) whoami() (any, error) { return NewIdentity(&c.admin), nil }

func (c *call) admins() (any, error) {
	all, err := c.s.o.Store.Admins(c.Context())
	views := []Identity{}
	for i := range all {
		views = append(views, NewIdentity(&all[i]))
	}
	return views, err
}

// Status is how the CA is.
type Status struct {
	Version   string           `json:"version,omitempty"`
	Now       time.Time        `json:"now"`
	StartedAt time.Time        `json:"started_at"`
	Database  string           `json:"database"` // "sqlite" or "postgresql"
	Unexpired int64            `json:"certificates_unexpired"`
	Revoked   int64            `json:"certificates_revoked"`
	Accounts  map[string]int64 `json:"accounts"` // by status
	Orders    map[string]int64 `json:"orders"`   // by status, as on file
	Issuers   []IssuerView     `json:"issuers"`
}

func (c *call) status() (any, error) {
	s := c.s
	now := s.o.Now().UTC()
	sum, err := s.o.Store.Summary(c.Context(), now)
	if err != nil {
		return nil, err
	}
	views, err := c.issuerViews()
	if err != nil {
		return nil, err
	}
	st := Status{Version: s.o.Version, Now: now, StartedAt: s.started.UTC(), Database: "sqlite", Unexpired: sum.Unexpired, Revoked: sum.Revoked, Accounts: sum.Accounts, Orders: sum.Orders, Issuers: views}
	if s.o.Store.Path() == "" {
		st.Database = "postgresql"
	}
	return st, nil
}

// IssuerView is an issuer.
type IssuerView struct {
	Name      string    `json:"name"`
	Served    bool      `json:"served"` // it issues and publishes here
	Directory string    `json:"acme_directory,omitempty"`
	Subject   string    `json:"subject"`
	Key       string    `json:"key,omitempty"`
	SHA256    string    `json:"sha256,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	PEM       string    `json:"pem,omitempty"`
	Shards    int       `json:"crl_partitions"`
	CRLs      []CRLView `json:"crls"`
}

// CRLView is the last CRL of a kind that left.
type CRLView struct {
	Scope      string    `json:"scope"` // complete, delta, or a partition
	Number     int64     `json:"number"`
	ThisUpdate time.Time `json:"this_update"`
	NextUpdate time.Time `json:"next_update"`
	Entries    int64     `json:"entries"`
}

func (c *call) issuerViews() ([]IssuerView, error) {
	all, err := c.s.o.Store.Issuers(c.Context())
	if err != nil {
		return nil, err
	}
	views, names := []IssuerView{}, namesOf(c.s.names, all)
	for i := range all {
		row := &all[i]
		v := IssuerView{Name: names[row.ID], Subject: row.Name, Shards: row.Shards, CRLs: []CRLView{}}
		if name, ok := c.s.names[row.ID]; ok {
			v.Served = true
			i, err := c.s.issuerNamed(name)
			if err != nil {
				return nil, err
			}
			v.Directory = i.Directory
		}
		if cert, err := cert.ParseX509(row.Certificate); err == nil {
			v.Key, v.SHA256, v.NotBefore, v.NotAfter = pki.DescribeKey(cert.PublicKey), pki.Fingerprint(cert.Raw), cert.NotBefore, cert.NotAfter
			v.PEM = string(pki.AppendCertificatePEM(nil, cert.Raw))
		}
		states, err := c.s.o.Store.CRLStates(c.Context(), row.ID)
		if err != nil {
			return nil, err
		}
		for _, st := range states {
			v.CRLs = append(v.CRLs, CRLView{Scope: st.Scope, Number: st.Number, ThisUpdate: st.ThisUpdate, NextUpdate: st.NextUpdate, Entries: st.Entries})
		}
		views = append(views, v)
	}
	return views, nil
}

func (c *call) issuers() (any, error) { return c.issuerViews() }

func (c *call) issuer() (any, error) {
	views, err := c.issuerViews()
	if err != nil {
		return nil, err
	}
	for _, v := range views {
		if v.Name == c.PathValue("issuer") {
			return v, nil
		}
	}
	return nil, problem("not-found", fmt.Sprintf("no issuer is called %q", pki.Printable(c.PathValue("issuer"))))
}

// CRLOrder asks for a CRL.
type CRLOrder struct {
	Delta bool `json:"delta,omitempty"` // what changed since the last complete one
}

// CRLMade is a CRL that was made.
type CRLMade struct {
	Partition int    `json:"partition"` // 0 where there are none
	Bytes     int    `json:"bytes"`
	SHA256    string `json:"sha256"`
	PEM       string `json:"pem"`
}

func (c *call) makeCRL() (any, error) {
	var want CRLOrder
	if err := c.decode(&want); err != nil {
		return nil, err
	}
	name := c.PathValue("issuer")
	i, err := c.s.issuerNamed(name)
	if err != nil {
		return nil, err
	}
	au := i.Authority.As(c.by().Actor)
	lists := [][]byte{nil}
	if au.Publication.Shards > 1 {
		lists, err = au.Partitions(c.Context(), authority.CRLOptions{Delta: want.Delta})
	} else {
		lists[0], err = au.CRL(c.Context(), authority.CRLOptions{Delta: want.Delta})
	}
	if err != nil {
		return nil, err
	}
	if c.s.o.Renew != nil {
		c.s.o.Renew(name)
	}
	made := []CRLMade{}
	for n, der := range lists {
		made = append(made, CRLMade{Partition: n, Bytes: len(der), SHA256: pki.Fingerprint(der), PEM: string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))})
	}
	return made, nil
}

// AuditEntry is an entry of the audit log.
type AuditEntry struct {
	Number int64     `json:"number"`
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"`
	Action string    `json:"action"`
	Issuer string    `json:"issuer,omitempty"`
	Digest string    `json:"digest,omitempty"` // SHA-256 of what it is about
	Detail string    `json:"detail,omitempty"`
	Prev   string    `json:"previous"` // SHA-256 of the entry before
	Hash   string    `json:"hash"`     // SHA-256 of this one
}

func auditQuery() []parameter {
	return pageQuery(
		parameter{name: "actor", kind: "string", about: "who, whole, as \"admin alice\" or \"acme account ID\""},
		parameter{name: "action", kind: "string", about: "what was done, as issued, revoked, account, binding, admin"},
		parameter{name: "order", kind: "string", about: "which come first (newest unless given)", words: []string{"newest", "oldest"}},
	)
}

func (c *call) audit() (any, error) {
	q := store.AuditQuery{Actor: c.query["actor"], Action: c.query["action"]}
	direction, err := c.word("order", []string{"newest", "oldest"})
	if err != nil {
		return nil, err
	}
	q.Newest = direction != "oldest"
	if q.After, q.Limit, err = c.numbered(); err != nil {
		return nil, err
	}
	entries, err := c.s.o.Store.AuditPage(c.Context(), q)
	if err != nil {
		return nil, err
	}
	all, err := c.s.o.Store.Issuers(c.Context())
	if err != nil {
		return nil, err
	}
	names, answer := namesOf(c.s.names, all), page[AuditEntry]{Items: []AuditEntry{}}
	for i := range entries {
		e := &entries[i]
		hash := e.Hash()
		answer.Items = append(answer.Items, AuditEntry{Number: e.Seq, At: e.At, Actor: e.Actor, Action: e.Action, Issuer: names[e.Issuer], Digest: hex.EncodeToString(e.Digest),
			Detail: e.Detail, Prev: hex.EncodeToString(e.Prev), Hash: hex.EncodeToString(hash[:])})
	}
	if len(entries) == q.Limit {
		answer.Next = strconv.FormatInt(entries[len(entries)-1].Seq, 10)
	}
	return answer, nil
}

// AuditVerdict says whether the audit log holds.
type AuditVerdict struct {
	Intact  bool   `json:"intact"`
	Entries int64  `json:"entries,omitempty"`
	Hash    string `json:"hash,omitempty"` // of the last one: to be written down elsewhere
	Broken  int64  `json:"broken_at,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

func (c *call) verifyAudit() (any, error) {
	head, err := c.s.o.Store.VerifyAudit(c.Context())
	var broken *store.AuditError
	if errors.As(err, &broken) {
		return AuditVerdict{Broken: broken.Seq, Detail: broken.Text}, nil
	}
	if err != nil {
		return nil, err
	}
	return AuditVerdict{Intact: true, Entries: head.Seq, Hash: hex.EncodeToString(head.Hash[:])}, nil
}
