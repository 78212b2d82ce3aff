# make train: set up, train the bundled weights on drawn logs, mask the sample scan.  make test: set up, run the tests.
VENV   ?= .venv
PYTHON ?= python3.11
BIN    := $(VENV)/bin
RUN    ?= runs/default

.PHONY: setup train test test-slow lint wheel release clean

setup: $(VENV)/installed

# torch comes first and alone: a plain "torch" pulled in by another package can be a CUDA build of
# several GB. Exactly one OpenCV may be there: the headless one.
$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

train: setup
	$(BIN)/python -m wellseg.train --config configs/quick.yaml --out $(RUN) --resume
	$(BIN)/python -m wellseg.predict data/sample/sample.tif --weights $(RUN)/model.safetensors --out $(RUN)/sample --overwrite

test: setup
	$(BIN)/python -m pytest

test-slow: setup
	$(BIN)/python -m pytest -m slow

lint: setup
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

# dist/wellseg-*.whl, and its commands in an environment of its own, where what is not packed is missed.
# That environment borrows the libraries of $(VENV): torch is not downloaded twice.
wheel: setup
	rm -rf build dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	$(BIN)/python -m venv build/fresh
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > build/libraries.pth
	cp build/libraries.pth $$(build/fresh/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
	build/fresh/bin/python -m pip install --quiet --no-deps dist/wellseg-*.whl
	cd build && export OMP_NUM_THREADS=1 && fresh/bin/wellseg --version && fresh/bin/wellseg predict ../data/sample/sample.tif --out masks
	test -s build/masks/sample.mask.tif

# The bundled weights from nothing: make release SCANS=folder of the scans that data/pages names.
# REGIONS=folder: a labelled data set that is scored, too.
release: setup
	@test -n "$(SCANS)" || { echo "make release SCANS=folder: where are the scans?"; exit 2; }
	$(BIN)/python data/pages/release.py "$(SCANS)" runs/release $(if $(REGIONS),--regions "$(REGIONS)")

clean:
	rm -rf $(VENV) runs build dist *.egg-info
