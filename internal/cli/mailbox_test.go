package cli

// prepareMailbox sets up a Postfix that puts what is for ops.test into the folder mail/ops: it takes mail at PORT after STARTTLS
// alone, and at PORT2 over TLS.
func prepareMailbox(d *daemon) error {
	if err := d.folderOf("queue", "root"); err != nil {
		return err
	}
	if err := d.folderOf("queue/pid", "root"); err != nil {
		return err
	}
	owned := []string{"data"}
	for _, name := range []string{"private", "public", "incoming", "active", "deferred", "bounce", "defer", "trace", "flush", "hold", "corrupt", "saved", "maildrop"} {
		owned = append(owned, "queue/"+name)
	}
	for _, name := range owned {
		if err := d.folderOf(name, "postfix"); err != nil {
			return err
		}
	}
	if err := d.folderOf("mail", "nobody"); err != nil {
		return err
	}
	err := d.configure("main.cf", `compatibility_level = 3.6
queue_directory = DIR/queue
data_directory = DIR/data
maillog_file = DIR/maillog
maillog_file_prefixes = DIR
myhostname = localhost
mydestination =
mynetworks_style = host
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
biff = no
virtual_mailbox_domains = ops.test
virtual_mailbox_base = DIR/mail
virtual_mailbox_maps = static:ops/
virtual_minimum_uid = 1
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_cert_file = DIR/cert.pem
smtpd_tls_key_file = DIR/key.pem
smtpd_tls_received_header = yes
`)
	if err != nil {
		return err
	}
	return d.configure("master.cf", `127.0.0.1:PORT inet n - n - - smtpd
 -o smtpd_tls_security_level=encrypt
127.0.0.1:PORT2 inet n - n - - smtpd
 -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
tlsmgr unix - - n - 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
`)
}
