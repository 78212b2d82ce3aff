"""Outputs appear whole or not at all."""

import errno
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from filelock import Timeout

from wellseg.scan import atomic
from wellseg.scan.atomic import atomic_file


def test_appears_whole_and_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    with atomic_file(target) as file:
        file.write(b"abc")
        file.flush()
        assert not target.exists()
        file.seek(1)
        file.write(b"X")
    assert target.read_bytes() == b"aXc"
    assert os.listdir(tmp_path) == ["out.bin"]


def test_replaces_only_when_the_block_ends_well(tmp_path: Path) -> None:
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


def test_the_folder_is_made(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "new" / "deep" / "out.bin") as file:
        file.write(b"new")
    assert (tmp_path / "new" / "deep" / "out.bin").read_bytes() == b"new"


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    with atomic_file(target) as one, atomic_file(target) as other:
        one.write(b"one" * 1000)
        other.write(b"other")
    assert target.read_bytes() == b"one" * 1000  # who ends last
    assert os.listdir(tmp_path) == ["out.bin"]


def test_has_the_mode_of_an_ordinary_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    with atomic_file(tmp_path / "out"):
        pass
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_errors_name_the_output(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    below = tmp_path / "plain" / "out.bin"
    with pytest.raises(FileExistsError, match="plain"), atomic_file(below):
        pytest.fail("must not get here")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match=r"cannot write: .*folder") as raised, atomic_file(folder):
        pytest.fail("must not get here")
    assert atomic.HIDDEN not in str(raised.value)
    with pytest.raises(OSError, match=r"^of format 2$"), atomic_file(tmp_path / "out.bin"):
        raise OSError("of format 2")  # it has no number: it stays as it is
    with pytest.raises(OSError, match="other") as raised, atomic_file(tmp_path / "out.bin"):
        raise OSError(errno.EIO, "of another file", "other")
    assert "out.bin" not in str(raised.value)


CHILD = """
    import os, sys
    from wellseg.scan import atomic
    with atomic.atomic_file(sys.argv[1]) as file:
        file.write(b"x" * 100_000)
        file.flush()
        {then}
"""


def run_child(target: Path, then: str, **options: object) -> subprocess.CompletedProcess:
    code = textwrap.dedent(CHILD).replace("{then}", then)
    where = {"cwd": Path(__file__).parent.parent, "capture_output": True, "text": True}
    return subprocess.run([sys.executable, "-c", code, str(target)], **where, **options)


def test_a_kill_leaves_the_old_file_and_a_hidden_rest_that_tells_of_what(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    assert run_child(target, "os._exit(9)").returncode == 9
    assert target.read_bytes() == b"old"
    (rest,) = (name for name in os.listdir(tmp_path) if name != "out.bin")
    assert re.fullmatch(r"\.wellseg-[0-9a-f]{8}-out\.bin", rest)


def test_full_disk_leaves_nothing_and_is_named(tmp_path: Path) -> None:
    # A limit on file sizes stands in for a full disk: write(2) fails with EFBIG, not ENOSPC.
    resource = pytest.importorskip("resource")
    target = tmp_path / "out.bin"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    child = run_child(target, "file.write(b'x' * 100_000)", preexec_fn=limit)
    assert child.returncode == 1
    last = child.stderr.strip().splitlines()[-1]
    assert str(target) in last and os.strerror(errno.EFBIG) in last
    assert os.listdir(tmp_path) == []


def test_no_space_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "fsync", fail)
    target = tmp_path / "out.bin"
    with pytest.raises(OSError, match="No space left") as raised, atomic_file(target):
        pass
    assert raised.value.filename == str(target), "the hidden file has out.bin in its name, too"
    assert raised.value.errno == errno.ENOSPC and os.listdir(tmp_path) == []


def refuse(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """What os.replace does on Windows while another program has the file open."""
    replace, left = os.replace, iter(range(times))

    def refused(source: Path, target: Path) -> None:
        if next(left, None) is not None:
            raise PermissionError(errno.EACCES, "Access is denied", str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refused)
    monkeypatch.setattr(atomic, "RETRY_AFTER_S", (0.01, 0.01))


def test_a_file_that_is_open_elsewhere_for_a_moment_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, times=2)
    with atomic_file(tmp_path / "out.csv") as file:
        file.write(b"new")
    assert (tmp_path / "out.csv").read_bytes() == b"new"


def test_a_file_that_stays_open_elsewhere_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, times=9)
    (tmp_path / "out.csv").write_bytes(b"old")
    with (
        pytest.raises(PermissionError, match=r"open in another program.*out\.csv"),
        atomic_file(tmp_path / "out.csv") as file,
    ):
        file.write(b"new")
    assert (tmp_path / "out.csv").read_bytes() == b"old" and os.listdir(tmp_path) == ["out.csv"]


def test_a_folder_is_kept_to_one_run_and_its_own_errors_pass_through(tmp_path: Path) -> None:
    with atomic.lock_folder(tmp_path / "run"):
        with pytest.raises(OSError, match="another run is at work in"):
            with atomic.lock_folder(tmp_path / "run"):
                pass
    with pytest.raises(Timeout), atomic.lock_folder(tmp_path / "run"):
        raise Timeout("another file")  # of another lock: not "another run is at work in run"
    (tmp_path / "run" / ".wellseg-0a1b2c3d-last.ckpt").touch()  # of a run that was killed
    others = [".wellseg-0a1b2c3d-log.mask.tif", ".wellseg-log.lock"]  # of a predict at work there
    for name in others:
        (tmp_path / "run" / name).touch()
    with atomic.lock_folder(tmp_path / "run"):
        assert sorted(os.listdir(tmp_path / "run")) == [*others, "lock"]
