package main

import (
	"os/exec"
	"syscall"
)

// bind has the program end with us, and lead a group of its own.
func bind(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// mostFiles is how many descriptors a process may have that asks for all that it can get.
func mostFiles() int {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return fewFiles
	}
	return int(min(r.Max, 1<<20))
}
