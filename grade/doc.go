// Package grade judges a TLS server: facts about it go in, findings and a grade come out. The grade is that of the SSL
// Labs Server Rating Guide (2009r, May 2025), its scores, caps and warnings each a rule with an identifier, a reason,
// evidence and a way to mend it; beside it stand Mozilla's and other policies, as data.
//
// It knows what facts mean and what follows from them. It does NOT know how facts are gathered: nothing here opens a
// connection, reads a file or asks for the time. So facts that were stored can be judged again by newer rules.
package grade
