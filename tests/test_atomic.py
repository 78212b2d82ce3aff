"""Outputs appear whole or not at all."""

import errno
import os
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from wellseg.scan import atomic
from wellseg.scan.atomic import atomic_file


@pytest.fixture(params=["unnamed", "hidden"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways: a file without a name (Linux), and a hidden temporary (everywhere)."""
    if request.param == "hidden":
        monkeypatch.setattr(atomic, "_open_unnamed", lambda folder: None)
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("needs Linux")
    return str(request.param)


def test_appears_whole_and_only_at_the_end(tmp_path: Path, way: str) -> None:
    target = tmp_path / "out.bin"
    with atomic_file(target) as file:
        file.write(b"abc")
        file.flush()
        assert not target.exists()
        file.seek(1)
        file.write(b"X")
    assert target.read_bytes() == b"aXc"
    assert os.listdir(tmp_path) == ["out.bin"]


def test_replaces_only_when_the_block_ends_well(tmp_path: Path, way: str) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    with pytest.raises(KeyError), atomic_file(target) as file:
        file.write(b"half")
        raise KeyError("no")
    assert target.read_bytes() == b"old"
    with atomic_file(target) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["out.bin"]


def test_has_the_mode_of_an_ordinary_file(tmp_path: Path, way: str) -> None:
    (tmp_path / "plain").write_bytes(b"")
    with atomic_file(tmp_path / "out"):
        pass
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_errors_name_the_output(tmp_path: Path, way: str) -> None:
    missing = tmp_path / "no" / "out.bin"
    with pytest.raises(OSError, match=r"out\.bin"), atomic_file(missing):
        pytest.fail("must not get here")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="folder"), atomic_file(folder):
        pytest.fail("must not get here")


CHILD = """
    import os, signal, sys
    from wellseg.scan import atomic
    if sys.argv[2] == "hidden":
        atomic._open_unnamed = lambda folder: None
    with atomic.atomic_file(sys.argv[1]) as file:
        file.write(b"x" * 100_000)
        file.flush()
        {then}
"""


def run_child(target: Path, way: str, then: str, **options: object) -> subprocess.CompletedProcess:
    code = textwrap.dedent(CHILD).replace("{then}", then)
    command = [sys.executable, "-c", code, str(target), way]
    where = {"cwd": Path(__file__).parent.parent, "capture_output": True, "text": True}
    return subprocess.run(command, **where, **options)


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="needs Linux")
def test_kill_9_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    child = run_child(target, "unnamed", "os.kill(os.getpid(), signal.SIGKILL)")
    assert child.returncode == -signal.SIGKILL
    assert os.listdir(tmp_path) == ["out.bin"]
    assert target.read_bytes() == b"old"


def test_full_disk_leaves_nothing_and_is_named(tmp_path: Path, way: str) -> None:
    # A limit on file sizes stands in for a full disk: write(2) fails with EFBIG, not ENOSPC.
    target = tmp_path / "out.bin"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    child = run_child(target, way, "file.write(b'x' * 100_000)", preexec_fn=limit)
    assert child.returncode == 1
    last = child.stderr.strip().splitlines()[-1]
    assert str(target) in last and os.strerror(errno.EFBIG) in last
    assert os.listdir(tmp_path) == []


def test_no_space_is_named(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "fsync", fail)
    with (
        pytest.raises(OSError, match=r"No space left.*out\.bin"),
        atomic_file(tmp_path / "out.bin"),
    ):
        pass
    assert os.listdir(tmp_path) == []
