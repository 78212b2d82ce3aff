"""URLs and the Ray engine: a real S3 server (moto), a real cluster of two nodes, one of them killed."""

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tifffile
from conftest import draw_waves

from wellseg import storage
from wellseg.config import PredictConfig
from wellseg.folder import finished, list_tasks
from wellseg.predict import main


def tiff(rows=90, columns=70):
    file = io.BytesIO()
    tifffile.imwrite(file, draw_waves(rows, columns, phase=0)[0], compression="deflate", rowsperstrip=128)
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


def test_a_scan_behind_a_url(memory, weights, tmp_path, capsys):
    memory.pipe({"/archive/deep/log 1.tif": tiff(), "/archive/.hidden.tif": b"", "/archive/old.mask.tif": b""})
    start = ("memory://archive", "--out", "memory://masks", "--weights", weights, "--scratch", tmp_path / "scratch")
    (tmp_path / "scratch").mkdir()
    run(*start)
    made = memory.find("/masks", detail=True)
    names = ["deep/log 1.json", "deep/log 1.mask.tif", "deep/log 1.overlay.png", "summary.csv"]
    assert sorted(made) == [f"/masks/{name}" for name in names]
    assert tifffile.imread(io.BytesIO(memory.cat("/masks/deep/log 1.mask.tif"))).shape == (90, 70)
    assert [row["scan"] for row in read_summary(memory.cat("/masks/summary.csv"))] == ["deep/log 1.tif"]
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


def test_what_is_wrong_with_a_scan_behind_a_url_names_the_url(memory, weights, capsys):
    memory.pipe("/archive/b.tif", b"no scan")
    run("memory://archive/b.tif", "--weights", weights, status=1)
    said = capsys.readouterr().err
    assert "memory://archive/b.tif: not a TIFF, PNG or JPEG" in said and "/tmp" not in said
    assert list(memory.find("/archive")) == ["/archive/b.tif"]


@pytest.mark.parametrize(
    ("url", "message"),
    [("memory://nothing", "no such file or folder"), ("nonsense://bucket/x", "Protocol not known: nonsense")],
)
def test_a_url_that_leads_nowhere(memory, url, message, weights, capsys):
    run(url, "--weights", weights, status=2)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and url in said[0] and message in said[0]


def test_reports_are_read_where_all_results_are(memory):
    config = PredictConfig(["memory://s"], out="memory://o")
    report = {"rows": 3, "columns": 4, "seconds": 1, "curve_share": 0.5, "x": 1}
    memory.pipe({f"/s/{i}.tif": b"" for i in range(5)})
    tasks, _ = list_tasks(config.scans, config.out)
    for i in range(4):
        text = json.dumps({**report, "scan_version": tasks[i].version})
        memory.pipe({f"/o/{i}.json": text.encode(), f"/o/{i}.mask.tif": b"", f"/o/{i}.overlay.png": b""})
    memory.rm("/o/1.mask.tif")
    memory.pipe("/o/2.json", b"{")
    assert [task.name for task in finished(tasks, config, {"x": 1})] == ["0.tif", "3.tif"]
    assert not finished(tasks, config, {"x": 2})


def test_where_a_put_may_be_seen_half_done_it_is_put_beside_and_moved(memory, tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "WHOLE_PUTS", ())
    (tmp_path / "a.mask.tif").write_bytes(b"mask")
    storage._put(tmp_path / "a.mask.tif", "memory://o/deep/a.mask.tif")
    assert list(memory.find("/o")) == ["/o/deep/a.mask.tif"] and memory.cat("/o/deep/a.mask.tif") == b"mask"


def test_without_ray_or_a_cluster_one_line_says_so(weights, tmp_path, capsys, monkeypatch):
    (tmp_path / "a.tif").write_bytes(tiff())
    monkeypatch.setitem(sys.modules, "ray", None)
    run(tmp_path, "--weights", weights, "--engine", "ray", status=2)
    assert "pip install 'wellseg[ray]'" in capsys.readouterr().err
    code = "import sys, wellseg.predict, wellseg.pool, wellseg.worker; assert 'ray' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# S3 and Ray, for real


def read_summary(data):
    return list(csv.DictReader(io.StringIO(data.decode())))


@pytest.fixture
def s3(monkeypatch):
    """A bucket of a server on this machine."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
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
    options = ("--out", "s3://archive/masks", "--weights", weights, "--threads", 1, "--memory", "1GB")
    words = ("wellseg.predict", "s3://archive/scans", *options, *more)
    return [sys.executable, "-m", *map(str, words)]


def assert_each_once(s3, names):
    """One whole mask, preview and report for each scan, and nothing else."""
    found = {path.removeprefix("archive/masks/") for path in s3.find("archive/masks")}
    endings = (".mask.tif", ".overlay.png", ".json")
    assert found == {name + ending for name in names for ending in endings} | {"summary.csv"}
    for name in names:
        report = json.loads(s3.cat(f"archive/masks/{name}.json"))
        mask = tifffile.imread(io.BytesIO(s3.cat(f"archive/masks/{name}.mask.tif")))
        assert mask.shape == (report["rows"], report["columns"])


@pytest.mark.slow
def test_a_bucket_without_ray(s3, weights):
    s3.pipe({f"archive/scans/{i}.tif": tiff(80 + i) for i in range(3)} | {"archive/scans/bad.tif": b"no scan"})
    done = subprocess.run(command(weights, "--jobs", 1), capture_output=True, text=True)
    assert done.returncode == 1 and "3.tif" not in done.stderr and "bad.tif: not a TIFF" in done.stderr, done.stderr
    assert_each_once(s3, ["0", "1", "2"])
    assert [row["status"] for row in read_summary(s3.cat("archive/masks/summary.csv"))] == ["done"] * 3 + ["failed"]


@pytest.fixture
def cluster(s3, monkeypatch):
    """A head that computes nothing and two nodes of one core."""
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # A node that is killed is missed soon, not after half a minute.
    monkeypatch.setenv("RAY_health_check_period_ms", "500")
    monkeypatch.setenv("RAY_health_check_failure_threshold", "4")
    monkeypatch.setenv("RAY_health_check_initial_delay_ms", "1000")
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "0")
    from ray.cluster_utils import Cluster

    store = {"object_store_memory": 80_000_000, "memory": 4_000_000_000}
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **store})
    nodes.workers = [nodes.add_node(num_cpus=1, **store) for _ in range(2)]
    monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    yield nodes
    nodes.shutdown()


@pytest.mark.slow
def test_a_node_that_is_killed_costs_its_scans_alone(cluster, s3, weights, tmp_path):
    names = [f"{i:02d}" for i in range(6)]
    s3.pipe({f"archive/scans/{name}.tif": tiff(6_000, 500) for name in names})
    start = command(weights, "--engine", "ray")
    with open(tmp_path / "said", "w+") as said, subprocess.Popen(start, stderr=said) as process:
        wait_until(lambda: s3.glob("archive/masks/*.json"), process)
        wait_until(lambda: is_masking(cluster.workers[0]), process)
        cluster.remove_node(cluster.workers[0], allow_graceful=False)
        status = process.wait(timeout=400)
        said.seek(0)
        text = said.read()
    assert status == 0, text
    assert "its worker was lost" in text and "once more" in text
    assert_each_once(s3, names)
    rows = read_summary(s3.cat("archive/masks/summary.csv"))
    assert [row["scan"] for row in rows] == [f"{name}.tif" for name in names]
    assert {row["status"] for row in rows} == {"done"} and float(rows[0]["ink_share"]) > 0

    # A second start has nothing to do, a third only what was taken away.
    made = s3.info("archive/masks/05.mask.tif")["LastModified"]
    again = subprocess.run(start, capture_output=True, text=True)
    assert again.returncode == 0 and again.stderr == "6 of 6 scans are done already (--overwrite does them again)\n"
    s3.rm("archive/masks/03.mask.tif")
    again = subprocess.run(start, capture_output=True, text=True)
    assert "6/6 s3://archive/masks/03.mask.tif" in again.stderr and again.stderr.count(".mask.tif") == 1
    assert_each_once(s3, names)
    assert s3.info("archive/masks/05.mask.tif")["LastModified"] == made


@pytest.mark.slow
def test_the_command_killed_midway_is_resumed(cluster, s3, weights):
    names = [f"{i:02d}" for i in range(5)]
    s3.pipe({f"archive/scans/{name}.tif": tiff(5_000, 500) for name in names})
    start = command(weights, "--engine", "ray")
    with subprocess.Popen(start, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: s3.glob("archive/masks/*.json"), process)
        process.kill()
    again = subprocess.run(start, capture_output=True, text=True)
    assert again.returncode == 0 and "scans are done already" in again.stderr, again.stderr
    assert_each_once(s3, names)


@pytest.mark.slow
def test_what_no_worker_takes_is_wrong_usage(cluster, s3, weights):
    s3.pipe("archive/scans/a.tif", tiff())
    done = subprocess.run(command(weights, "--engine", "ray", "--device", "cuda:0"), capture_output=True, text=True)
    assert done.returncode == 2 and "sees no CUDA GPU" in done.stderr and len(done.stderr.splitlines()) == 1, (
        done.stderr
    )


@pytest.mark.slow
def test_no_cluster(weights, tmp_path):
    pytest.importorskip("ray")
    (tmp_path / "a.tif").write_bytes(tiff())
    start = [sys.executable, "-m", "wellseg.predict", tmp_path, "--weights", weights, "--engine", "ray"]
    env = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(start, capture_output=True, text=True, env={**env, "RAY_TMPDIR": str(tmp_path)})
    assert done.returncode == 2 and "no running Ray cluster here" in done.stderr
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
    deadline = time.monotonic() + 300
    while not true():
        assert process.poll() is None, "it was over before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.1)
