"""Folders: what is done is skipped, kills and full disks leave whole results alone, the summary is true."""

import csv
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile
from conftest import draw_waves

from wellseg.many.progress import DiskFull, ScreenBoard
from wellseg.many.tasks import Summary, as_csv, list_tasks
from wellseg.many.worker import Ended, Row
from wellseg.predict import main
from wellseg.scan.files import Task

HEADER = ["scan", "status", "rows", "columns", "seconds", "ink_share", "reason"]


def write_scan(path, rows=90, columns=70, phase=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(
        path, draw_waves(rows, columns, phase)[0], compression="deflate", rowsperstrip=128
    )


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(["a.tif", "b.tif", "deep/c.tif"]):
        write_scan(tmp_path / "scans" / name, rows=90 + i)
    return tmp_path / "scans"


def run(*arguments, status=0):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in arguments])
    assert ended.value.code == status


def command(*arguments):
    return [sys.executable, "-m", "wellseg.predict", *map(str, arguments)]


def summary(out):
    with open(out / "summary.csv", newline="") as file:
        table = csv.DictReader(file)
        assert table.fieldnames == HEADER
        return {row["scan"]: row for row in table}


def states(out):
    return {name: row["status"] for name, row in summary(out).items()}


def assert_whole(out):
    """Every report has its mask, every mask its rows, nothing has another name."""
    files = [path for path in out.rglob("*") if path.is_file() and path.name != "summary.csv"]
    assert all(path.name.endswith((".mask.tif", ".overlay.png", ".json")) for path in files), files
    for path in files:
        if path.suffix == ".json":
            report = json.loads(path.read_text())
            assert tifffile.imread(path.with_suffix(".mask.tif")).shape == (
                report["rows"],
                report["columns"],
            )
        if path.name.endswith(".mask.tif"):
            tifffile.imread(path)


def test_the_second_start_does_nothing_but_the_rest(folder, weights, tmp_path, capsys):
    (folder / "bad.tif").write_text("these are notes")
    out = tmp_path / "out"
    start = (folder, "--out", out, "--weights", weights)
    run(*start, "--jobs", 2, status=1)
    rows = summary(out)
    assert states(out) == {
        "a.tif": "done",
        "b.tif": "done",
        "bad.tif": "failed",
        "deep/c.tif": "done",
    }
    assert rows["deep/c.tif"] | {"seconds": "", "ink_share": ""} == dict.fromkeys(HEADER, "") | {
        "scan": "deep/c.tif",
        "status": "done",
        "rows": "92",
        "columns": "70",
    }
    mask = tifffile.imread(out / "deep" / "c.mask.tif")
    assert float(rows["deep/c.tif"]["ink_share"]) == pytest.approx((mask > 0).mean(), abs=1e-6)
    assert rows["bad.tif"]["reason"] == "not a TIFF, PNG or JPEG: it begins with b'these ar'"
    assert_whole(out)
    made = {path: path.stat().st_mtime_ns for path in out.rglob("*.json")}

    capsys.readouterr()
    run(*start, status=1)  # the bad one once more
    printed = capsys.readouterr().err
    assert "3 of 4 scans are done already" in printed and "a.mask.tif" not in printed
    assert summary(out) == rows

    # a.tif is another scan now, b's report is damaged, c has lost its mask, bad.tif is gone
    write_scan(folder / "a.tif", rows=91)
    (out / "b.json").write_text('{"rows": ')
    (out / "deep" / "c.mask.tif").unlink()
    (folder / "bad.tif").unlink()
    run(*start, "--jobs", 1)
    assert all(path.stat().st_mtime_ns > then for path, then in made.items())
    assert summary(out)["a.tif"]["rows"] == "91" and set(states(out).values()) == {"done"}


def test_a_scan_finished_as_ctrl_c_came_is_done_in_the_summary(
    folder, weights, tmp_path, monkeypatch
):
    """Its worker wrote the results and could not tell any more: only "waiting" would be known of it."""

    def interrupted(self, ended):
        raise KeyboardInterrupt

    monkeypatch.setattr(ScreenBoard, "ended", interrupted)
    run(folder, "--out", tmp_path, "--weights", weights, "--jobs", 1, status=130)
    assert states(tmp_path) == {"a.tif": "done", "b.tif": "waiting", "deep/c.tif": "waiting"}
    assert summary(tmp_path)["a.tif"]["rows"] == "90"


@pytest.mark.parametrize(
    "report", ["", "[]", "null", '{"rows": [1]}', "[" * 100_000, b"\xff\xfe", '{"rows": 1e999}']
)
def test_a_damaged_report_is_no_report(folder, weights, report):
    (folder / "a.json").write_bytes(report if isinstance(report, bytes) else report.encode())
    run(folder / "a.tif", "--weights", weights)
    assert json.loads((folder / "a.json").read_text())["rows"] == 90


def test_results_that_are_missing_or_of_other_options_are_made(folder, weights, tmp_path, capsys):
    scan = folder / "a.tif"
    run(scan, "--weights", weights)
    run(scan, "--weights", weights, "--probability")
    assert "done already" not in capsys.readouterr().err and (folder / "a.probability.tif").exists()
    run(scan, "--weights", weights, "--probability")
    assert "done already" in capsys.readouterr().err
    run(scan, "--weights", weights, "--threshold", 0.6)
    assert not (folder / "a.probability.tif").exists()  # of another mask
    assert not (folder / "summary.csv").exists()  # of a single scan


def test_scans_that_would_share_results_are_not_mixed_up(folder, weights, tmp_path, capsys):
    (folder / "a.png").write_bytes((folder / "a.tif").read_bytes())
    tasks, place = list_tasks([str(folder)], None)
    assert place == str(folder)
    problems = {task.name: task.problem for task in tasks}
    assert (
        problems["a.tif"]
        == f"{folder / 'a.png'} has the same results, {folder / 'a.mask.tif'}: mask one of them apart"
    )
    assert [name for name, problem in problems.items() if problem] == ["a.tif"]


def test_what_lies_in_a_folder_and_is_no_scan_is_left_alone(folder):
    for name in (".hidden.tif", ".trash/d.tif", "a.mask.tif", "a.overlay.png", "notes.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "loop").symlink_to(folder)
    (folder / "gone.tif").symlink_to(folder / "nowhere")
    tasks, _ = list_tasks([str(folder), str(folder / "a.tif")], "out")
    assert [task.name for task in tasks] == ["a.tif", "b.tif", "deep/c.tif", "gone.tif"]
    assert tasks[2].stem == os.path.join("out", "deep", "c")


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_that_are_not_utf_8(tmp_path, weights, capsys):
    name = os.fsdecode(b"caf\xe9, 1\n2.tif")
    write_scan(tmp_path / "scans" / name)
    (tmp_path / "scans" / "b.tif").write_text("no scan")
    run(tmp_path / "scans", "--weights", weights, "--out", tmp_path / "out", "--view", status=1)
    assert states(tmp_path / "out") == {r"caf\udce9, 1" + "\n2.tif": "done", "b.tif": "failed"}
    assert "no scan" in (tmp_path / "out" / "index.html").read_text()


def test_the_summary_is_written_now_and_then_and_at_the_end(tmp_path, monkeypatch):
    tasks = [Task(f"{i}.tif", f"{i}.tif", f"{i}") for i in range(5)]
    kept = Summary(str(tmp_path), {task: Row(task.name, "waiting") for task in tasks})
    with ScreenBoard(tasks, [], kept) as board:
        for task in tasks[:2]:
            board.ended(Ended(task, Row(task.name, "done", 10, 10, 1.0, 0.25)))
        assert (
            list(states(tmp_path).values()) == ["waiting"] * 5
        )  # at the start; the next is due in seconds
        monkeypatch.setattr(kept, "_due_s", 0.0)
        board.ended(Ended(tasks[2], Row(tasks[2].name, "failed", reason='it is "bad", and\nold')))
        assert list(states(tmp_path).values()) == ["done", "done", "failed", "waiting", "waiting"]
        board.ended(Ended(tasks[3], Row(tasks[3].name, "done", 10, 10, 1.0, 0.25)))
    assert states(tmp_path)["3.tif"] == "done" and board.failed == 1
    assert summary(tmp_path)["2.tif"]["reason"] == 'it is "bad", and\nold'
    assert (
        as_csv([Row("x", "done", 3, 4, 1.5, 1 / 3)]).splitlines()[1] == b"x,done,3,4,1.5,0.333333,"
    )


def test_progress_is_over_pixels(tmp_path):
    write_scan(tmp_path / "small.tif", 100, 100)
    write_scan(tmp_path / "tall.tif", 300, 100)
    tasks, _ = list_tasks([str(tmp_path)], None)
    done, small, tall = Task("done.tif", "done.tif", "done"), *tasks
    with ScreenBoard([done, small, tall], [done], Summary(None, {})) as board:
        deadline = time.monotonic() + 20
        while len(board._pixels) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        board.share(tall, 0.5)
        bar = board._progress.tasks[0]
        assert (bar.completed, bar.total) == (15_000, 40_000) and "left" in bar.fields["left"]
        board.ended(Ended(tall, Row("tall.tif", "done", 300, 100, 1.0, 0.0)))
        assert (bar.completed, bar.total) == (30_000, 40_000)


def test_cores_that_memory_leaves_idle_are_told(folder, weights, monkeypatch, capsys):
    monkeypatch.setattr("wellseg.many.processes.available_cores", lambda: 8)
    run(folder, "--weights", weights, "--memory", "1GB")
    assert (
        "1 at a time on 8 cores, as --memory is 1GB: --memory 8GB would allow 4"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(("what", "scans"), [("results", 1), ("scratch", 3)])
def test_a_full_disk_ends_the_run(tmp_path, what, scans):
    tasks = [Task(f"{i}.tif", f"{i}.tif", f"{i}") for i in range(9)]
    with (
        pytest.raises(DiskFull, match=r"the disk is full: no room; .*9 of 9 scans are left"),
        ScreenBoard(tasks, [], Summary(None, {})) as board,
    ):
        for task in tasks:
            board.ended(Ended(task, Row(task.name, "failed", reason="no room"), what))
    assert board.failed == scans


# Kills and full disks, for real


@pytest.fixture
def tall(tmp_path):
    """Scans that take some seconds each, between small ones."""
    for i in range(3):
        write_scan(tmp_path / "scans" / f"{i}-small.tif")
        write_scan(tmp_path / "scans" / f"{i}-tall.tif", 20_000, 500)
    return tmp_path / "scans"


def wait_for_writer(parent, out, whole=2):
    """The process below `parent` that is writing a mask while some results are whole already."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert parent.poll() is None, "it was over before it could be killed"
        if len(list(out.glob("*.json"))) >= whole:
            for pid in below(parent.pid):
                if any(link.startswith(str(out)) for link in open_files(pid)):
                    return pid
        time.sleep(0.005)
    raise AssertionError("nothing was written")


def below(pid):
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def open_files(pid):
    try:
        return [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []


def assert_gone(pids):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and any(Path(f"/proc/{pid}").exists() for pid in pids):
        time.sleep(0.05)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("way", ["a worker", "the command", "Ctrl-C"])
def test_killed_midway_it_leaves_whole_results_and_the_next_start_does_the_rest(
    way, tall, weights, tmp_path
):
    out = tmp_path / "out"
    start = command(tall, "--out", out, "--weights", weights, "--jobs", 2, "--scratch", tmp_path)
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # ignored in background jobs
    with subprocess.Popen(
        start, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heed
    ) as process:
        writer = wait_for_writer(process, out)
        workers = below(process.pid)
        if way == "a worker":
            os.kill(writer, signal.SIGKILL)
        elif way == "the command":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert_gone(workers)
    assert_whole(out)
    found = list(states(out).values())
    if way == "a worker":  # costs its scan alone
        assert process.returncode == 1 and sorted(found) == ["done"] * 5 + ["failed"]
        assert "was killed by SIGKILL" in said and "1 of 6 scans failed" in said
    elif way == "Ctrl-C":
        assert process.returncode == 130 and said.strip().endswith(
            "stopped; finished scans are kept, those under way left nothing"
        )
        assert "waiting" in found and found.count("done") == len(list(out.glob("*.json")))
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.json")}
    assert 2 <= len(before) < 6
    run(tall, "--out", out, "--weights", weights)
    assert_whole(out)
    assert set(states(out).values()) == {"done"} and len(states(out)) == 6
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())


def test_files_that_may_not_grow_fail_their_scan_alone(folder, weights, tmp_path):
    """EFBIG, of a real limit: a mask that does not fit is not there in part."""
    noise = np.random.default_rng(0).integers(0, 256, (400, 900), np.uint8)
    tifffile.imwrite(folder / "noise.tif", noise)
    out = tmp_path / "out"

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    start = command(folder, "--out", out, "--weights", weights, "--jobs", 1)
    done = subprocess.run(start, preexec_fn=limit, capture_output=True, text=True)
    assert done.returncode == 1 and os.strerror(errno.EFBIG) in done.stderr
    assert states(out) == {
        "a.tif": "done",
        "b.tif": "done",
        "deep/c.tif": "done",
        "noise.tif": "failed",
    }
    assert_whole(out)
    assert not list(out.glob("noise.*"))


@pytest.mark.slow
def test_a_full_disk_stops_the_run_with_one_line(folder, weights, tmp_path):
    """A file system of 256 kB, in a mount namespace of its own where that is allowed."""
    for i in range(20):
        write_scan(folder / f"{i:02d}.tif", 300, 300)
    out = tmp_path / "disk"
    out.mkdir()
    inside = ["unshare", "--mount", *(["--map-root-user"] if os.getuid() else []), "sh", "-c"]
    mount = f"mount -t tmpfs -o size=256k tmpfs {out}"
    if sys.platform != "linux" or subprocess.run([*inside, mount], capture_output=True).returncode:
        pytest.skip("no small disk can be made here")
    start = " ".join(command(folder, "--out", out, "--weights", weights, "--jobs", 1))
    # At first full, then with room.
    script = f"{mount}; {start}; echo status $?; ls -A {out}; mount -o remount,size=9m {out}; {start}; ls -A {out}; "
    done = subprocess.run(
        [*inside, script + f"cat {out}/summary.csv"], capture_output=True, text=True
    )
    first, _, rest = done.stdout.partition("status 1\n")
    assert not first and rest, done.stdout + done.stderr
    stops = [line for line in done.stderr.splitlines() if "disk is full" in line]
    assert (
        len(stops) == 1 and "No space left on device" in stops[0] and "scans are left" in stops[0]
    )
    assert "Traceback" not in done.stderr
    assert rest.count(",done,") == 23 and ".wellseg-" not in rest
