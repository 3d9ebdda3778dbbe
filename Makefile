# From a clean clone, on a machine that has Rust: `make run` and `make test` install what else they
# need, and say so. Only the release profile is used: RocksDB takes a quarter of an hour to compile,
# once for each profile.

# Outside of the clone, so that a new clone finds RocksDB compiled.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/logtrace

.PHONY: help build run test slow-tests bench fuzz

help:
	@echo 'make run     build logtrace and run it on its defaults: loopback only, data in ./data'
	@echo 'make test    run every test, those with real clients included'
	@echo 'make slow-tests  those that take an hour and gigabytes: 200,000,000 messages, 1,000 kills'
	@echo 'make bench   measure it on this machine: flood, memory, disk, queries; ARGS="--messages 1000000"'
	@echo 'make fuzz    run each fuzz target for SECONDS (60)'

build:
	@.ci/need g++=g++ clang=clang '/usr/lib/llvm-*/lib/libclang*.so*=libclang-dev'
	cargo build --release --locked

run: build
	$(CARGO_TARGET_DIR)/release/logtrace serve

# The tests use the binary, and with it the same build of RocksDB.
test: build
	@tests/interop/install
	@if cargo nextest --version >/dev/null 2>&1; \
	then set -x; cargo nextest run --release --locked; \
	else set -x; cargo test --release --locked; fi

# LOGTRACE_MESSAGES=20000000 stores fewer.
slow-tests: build
	cargo test --release --locked --test it -- --ignored --nocapture --test-threads 1 _slow_

bench:
	@.ci/need g++=g++ clang=clang '/usr/lib/llvm-*/lib/libclang*.so*=libclang-dev'
	cargo bench --locked --bench end_to_end -- $(ARGS)

fuzz:
	@tests/fuzz/run $(or $(SECONDS),60)
