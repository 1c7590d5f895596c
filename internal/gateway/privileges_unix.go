//go:build unix

package gateway

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// dropPrivileges becomes another user for good: the last thing before serving. "": nothing is to be dropped.
func dropPrivileges(name string) error {
	if name == "" {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return &ConfigError{Where: "user", Err: err}
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err1 != nil || err2 != nil {
		return &ConfigError{Where: "user", Err: fmt.Errorf("%s has no numbers", name)}
	}
	if os.Geteuid() == uid {
		return nil
	}
	if os.Geteuid() != 0 {
		return &ConfigError{Where: "user", Err: fmt.Errorf("only root can become %s", name)}
	}
	groups := []int{gid}
	if all, err := u.GroupIds(); err == nil {
		for _, g := range all {
			if n, err := strconv.Atoi(g); err == nil && n != gid {
				groups = append(groups, n)
			}
		}
	}
	for _, step := range []error{syscall.Setgroups(groups), syscall.Setgid(gid), syscall.Setuid(uid)} {
		if step != nil {
			return &ConfigError{Where: "user", Err: fmt.Errorf("becoming %s: %w", name, step)}
		}
	}
	if os.Geteuid() != uid || syscall.Setuid(0) == nil && uid != 0 {
		return &ConfigError{Where: "user", Err: fmt.Errorf("the privileges of root could not be given up for good")}
	}
	return nil
}
