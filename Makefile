# Every target sets up .venv first, which takes no time once it is done.
#   make run PYTHON=python3.12 WORKBENCH_PORT=9000 ARGS="--server.address 0.0.0.0"

IN_VENV = .venv/bin/python
SETUP = PYTHON="$(PYTHON)"; export PYTHON; \
	command -v "$${PYTHON:-python3}" >/dev/null || \
	{ echo "setup: there is no $${PYTHON:-python3}: install Python 3.11, 3.12 or 3.13" >&2; exit 1; }; \
	"$${PYTHON:-python3}" scripts/setup.py

.PHONY: run test setup check bench samples user screenshots

run:
	@$(SETUP)
	@$(IN_VENV) -m scripts.run $(ARGS)

test: check
	@$(IN_VENV) -m pytest -n 2 --dist loadgroup --no-loadscope-reorder $(ARGS)

setup:
	@$(SETUP)

check:
	@$(SETUP) --dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo

bench:
	@$(SETUP) --dev
	@$(IN_VENV) -m bench $(ARGS)

samples:
	@$(SETUP)
	@$(IN_VENV) -m scripts.samples

user:
	@$(SETUP)
	@test -n "$(NAME)" || { echo 'make user NAME=ana, or make user NAME=ana ARGS="--role tester"' >&2; exit 1; }
	@$(IN_VENV) -m services.users add $(NAME) $(ARGS)

screenshots:
	@$(SETUP) --dev
	@$(IN_VENV) -m scripts.screenshots $(ARGS)
