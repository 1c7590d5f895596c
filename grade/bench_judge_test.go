package grade

import "testing"

func BenchmarkJudge(b *testing.B) {
	for name, o := range map[string]Options{"whole": {}, "fleet": {NoSnippets: true, Policies: []Policy{}}} {
		b.Run(name, func(b *testing.B) {
			f := goodFacts()
			b.ReportAllocs()
			for b.Loop() {
				Judge(f, o)
			}
		})
	}
}
