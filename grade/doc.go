// Package grade judges a TLS server: facts about it go in, findings and a grade come out. The grade is that of the SSL
// Labs Server Rating Guide (2009r, May 2025), its scores, caps and warnings each a rule with an identifier, a reason,
// evidence and a way to mend it; beside it stand Mozilla's and other policies, as data.
//
// # How to begin
//
//	result := grade.Judge(facts, grade.Options{}) // facts: of package scan, or of storage
//	fmt.Println(result.Grade)
//	for _, f := range result.Findings { // the worst first, the good ones at the end
//		fmt.Println(f.Severity, f.Title, f.Reason)
//	}
//	if !result.Grade.AtLeast("A-") {
//		os.Exit(1)
//	}
//
// # What matters
//
// [Facts] is what is known of one server at one address, and is stored as JSON; [Result] is a judgement, made anew
// whenever it is needed. A [Finding] has a [Fix], with what to write into which file for the server's software. A
// [Policy] is a set of demands beside the grade: [Policies] has the known ones, [ParsePolicy] reads one's own. [Diff]
// tells what changed between two scans, [JudgeFiles] judges keys and configurations on disk.
//
// An [Answer] has more than two values: what was not asked, or not answered, is unknown, and counts neither for nor
// against. Then Result.Incomplete says so, and the grade is the best it can be.
//
// # What it does not do
//
// It knows what facts mean and what follows from them. It does NOT know how facts are gathered: nothing here opens a
// connection, reads a file or asks for the time. So facts that were stored can be judged again by newer rules
// ([RulesVersion]). An own CA, and services that are no web sites, are judged by the same guide, which was made for
// public web sites.
//
// # Errors
//
// [Judge] has none: a server that could not be reached has the empty [Letter], which is never good enough.
// [ParseLetter] and [ParsePolicy] say what of their input is wrong. Texts of a Result are fit to print; strings of
// Facts are the server's.
package grade
