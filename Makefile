# Every target works on a fresh clone: deps brings libuv first. VERBOSE=1 shows the commands.

SHELL := /bin/sh
Q := $(if $(VERBOSE),,@)
v := $(if $(VERBOSE),-v)

# The bridge's C under both sanitizers; -asan makes Go's own checks and its allocator take part.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined

# What has tests: go test says a line for every package that has none.
tested = $$(go list $(1) -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' $(2))

.PHONY: help deps run build cross test interop race asan bench compare check oracle lint clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1	\2/p' Makefile | expand -t 14

deps: ## bring libuv into third_party (LIBUV=system or LIBUV_PREFIX=/p: another one)
	@sh third_party/libuv.sh

run: deps ## run the tour of examples/tour
	$(Q)go run ./examples/tour

build: deps ## compile all packages, with and without cgo
	$(Q)go build ./...
	$(Q)CGO_ENABLED=0 go build ./...

cross: ## build and vet the pure-Go loop for other systems
	$(Q)for target in linux/arm64 linux/386 darwin/arm64 freebsd/amd64 windows/amd64; do \
		echo "$$target"; export CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/}; go build ./... && go vet ./... || exit 1; done

test: deps ## vet and test all packages, then the pure-Go build and the benchmarks' own tests
	$(Q)go vet ./...
	$(Q)go test $(v) $(call tested,,./...)
	@echo 'without cgo:'
	$(Q)export CGO_ENABLED=0; go test $(v) $(call tested,,./...)
	$(Q)cd bench && go vet ./... && go test $(v) $(call tested,,./...)

interop: deps ## drivers, WebSockets and HTTP/2 on a loop, against real servers (the module interop)
	$(Q)cd interop && go vet ./... && go test $(v) ./...

race: deps ## all tests under the race detector
	$(Q)go test -race $(v) $(call tested,,./...)

asan: deps ## the bridge and what stands on it under the address and undefined-behaviour sanitizers
	$(Q)CGO_CFLAGS='-O1 -g $(SANITIZE)' CGO_LDFLAGS='$(SANITIZE)' go test -asan -timeout 5m $(v) ./cbridge ./uv ./internal/proactor/... . ./tests/...

bench: deps ## measure the design's rows against C, Go net, uvloop, asyncio and Node (QUICK=1, ONLY=name, JSON=file)
	$(Q)cd bench && go run ./cmd/compare -quick $(if $(JSON),-json '$(abspath $(JSON))')

compare: deps ## measure all rows and renew docs/benchmarks.md (QUICK=1: print a selection; ONLY=, JSON=, SAVED=file)
	$(Q)cd bench && go run ./cmd/compare $(if $(QUICK)$(ONLY)$(WORK),,-docs ../docs) \
		$(if $(JSON),-json '$(abspath $(JSON))') $(if $(SAVED),-saved '$(abspath $(SAVED))')

check: deps ## the long tests as well: soaks, faults, 20,000 random programs (ten minutes)
	$(Q)go test -tags check -timeout 2h $(v) $(call tested,-tags check,./...)

oracle: ## trace the scenarios again with the newest Python that is installed (ASYNCIO_ORACLE_PYTHON=another one)
	$(Q)sh tests/oracle/testdata/regenerate.sh

lint: deps ## gofmt, go vet and staticcheck
	$(Q)files=$$(gofmt -l .); [ -z "$$files" ] || { echo "gofmt -w has something to do in:" $$files; exit 1; }
	$(Q)go vet ./...
	$(Q)go tool -modfile=tools/go.mod staticcheck ./...
	$(Q)cd bench && go vet ./... && go tool -modfile=../tools/go.mod staticcheck ./...
	$(Q)cd interop && go vet ./... && go tool -modfile=../tools/go.mod staticcheck ./...

clean: ## remove what make has made, the copy of libuv too
	$(Q)rm -rf third_party/libuv
	$(Q)rm -f *.test *.prof
