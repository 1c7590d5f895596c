//go:build race

package tlscore_test

// brief: the race detector makes everything ten times slower, and there are no goroutines here; samples will do.
const brief = true
