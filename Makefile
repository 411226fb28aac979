# Two commands matter: `make demo` and `make test`. Each sets up what it needs.
# SQLite is built to use fdatasync: half the cache flushes per commit (DECISIONS.md, 6).
export CGO_CFLAGS := -O2 -g0 -DHAVE_FDATASYNC=1
export CGO_ENABLED := 1

GOFLAGS_BUILD := -trimpath -tags "sqlite_omit_load_extension,netgo,osusergo"
COMMANDS := concentrator center street demo plcscope

.PHONY: help demo build test lint bench clean

help:
	@echo "make demo    a street of 300 meters, a station and a center; ends by itself in about two minutes"
	@echo "make test    the gate: format, vet, linters, house rules, all tests"
	@echo "make build   the commands, into bin/"
	@echo "make bench   the benchmarks that the README's figures come from"
	@echo "make clean   removes bin/ and out/"

# DEMO_FLAGS="--meters 50 --keep" is handed to the demo.
demo: build
	@bin/demo $(DEMO_FLAGS)

build:
	@scripts/setup
	@mkdir -p bin
	go build $(GOFLAGS_BUILD) -o bin/ $(addprefix ./cmd/,$(COMMANDS))

test:
	@scripts/test

lint:
	@scripts/lint

bench:
	@scripts/bench

clean:
	rm -rf bin out
