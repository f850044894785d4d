# The one door: `make` lists what is behind it.
.DEFAULT_GOAL := help
.PHONY: help run build test scan check fmt lint boundaries docs check-openapi bench bench-engine bench-peers \
  bench-latency fuzz storm tsan asan image deploy-check clean

SWIFT ?= swift
SOURCES := Package.swift Sources Tests Benchmarks Fuzz
ARGUMENTS ?=
# Seconds that each fuzz target runs.
FUZZ_SECONDS ?= 60
# Seconds that damaged requests are sent.
STORM_SECONDS ?= 60
# Every how many patterns `make scan` tries.
SCAN_STEP ?= 1

help: ## This list.
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

run: ## Build for release and serve the embedded model (ARGUMENTS="--port 9000 …").
	$(SWIFT) run -c release sluice serve $(ARGUMENTS)

build: ## Build for release: .build/release/sluice.
	$(SWIFT) build -c release --product sluice

test: ## The whole test suite, in debug.
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build

check: lint boundaries test ## Everything that a change has to pass.

lint: ## Formatting, strictly.
	$(SWIFT) format lint --strict --parallel --recursive $(SOURCES)

fmt: ## Format in place.
	$(SWIFT) format --in-place --parallel --recursive $(SOURCES)

boundaries: ## Which room may import what.
	scripts/boundaries

docs: ## docs/configuration.md and docs/metrics.md, from what the program says of itself.
	$(SWIFT) build --product sluice
	scripts/configuration .build/debug/sluice
	scripts/metrics .build/debug/sluice

check-openapi: ## Everything that openapi.yaml describes, asked of a running server by schemathesis (3 minutes).
	$(SWIFT) build --product sluice
	scripts/check-openapi

bench: ## The codec, the engine and the service, measured (docs/performance.md).
	$(SWIFT) build -c release
	.build/release/sluice-benchmarks codec
	.build/release/sluice bench
	.build/release/sluice-benchmarks gates
	.build/release/sluice-benchmarks mixture
	.build/release/sluice-benchmarks gradient
	.build/release/sluice-benchmarks convolution
	.build/release/sluice-benchmarks http1
	.build/release/sluice-benchmarks requests
	.build/release/sluice-benchmarks outcomes
	scripts/bench-http
	scripts/bench-requests
	scripts/bench-budget
	scripts/bench-fairness
	scripts/bench-loading

bench-engine: ## The engine beside oneDNN, ONNX Runtime, OpenVINO and PyTorch (ARGUMENTS="--rows 1 …").
	$(SWIFT) build -c release --product sluice
	Benchmarks/peers/engine $(ARGUMENTS)

bench-peers: ## The service beside FastAPI and Triton with ONNX Runtime and OpenVINO (ARGUMENTS="--rows 1 …").
	$(SWIFT) build -c release --product sluice
	test -x .build/peers/bin/python || python3 -m venv .build/peers
	.build/peers/bin/pip install --quiet --requirement Benchmarks/peers/services/requirements.txt
	.build/peers/bin/python Benchmarks/peers/services/run $(ARGUMENTS)

bench-latency: ## Latency against load beside FastAPI and Triton, after bench-peers (ARGUMENTS="--plot FILE …").
	.build/peers/bin/python Benchmarks/peers/services/latency $(ARGUMENTS)

fuzz: ## Every fuzz target for FUZZ_SECONDS.
	scripts/fuzz $(FUZZ_SECONDS)

storm: ## Damaged requests and attacks for STORM_SECONDS, and whether the server goes on serving, rightly.
	$(SWIFT) build --product sluice
	scripts/storm --seconds $(STORM_SECONDS)

tsan: ## The test suite under the thread sanitizer.
	TSAN_OPTIONS=suppressions=$(CURDIR)/scripts/tsan.suppressions:handle_sigbus=0 $(SWIFT) test --sanitize=thread \
	  --scratch-path .build/tsan

scan: ## The activation functions over every finite float32, against their stated bounds (SCAN_STEP=257 for some).
	Tests/Cross/scan $(SCAN_STEP)

# Leaks are not looked for: what Foundation's Process and XCTest keep until the end would be all that is found. SIGBUS is
# left to the program, which answers it itself.
asan: ## The test suite under the address sanitizer.
	ASAN_OPTIONS=detect_leaks=0:handle_sigbus=0 $(SWIFT) test --sanitize=address --scratch-path .build/asan

image: ## The container image sluice:latest.
	docker build -t sluice --build-arg REVISION="$$(git rev-parse HEAD)" --build-arg CREATED="$$(date -u +%FT%TZ)" .

deploy-check: build ## What deploy/ holds, with the real tools: checked, and run (deploy/check/setup installs them).
	deploy/check/setup
	deploy/check/run all

clean: ## Throw away what was built.
	rm -rf .build
