#!/usr/bin/env bash
# The programs that the tests talk to: installs them from Debian when it may (root, apt-get), else says which tests
# will be skipped. With CI=true a missing program is an error. It starts and stops nothing. With the argument "accept" it is
# about those that only `make accept` needs.
set -euo pipefail

export PATH="$PATH:/usr/sbin:/sbin:/usr/lib/news/bin"

# program, Debian package, what misses it
peers="
openssl      openssl         interop with OpenSSL, certificates checked by openssl verify
gnutls-cli   gnutls-bin      interop with GnuTLS
tstclnt      libnss3-tools   interop with NSS
nginx        nginx-light     interop with nginx
curl         curl            interop with curl, HTTP/1.1 and HTTP/2
wrk          wrk             load over HTTP/1.1
h2load       nghttp2-client  load over HTTP/2
gcc          gcc             the race detector
git          git             the list of tracked files, make accept
postfix      postfix         STARTTLS in SMTP
dovecot      dovecot-imapd   STARTTLS in IMAP and POP3
vsftpd       vsftpd          AUTH TLS in FTP
nnrpd        inn2            STARTTLS in NNTP
slapd        slapd           StartTLS in LDAP
postgres     postgresql      TLS in PostgreSQL
xz           xz-utils        the runner of BoringSSL's test suite
keytool      default-jre-headless  Java key stores
python3/cryptography  python3-cryptography  the second implementation of the simplified TLS
softhsm2-util  softhsm2      keys in PKCS #11 tokens
tshark       tshark          packet captures, opened by Wireshark
chromium     chromium        the page of a recorded connection
apache2      apache2         fixes for Apache, tried on it
haproxy      haproxy         fixes for HAProxy, tried on it
caddy        caddy           fixes for Caddy, tried on it
faketime     faketime        certificates of other days
groff        groff-base      manual pages, set as man sets them
"

# what only `make accept` needs: the servers of the scanners' lab, and the scanners it compares with
if [ "${1:-}" = accept ]; then
	peers="
testssl      testssl.sh      the comparison with testssl.sh
sslscan      sslscan         the comparison with sslscan
nmap         nmap            the comparison with nmap
apache2      apache2         the scanned Apache
haproxy      haproxy         the scanned HAProxy
stunnel4     stunnel4        the scanned stunnel
hitch        hitch           the scanned hitch
caddy        caddy           the scanned Caddy
prosody      prosody         the scanned XMPP server
mariadbd     mariadb-server  the scanned MariaDB
xrdp         xrdp            the scanned desktop
javac        openjdk-17-jdk-headless  SSLv3, RC4, DES and export suites, by Java
node         nodejs          the relay before Node
certbot      certbot         ACME by certbot
lego         lego            ACME by lego
dehydrated   dehydrated      ACME by dehydrated
uacme        uacme           ACME by uacme
named        bind9           dynamic updates of the DNS
/usr/lib/*/engines-3/gost.so      libengine-gost-openssl  suites of GOST
/usr/lib/dovecot/lmtp             dovecot-lmtpd           STARTTLS in LMTP
debootstrap  debootstrap     the deb in a clean Debian
ip           iproute2        the deb in a clean Debian
/usr/lib/dovecot/managesieve      dovecot-managesieved    STARTTLS in ManageSieve
"
fi

# has finds a program, a file that a pattern names, or a module of Python's ("python3/MODULE").
has() {
	case "$1" in
	/*) compgen -G "$1" >/dev/null ;;
	python3/*) python3 -c "import ${1#*/}" 2>/dev/null ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

# absent prints the rows of the table whose program is not to be found.
absent() {
	local servers
	for servers in /usr/lib/postgresql/*/bin; do # where Debian keeps PostgreSQL's, once it is installed
		local PATH="$PATH:$servers"
	done
	while read -r program package use; do
		if [ -n "$program" ] && ! has "$program"; then
			echo "$program $package $use"
		fi
	done <<<"$peers"
}

# install fetches packages without letting them start their services.
install() {
	local policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q -o Acquire::Retries=3 update </dev/null || return
	case " $* " in *" inn2 "*) # which cannot be set up on a machine whose name has no domain, unless it is told one
		fetch inn2-inews || return
		grep -q '^domain: *[^ ]' /etc/news/inn.conf || echo 'domain: localhost.test' >>/etc/news/inn.conf ;;
	esac
	fetch "$@"
}

fetch() {
	apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "$@" </dev/null
}

missing=$(absent)
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	packages=$(awk '{ print $2 }' <<<"$missing" | sort -u)
	case " $packages " in *gcc*) packages="$packages libc6-dev" ;; esac
	case " $packages " in *dovecot-imapd*) packages="$packages dovecot-pop3d" ;; esac
	echo "peers: installing" $packages
	# shellcheck disable=SC2086 # a list of package names
	if ! log=$(install $packages 2>&1); then
		echo "$log" | tail -20 >&2
		echo "peers: the installation failed" >&2
	fi
	missing=$(absent)
fi

if [ -z "$missing" ]; then
	exit 0
fi
while read -r program package use; do
	echo "peers: $program is missing (Debian package $package): skipping $use" >&2
done <<<"$missing"
if [ "${CI:-}" = true ]; then
	echo "peers: CI=true, so nothing may be skipped" >&2
	exit 1
fi
