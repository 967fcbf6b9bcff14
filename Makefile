# The one entry for everything. It needs python3 (3.11 or newer) with venv and headers, gcc, make and git, and makes the
# rest itself: .venv with the package, its extension and its tools, .venv-gen with the generator of the stubs,
# .venv-oldest with the oldest libraries that the package supports.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_QUIET := 1

GENERATOR := grpcio-tools==1.76.0 mypy-protobuf==5.1.0
LIBRARIES := .venv/.libraries
PACKAGE := .venv/.package
TOOLS := .venv/.tools
PEERS := .venv/.bench
SOURCES := setup.py $(wildcard sessiond/*.pyx sessiond/*.pxd sessiond/native/*.c sessiond/native/*.h sessiond/native/*.pxi)
STEP := tools/step
CASES := 100000000

.PHONY: help
help: ## say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-13s %s\n", $$1, $$2 }'

.PHONY: run
run: $(PACKAGE) ## run the authority on loopback, with its data under ./.sessiond
	@sessiond serve --dev

.PHONY: demo
demo: $(PACKAGE) ## play the life of a session against a real server
	@sessiond demo

.PHONY: test
test: $(PACKAGE) $(TOOLS) $(PEERS) ## run the tests and hold the coverage of token, authority and store
	@python -m pytest -q -n 2 --cov --cov-report=
	@$(STEP) "coverage: every branch of token" coverage report --include='sessiond/token/*' --fail-under=100
	@$(STEP) "coverage: every branch of authority" coverage report --include='sessiond/authority/*' --fail-under=100
	@$(STEP) "coverage: 95 % of store" coverage report --include='sessiond/store/*' --fail-under=95

.PHONY: test-long
test-long: export CRAFTED_CASES := $(CASES)
test-long: $(PACKAGE) $(TOOLS) ## run the tests that take minutes, with CASES crafted signatures
	@python -m pytest -q -m long --timeout=3600

.PHONY: check
check: $(PACKAGE) $(TOOLS) $(PEERS) .venv-gen/.installed .venv-oldest/.installed ## check format, lint, types, layers, generated files, packages, oldest libraries
	@tools/check

.PHONY: bench
bench: $(PACKAGE) $(PEERS) ## measure token verification beside the libraries in use today
	@python -m benchmarks.verify

.PHONY: bench-batch
bench-batch: $(PACKAGE) ## measure BatchVerify and Verify over gRPC, server and client on a core each
	@python -m benchmarks.batch_verify

.PHONY: bench-revocation
bench-revocation: $(PACKAGE) ## measure how revocations are written, judged and told
	@for kind in subject index local; do python -m benchmarks.revocation $$kind || exit 1; done

.PHONY: bench-figures
bench-figures: $(PACKAGE) $(PEERS) ## measure, and write docs/verify.json, its picture and the table of the README
	@python -m benchmarks.verify --json docs/verify.json
	@python -m benchmarks.picture docs/verify.json
	@python -m benchmarks.readme docs/verify.json

.PHONY: proto
proto: $(PACKAGE) .venv-gen/.installed ## make again what is generated: the stubs, docs/errors.md, docs/configuration.md
	@$(STEP) "sessiond/v1" tools/generate-stubs .
	@$(STEP) "docs/errors.md" python -m tools.errors_page
	@$(STEP) "docs/configuration.md" python -m tools.configuration_page

.PHONY: format
format: $(TOOLS) ## format Python and proto
	@ruff format --quiet .
	@ruff check --quiet --fix-only .
	@buf format proto --write

.PHONY: clean
clean: ## remove all that make made; ./.sessiond, the data of `make run`, stays
	@rm -rf .venv .venv-gen .venv-oldest build dist *.egg-info sessiond/_fastverify.c sessiond/_fastverify*.so
	@rm -rf .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What the server runs on: `make run` and `make demo` need no more.
$(LIBRARIES): pyproject.toml
	@python=$$(PATH="$${PATH#*:}" tools/find-python); echo "Making .venv with $$("$$python" --version)"; "$$python" -m venv .venv
	@.venv/bin/python tools/requirements.py build base server >.venv/libraries.txt
	@$(STEP) "libraries" .venv/bin/pip install -r .venv/libraries.txt
	@touch $@

# What tests and checks need besides.
$(TOOLS): $(LIBRARIES)
	@.venv/bin/python tools/requirements.py test dev >.venv/tools.txt
	@$(STEP) "tools of tests and checks" .venv/bin/pip install -r .venv/tools.txt
	@touch $@

# What the benchmarks measure beside us; one of the tests runs them.
$(PEERS): $(LIBRARIES)
	@.venv/bin/python tools/requirements.py bench >.venv/bench.txt
	@$(STEP) "the peers of the benchmarks" .venv/bin/pip install -r .venv/bench.txt
	@touch $@

# The package itself, in place, with the extension built beside its source.
$(PACKAGE): $(SOURCES) $(LIBRARIES)
	@$(STEP) "the package and its extension" .venv/bin/pip install --no-build-isolation --no-deps --editable .
	@touch $@

.venv-gen/.installed: Makefile | $(LIBRARIES)
	@.venv/bin/python -m venv .venv-gen
	@$(STEP) "the generator of the stubs" .venv-gen/bin/pip install $(GENERATOR)
	@touch $@

.venv-oldest/.installed: pyproject.toml | $(LIBRARIES)
	@.venv/bin/python -m venv --clear .venv-oldest
	@.venv/bin/python tools/requirements.py --oldest base server >.venv-oldest/oldest.txt
	@.venv/bin/python tools/requirements.py test >.venv-oldest/test.txt
	@$(STEP) "the oldest libraries" .venv-oldest/bin/pip install -r .venv-oldest/oldest.txt -r .venv-oldest/test.txt
	@touch $@
