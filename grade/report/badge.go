package report

import (
	"fmt"

	"github.com/tlswright/tlswright/grade"
)

// Badge draws a grade as a small SVG picture, "TLS" and the letter, for a README or a status page. Any other text than a
// letter of ours is drawn as "?".
func Badge(l grade.Letter) []byte {
	text, label := string(l), "TLS grade "+string(l)
	if rank(l) == 0 {
		text, label = "?", "TLS grade unknown"
	}
	width := 22
	if len(text) > 1 {
		width = 28
	}
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="20" viewBox="0 0 %[1]d 20" role="img" aria-label="%[2]s"><title>%[2]s</title>`+
		`<clipPath id="r"><rect width="%[1]d" height="20" rx="3"/></clipPath><g clip-path="url(#r)"><rect width="32" height="20" fill="#3d444d"/><rect x="32" width="%[3]d" height="20" fill="%[4]s"/></g>`+
		`<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle"><text x="16" y="14">TLS</text><text x="%[5]g" y="14" font-weight="bold">%[6]s</text></g></svg>`+"\n",
		32+width, label, width, colorOf(l), 32+float64(width)/2, text)
}

// colorOf is the colour behind a letter, dark enough for white text (contrast 4.5 to 1 or more).
func colorOf(l grade.Letter) string {
	switch l {
	case "A+", "A":
		return "#1a7f37"
	case "A-":
		return "#4d7a1f"
	case "B":
		return "#8a6500"
	case "C":
		return "#a8540a"
	case "D", "E":
		return "#bc4c00"
	case "F", "M", "T":
		return "#c0202c"
	}
	return "#59636e"
}
