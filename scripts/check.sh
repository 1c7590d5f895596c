#!/usr/bin/env bash
# The gates beside `make test`. Each prints its name and its outcome: ok, FAIL, or "not run" with the reason. All of
# them run, whatever the first ones say; the exit status is 1 if any failed.
set -uo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/.tools/bin
staticcheck_version=v0.8.2
govulncheck_version=v1.1.4
outcomes=()
failed=0
note=

# gate NAME COMMAND…: status 0 is ok, 77 is "not run" with $note as the reason, all else is a failure.
gate() {
	local name=$1 start=$SECONDS status outcome
	shift
	note=
	echo "== $name"
	"$@" </dev/null
	status=$?
	case $status in
	0) outcome=ok ;;
	77) outcome="not run: $note" ;;
	*) outcome=FAIL failed=1 ;;
	esac
	outcomes+=("$(printf '%-12s %s (%d s)' "$name" "$outcome" $((SECONDS - start)))")
	echo "== $name: $outcome"
}

check_format() {
	local unformatted
	unformatted=$(gofmt -l .) && [ -z "$unformatted" ] || { echo "$unformatted"; return 1; }
}

check_modules() {
	go mod verify || return 1
	# Status 1 with nothing to show is a tidy that could not run, for want of a network say: no verdict on go.mod.
	local difference
	if ! difference=$(go mod tidy -diff 2>/dev/null); then
		[ -z "$difference" ] || { echo "$difference"; return 1; }
		echo "go mod tidy could not run here"
	fi
}

check_staticcheck() {
	local want="$staticcheck_version $(go env GOVERSION)"
	if [ "$(cat "$tools/staticcheck.version" 2>/dev/null)" != "$want" ]; then
		# Built with this machine's Go: an analyser that is older than the language refuses the source.
		GOBIN=$tools go install "honnef.co/go/tools/cmd/staticcheck@$staticcheck_version" || {
			note="staticcheck $staticcheck_version could not be fetched"
			[ "${CI:-}" = true ] && return 1
			return 77
		}
		echo "$want" >"$tools/staticcheck.version"
	fi
	"$tools/staticcheck" ./...
}

# Keys in tokens need cgo, so they are behind a build tag, which the other gates do not see.
check_tokens() {
	if ! command -v "$(go env CC)" >/dev/null || ! command -v softhsm2-util >/dev/null; then
		note="tokens need a C compiler and SoftHSM"
		[ "${CI:-}" = true ] && return 1
		return 77
	fi
	export CGO_ENABLED=1
	go vet -tags pkcs11 ./internal/keystore ./cmd/tlswright && go test -vet=off -tags pkcs11 ./internal/keystore
}

check_rules() { go test -count=1 .; }

# have_modules fetches what other systems need beside this one.
have_modules() {
	go mod download >/dev/null 2>&1 && return
	note="the modules of other systems could not be fetched"
	[ "${CI:-}" = true ] && return 1
	return 77
}

# Every licence of what is linked into the program, on any system, is one that packages may carry.
check_licences() {
	local list
	have_modules || return
	list=$(go run ./packaging/release licences -check linux/amd64 darwin/arm64 windows/amd64) || return 1
	echo "$list" | wc -l | xargs printf '%s modules, all under allowed licences\n'
}

# Reading the source as other systems would takes seconds; compiling it for them takes minutes, and is for `make dist`.
check_systems() { have_modules && go run ./packaging/release types darwin/arm64 windows/amd64; }

# The race detector slows handshakes tenfold: the interop table and the benchmarks are left to `make test`. So are packages
# that start no goroutine and share nothing - a house rule holds the pure ones to that - since there is nothing to find.
check_race() {
	if ! command -v "$(go env CC)" >/dev/null; then
		note="the race detector needs a C compiler"
		[ "${CI:-}" = true ] && return 1
		return 77
	fi
	local packages
	packages=$(go list ./... | grep -vE '^[^/]+/[^/]+/[^/]+(/(interop|bench|packaging|internal/cli|scan|grade|wire|acme|pki|minitls|trace|internal/(suite|legacy|keys|ciphers|record|verify|order|issue|zlint|config|relics))(/.*)?)?$')
	export CGO_ENABLED=1
	# The command line's scripts mostly wait, so they run beside the packages. Of them, what serves and connects: the others run
	# one goroutine a process, make RSA keys, or wait for servers of others.
	local log status=0
	log=$(mktemp)
	go test -race -vet=off -parallel 4 -timeout 10m -skip 'TestManual|TestScripts/(ca|cert|scan|acme|ct|ciphers|completion|lesson|learn|starttls|trace|trust|failures|route|usage|version)' \
		./internal/cli >"$log" 2>&1 &
	local beside=$!
	# What drives a browser, fills tables, kills processes or looks through memory waits for others, and so does what feeds the
	# machine of the protocol, in one goroutine, each of many inputs: make test does that. The vet gate has seen all of them.
	# shellcheck disable=SC2086 # a list of import paths
	go test -race -vet=off -p 3 -timeout 8m -skip 'TestABrowser|TestPagesFitEveryScreen|TestTheLastHandshakeIsExplained|TestPagesAreFastWithManyTargets|TestKillsLoseNothing|TestMetricsOfManyTargets|TestDaysOfManyTargets|TestReportsLeaveNothingOut|TestMuchIsSwept|TestSecretsAreGone|JudgedAsByCryptoTLS|FlippedBit|TestChunking|TestMischief' \
		$packages || status=1
	# Of the scanner, what runs goroutines beside each other: whole scans and fleets. Most of its tests wait for one answer.
	go test -race -vet=off -short -timeout 5m -run 'Fleet|Hostile|Bounded|OneConnection|Addresses|Simulat|Quick|Versions|Progress|Gate|Door|Shared' ./scan || status=1
	wait $beside || status=1
	cat "$log"
	rm -f "$log"
	return $status
}

# What is generated equals what the generator makes of its tables; golden files are compared by the tests of their packages.
check_fresh() {
	(cd wire && go run generate.go -stdout) | cmp - wire/zregistry.go
}

check_fuzz() { scripts/fuzz.sh -total "${FUZZ_SECONDS:-40}"; }

check_vulnerabilities() {
	local log status
	# Asked first, for building the tool takes longer.
	if command -v curl >/dev/null && ! curl -sfL -o /dev/null --max-time 20 https://vuln.go.dev/index/db.json; then
		note="the vulnerability database could not be asked"
		return 77
	fi
	if ! [ -x "$tools/govulncheck" ] && ! log=$(GOBIN=$tools go install "golang.org/x/vuln/cmd/govulncheck@$govulncheck_version" 2>&1); then
		note="govulncheck $govulncheck_version could not be fetched"
		return 77
	fi
	log=$(timeout 120 "$tools/govulncheck" ./... 2>&1)
	status=$?
	case $status in
	0) echo "$log" | tail -3 ;;
	3) echo "$log"; return 1 ;;
	*) echo "$log" | tail -3; note="the vulnerability database could not be asked"; return 77 ;;
	esac
}

gate gofmt check_format
gate vet go vet ./...
gate systems check_systems
gate modules check_modules
gate staticcheck check_staticcheck
gate rules check_rules
gate licences check_licences
gate tokens check_tokens
gate fresh check_fresh
gate race check_race
gate fuzz check_fuzz
gate govulncheck check_vulnerabilities

echo
echo "make check:"
printf '  %s\n' "${outcomes[@]}"
exit "$failed"
