# make demo | test | check | docs is all there is to know; hostile and chaos take their time. Each creates .venv and installs what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# looked through for secrets: what people write; and the examples in it that are none
READ := ':!assets' ':!results' ':!notebooks' ':!constraints.txt'
EXAMPLES := a long random string|client_secret = "any"|nobody:secret@

# fast tests, and then slow ones, run as two halves side by side, a thread each; a browser wants the machine for itself
FIRST := $(addprefix tests/,app benchmark core data detect explore jobs store)
FAST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -x -m "not slow and not browser"
SLOW := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "slow and not browser"

.PHONY: demo test check docs hostile chaos first-half second-half slow-benchmark slow-others

demo: $(VENV)/.installed
	$(BIN)/python -m badood run
	$(BIN)/python -m badood app

test: $(VENV)/.installed-dev
	$(MAKE) --jobs=2 --output-sync=target first-half second-half
	$(BIN)/python -m pytest -m browser
	$(MAKE) --jobs=2 --output-sync=target slow-benchmark slow-others
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=1800 notebooks

first-half:
	$(FAST) $(FIRST)

second-half:
	$(FAST) $(FIRST:%=--ignore=%) tests

slow-benchmark:
	$(SLOW) tests/benchmark

slow-others:
	$(SLOW) --ignore=tests/benchmark tests

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell badood app tests docs README.md CHANGELOG.md
	$(BIN)/python docs/generate.py --check
	git ls-files -z -- $(READ) | xargs -0 $(BIN)/detect-secrets-hook --exclude-lines '$(EXAMPLES)'
	.ci/audit $(BIN)/pip-audit

# the long forms of tests/faults, whose counts stand in results/
hostile: $(VENV)/.installed-dev
	$(BIN)/python -m tests.tools.hostile --inputs 10000

chaos: $(VENV)/.installed-dev
	$(BIN)/python -m tests.tools.chaos
	BADOOD_LONG=1 $(BIN)/python -m pytest tests/pipeline/test_ray.py

docs: $(VENV)/.installed-docs
	$(BIN)/python docs/generate.py
	$(BIN)/mkdocs build --strict --quiet --config-file .mkdocs.yml

$(VENV)/.installed: requirements.txt constraints.txt pyproject.toml setup.py
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt --constraint constraints.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt --constraint constraints.txt
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed docs/requirements.txt
	$(BIN)/python -m pip install --quiet --requirement docs/requirements.txt --constraint constraints.txt
	touch $@
