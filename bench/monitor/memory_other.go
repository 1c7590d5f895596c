//go:build !unix

package main

import (
	"os"
	"time"
)

// mostMemory is not known here.
func mostMemory(*os.ProcessState) int64 { return 0 }

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }
