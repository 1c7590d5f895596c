#!/usr/bin/env bash
# The packages, tried: built twice in different folders they are the same to the byte; in a clean Debian 12 the deb installs,
# serves, keeps keys and settings through an upgrade, and leaves when it is told to what it should leave.
#
# It wants root, debootstrap and a network; DEBIAN_ROOT=FOLDER names a root that was made before, of which a copy is taken.
# Compiling for six platforms takes a quarter of an hour on two processors; PLATFORMS=linux/amd64 is content with what is tried.
# All that is started runs in namespaces of its own: no port of this machine is used, and nothing stays mounted.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "accept-deb: $*"; }
fail() {
	echo "accept-deb: FAIL: $*" >&2
	exit 1
}

# ---- within the namespaces: $root, $old and $new are set --------------------------------------------------------------

# in_root COMMAND… runs it in the clean Debian.
in_root() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/nonexistent DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@" </dev/null; }

# files lists what is in the root, but for what dpkg and its kind write about themselves.
files() { (cd "$root" && find . -xdev \( -path ./proc -o -path ./tmp -o -path ./var/lib/dpkg -o -path ./var/log -o -path ./var/cache \) -prune -o -print | sort); }

# image makes what packaging/Containerfile makes, by hand: there is not everywhere a docker or podman that may build.
image() {
	local image=$place/image status=0 limit=$((SECONDS + 60))
	mkdir -p "$image"/usr/bin "$image"/etc/tlswright "$image"/etc/ssl/certs "$image"/tmp "$image"/data "$image"/dev
	chmod 1777 "$image/tmp"
	cp "$root/usr/bin/tlswright" "$image/usr/bin"
	cp packaging/container.yaml "$image/etc/tlswright/tlswright.yaml"
	printf '127.0.0.1 localhost\n' >"$image/etc/hosts"
	mknod -m 666 "$image/dev/null" c 1 3
	mknod -m 666 "$image/dev/urandom" c 1 9
	chown 65532:65532 "$image/data"
	# There is no env and no shell in it: the environment comes from here.
	local run=(env -i TLSWRIGHT_HOME=/data PATH=/usr/bin "$(command -v chroot)" --userspec=65532:65532 "$image" /usr/bin/tlswright)
	"${run[@]}" up -c /etc/tlswright/tlswright.yaml </dev/null >"$place/container.log" 2>&1 &
	local container=$!
	# As the container's HEALTHCHECK asks, until it is well.
	until "${run[@]}" connect 127.0.0.1:8443 </dev/null >"$place/health.log" 2>&1; do
		kill -0 $container 2>/dev/null || { cat "$place/container.log"; fail "what the container runs has ended"; }
		[ "$SECONDS" -lt "$limit" ] || { cat "$place/health.log"; fail "what the container runs is not well"; }
	done
	kill -TERM $container
	wait $container || status=$?
	[ "$status" = 0 ] || { cat "$place/container.log"; fail "what the container runs ended with $status"; }
	say "the container's folder runs as 65532, and is well"
}

# serve UNIT starts what the unit would start, as its user and with its environment, and waits until it says that it is ready.
serve() {
	local unit=$root/usr/lib/systemd/system/$1 words home
	words=$(sed -n 's/^ExecStart=//p' "$unit")
	home=$(sed -n 's/^Environment=//p' "$unit")
	rm -f "$root/tmp/notify"
	# What systemd does: a socket, to which READY=1 comes. A minute is long on a busy machine, and no more.
	# shellcheck disable=SC2086 # an environment and a command, split where systemd splits them
	timeout 60 python3 -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o777)
while b"READY=1" not in s.recv(4096): pass
' "$root/tmp/notify" &
	local ready=$!
	while ! [ -S "$root/tmp/notify" ]; do kill -0 $ready 2>/dev/null || fail "no socket to be ready at"; done
	chroot --userspec=tlswright:tlswright "$root" env -i PATH=/usr/bin:/bin NOTIFY_SOCKET=/tmp/notify $home $words </dev/null >"$place/service.log" 2>&1 &
	service=$!
	wait $ready || { cat "$place/service.log"; fail "$1 does not get ready"; }
}

# ends stops what serve has started; a clean stop is exit code 0.
ends() {
	local status=0
	kill -TERM "$service"
	wait "$service" || status=$?
	[ "$status" = 0 ] || { cat "$place/service.log"; fail "the service ended with $status"; }
}

# as_service COMMAND… runs it as those who look after the service do.
as_service() { chroot --userspec=tlswright:tlswright "$root" env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 "$@" </dev/null; }

# page asks the packaged gateway over the root that the packaged CA has made.
page() { in_root curl -fsS --cacert /var/lib/tlswright/ca/root.pem https://localhost:8443/ >/dev/null || { cat "$place/service.log"; fail "the page is not served"; }; }

version_is() {
	local got
	got=$(in_root tlswright version)
	case $got in *" $1 "*) say "version: $got" ;; *) fail "the version is $got, not $1" ;; esac
}

install_deb() {
	cp "$1" "$root/tmp/tlswright.deb"
	in_root dpkg -i /tmp/tlswright.deb || fail "dpkg -i $(basename "$1")"
	rm "$root/tmp/tlswright.deb"
}

man_pages() {
	local page said count=0
	for page in "$root"/usr/share/man/man1/tlswright*.1.gz; do
		said=$(zcat "$page" | in_root_with_input groff -man -Tutf8 -ww -z 2>&1) || fail "$page does not render: $said"
		[ -z "$said" ] || fail "$page renders with warnings: $said"
		count=$((count + 1))
	done
	[ "$count" -gt 50 ] || fail "$count manual pages only"
	say "$count manual pages render without a warning"
}

in_root_with_input() { chroot "$root" env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 "$@"; }

completion() {
	local got
	got=$(in_root bash -c '. /usr/share/bash-completion/bash_completion && . /usr/share/bash-completion/completions/tlswright &&
		COMP_WORDS=(tlswright vers) COMP_CWORD=1 COMP_LINE="tlswright vers" COMP_POINT=14 && __start_tlswright 2>/dev/null && echo "${COMPREPLY[@]}"')
	case $got in version*) say "completion: vers -> $got" ;; *) fail "bash completes tlswright vers to \"$got\"" ;; esac
}

units() {
	local unit
	command -v systemd-analyze >/dev/null || { say "systemd-analyze is not here: the units are not verified"; return; }
	for unit in "$root"/usr/lib/systemd/system/tlswright*.service; do
		mkdir -p "$place/units"
		# The program of the package stands elsewhere on this machine.
		sed "s|^ExecStart=/usr|ExecStart=$root/usr|" "$unit" >"$place/units/$(basename "$unit")"
	done
	said=$(systemd-analyze verify --man=no "$place"/units/*.service 2>&1) || fail "systemd-analyze verify: $said"
	[ -z "$said" ] || fail "systemd-analyze verify: $said"
	for unit in "$place"/units/*.service; do
		systemd-analyze security --offline=true --threshold=20 "$unit" >"$place/security" || { cat "$place/security"; fail "$unit is exposed"; }
		say "$(basename "$unit"): $(sed -n 's/.*→ *//p' "$place/security")"
	done
}

rights() {
	local wrong
	wrong=$(cd "$root" && find usr/bin/tlswright usr/share/doc/tlswright etc/tlswright usr/lib/systemd/system usr/share/man/man1/tlswright* \
		\( ! -uid 0 -o ! -gid 0 -o -perm /022 -o -type d ! -perm 755 \) -print)
	[ -z "$wrong" ] || fail "these have wrong owners or rights: $wrong"
	[ "$(stat -c '%U %a' "$root/var/lib/tlswright" | sed "s/^UNKNOWN/?/")" != "root 755" ] || fail "the state is readable by all"
	in_root sh -c '[ "$(stat -c "%U %G %a" /var/lib/tlswright)" = "tlswright tlswright 700" ]' || fail "the folder of the state is not tlswright's alone"
}

inside() {
	mount -t proc proc "$root/proc"
	ip link set lo up
	files >"$place/before"

	install_deb "$old"
	version_is v1.900.0
	rights
	man_pages
	completion
	units
	image
	as_service tlswright up --check --home /var/lib/tlswright -c /etc/tlswright/tlswright.yaml || fail "the packaged settings are not right"
	serve tlswright.service
	page
	say "the service is ready and serves"
	as_service tlswright --home /var/lib/tlswright ca list >"$place/list" || fail "the CA's list"
	grep -q localhost "$place/list" || { cat "$place/list"; fail "the CA does not list what it issued"; }
	kill -HUP "$service"
	page
	ends
	root_sum=$(sha256sum <"$root/var/lib/tlswright/ca/root.pem")
	echo "# a word of the administrator" >>"$root/etc/tlswright/tlswright.yaml"

	install_deb "$new"
	version_is v1.901.0
	grep -q "a word of the administrator" "$root/etc/tlswright/tlswright.yaml" || fail "the upgrade has overwritten the settings"
	serve tlswright.service
	page
	ends
	[ "$root_sum" = "$(sha256sum <"$root/var/lib/tlswright/ca/root.pem")" ] || fail "the upgrade has made another root"
	say "the upgrade keeps settings, root and state"

	in_root dpkg -r tlswright || fail "dpkg -r"
	[ ! -e "$root/usr/bin/tlswright" ] && [ -e "$root/etc/tlswright/tlswright.yaml" ] && [ -e "$root/var/lib/tlswright/ca/root.key" ] ||
		fail "removing keeps too much or too little"
	in_root dpkg -P tlswright 2>"$place/purge" || fail "dpkg -P"
	cat "$place/purge"
	grep -q "is kept" "$place/purge" || fail "purge does not say that it keeps the keys"
	files >"$place/after"
	left=$(comm -13 "$place/before" "$place/after" | grep -vE '^\./var/lib/tlswright(/|$)|^\./etc/(passwd|group|shadow|gshadow|subuid|subgid)-$' || true)
	[ -z "$left" ] || fail "purge leaves: $left"
	[ -z "$(comm -23 "$place/before" "$place/after")" ] || fail "purge took away: $(comm -23 "$place/before" "$place/after")"
	rm -r "$root/var/lib/tlswright"

	install_deb "$new"
	in_root dpkg -P tlswright
	[ ! -e "$root/var/lib/tlswright" ] && [ ! -e "$root/etc/tlswright" ] || fail "purge keeps a folder that nobody has used"
	say "remove and purge leave keys, and nothing else"
}

if [ "${1:-}" = inside ]; then
	inside
	exit
fi

# ---- outside ---------------------------------------------------------------------------------------------------------

for tool in debootstrap unshare ip python3 git; do
	if [ "$(id -u)" != 0 ] || ! command -v "$tool" >/dev/null; then
		say "not run: it wants root, debootstrap, unshare, ip, python3 and git"
		[ "${CI:-}" != true ] || exit 1
		exit 0
	fi
done

place=$(mktemp -d)
chmod 755 "$place" # the service runs as another user below it
trap 'chmod -R u+w "$place" && rm -rf "$place"' EXIT
here=linux/$(go env GOHOSTARCH)

# clone FOLDER TAG makes a checkout of the last commit that bears a tag, and the tools that this one has fetched.
clone() {
	git clone -q . "$1"
	git -C "$1" tag "$2"
	mkdir -p "$1/.tools/bin"
	cp .tools/bin/nfpm* "$1/.tools/bin" 2>/dev/null || true
}

clone "$place/first" v1.900.0
clone "$place/elsewhere/second" v1.900.0
# shellcheck disable=SC2086 # a list
"$place/first/scripts/dist.sh" -o "$place/one" ${PLATFORMS:-}
# Another folder, another umask, time zone and language, and nothing compiled before.
(umask 077 && mkdir "$place/cache" && TZ=Asia/Tokyo LC_ALL=C.UTF-8 GOCACHE=$place/cache "$place/elsewhere/second/scripts/dist.sh" -o "$place/two" "$here")
rm -rf "$place/cache"
count=0
for file in "$place"/two/tlswright*; do
	cmp "$file" "$place/one/$(basename "$file")" || fail "$(basename "$file") differs when it is built again"
	count=$((count + 1))
done
[ "$count" = 4 ] || fail "$count packages for $here"
say "$count packages for $here are the same to the byte when built again elsewhere, from nothing"
(cd "$place/one" && sha256sum --quiet -c SHA256SUMS)
git -C "$place/elsewhere/second" tag v1.901.0
"$place/elsewhere/second/scripts/dist.sh" -o "$place/three" "$here"

if [ -n "${DEBIAN_ROOT:-}" ]; then
	cp -a "$DEBIAN_ROOT" "$place/root"
else
	debootstrap --variant=minbase --include=curl,groff-base,bash-completion bookworm "$place/root" >"$place/debootstrap.log" || { tail -5 "$place/debootstrap.log"; fail "debootstrap"; }
fi
export place root=$place/root
old=$(echo "$place"/one/tlswright_*_"${here#*/}".deb) new=$(echo "$place"/three/tlswright_*_"${here#*/}".deb)
export old new
unshare --mount --pid --fork --net --kill-child "$0" inside
say "passed"
