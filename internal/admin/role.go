package admin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// Role is what somebody may do. Nobody may anything by default, and no role holds another, but for [RoleAll].
type Role string

// The roles.
const (
	RoleRead     Role = "read"     // look at everything there is
	RoleIssue    Role = "issue"    // have certificates issued
	RoleRevoke   Role = "revoke"   // revoke, hold and release certificates, and have CRLs made
	RoleAccounts Role = "accounts" // deactivate ACME accounts; make and take back keys that bind them
	RoleAll      Role = "all"      // all of it
)

// Roles lists them.
func Roles() []Role { return []Role{RoleRead, RoleIssue, RoleRevoke, RoleAccounts, RoleAll} }

// ParseRoles reads the names of roles; there must be one at least.
func ParseRoles(words []string) ([]Role, error) {
	var roles []Role
	for _, w := range words {
		r := Role(w)
		if !slices.Contains(Roles(), r) {
			return nil, &pki.RefusedError{Reason: fmt.Sprintf("%q is no role", pki.Printable(w)), Hint: "roles are " + RoleWords()}
		}
		if !slices.Contains(roles, r) {
			roles = append(roles, r)
		}
	}
	if len(roles) == 0 {
		return nil, &pki.RefusedError{Reason: "an admin without a role may do nothing", Hint: "roles are " + RoleWords()}
	}
	return roles, nil
}

// RoleWords lists the roles for people.
func RoleWords() string {
	var words []string
	for _, r := range Roles() {
		words = append(words, string(r))
	}
	return strings.Join(words, ", ")
}

// may tells whether somebody has a role.
func may(a *store.Admin, r Role) bool {
	return slices.Contains(a.Roles, string(r)) || slices.Contains(a.Roles, string(RoleAll))
}
