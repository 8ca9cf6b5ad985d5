# Every command a person needs. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: postgres ## Build and start Kontor with an embedded database and demo data
	cargo run --profile quick -- serve --demo $(ARGS)

.PHONY: test
test: postgres ## Check formatting, lints, schema, and run all tests
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo test

.PHONY: test-long
test-long: postgres ## Run the random and crash tests with their full counts
	KONTOR_TEST_LONG=1 cargo test --test it

.PHONY: bench
bench: postgres ## Measure the release build beside PostgreSQL alone and a bare handler; writes docs/performance.md
	cargo bench --bench kontor $(if $(ARGS),-- $(ARGS))

.PHONY: dev
dev: postgres ## Build and start again at each change of the source
	@./scripts/dev $(ARGS)

.PHONY: schema
schema: ## Write schema.graphql anew after a change of the schema
	cargo run --quiet -- schema > schema.graphql

.PHONY: deny
deny: ## Check licences, advisories and sources of the dependencies (needs cargo-deny)
	cargo deny check

.PHONY: postgres
postgres:
	@./scripts/need-postgres
