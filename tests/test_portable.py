"""Windows has no fcntl, no fork and no SIGKILL: the commands work where all of that is missing.

What runs here is Linux without these parts of Python, in processes of their own; it cannot show how
Windows treats files that are open, which test_atomic and test_folder play.
"""

import subprocess
import sys

import pytest
import tifffile
from conftest import draw_waves
from PIL import Image

SIGNALS = '("SIGKILL", "SIGALRM", "SIGUSR1", "SIGHUP", "pthread_kill")'
BARE = """
import ctypes, os, signal, sys

import psutil  # its Linux half has imports that its Windows half does not have

for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("posix_fallocate", "posix_fadvise", "O_TMPFILE", "O_DIRECTORY", "sched_getaffinity",
             "sched_setaffinity", "fork", "forkpty", "pread", "pwrite", "preadv", "pwritev",
             "sysconf", "getuid", "geteuid", "mkfifo"):
    if hasattr(os, name):
        delattr(os, name)
for name in SIGNALS:
    if hasattr(signal, name):
        delattr(signal, name)


class NoneIsNoLibrary(ctypes.CDLL):
    def __init__(self, name, *args, **kwargs):
        if name is None:
            raise TypeError("bad argument type for built-in operation")  # as on Windows
        super().__init__(name, *args, **kwargs)


ctypes.CDLL = NoneIsNoLibrary
""".replace("SIGNALS", SIGNALS)
"""Above all that is run, so that a worker process, which runs it anew, has the same."""


def run_bare(tmp_path, *commands, bare=BARE):
    """wellseg COMMAND ... one after another in one Python that lacks what Windows lacks."""
    calls = [f"    main_of({name!r}, {list(map(str, words))!r})" for name, *words in commands]
    main = """
def main_of(name, words):
    import importlib
    try:
        importlib.import_module("wellseg." + name).main(words)
    except SystemExit as ended:
        if ended.code:
            raise

if __name__ == "__main__":
"""
    script = tmp_path / "bare.py"
    script.write_text(bare + main + "\n".join(calls) + "\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


def scan(path, rows=203):
    path.parent.mkdir(exist_ok=True)
    tifffile.imwrite(path, draw_waves(rows, 117, 0)[0], compression="deflate", rowsperstrip=64)
    return path


@pytest.mark.slow
def test_masking(tmp_path, weights):
    """One scan with everything; one that spills; one whose codec fills a file that is mapped into
    memory; a folder in worker processes, its restart and its page."""
    small, tall = scan(tmp_path / "in" / "small.tif"), scan(tmp_path / "tall" / "tall.tif", 3000)
    fax = tmp_path / "fax.tif"
    Image.fromarray(draw_waves(203, 117, 0)[0] > 127).save(fax, compression="group4")
    scan(tmp_path / "scans" / "a.tif")
    folder = (tmp_path / "scans", "--out", tmp_path / "out", "--view", "--jobs", 1)
    given = [(small, "--view", "--curves"), (tall, "--memory", "500MB"), (fax,)]
    said = run_bare(
        tmp_path, *(("predict", *words, "--weights", weights) for words in [*given, folder, folder])
    )
    assert tifffile.imread(small.with_suffix(".mask.tif")).shape == (203, 117), said
    assert small.with_suffix(".html").exists() and small.with_suffix(".las").exists()
    assert tifffile.imread(tall.with_suffix(".mask.tif")).shape == (3000, 117)
    assert fax.with_suffix(".mask.tif").exists()
    assert "1 of 1 scans are done already" in said and (tmp_path / "out" / "index.html").exists()
    assert not list((tmp_path / "out").glob(".wellseg-*"))


EVERY_MODULE = """
if __name__ == "__main__":
    import importlib, pkgutil, wellseg
    for module in pkgutil.walk_packages(wellseg.__path__, "wellseg."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


@pytest.mark.slow
def test_a_training_and_every_module(tmp_path, data_set):
    small = ("--model.widths", "[8,16]", "--data.workers", 0, "--precision", "fp32")
    steps = ("--steps", 2, "--val_every", 2, "--trainer.enable_progress_bar", "false")
    words = ("train", "--data.root", data_set, "--out", tmp_path / "run", *small, *steps)
    # Lightning asks the platform which signals there are.
    run_bare(tmp_path, words, bare=BARE.replace(SIGNALS, "()") + EVERY_MODULE)
    assert (tmp_path / "run" / "model.safetensors").exists()
