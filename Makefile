# The commands of this project; `make help` lists them. Each sets up what it needs by itself.
# PYTHON=python3.12 chooses the Python that .venv is made with; pip's PIP_* variables are passed on.

BIN := .venv/bin
NOTEBOOKS := find book -name '*.ipynb' -not -path '*/.ipynb_checkpoints/*'

.PHONY: help setup book serve lab test lint format lock clean

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile

setup: ## make .venv from requirements.lock; does nothing when it is up to date
	@$(or $(PYTHON),python3) scripts/setup_env.py $(PYTHON)

book: setup ## build the book into _build/html
	$(BIN)/python -m scripts.build_book

serve: book ## build the book and serve it on http://localhost:8000
	$(BIN)/python -m http.server 8000 --bind 127.0.0.1 --directory _build/html

lab: setup ## open the chapters in JupyterLab
	$(BIN)/jupyter lab book $(if $(filter 0,$(shell id -u)),--allow-root) # root: in a container

# The quick parts first, two processes at a time. With nbval, each notebook stays in one process.
# tests/site looks at the book that was built just before; the last chunks of its pages go out one by
# one, since some take ten times as long as others. tests/lab starts a JupyterLab.
test: setup lint ## run everything: lint, unit tests, notebooks, the built site, widgets
	$(BIN)/python -m scripts.find_chromium
	$(BIN)/pytest tests --ignore tests/site --ignore tests/lab -n 2
	$(BIN)/pytest book --nbval-lax --nbval-cell-timeout 120 -n 2 --dist loadfile
	$(MAKE) book
	$(BIN)/pytest tests/site -n 2 --maxschedchunk 1
	$(BIN)/pytest tests/lab

lint: setup ## check code, notebooks and spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(NOTEBOOKS) -exec $(BIN)/nbstripout --keep-id --verify {} +
	$(BIN)/codespell

format: setup ## put code and notebooks in shape
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	$(NOTEBOOKS) -exec $(BIN)/nbstripout --keep-id {} +

lock: ## write requirements.lock anew, with today's versions
	$(or $(PYTHON),python3.11) -m scripts.lock

clean: ## remove what was built (.venv stays)
	rm -rf _build build colab *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
