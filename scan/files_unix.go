//go:build unix

package scan

import (
	"io/fs"
	"os/user"
	"strconv"
	"syscall"
)

// ownerOf gives the numbers of the user and the group that a file belongs to.
func ownerOf(info fs.FileInfo) (userID, groupID string, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", "", false
	}
	return strconv.FormatUint(uint64(stat.Uid), 10), strconv.FormatUint(uint64(stat.Gid), 10), true
}

// lookUpOwner finds the name of a user ("u") or group ("g"); one without a name goes by its number.
func lookUpOwner(kind, id string) string {
	if kind == "u" {
		if u, err := user.LookupId(id); err == nil {
			return u.Username
		}
		return id
	}
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}
