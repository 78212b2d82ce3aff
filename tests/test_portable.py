"""Windows has no fcntl, no fork and no SIGKILL: the commands work where all of that is missing.

What runs here is Linux without these parts of Python, in processes of their own; it cannot show how
Windows treats files that are open, which test_atomic and test_folder play.
"""

import subprocess
import sys

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


def test_one_scan_with_everything(tmp_path, weights):
    path = scan(tmp_path / "in" / "small.tif")
    said = run_bare(
        tmp_path, ("predict", path, "--weights", weights, "--view", "--traces", "--probability")
    )
    assert tifffile.imread(path.with_suffix(".mask.tif")).shape == (203, 117), said
    assert path.with_suffix(".html").exists() and path.with_suffix(".las").exists()


def test_a_scan_that_spills(tmp_path, weights):
    path = scan(tmp_path / "in" / "tall.tif", 3000)
    run_bare(tmp_path, ("predict", path, "--weights", weights, "--memory", "1MB"))
    assert tifffile.imread(path.with_suffix(".mask.tif")).shape == (3000, 117)


def test_a_folder_its_restart_and_a_page(tmp_path, weights):
    for name in ("a.tif", "b.tif"):
        scan(tmp_path / "in" / name)
    words = ("predict", tmp_path / "in", "--out", tmp_path / "out", "--weights", weights, "--view")
    said = run_bare(tmp_path, words, words)
    assert "2 of 2 scans are done already" in said
    assert (tmp_path / "out" / "index.html").exists()
    assert not list((tmp_path / "out").glob(".wellseg-*"))


def test_a_fax_file(tmp_path, weights):
    """Its codec fills a file that is mapped into memory."""
    path = tmp_path / "fax.tif"
    Image.fromarray(draw_waves(203, 117, 0)[0] > 127).save(path, compression="group4")
    run_bare(tmp_path, ("predict", path, "--weights", weights))
    assert path.with_suffix(".mask.tif").exists()


def test_a_training(tmp_path, data_set):
    small = ("--model.widths", "[8,16]", "--data.workers", 0, "--precision", "fp32")
    steps = ("--steps", 2, "--val_every", 2, "--trainer.enable_progress_bar", "false")
    words = ("train", "--data.root", data_set, "--out", tmp_path / "run", *small, *steps)
    # Lightning asks the platform which signals there are.
    run_bare(tmp_path, words, bare=BARE.replace(SIGNALS, "()"))
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_every_module_can_be_imported():
    code = """
import importlib, pkgutil, wellseg
for module in pkgutil.walk_packages(wellseg.__path__, "wellseg."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
    done = subprocess.run([sys.executable, "-c", BARE + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
