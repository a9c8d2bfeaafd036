# Targets for hands and CI. Everything longer than a line is in setup/scs_setup/.
.DEFAULT_GOAL := help
.PHONY: help e2e test tools lint docs doctor clean

export CHECKOUT STACKS CHANGED_SINCE CHARTS BASELINE IMAGES RUN_DIR KEEP SANDBOX E2E CONTROL_PLANES WORKERS CONFORMANCE UPGRADE CNI
SETUP := python3 setup/main.py

help: ## this list
	@sed -n 's/^\([a-z0-9]*\): ## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18
e2e: ## the main job in the sandbox [E2E=infra|cluster|full CHECKOUT= STACKS= ...: see README.md]
	@exec $(SETUP) e2e
test: ## linters and all tests [ARGS="-m unit"]
	@exec $(SETUP) test $(ARGS)
tools: ## build the Go programs, print their directory
	@exec $(SETUP) tools
lint: ## all linters
	@exec $(SETUP) lint
docs: ## check that the documentation is complete
	@exec $(SETUP) docs
doctor: ## what is missing on this machine, and what works without it
	@exec $(SETUP) doctor
clean: ## remove the cache [UNUSED=14: only what was not used for so many days]
	@exec $(SETUP) clean $(if $(UNUSED),--unused $(UNUSED))
