"""Rows in the repository: taken whole and of one corpus, read as they were, and where a run goes on."""

import pytest
import torch
from study_rows import atlas_rows

from studies.batch_size_one import collect, findings, run
from studies.batch_size_one.logs import Logs
from studies.batch_size_one.plan import Cell
from studies.batch_size_one.rows import read_rows, write_rows
from studies.batch_size_one.table import Table
from wellseg.corpus import fingerprint

NAME = "A-batch_momenta-0.001-s0"


@pytest.fixture(scope="module")
def rows():
    return [row | {"corpus": fingerprint()} for row in atlas_rows(1, (1e-3,))]


def write_run(out, rows):
    for norm in {row["norm"] for row in rows}:
        (out / "rows").mkdir(parents=True, exist_ok=True)
        cell = [row for row in rows if row["norm"] == norm]
        write_rows(out / "rows" / f"A-{norm}-0.001-s0.csv", cell)


def test_what_is_taken_is_read_as_it_was(tmp_path, rows, capsys):
    write_run(tmp_path / "run", rows)
    into = tmp_path / "rows"
    collect.collect(tmp_path / "run", into)
    written = read_rows(sorted((tmp_path / "run" / "rows").glob("*.csv")))
    assert collect.committed(into) == written
    assert collect.committed_cells(into) == {NAME, "A-group-0.001-s0"}
    assert (into / "sets" / "like.txt").read_text().split()[0] == "bilevel-1-00000"
    before = {path: path.read_bytes() for path in into.rglob("*.*")}
    collect.collect(tmp_path / "run", into)
    assert "is there" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in into.rglob("*.*")} == before
    assert collect.committed(None) == [] and collect.committed_cells(None) == set()


BROKEN = {
    "of corpus another": lambda rows: [row | {"corpus": "another"} for row in rows],
    "without commit": lambda rows: [*rows[:-1], rows[-1] | {"commit": ""}],
    "missing": lambda rows: [row for row in rows if row["set"] != "real_bilevel"],
    "16 steps, planned are 1,600": lambda rows: [row | {"steps": "16"} for row in rows],
    "its rows are of A-batch_momenta-0.003-s0": lambda rows: [row | {"rate": "0.003"} for row in rows],
    "more than planned": lambda rows: [*rows, rows[0]],
    "differ between": lambda rows: [*rows[:-1], rows[-1] | {"names": "others"}],
    "others than in like.txt": lambda rows: [
        row | {"names": row["names"].replace("-1-", "-2-")} if row["set"] == "like" else row
        for row in rows
    ],
    "no run is repeated": lambda rows: [row | {"machine": "another"} for row in rows],
}  # fmt: skip


@pytest.mark.parametrize("said", BROKEN)
def test_what_is_refused_writes_nothing(tmp_path, rows, said):
    into, cell = tmp_path / "rows", [row for row in rows if row["norm"] == "batch_momenta"]
    there = "momenta" if said == "no run is repeated" else "group"
    write_run(tmp_path / "first", [row for row in rows if there in row["norm"]])
    collect.collect(tmp_path / "first", into)
    before = {path: path.read_bytes() for path in into.rglob("*.*")}
    write_run(tmp_path / "run", BROKEN[said](cell))
    with pytest.raises(SystemExit, match=f"{NAME}: .*{said}"):
        collect.collect(tmp_path / "run", into)
    assert {path: path.read_bytes() for path in into.rglob("*.*")} == before


def test_a_run_goes_on_where_the_rows_end(tmp_path, rows, capsys, monkeypatch):
    """Cells whose rows are there are not trained; their scores count; part D trains again what it needs."""
    monkeypatch.setattr("studies.batch_size_one.plan.RATES", (1e-3,))
    write_run(tmp_path / "first", rows)
    into = tmp_path / "rows"
    collect.collect(tmp_path / "first", into)
    done = []
    monkeypatch.setattr(run.Run, "do", lambda self, cell, scored, name: done.append(name))
    asked = {"out": tmp_path / "run", "parts": "AD", "rows": into, "device": "cpu"}
    run.atlas(**asked, seeds=1)
    assert done[0] == "D-batch_frozen-0.001-s0-f0.05" and done[-1] == f"D-of-{NAME}"
    assert f"{NAME} once more: part D needs its weights" in capsys.readouterr().out
    assert "interim, 1 of 12 seeds" in (tmp_path / "run" / "summary.md").read_text()
    done.clear()
    run.atlas(**asked, seeds=2)
    assert done == ["A-batch_momenta-0.001-s1", "A-group-0.001-s1"], "D waits for the second seed"
    assert "part D waits for A's rates: interim, 1 of 12 seeds" in capsys.readouterr().out
    (into / "corpus.txt").write_text("another")
    with pytest.raises(SystemExit, match="--rows was begun with corpus another"):
        run.atlas(**asked)
    assert findings.best_rates(Table(collect.rows_of(tmp_path / "run" / "rows", into)))


def test_what_is_in_the_repository_is_whole_and_signed():
    rows = collect.committed()
    assert {row["corpus"] for row in rows} <= {collect.committed_corpus()}
    assert all(row["commit"] and row["machine"] for row in rows)
    names = collect.committed_cells()
    assert {collect.cell_of(row).name for row in rows} == {n.removeprefix("D-of-") for n in names}


@pytest.mark.slow
def test_a_real_cell_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr("studies.batch_size_one.collect.STEPS", {"A": 8})
    cell = Cell("A", "group", 1e-2, 0, 8, widths=(8, 16))
    logs = Logs(tmp_path / "logs", scored=2)
    drawn = logs.set("like")
    monkeypatch.setattr(
        "studies.batch_size_one.logs._labelled",
        lambda root, name: [log._replace(name=f"w/{name}_{i}") for i, log in enumerate(drawn)],
    )
    logs.real = logs.pages = tmp_path
    torch.set_num_threads(1)
    run.Run(tmp_path, logs).cells([cell])
    collect.collect(tmp_path, tmp_path / "rows-kept")
    assert len(collect.committed(tmp_path / "rows-kept")) == 2 + 8 + 1
