#!/usr/bin/env bash
# The packages of a release, into a folder: an archive for each platform, deb and rpm for Linux, an SBOM for each program,
# and SHA256SUMS. The same commit and the same Go give the same bytes, wherever and whenever that is.
#
#   scripts/dist.sh [-o FOLDER] [OS/ARCH…]      without them: dist, and all six platforms
#
# The version is what Go writes into the program: the tag of the commit, or a pseudo-version made of its time and hash.
# SOURCE_DATE_EPOCH is the time of the commit, whatever it says.
set -euo pipefail
cd "$(dirname "$0")/.."

nfpm_version=v2.45.2
output=dist
if [ "${1:-}" = -o ]; then
	output=$2
	shift 2
fi
platforms=("$@")
[ ${#platforms[@]} -gt 0 ] || platforms=(linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64)

if ! commit=$(git rev-parse HEAD 2>/dev/null); then
	echo "dist: this is no checkout of git; packages bear the version of a commit" >&2
	exit 1
fi
if [ -n "$(git status --porcelain)" ]; then
	echo "dist: there are uncommitted changes: the version will end in +dirty, and nobody can make these packages again" >&2
fi

# Nothing of this machine's settings goes in.
unset GOFLAGS GOEXPERIMENT GOFIPS140 GODEBUG
export CGO_ENABLED=0 GOWORK=off GOAMD64=v1 GOARM64=v8.0 LC_ALL=C TZ=UTC
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$commit")
export SOURCE_DATE_EPOCH
umask 022

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$output"
output=$(cd "$output" && pwd)

# build OS/ARCH FILE. Without the tables for debuggers (-s -w) the program is a third smaller; traces of a panic have lines all the same.
build() {
	GOOS=${1%/*} GOARCH=${1#*/} go build -trimpath -buildvcs=true -ldflags '-s -w' -o "$2" ./cmd/tlswright
}

# nfpm fetches the program that makes deb and rpm; it is no part of this module.
nfpm() {
	local tools=$PWD/.tools/bin
	if [ "$(cat "$tools/nfpm.version" 2>/dev/null)" != "$nfpm_version" ]; then
		GOBIN=$tools go install "github.com/goreleaser/nfpm/v2/cmd/nfpm@$nfpm_version"
		echo "$nfpm_version" >"$tools/nfpm.version"
	fi
	"$tools/nfpm" "$@"
}

# One program of this machine's own speaks for all: it knows its version, its completions and its sample of a configuration.
host=$work/host/tlswright
build "$(go env GOHOSTOS)/$(go env GOHOSTARCH)" "$host"
version=$(go version -m "$host" | awk '$1 == "mod" { print $3 }')
go build -o "$work/release" ./packaging/release

common=$work/common
mkdir -p "$common/man/man1" "$common/completions"
cp LICENSE NOTICE README.md CHANGELOG.md "$common"
cp docs/man/*.1 "$common/man/man1"
"$host" completion bash >"$common/completions/tlswright.bash"
"$host" completion zsh >"$common/completions/_tlswright"
"$host" completion fish >"$common/completions/tlswright.fish"
"$host" completion powershell >"$common/completions/tlswright.ps1"
"$host" init - >"$common/tlswright.yaml"

# packages FOLDER ARCH makes deb and rpm of what the archive of Linux holds.
packages() {
	local folder=$1 stage=$work/stage-$2 number=${version#v} settings=$work/nfpm-$2.yaml format
	# 1.2.3-rc.1 comes before 1.2.3: a tilde says that to dpkg and rpm. A hyphen would begin the revision of the package.
	case $number in *-*) number=${number%%-*}~$(tr - . <<<"${number#*-}") ;; esac
	mkdir -p "$stage/doc"
	cp -R "$folder/tlswright" "$folder/tlswright.yaml" "$folder/completions" "$folder/man/man1" "$stage"
	cp "$folder/NOTICE" "$folder/README.md" "$folder/THIRD-PARTY-LICENSES" "$stage/doc"
	cp "$folder/CHANGELOG.md" "$stage/doc/changelog"
	printf 'tlswright (%s-1) unstable; urgency=medium\n\n  * Version %s. What has changed for users stands in changelog.gz.\n\n -- %s  %s\n' "$number" "$version" \
		"$(sed -n 's/^maintainer: //p' packaging/nfpm.yaml)" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" >"$stage/changelog.Debian"
	"$work/release" gzip "$stage"/man1/*.1 "$stage"/doc/changelog "$stage"/doc/THIRD-PARTY-LICENSES "$stage/changelog.Debian"
	find "$stage" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	sed -e "s|@STAGE@|$stage|; s|@ARCH@|$2|; s|@VERSION@|$number|; s|@TIME@|$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)|" packaging/nfpm.yaml >"$settings"
	for format in deb rpm; do
		nfpm package --config "$settings" --packager "$format" --target "$output" >/dev/null
	done
}

for platform in "${platforms[@]}"; do
	os=${platform%/*} arch=${platform#*/} program=tlswright ending=.tar.gz
	[ "$os" != windows ] || program=tlswright.exe ending=.zip
	name=tlswright_${version#v}_${os}_$arch
	folder=$work/$name
	cp -R "$common" "$folder"
	build "$platform" "$folder/$program"
	"$work/release" licences "$platform" >"$folder/THIRD-PARTY-LICENSES"
	"$work/release" sbom "$folder/$program" >"$output/$name.cdx.json"
	"$work/release" pack "$folder" "$output/$name$ending"
	[ "$os" != linux ] || packages "$folder" "$arch"
	echo "dist: $name"
done

(cd "$output" && find . -maxdepth 1 -type f -name 'tlswright*' -printf '%P\n' | sort | xargs sha256sum >SHA256SUMS)
echo "dist: $version in $output"
