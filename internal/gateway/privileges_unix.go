//go:build unix

package gateway

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// dropPrivileges becomes another user for good: the last thing before serving. "": nothing is to be dropped. The folders
// are what is kept between runs; they are given to the user first.
func dropPrivileges(name string, folders ...string) error {
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
	for _, dir := range folders {
		if err := giveTo(dir, uid, gid); err != nil {
			return &ConfigError{Where: "user", Err: fmt.Errorf("giving %s to %s: %w", dir, name, err)}
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

// giveTo makes a user the owner of a folder and of everything in it. A folder that is not there needs no owner.
func giveTo(dir string, uid, gid int) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
}
