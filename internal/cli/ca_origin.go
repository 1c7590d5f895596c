package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/admin"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// maxSearchedAccounts bounds in how many accounts a search looks.
const maxSearchedAccounts = 20

// accountsOf finds which ACME accounts ordered certificates, by their serial numbers. What was issued by hand is not there.
func accountsOf(ctx context.Context, au *authority.Authority, records []authority.Record) (map[string]string, error) {
	serials := make([]string, len(records))
	for i := range records {
		serials[i] = authority.SerialText(serialOf(records[i].Serial))
	}
	orders, err := au.Store.ACMEOrdersBySerial(ctx, serials)
	if err != nil {
		return nil, err
	}
	accounts := make(map[string]string, len(orders))
	for serial, o := range orders {
		accounts[serial] = o.Account
	}
	return accounts, nil
}

// findByAccount finds what accounts have ordered whose ID begins with a text, or who gave it as part of a contact.
func findByAccount(ctx context.Context, au *authority.Authority, q authority.Query, text string, limit int) (records []authority.Record, total int64, err error) {
	accounts, err := au.Store.ACMEAccountPage(ctx, store.AccountQuery{Contains: text, Limit: maxSearchedAccounts})
	if err != nil {
		return nil, 0, err
	}
	q.Serial, q.Contains = "", ""
	for _, a := range accounts {
		q.Account = a.ID
		n, err := au.Count(ctx, q)
		if err != nil {
			return nil, 0, err
		}
		total += n
		for r, err := range au.Search(ctx, q) {
			if err != nil {
				return nil, 0, err
			}
			if len(records) >= limit {
				break
			}
			records = append(records, r)
		}
	}
	return records, total, nil
}

// originRows say how a certificate came to be over ACME.
func originRows(o *admin.Origin, now time.Time) []row {
	if o == nil {
		return nil
	}
	account := o.Account
	if len(o.Contact) > 0 {
		account += ", " + listed(o.Contact)
	}
	rows := []row{
		{label: "ACME account", value: account},
		{label: "order", value: o.Order},
		{label: "client", value: agentText(o.Client.Agent, o.Client.Address)},
	}
	for i, p := range o.Proofs {
		rows = append(rows, row{label: map[bool]string{true: "proven"}[i == 0], value: fmt.Sprintf("%s by %s, %s", pki.Printable(strings.TrimPrefix(p.Identifier, "dns:")), p.Challenge, timeOf(p.At))})
	}
	if o.Profile != "" {
		rows = append(rows, row{label: "ordered as", value: pki.Printable(o.Profile)})
	}
	if o.Replaces != "" {
		rows = append(rows, row{label: "replaces", value: pki.Printable(o.Replaces)})
	}
	if r := o.Renewal; r != nil && r.End.After(now) {
		rows = append(rows, row{label: "renew", value: "between " + timeOf(r.Start) + " and " + timeOf(r.End)})
	}
	return rows
}
