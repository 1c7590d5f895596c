package acmeclient

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/mholt/acmez/v3/acme"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

// Binding is a key for external account binding (RFC 8555, Section 7.3.4).
type Binding struct {
	KID string
	Key string // base64url, as it was handed out
}

// Account is a client's account on a server.
type Account struct {
	Server  string   `json:"server"`
	URL     string   `json:"url"`
	Status  string   `json:"status"`
	Contact []string `json:"contact,omitempty"` // mailto: URLs
}

// accountDir is where the account on a server is kept: a folder named after the directory's address.
func (t *Tree) accountDir(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%q is no https URL of an ACME directory", pki.Printable(server))
	}
	name := strings.NewReplacer("/", "_", ":", "-").Replace(u.Host + u.Path)
	return filepath.Join(t.dir, accountsDir, name), validName(name)
}

// readAccount finds the account on a server; nil: there is none.
func (t *Tree) readAccount(server string) (*acme.Account, error) {
	dir, err := t.accountDir(server)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "account.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var kept Account
	if err := json.Unmarshal(text, &kept); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	key, err := keystore.ReadKey(filepath.Join(dir, "key.pem"))
	if err != nil {
		return nil, err
	}
	return &acme.Account{Status: kept.Status, Contact: kept.Contact, Location: kept.URL, TermsOfServiceAgreed: true, PrivateKey: key}, nil
}

// saveAccount keeps an account. The key goes first: an account whose key is lost is of no use to anybody.
func (t *Tree) saveAccount(server string, a *acme.Account) error {
	dir, err := t.accountDir(server)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := keystore.WriteKey(filepath.Join(dir, "key.pem"), a.PrivateKey); err != nil {
		return err
	}
	text, err := json.MarshalIndent(Account{Server: server, URL: a.Location, Status: a.Status, Contact: a.Contact}, "", "  ")
	if err != nil {
		return err
	}
	return keystore.WriteFile(filepath.Join(dir, "account.json"), append(text, '\n'), 0o600)
}

// Register makes an account on a server, or finds the one that is kept. Terms of service must have been agreed to, which
// the caller knows.
func (c *Client) Register(ctx context.Context, contact []string, binding *Binding) (Account, error) {
	a, err := c.account(ctx, contact, binding)
	if err != nil {
		return Account{}, err
	}
	return Account{Server: c.o.Server, URL: a.Location, Status: a.Status, Contact: a.Contact}, nil
}

func (c *Client) account(ctx context.Context, contact []string, binding *Binding) (*acme.Account, error) {
	kept, err := c.tree.readAccount(c.o.Server)
	if err != nil || kept != nil && kept.Status == acme.StatusValid {
		return kept, err
	}
	key, err := c.accountKey()
	if err != nil {
		return nil, err
	}
	a := acme.Account{Contact: contact, TermsOfServiceAgreed: true, PrivateKey: key}
	if binding != nil {
		if err := a.SetExternalAccountBinding(ctx, c.protocol, acme.EAB{KeyID: binding.KID, MACKey: binding.Key}); err != nil {
			return nil, fmt.Errorf("external account binding: %w", err)
		}
	}
	if a, err = c.protocol.NewAccount(ctx, a); err != nil {
		return nil, explain("register", err)
	}
	return &a, c.tree.saveAccount(c.o.Server, &a)
}

// accountKey is the key of the account to come: the one that is kept if a crash came before the server's answer, which
// finds the account again by it.
func (c *Client) accountKey() (crypto.Signer, error) {
	dir, err := c.tree.accountDir(c.o.Server)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "key.pem")
	key, err := keystore.ReadKey(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = pki.GenerateKey(pki.P256); err != nil {
		return nil, err
	}
	return key, keystore.WriteKey(path, key)
}

// Show asks the server about the account. Without one it is an error.
func (c *Client) Show(ctx context.Context) (Account, error) {
	kept, err := c.needAccount()
	if err != nil {
		return Account{}, err
	}
	a, err := c.protocol.GetAccount(ctx, *kept)
	if err != nil {
		return Account{}, explain("ask about the account", err)
	}
	return Account{Server: c.o.Server, URL: kept.Location, Status: a.Status, Contact: a.Contact}, nil
}

// needAccount is the account that is kept, which must be there.
func (c *Client) needAccount() (*acme.Account, error) {
	kept, err := c.tree.readAccount(c.o.Server)
	if err == nil && kept == nil {
		err = fmt.Errorf("there is no account on %s", pki.Printable(c.o.Server))
	}
	return kept, err
}

// UpdateContact tells the server whom to write to, in the place of those it knew: mailto: URLs.
func (c *Client) UpdateContact(ctx context.Context, contact []string) error {
	kept, err := c.needAccount()
	if err != nil {
		return err
	}
	kept.Contact, kept.Status = contact, "" // some servers take no change of both at once
	updated, err := c.protocol.UpdateAccount(ctx, *kept)
	if err != nil {
		return explain("change the account", err)
	}
	updated.Location = kept.Location // not every server repeats it
	if updated.Status == "" {
		updated.Status = acme.StatusValid
	}
	return c.tree.saveAccount(c.o.Server, &updated)
}

// Rollover gives the account a fresh key (RFC 8555, Section 7.3.5).
func (c *Client) Rollover(ctx context.Context) error {
	kept, err := c.needAccount()
	if err != nil {
		return err
	}
	fresh, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return err
	}
	dir, err := c.tree.accountDir(c.o.Server)
	if err != nil {
		return err
	}
	// On disk before the server knows it: otherwise a crash would leave an account whose key nobody has.
	next := filepath.Join(dir, "key.next.pem")
	if err := keystore.WriteKey(next, fresh); err != nil {
		return err
	}
	changed, err := c.protocol.AccountKeyRollover(ctx, *kept, fresh)
	if err != nil {
		return errors.Join(explain("change the account's key", err), os.Remove(next))
	}
	changed.PrivateKey, changed.Location = fresh, kept.Location
	if err := c.tree.saveAccount(c.o.Server, &changed); err != nil {
		return err
	}
	return os.Remove(next)
}

// Deactivate gives the account up, for ever (RFC 8555, Section 7.3.6).
func (c *Client) Deactivate(ctx context.Context) error {
	kept, err := c.needAccount()
	if err != nil {
		return err
	}
	kept.Status, kept.Contact = acme.StatusDeactivated, nil
	changed, err := c.protocol.UpdateAccount(ctx, *kept)
	if err != nil {
		return explain("deactivate the account", err)
	}
	changed.Location = kept.Location
	return c.tree.saveAccount(c.o.Server, &changed)
}
