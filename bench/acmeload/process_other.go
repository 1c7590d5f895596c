//go:build !linux

package main

import "time"

// treeTime is not known here.
func treeTime(int) time.Duration { return 0 }

func residentText(int) string { return "unknown" }
