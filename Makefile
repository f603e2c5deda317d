# `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev model test-programs demo demo-live up down test lint bench bench-alerts lock

PY := .venv/bin/python
# make demo LLM=none: without a language model; otherwise COPILOT_LLM says which
ifdef LLM
export COPILOT_LLM := $(LLM)
endif
MODEL := $(or $(COPILOT_LLM_FILE),$(or $(COPILOT_VAR),var)/models/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST)

setup: ## install everything that running needs (Python 3.11 to 3.13)
	@scripts/setup

setup-dev:
	@scripts/setup --dev

demo: setup ## start everything, replay a recorded outage, show the incident (LLM=none: no language model)
	@$(PY) manage.py demo

demo-live: setup ## the same with the demo shop running and a fault after a quiet period
	@$(PY) manage.py demo --live

up: setup ## start everything without a recording
	@$(PY) manage.py up

down: ## stop what runs in the background
	@$(PY) manage.py down

model: setup # the local language model's file; without it the tests that need it say so and are skipped
	@$(PY) -m copilot.embedded.model_file $(MODEL) || true

test-programs:
	@scripts/test-programs

test: setup-dev model test-programs ## the whole test suite, with real services, a real browser and the real local model (WORKERS=1: one test at a time)
	@$(PY) -m pytest tests --numprocesses $(or $(WORKERS),3)

lint: setup-dev ## format, lint, types, import direction
	@.venv/bin/ruff format --check . && .venv/bin/ruff check . && .venv/bin/mypy && .venv/bin/lint-imports

bench: setup-dev ## measure, and print against the targets
	@$(PY) -m pytest tests/benchmarks --override-ini=python_files='bench_*.py' --capture=no --quiet

bench-alerts: setup-dev ## 200 alerts a second for five minutes, then batches and duplicates (SECONDS=20: shorter)
	@BENCH_ALERT_SECONDS=$(or $(SECONDS),300) $(PY) -m pytest tests/benchmarks/bench_alerts.py --capture=no --quiet

lock: setup-dev ## resolve the dependencies anew and pin them
	@rm -f requirements.lock # an old one would be taken as a preference, without the CPU build of torch
	@.venv/bin/uv pip compile pyproject.toml --quiet --all-extras --group dev --python-version 3.11 --no-emit-index-url --no-header --no-annotate \
	  --no-emit-find-links $(if $(PIP_FIND_LINKS),--find-links $(PIP_FIND_LINKS),--torch-backend cpu) --output-file requirements.lock
	@sed -i 's/+cpu//' requirements.lock # a version that only the CPU build's index knows
