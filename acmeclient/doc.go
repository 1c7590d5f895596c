// Package acmeclient gets certificates from ACME servers (RFC 8555), keeps them where servers find them, and renews
// them in time.
//
// # How to begin
//
// A [Tree] is the folder, a [Client] asks one server, and a [Request] says for what:
//
//	tree, err := acmeclient.OpenTree("/etc/tlswright/acme")
//	if err != nil {
//		return err
//	}
//	client := acmeclient.New(tree, acmeclient.Options{Server: directoryURL, Transport: &tlsnet.Transport{}})
//	certificate, err := client.Obtain(ctx, acmeclient.Request{Renewal: acmeclient.Renewal{
//		Names:     []string{"www.example.org"},
//		Challenge: acmeclient.Challenge{Way: acmeclient.Standalone},
//	}})
//
// Then, once or twice a day, [Tree.Renew], which does what is due. The server uses the files in [Tree.Live].
//
// # What matters
//
// [Renewal] is both what is asked for and what is kept, so that it can be done again. [Challenge] chooses one of [Ways]
// to prove control of the names: a web server or a TLS server of its own, a folder of a running web server, DNS by
// RFC 2136, a hook, or a person; a server that answers by itself is an [Answerer]. The account is made with the first
// order, or by [Client.Register]: the caller knows whether the terms of service ([Client.Terms]) were agreed to. The
// folder is laid out as certbot made known:
//
//	live/NAME/{cert,chain,fullchain,privkey}.pem   links to the newest generation
//	archive/NAME/{cert,chain,fullchain,privkey}N.pem
//	archive/NAME/nextkey.pem                       a key for the next generation, made in advance (pins, DANE)
//	renewal/NAME.json                              how it was obtained, so that it can be renewed
//	accounts/SERVER/account.json, key.pem
//	backups/SERVER/TIME/                           files of a web server as they were before an installer changed them
//
// Everything of a generation is on disk before the first link is turned to it; a crash in between leaves links of two
// generations, which the next use of the folder turns to the newer one. The protocol is acmez's.
//
// [Tree.InstallNginx] reads nginx's configuration as nginx does, changes the server blocks for the names of a
// certificate, and takes that back where nginx or a handshake does not agree. What it is about to change is in a
// journal first. It does NOT know other servers that are to use a certificate; [Hooks] do, and [Tree.Snippet] says what
// to write.
//
// # What is safe, and what is not
//
// Keys are made here, written with mode 0600 and never sent. Options.Transport decides which certificate of the ACME
// server is trusted. [Hooks] are run by the shell: do not make them of what strangers say. Try against a staging server
// first, or with Request.DryRun: public ones count failures, and refuse for hours.
//
// # Errors
//
// What the server refused is a [*ServerError]: its Type is the problem's, "rateLimited", and it tells each name's
// reason. A [*HookError] says that the certificate is there, and what should have followed is not done; an
// [*InstallError] whether anything was changed. [ErrNotFound]: the tree has no such certificate. Of several renewals
// each has its own result.
package acmeclient
