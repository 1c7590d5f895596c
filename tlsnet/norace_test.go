//go:build !race

package tlsnet_test

// raceEnabled says that the race detector is on, under which sync.Pool throws things away at random.
const raceEnabled = false
