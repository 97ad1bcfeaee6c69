# certpace. `make help` lists what there is.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GOARCH   ?= arm64
# Of the commit alone: tags, and how short a hash may be, differ from clone to clone, and the packages must not.
VERSION  ?= $(shell git describe --always --exclude='*' --abbrev=12 --dirty 2>/dev/null || echo dev)
CACHE    := .cache
LAB      := $(CACHE)/lab
PYTHON   := $(CACHE)/emulator/bin/python
FLAGS    := -trimpath -buildvcs=false -ldflags "-s -w -X github.com/certpace/certpace/internal/app.Version=$(VERSION)"
# More build tags of the functions, with commas between them; allproviders: all of lego's DNS providers.
TAGS     ?=
comma    := ,
FUNCTION := CGO_ENABLED=0 go build $(FLAGS) -tags lambda.norpc$(addprefix $(comma),$(TAGS))

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: lab ## The whole thing on this machine: issue, store, renew, crash, resume (a minute and a half)
	@go run ./cmd/demo -lab $(LAB) -python $(PYTHON)

.PHONY: test
test: lint lab ## Everything that CI runs
	@scripts/test

.PHONY: build
build: ## dist/{plan,renew}/bootstrap for Lambda (linux, GOARCH, default arm64; TAGS=allproviders) and bin/certpace for this machine
	@mkdir -p dist/plan dist/renew bin
	GOOS=linux GOARCH=$(GOARCH) $(FUNCTION) -o dist/plan/bootstrap ./functions/plan
	GOOS=linux GOARCH=$(GOARCH) $(FUNCTION) -o dist/renew/bootstrap ./functions/renew
	env -u GOARCH go build $(FLAGS) -o bin/certpace ./cmd/certpace

.PHONY: package
package: build ## dist/plan.zip and dist/renew.zip, byte-identical from the same commit
	python3 scripts/zip.py dist/plan/bootstrap dist/plan.zip
	python3 scripts/zip.py dist/renew/bootstrap dist/renew.zip

.PHONY: lab
lab: $(PYTHON) ## Build what demo and tests run: both functions for this machine, the command line, the AWS emulator
	@mkdir -p $(LAB)/plan $(LAB)/renew
	@echo "building the functions and the command line for this machine …"
	@env -u GOARCH $(FUNCTION) -o $(LAB)/plan/bootstrap ./functions/plan
	@env -u GOARCH $(FUNCTION) -o $(LAB)/renew/bootstrap ./functions/renew
	@env -u GOARCH go build $(FLAGS) -o $(LAB)/certpace ./cmd/certpace

$(PYTHON): internal/lab/emulator/requirements.txt internal/lab/emulator/constraints.txt internal/lab/emulator/setup.sh
	@internal/lab/emulator/setup.sh $(CACHE)/emulator
	@touch $@

.PHONY: lint
lint: ## gofmt, go vet, staticcheck
	@echo "lint: gofmt, vet, staticcheck"
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "gofmt -w $$unformatted"; exit 1; fi
	@go vet ./...
	@go tool -modfile=tools/go.mod staticcheck ./...

.PHONY: fuzz
fuzz: ## Fuzz everything that is parsed, 20 s each
	@scripts/fuzz 20s

.PHONY: bench
bench: lab ## Measure what docs/benchmarks.md promises (BENCH="decide tick": only these; BENCH=-w: into the page, too)
	@LAB_DIR=$(CURDIR)/$(LAB) LAB_PYTHON=$(CURDIR)/$(PYTHON) scripts/bench $(BENCH)

.PHONY: crash
crash: lab ## The whole crash matrix: each outside call of the worker meets each fate (twenty minutes on two cores; make test has a part)
	@CRASH=all LAB_DIR=$(CURDIR)/$(LAB) LAB_PYTHON=$(CURDIR)/$(PYTHON) go test -count=1 -timeout 60m ./internal/e2e/crash

# Finds or installs MariaDB and redis, and builds Let's Encrypt's own CA. Does nothing where all is there.
.PHONY: boulder-build
boulder-build:
	@scripts/boulder install
	@scripts/boulder build $(CACHE)/boulder

.PHONY: boulder
boulder: boulder-build lab ## Let's Encrypt's own CA beside the whole lab on this machine, kept up; prints what to export (docs/boulder.md)
	@go run ./cmd/boulder -lab $(LAB) -boulder $(CACHE)/boulder -python $(PYTHON)

.PHONY: proof-boulder
proof-boulder: boulder-build lab ## The whole proof against Let's Encrypt's own CA and its limits (make test has a short form)
	@scripts/proof whole

.PHONY: bench-full
bench-full: lab ## The CA under load and lego beside it, 20 tries each and up to 100 names (two hours)
	@LAB_DIR=$(CURDIR)/$(LAB) LAB_PYTHON=$(CURDIR)/$(PYTHON) LOAD_TRIES=20 LOAD_SIDE_BY_SIDE=20 LOAD_BATCHES=10 scripts/bench $(or $(BENCH),load lego hours function)

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf bin dist $(CACHE)
