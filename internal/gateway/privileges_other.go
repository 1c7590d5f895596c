//go:build !unix

package gateway

import "errors"

// dropPrivileges is for systems that have users in the sense of Unix.
func dropPrivileges(name string, _ ...string) error {
	if name == "" {
		return nil
	}
	return &ConfigError{Where: "user", Err: errors.New("this system has no way to become another user")}
}
