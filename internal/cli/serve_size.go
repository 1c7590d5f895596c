package cli

import "fmt"

// byteCount is a size for people: "512 bytes", "1.5 MB". Powers of ten, one decimal.
func byteCount(n int64) string {
	switch {
	case n == 1:
		return "1 byte"
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	}
	value, unit := float64(n), 0
	for value >= 999.95 && unit < 4 {
		value /= 1000
		unit++
	}
	return fmt.Sprintf("%.1f %s", value, [...]string{"bytes", "kB", "MB", "GB", "TB"}[unit])
}
