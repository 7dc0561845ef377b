# The commands of this project; `make help` lists them. Each sets up what it needs by itself.
# PYTHON=python3.12 chooses the Python that .venv is made with; pip's PIP_* variables are passed on.

BIN := .venv/bin
# For what rfteach says to bad input; in all other tests the annotations would speak first.
UNCHECKED := PYTEST_ADDOPTS=--jaxtyping-packages=
# Jupyter, IPython, matplotlib and the reader's progress are kept in the home folder.
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
$(info The home folder cannot be written, so $(CURDIR)/.home stands for it.)
export HOME := $(CURDIR)/.home
$(shell mkdir -p .home)
endif
NOTEBOOKS := find book -name '*.ipynb' -not -path '*/.ipynb_checkpoints/*'

.PHONY: help setup book pdf serve lab lint format lock clean
.PHONY: test unit notebooks site widgets browser
.NOTPARALLEL: # with make -j too, `test` runs its parts in their order

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile

setup: ## make .venv from requirements.lock; does nothing when it is up to date
	@$(or $(PYTHON),python3) scripts/setup_env.py $(PYTHON)

book: setup ## build the book into _build/html
	$(BIN)/python -m scripts.build_book

pdf: book browser ## print the book into _build/rfteach.pdf
	$(BIN)/python -m scripts.make_pdf

serve: book ## build the book and serve it on http://localhost:8000
	$(BIN)/python -m http.server 8000 --bind 127.0.0.1 --directory _build/html

lab: setup ## open the chapters in JupyterLab
	$(BIN)/jupyter lab book $(if $(filter 0,$(shell id -u)),--allow-root) # root: in a container

# What one runs after each edit: in two minutes, nearly all that make test knows of the package. The
# tests of the checkers take half of the time, so they run when a checker or a test of one was edited.
UNTOUCHED := $(if $(shell git status --porcelain rfteach/exercises tests/unit/exercises),,\
	--ignore tests/unit/exercises)
check: lint ## lint, types, and the fast tests
	$(UNCHECKED) $(BIN)/pytest tests/bad_input -q -n 2
	$(BIN)/pytest tests/unit tests/notebooks tests/project -q -n 2 -m 'not slow' $(UNTOUCHED)

# The quick parts first, two processes at a time. CI runs the same parts side by side.
test: lint browser unit notebooks book site widgets ## run everything: the checks and tests below

unit: browser ## test the package, the scripts and this project's files
	$(UNCHECKED) $(BIN)/pytest tests/bad_input -n 2
	$(BIN)/pytest tests --ignore tests/site --ignore tests/lab -n 2

notebooks: setup ## execute every notebook with nbval; each stays in one process
	$(BIN)/pytest book --nbval-lax --nbval-cell-timeout 120 -n 2 --dist loadfile

# The last chunks of pages go out one by one, since some take ten times as long as others.
site: browser ## look at the pages in _build/html in a browser
	$(BIN)/python -m scripts.find_other_browsers
	$(BIN)/pytest tests/site -n 2 --maxschedchunk 1 -rs

widgets: browser ## run the widgets in a JupyterLab, in a browser
	$(BIN)/pytest tests/lab

browser: setup ## find a Chromium, or install one
	$(BIN)/python -m scripts.find_chromium

lint: setup ## check code, types, notebooks and spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright --level error
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
