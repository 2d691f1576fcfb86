# `make` lists what there is.

export PATH := $(if $(REELKEEP_TEST_BIN),$(REELKEEP_TEST_BIN),$(HOME)/.cache/reelkeep-test/bin):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo build image chart alerts test chaos lint bench fmt docs ci clean

out := bin/reelkeep
image := reelkeep:latest

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## archive sample videos while their links die; needs nothing
	go run ./cmd/reelkeep demo

build: ## build bin/reelkeep
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" $(if $(tags),-tags $(tags)) -o $(out) ./cmd/reelkeep

image: ## build the container image reelkeep:latest, with docker, podman or buildah
	GOOS=linux $(MAKE) --no-print-directory build out=bin/image/reelkeep
	.ci/image $(image)

chart: ## lint the chart and render it with every ci/*-values.yaml; builds helm first
	.ci/tools chart
	@set -e; for values in charts/reelkeep/ci/*-values.yaml; do \
		helm lint --strict --quiet charts/reelkeep --values $$values; \
		helm template reelkeep charts/reelkeep --values $$values >/dev/null; \
		echo "lints and renders with $$values"; \
	done

alerts: ## check the alert rules and run their tests; fetches promtool first
	.ci/tools alerts
	promtool check rules charts/reelkeep/rules/reelkeep.yaml
	promtool test rules charts/reelkeep/rules/reelkeep_test.yaml

test: ## run all tests; installs redis-server, Chromium, MinIO and helm for them
	.ci/tools test
	go test -race -shuffle=on ./...

chaos: ## let everything break at once, and count (seed=7 for=10m); the scoreboard goes to docs/reliability.md
	.ci/tools test
	go run ./cmd/chaos -seed $(or $(seed),0) -for $(or $(for),10m) -report docs/reliability.md

lint: ## run golangci-lint; builds it first
	.ci/tools lint
	golangci-lint run ./...

bench: ## measure against rclone, mc and the limit, and write docs/benchmarks.md; case=plain runs=3 clients=rclone shrink=8 profile=DIR
	.ci/tools bench
	$(MAKE) --no-print-directory build out=bin/bench/reelkeep tags=$(if $(profile),profile)
	go build -o bin/bench/bench ./cmd/bench
	bin/bench/bench -case "$(case)" -clients "$(clients)" -runs $(or $(runs),3) -shrink $(or $(shrink),1) -profile "$(profile)"

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
