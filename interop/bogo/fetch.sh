#!/usr/bin/env bash
# BoGo's runner, out of Debian's source package of BoringSSL, into the cache. It needs apt-get with a Debian mirror, but
# no root: apt's lists go to a folder of their own, and the system's sources are read, not changed. Where it cannot work
# it says why, and the tests are skipped; with CI=true that is an error. Nothing of BoringSSL enters the repository.
set -euo pipefail

package=android-platform-external-boringssl
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tlswright/bogo
runner=src/ssl/test/runner

[ -f "$cache/$runner/runner.go" ] && exit 0

refuse() {
	echo "bogo: no runner: $*; skipping BoringSSL's tests" >&2
	[ "${CI:-}" != true ] || exit 1
	exit 0
}

for program in apt-get tar xz; do
	command -v "$program" >/dev/null || refuse "$program is missing"
done

mkdir -p "$(dirname "$cache")"
place=$(mktemp -d "$cache.XXXXXX")
trap 'rm -rf "$place"' EXIT
mkdir -p "$place"/{sources,lists/partial,cache/archives/partial,unpacked}

# The system's own sources, asked for source packages. Those of others may have none: that is no error.
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
	[ -f "$file" ] && sed -n 's/^deb /deb-src /p' "$file" >"$place/sources/$(basename "${file%.list}").list"
done
for file in /etc/apt/sources.list.d/*.sources; do
	[ -f "$file" ] && sed 's/^Types:.*/Types: deb-src/' "$file" >"$place/sources/$(basename "$file")"
done
options=(
	-q -o Acquire::Retries=3 -o "APT::Sandbox::User=$(id -un)"
	-o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$place/sources"
	-o "Dir::State::Lists=$place/lists" -o "Dir::Cache=$place/cache"
)
echo "bogo: fetching Debian's $package"
log=$place/log
apt-get "${options[@]}" update >"$log" 2>&1 </dev/null || true
if ! (cd "$place" && apt-get "${options[@]}" source --download-only "$package" >>"$log" 2>&1 </dev/null); then
	tail -5 "$log" >&2
	refuse "apt-get source $package failed"
fi

# apt has checked signature and digests. The runner imports two folders of src/util and its own.
tar -xJf "$place"/*.orig.tar.xz -C "$place/unpacked" --strip-components=1 --wildcards \
	"*/$runner" '*/src/util/testresult' '*/src/go.mod' '*/src/go.sum'
rm -rf "$cache"
mv "$place/unpacked" "$cache"

# Its modules come now, not in the middle of a test.
if ! (cd "$cache/$runner" && GOWORK=off GOFLAGS= "${GO:-go}" test -c -o /dev/null .); then
	refuse "it does not compile"
fi
