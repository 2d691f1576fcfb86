# `make` lists what there is.

export PATH := $(if $(REELKEEP_TEST_BIN),$(REELKEEP_TEST_BIN),$(HOME)/.cache/reelkeep-test/bin):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo build test lint fmt docs ci clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## archive sample videos while their links die; needs nothing
	go run ./cmd/reelkeep demo

build: ## build bin/reelkeep
	CGO_ENABLED=0 go build -trimpath -o bin/reelkeep ./cmd/reelkeep

test: ## run all tests; installs redis-server and MinIO for them
	.ci/tools test
	go test -race -shuffle=on ./...

lint: ## run golangci-lint; builds it first
	.ci/tools lint
	golangci-lint run ./...

fmt: ## format the Go code
	gofmt -w $$(find . -name '*.go' -not -path './.git/*')

docs: ## make the generated pages under docs/
	@mkdir -p docs
	go run ./cmd/reelkeep docs > docs/.configuration.md.new
	mv docs/.configuration.md.new docs/configuration.md

ci: ## run what a build machine runs
	.ci/run

clean: ## remove what was built here
	rm -rf bin docs/.configuration.md.new
