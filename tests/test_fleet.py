"""URLs and the Ray engine: a real S3 server (moto), a real cluster of two nodes, one of them killed."""

import contextlib
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import pytest
import tifffile
from conftest import draw_waves

from wellseg.config import PredictConfig
from wellseg.many.tasks import Settings, find_done, list_tasks
from wellseg.predict import main
from wellseg.scan import files as storage
from wellseg.scan.files import Task, local_copy, write_whole


def tiff(rows=90, columns=70):
    file = io.BytesIO()
    tifffile.imwrite(
        file, draw_waves(rows, columns, phase=0)[0], compression="deflate", rowsperstrip=128
    )
    return file.getvalue()


def run(*arguments, status=0):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in arguments])
    assert ended.value.code == status


# URLs, in a store that is fsspec's own


@pytest.fixture
def memory():
    fsspec = pytest.importorskip("fsspec")
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    yield fs
    fs.store.clear()


@pytest.mark.parametrize("key", ["ETag", "LastModified", "Last-Modified", "mtime"])
def test_a_scan_of_the_same_size_has_changed_where_its_store_says_so(memory, monkeypatch, key):
    memory.pipe({"/archive/a.tif": tiff()})
    real, versions = type(memory).info, []
    for changed in ("Sun, 29 Nov 2026 10:00:00 GMT", "Sun, 29 Nov 2026 11:00:00 GMT"):
        found = lambda fs, path, at=changed, **_: real(fs, path) | {key: at}  # noqa: E731
        monkeypatch.setattr(type(memory), "info", found)
        _, (task,), _ = storage.find_files("memory://archive/a.tif")
        versions.append(task.version)
    assert versions[0] != versions[1]


def test_a_scan_behind_a_url(memory, weights, tmp_path, capsys):
    memory.pipe(
        {
            "/archive/deep/log 1.tif": tiff(),
            "/archive/.hidden.tif": b"",
            "/archive/old.mask.tif": b"",
        }
    )
    start = (
        "memory://archive",
        "--out",
        "memory://masks",
        "--weights",
        weights,
        "--scratch",
        tmp_path / "scratch",
    )
    (tmp_path / "scratch").mkdir()
    run(*start)
    made = memory.find("/masks", detail=True)
    names = ["deep/log 1.json", "deep/log 1.mask.tif", "deep/log 1.overlay.png"]
    names += ["index.html", "summary.csv"]
    assert sorted(made) == [f"/masks/{name}" for name in names]
    assert tifffile.imread(io.BytesIO(memory.cat("/masks/deep/log 1.mask.tif"))).shape == (90, 70)
    assert [row["scan"] for row in read_summary(memory.cat("/masks/summary.csv"))] == [
        "deep/log 1.tif"
    ]
    assert not list((tmp_path / "scratch").iterdir())
    run(*start)
    assert "done already" in capsys.readouterr().err
    memory.pipe("/archive/deep/log 1.tif", tiff(91))
    run(*start)
    assert json.loads(memory.cat("/masks/deep/log 1.json"))["rows"] == 91


def test_from_a_url_to_a_folder_and_back(memory, weights, tmp_path):
    memory.pipe({"/archive/a.tif": tiff(), "/archive/b.tif": b"no scan"})
    run("memory://archive/a.tif", "--out", tmp_path, "--weights", weights)
    assert tifffile.imread(tmp_path / "a.mask.tif").shape == (90, 70)
    (tmp_path / "c.tif").write_bytes(tiff())
    run(tmp_path / "c.tif", "--out", "memory://masks", "--weights", weights)
    assert memory.exists("/masks/c.mask.tif") and not (tmp_path / "c.mask.tif").exists()


def test_a_folder_behind_a_url_is_made(weights, tmp_path):
    (tmp_path / "c.tif").write_bytes(tiff())
    out = tmp_path / "new" / "deep"
    run(tmp_path / "c.tif", "--out", out.as_uri(), "--weights", weights, "--view")
    assert json.loads((out / "c.json").read_text())["rows"] == 90 and (out / "c.view").is_dir()


def test_what_is_there_of_a_mask_is_made_again_behind_urls_too(memory, weights, tmp_path):
    (tmp_path / "c.tif").write_bytes(tiff())
    memory.pipe({"/masks/c.las": b"of a vendor", "/masks/c.2.las": b"of a vendor"})
    start = tmp_path / "c.tif", "--out", "memory://masks", "--weights", weights
    run(*start, "--view", "--probability")
    run(*start, "--overwrite")  # the same mask
    assert memory.exists("/masks/c.view") and memory.exists("/masks/c.probability.tif")
    before = {path: memory.cat(path) for path in memory.find("/masks")}
    run(*start, "--threshold", 0.3)
    assert {*memory.find("/masks")} == before.keys() and b'"threshold":0.3' in memory.cat(
        "/masks/c.html"
    )
    changed = {path for path in before if memory.cat(path) != before[path]}
    assert "/masks/c.mask.tif" in changed and "/masks/c.las" not in changed
    memory.pipe("/masks/c.html", b"notes of my own")
    run(*start, "--threshold", 0.4)
    assert memory.cat("/masks/c.html") == b"notes of my own"


def test_results_that_were_never_corrected_are_not_kept_aside(memory, weights, tmp_path):
    (tmp_path / "c.tif").write_bytes(tiff())
    start = tmp_path / "c.tif", "--out", "memory://masks", "--weights", weights
    run(*start)
    with pytest.MonkeyPatch.context() as patch:  # two runs end before the first result is put
        patch.setattr(storage, "_put", Mock(side_effect=OSError("no route to host")))
        patch.setattr(storage, "write_whole", lambda place, data: memory.pipe(place, data))
        for _ in range(2):
            run(*start, "--threshold", 0.6, status=1)
            assert "former_sha256" in json.loads(memory.cat("/masks/c.json"))
    run(*start)
    assert not memory.glob("/masks/*.bak")


def test_what_is_wrong_with_a_scan_behind_a_url_names_the_url(memory, weights, capsys):
    memory.pipe("/archive/b.tif", b"no scan")
    run("memory://archive/b.tif", "--weights", weights, status=1)
    said = capsys.readouterr().err
    assert "memory://archive/b.tif: not a TIFF, PNG or JPEG" in said and "/tmp" not in said
    assert list(memory.find("/archive")) == ["/archive/b.tif"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory://nothing", "no such file or folder"),
        ("nonsense://bucket/x", "Protocol not known: nonsense"),
        ("ftp://localhost:1/x", "Connection refused"),
    ],
)
def test_a_url_that_leads_nowhere(memory, url, message, weights, capsys):
    run(url, "--weights", weights, status=2)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and url in said[0] and message in said[0]


def test_reports_are_read_where_all_results_are(memory):
    config = PredictConfig(["memory://s"], out="memory://o")
    report = {"rows": 3, "columns": 4, "seconds": 1, "curve_share": 0.5, "x": 1}
    memory.pipe({f"/s/{i}.tif": b"" for i in range(5)})
    tasks = list_tasks(config.scans, config.out)[0]
    for i in range(4):
        text = json.dumps({**report, "scan_version": tasks[i].version})
        memory.pipe(
            {f"/o/{i}.json": text.encode(), f"/o/{i}.mask.tif": b"", f"/o/{i}.overlay.png": b""}
        )
    memory.rm("/o/1.mask.tif")
    memory.pipe("/o/2.json", b"{")
    done, begun = find_done(tasks, Settings(config, {"x": 1}))
    assert [task.name for task in done] == ["0.tif", "3.tif"] and begun == 2
    assert find_done(tasks, Settings(config, {"x": 2})) == ({}, 4)


def test_a_scan_that_lacks_one_result_is_not_done(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"scan")
    config = PredictConfig([str(tmp_path)], curves=True, view=True)
    (task,) = list_tasks(config.scans, None)[0]
    report = {"rows": 3, "columns": 4, "seconds": 1, "scan_version": task.version}
    report["sha256"] = dict.fromkeys([".mask.tif", ".curves.csv", ".las"], "")
    (tmp_path / "a.json").write_text(json.dumps(report))
    ends = [".mask.tif", ".overlay.png", ".probability.tif", ".curves.csv", ".las", ".html"]
    for end in ends:
        (tmp_path / f"a{end}").touch()
    (tmp_path / "a.mask.tif").write_bytes(b"mask")  # an empty one is of a crash
    (tmp_path / "a.view").mkdir()
    settings = Settings(config, {})
    assert find_done([task], settings)[0]
    for end in [*ends, ".view"]:
        (tmp_path / f"a{end}").rename(tmp_path / "elsewhere")
        assert not find_done([task], settings)[0], end
        (tmp_path / "elsewhere").rename(tmp_path / f"a{end}")
    report["sha256"] = dict.fromkeys([".mask.tif", ".curves.csv", ".1.las", ".2.las"], "")
    (tmp_path / "a.json").write_text(json.dumps(report))  # wellseg curves made two logs of it
    (tmp_path / "a.las").rename(tmp_path / "a.1.las")
    assert not find_done([task], settings)[0]
    (tmp_path / "a.2.las").touch()
    assert find_done([task], settings)[0]


def test_a_las_that_the_new_results_lack_goes_behind_urls_too(memory, tmp_path):
    memory.pipe({"/s/a.tif": b"scan", "/o/a.1.las": b"one", "/o/a.2.las": b"two, by hand"})
    memory.pipe("/o/a.3.las", b"of a scan a.3")
    was = {".1.las": hashlib.sha256(b"one").hexdigest(), ".2.las": hashlib.sha256(b"2").hexdigest()}
    memory.pipe("/o/a.json", json.dumps({"rows": 1, "sha256": was}).encode())
    with local_copy(Task("a.tif", "memory://s/a.tif", "memory://o/a"), tmp_path) as here:
        Path(here.stem).parent.mkdir()
        Path(f"{here.stem}.las").write_bytes(b"all")
        Path(f"{here.stem}.json").write_text("{}")
    assert {*memory.find("/o")} == {"/o/a.json", "/o/a.las", "/o/a.2.las", "/o/a.3.las"}


def test_what_killed_processes_left_in_scratch_is_removed(memory, tmp_path):
    memory.pipe("/s/a.tif", b"scan")
    task = Task("a.tif", "memory://s/a.tif", "memory://o/a")
    left, young = (tmp_path / f"{storage.SCRATCH}{name}" for name in ("left", "young"))
    for folder in (left, young):
        folder.mkdir()
        (folder / "half").write_bytes(b"x")
    os.utime(left, (0, 0))  # by a process that was killed two days ago
    with local_copy(task, tmp_path) as job:
        assert Path(job.scan).read_bytes() == b"scan" and not left.exists()
        with local_copy(task, tmp_path) as other:  # of another process: both are at work
            assert Path(job.scan).exists() and Path(other.scan).exists()
    assert list(tmp_path.iterdir()) == [young]


def test_without_ray_or_a_cluster_one_line_says_so(weights, tmp_path, capsys, monkeypatch):
    (tmp_path / "a.tif").write_bytes(tiff())
    monkeypatch.setitem(sys.modules, "ray", None)
    run(tmp_path, "--weights", weights, "--engine", "ray", status=2)
    assert "pip install 'wellseg[ray]'" in capsys.readouterr().err


# S3 and Ray, for real


def read_summary(data):
    return list(csv.DictReader(io.StringIO(data.decode())))


@pytest.fixture
def s3(monkeypatch):
    """A bucket of a server on this machine."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    fs = s3fs.S3FileSystem(use_listings_cache=False)
    fs.mkdir("archive")
    yield fs
    fs.rm("archive", recursive=True)  # or the next server in this process has it, too
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def command(weights, *more):
    options = (
        "--out",
        "s3://archive/masks",
        "--weights",
        weights,
        "--threads",
        1,
        "--memory",
        "1GB",
    )
    words = ("wellseg.predict", "s3://archive/scans", *options, *more)
    return [sys.executable, "-m", *map(str, words)]


def assert_each_once(s3, names):
    """One whole mask, preview and report for each scan, and nothing else."""
    found = {path.removeprefix("archive/masks/") for path in s3.find("archive/masks")}
    endings = (".mask.tif", ".overlay.png", ".json")
    pages = {"summary.csv", "index.html"}
    assert found == {name + ending for name in names for ending in endings} | pages
    for name in names:
        report = json.loads(s3.cat(f"archive/masks/{name}.json"))
        mask = tifffile.imread(io.BytesIO(s3.cat(f"archive/masks/{name}.mask.tif")))
        assert mask.shape == (report["rows"], report["columns"])


@pytest.mark.parametrize(
    "words", [["s3://b/*.tif", "--out", "m"], ["log.tif", "--out", "s3://b/x"]]
)
def test_a_store_without_credentials_is_one_line(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    Path("log.tif").write_bytes(tiff())
    run(*words, status=2)
    said = capsys.readouterr().err
    assert "cannot be looked into" in said and said.count("\n") == 1


def test_a_bucket_that_is_not_there_is_not_made(s3, tmp_path):
    with pytest.raises(FileNotFoundError):
        write_whole("s3://mistyped/masks/summary.csv", b"scan,status")
    assert not s3.exists("mistyped")


@pytest.mark.slow
def test_a_bucket_without_ray(s3, weights):
    s3.pipe(
        {f"archive/scans/{i}.tif": tiff(80 + i) for i in range(3)}
        | {"archive/scans/bad.tif": b"no scan"}
    )
    done = subprocess.run(command(weights, "--jobs", 1), capture_output=True, text=True)
    assert (
        done.returncode == 1 and "3.tif" not in done.stderr and "bad.tif: not a TIFF" in done.stderr
    ), done.stderr
    assert_each_once(s3, ["0", "1", "2"])
    assert [row["status"] for row in read_summary(s3.cat("archive/masks/summary.csv"))] == [
        "done"
    ] * 3 + ["failed"]


@pytest.mark.slow
def test_a_bucket_has_a_page_of_all_its_scans(s3, weights, tmp_path, browser_page):
    s3.pipe({"archive/scans/deep/a #1.tif": tiff(200), "archive/scans/bad.tif": b"no scan"})
    run(
        "s3://archive/scans",
        "--out",
        "s3://archive/masks",
        "--weights",
        weights,
        "--view",
        "--jobs",
        1,
        status=1,
    )
    assert (
        s3.info("archive/masks/index.html")["ContentType"] == "text/html"
    )  # else browsers only save it
    s3.get("archive/masks/", str(tmp_path / "copy"), recursive=True)
    page = browser_page(tmp_path / "copy" / "index.html")
    assert page.title() == "masks · wellseg" and page.locator("tbody tr").count() == 2
    page.wait_for_function(
        "document.querySelector('tbody img').naturalWidth > 0"
    )  # addresses are relative
    assert page.locator("tr.failed a").count() == 0
    page.locator("tbody .scan a").click()
    assert "a #1" in page.title()


@pytest.fixture
def cluster(s3, monkeypatch):
    """A head that computes nothing and two nodes of one core."""
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "300")
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # A node that is killed is missed soon, not after half a minute.
    monkeypatch.setenv("RAY_health_check_period_ms", "500")
    monkeypatch.setenv("RAY_health_check_failure_threshold", "4")
    monkeypatch.setenv("RAY_health_check_initial_delay_ms", "1000")
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # or other tests, at work beside, get all cores
    monkeypatch.setenv("RAY_worker_register_timeout_seconds", "600")  # of a machine that is busy
    from ray.cluster_utils import Cluster

    store = {"object_store_memory": 80_000_000, "memory": 4_000_000_000}
    nodes = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **store}
    )
    nodes.workers = [nodes.add_node(num_cpus=1, **store) for _ in range(2)]
    monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    yield nodes
    nodes.shutdown()


def whole_reports(s3):
    """Those that were put last, with digests, not those that were put before their results."""
    return [
        path
        for path in s3.glob("archive/masks/*.json")
        if "sha256" in json.loads(s3.cat_file(path))
    ]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_command_is_killed_then_a_node(cluster, s3, weights, tmp_path):
    names = [f"{i:02d}" for i in range(7)]
    s3.pipe({f"archive/scans/{name}.tif": tiff(6_000, 500) for name in names})
    start = command(weights, "--engine", "ray")
    wrong = subprocess.run([*start, "--device", "cuda:0"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "sees no CUDA GPU" in wrong.stderr, wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1

    large = [*start, "--memory", "64GB"]
    with subprocess.Popen(large, stderr=subprocess.PIPE, text=True) as process:
        said = process.stderr.readline()
        process.kill()  # before anything is asserted: the test would wait for it for ever
    assert "no machine of the cluster has --threads 1 and --memory 64GB: waiting" in said

    with subprocess.Popen(start, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: whole_reports(s3), process)
        process.kill()
    first = {path: s3.info(path)["LastModified"] for path in whole_reports(s3)}

    with open(tmp_path / "said", "w+") as said, subprocess.Popen(start, stderr=said) as process:
        wait_until(lambda: is_masking(cluster.workers[0]), process)
        cluster.remove_node(cluster.workers[0], allow_graceful=False)
        status = process.wait(timeout=600)
        said.seek(0)
        text = said.read()
    assert status == 0, text
    assert f"of {len(names)} scans are done already" in text
    assert "its worker was lost" in text and "once more" in text
    assert_each_once(s3, names)
    assert all(s3.info(path)["LastModified"] == then for path, then in first.items())
    rows = read_summary(s3.cat("archive/masks/summary.csv"))
    assert [row["scan"] for row in rows] == [f"{name}.tif" for name in names]
    assert {row["status"] for row in rows} == {"done"} and float(rows[0]["curve_share"]) > 0

    again = subprocess.run(start, capture_output=True, text=True)
    assert (
        again.returncode == 0
        and again.stderr == "7 of 7 scans are done already (--overwrite does them again)\n"
    )

    # Workers have working directories of their own.
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "a.tif").write_bytes(tiff())
    local = [
        *start[:3],
        "scans",
        "--out",
        "masks",
        "--weights",
        weights,
        "--engine",
        "ray",
        "--threads",
        "1",
    ]
    done = subprocess.run(local, capture_output=True, text=True, cwd=tmp_path)
    assert "1/1" not in done.stderr and "masks/a.mask.tif: 90 x 70 pixels" in done.stderr, (
        done.stderr
    )
    assert "a.tif,done,90,70," in (tmp_path / "masks" / "summary.csv").read_text()
    (tmp_path / "masks" / "a.json").write_text("{")  # what workers say is told, too
    done = subprocess.run(local, capture_output=True, text=True, cwd=tmp_path)
    assert ".bak: kept, no whole .json tells of corrections" in done.stderr, done.stderr


@pytest.mark.slow
def test_no_cluster(weights, tmp_path):
    pytest.importorskip("ray")
    (tmp_path / "a.tif").write_bytes(tiff())
    start = [
        sys.executable,
        "-m",
        "wellseg.predict",
        tmp_path,
        "--weights",
        weights,
        "--engine",
        "ray",
    ]
    env = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(
        start, capture_output=True, text=True, env={**env, "RAY_TMPDIR": str(tmp_path)}
    )
    assert done.returncode == 2 and "ray start --head" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def is_masking(node):
    """One of the node's processes is at a scan: Ray names them after what they do."""
    raylet = node.all_processes["raylet"][0].process.pid
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"PPid:\t{raylet}\n" in (process / "status").read_text():
                if (process / "cmdline").read_bytes().startswith(b"ray::_mask"):
                    return True
    return False


def wait_until(true, process):
    deadline = time.monotonic() + 600
    while not true():
        assert process.poll() is None, "it was over before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.1)
