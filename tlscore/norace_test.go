//go:build !race

package tlscore_test

// brief says that the long tables are sampled only.
const brief = false
