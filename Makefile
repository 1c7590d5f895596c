# tlswright. `make` alone lists what there is.

GO         ?= go
ARGS       ?= tour
FUZZTIME   ?= 10s
TESTFLAGS  ?= -timeout 20m
# What takes longest begins first, so that nothing waits for it at the end.
LONGEST    := ./interop ./internal/cli ./scan

# A result from the cache proves nothing on a machine that is asked to judge.
# More packages than processors run beside each other: those that try servers mostly wait for them. What go vet says of the
# tests is for `make check` to ask, once.
ifeq ($(CI),true)
TESTFLAGS += -count=1 -vet=off -p 4
endif

.DEFAULT_GOAL := help
.PHONY: help run test check bench bench-compare fuzz bogo interop accept soak cover peers generate dist

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## run tlswright from source (ARGS="connect example.org"; without ARGS: the tour)
	$(GO) run ./cmd/tlswright $(ARGS)

peers: ## install the programs that the tests talk to (Debian, root), or say which are missing
	@scripts/peers.sh
	@interop/bogo/fetch.sh

test: peers ## every test, real peers included
	$(GO) test $(TESTFLAGS) $(LONGEST) ./...

check: peers ## every other gate: format, vet, other systems, staticcheck, house rules, licences, race, freshness, short fuzz, vulnerabilities
	@scripts/check.sh

interop: peers ## the table of handshakes with OpenSSL, GnuTLS, crypto/tls, curl and nginx, in full
	$(GO) test $(TESTFLAGS) -count=1 -v ./interop/...

bogo: ## BoringSSL's test suite, Debian's copy of it (BORINGSSL=path takes another checkout)
	@test -n "$(BORINGSSL)" || interop/bogo/fetch.sh
	BORINGSSL="$(abspath $(BORINGSSL))" $(GO) test $(TESTFLAGS) -count=1 -v ./interop/bogo

fuzz: ## fuzz every target for FUZZTIME (10s) each
	@scripts/fuzz.sh -each $(FUZZTIME)

bench: ## measurements, side by side with crypto/tls in one run, into docs/performance.md (BENCHFLAGS="-run bulk -rounds 9")
	$(GO) run ./bench $(or $(BENCHFLAGS),-run '13_|12_|idle' -o docs/performance.md)

bench-compare: ## measurements of BASE and of this tree in turns (BASE=main RUN=handshake)
	@scripts/bench-compare.sh "$(BASE)" "$(RUN)"

accept: peers ## what each milestone must show, whole: a fresh clone, big files, many clients, a million hostile flights
	@scripts/peers.sh accept
	@scripts/accept.sh
	@scripts/accept-deb.sh
	TLSWRIGHT_ACCEPT=1 $(GO) test -count=1 -timeout 60m -v -run 'Accept|RandomFlights' ./...

soak: ## over five minutes: every fuzz target for half a minute
	@scripts/fuzz.sh -each 30s

cover: ## coverage of all packages by all tests
	@mkdir -p .tools
	$(GO) test $(TESTFLAGS) -coverpkg=./... -coverprofile=.tools/cover.out ./...
	$(GO) tool cover -func=.tools/cover.out | tail -1

dist: ## the packages of a release: archives, deb, rpm, SBOMs, checksums (PLATFORMS="linux/amd64")
	@scripts/dist.sh $(PLATFORMS)

generate: ## rewrite what is generated from tables
	$(GO) generate ./...
