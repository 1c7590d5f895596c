//go:build !unix

package main

import "time"

// cpuTime stands in with the wall clock where the CPU time of a process is not to be had.
func cpuTime() time.Duration { return time.Duration(time.Now().UnixNano()) }

// childrenTime is not to be had either.
func childrenTime() time.Duration { return 0 }
