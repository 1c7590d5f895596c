//go:build unix

package keystore

import (
	"io/fs"
	"os"
	"syscall"
)

// permissionsCount tells whether mode bits say who may read a file.
const permissionsCount = true

// ownedByUs tells whether the file belongs to the user we run as.
func ownedByUs(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(stat.Uid) == os.Geteuid()
}
