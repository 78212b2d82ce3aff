"""Rows of finished cells, from a run's folder into the repository: a compressed CSV for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import auto_cli

from studies.batch_size_one.plan import STEPS, Cell
from studies.batch_size_one.rows import KEY, read_rows, write_rows
from studies.batch_size_one.score import SNAPSHOT_LOGS, expected, expected_without_training
from wellseg.scan.atomic import atomic_file

ROWS = Path(__file__).parent / "rows"
"""ROWS/CELL.csv.xz, ROWS/corpus.txt, and ROWS/sets/SET.txt: names of its logs, one a line."""


def collect(out: Path = Path("runs/atlas"), rows: Path = ROWS) -> None:
    """Take the rows of a run's finished cells into the repository; those that are there stay.

    Args:
        out: The run's folder.
        rows: Where they go.
    """
    found = sorted((out / "rows").glob("*.csv"))
    if not found:
        raise SystemExit(f"no rows in {out / 'rows'}: score the run first")
    refused = []
    for path in found:
        try:
            print(f"{path.stem}: {take(path, rows)}")
        except ValueError as error:
            refused.append(f"{path.stem}: {error}")
    print("and now the page's numbers: python -m studies.batch_size_one.docs")
    if refused:
        raise SystemExit("\n".join(refused))


def take(path: Path, folder: Path) -> str:
    """Take one file of rows; says what became of it. Raises ValueError, and writes nothing, for
    rows of another corpus, unsigned, incomplete or other than planned, of unlike logs, or other
    than those that are there."""
    rows = read_rows([path])
    missing = sum(not (row.get("commit") and row.get("machine")) for row in rows)
    if missing or not rows:
        raise ValueError(
            f"{missing} of {len(rows)} rows without commit and machine: score it again"
        )
    _check_corpus({row["corpus"] for row in rows}, folder / "corpus.txt")
    _check_complete(path.stem, rows)
    sets = _names(rows, folder / "sets")
    target = folder / f"{path.stem}.csv.xz"
    kept = [row | {"names": ""} for row in rows]
    if target.exists():
        if read_rows([target]) != kept:
            raise ValueError(f"other rows than in {target.name}: no run is repeated for its result")
        return "is there"
    _write(folder / "corpus.txt", rows[0]["corpus"] + "\n")
    for name, names in sets.items():
        _write(folder / "sets" / f"{name}.txt", "\n".join(names) + "\n")
    write_rows(target, kept)
    return f"taken, {target.stat().st_size:,} bytes"


def committed(folder: Path | None = ROWS) -> list[dict[str, str]]:
    """All rows in the repository, with their names; none for None."""
    if folder is None or not folder.is_dir():
        return []
    sets = {path.stem: path.read_text().splitlines() for path in (folder / "sets").glob("*.txt")}
    rows = read_rows(sorted(folder.glob("*.csv.xz")))
    for row in rows:
        names = sets.get(row["set"], [])[: row["f1"].count(";") + 1]
        row["names"] = ";".join(names)
    return rows


def rows_of(run: Path | None, folder: Path | None = ROWS) -> list[dict[str, str]]:
    """All rows in the repository, and of other cells those of a run's folder of rows."""
    known = committed_cells(folder)
    here = sorted(run.glob("*.csv")) if run else []
    return committed(folder) + read_rows([path for path in here if path.stem not in known])


def committed_cells(folder: Path | None = ROWS) -> set[str]:
    """Names of the cells whose rows are in the repository ("D-of-...": scored without training)."""
    return (
        {path.name.removesuffix(".csv.xz") for path in folder.glob("*.csv.xz")} if folder else set()
    )


def committed_corpus(folder: Path | None = ROWS) -> str | None:
    """The fingerprint of the corpus that they are of; None before there are any."""
    note = folder / "corpus.txt" if folder else None
    return note.read_text().strip() if note and note.exists() else None


def _check_corpus(found: set[str], note: Path) -> None:
    there = committed_corpus(note.parent)
    if len(found) > 1 or (there and found != {there}):
        raise ValueError(
            f"of corpus {', '.join(sorted(found))}, the rows here are of {there or 'one'}"
        )


def _check_complete(name: str, rows: Sequence[dict[str, str]]) -> None:
    cell = cell_of(rows[0])
    again = name.startswith("D-of-")
    if name != "D-of-" * again + cell.name or len({tuple(r[k] for k in KEY[:8]) for r in rows}) > 1:
        raise ValueError(f"its rows are of {cell.name}")
    if cell.steps != STEPS[cell.part]:
        raise ValueError(f"{cell.steps} steps, planned are {STEPS[cell.part]:,}")
    wanted = expected_without_training(cell) if again else expected(cell)
    found = {(r["schedule"], int(r["step"]), r["way"], r["set"]) for r in rows}
    if lacking := sorted({each[-1] for each in wanted - found}):
        raise ValueError(
            f"incomplete: {len(wanted - found)} rows of {', '.join(lacking)} are missing"
        )
    if found - wanted or len(found) != len(rows):
        raise ValueError(f"{len(rows) - len(wanted)} rows more than planned")


def cell_of(row: dict[str, str]) -> Cell:
    """The training that a row is of; of part D's ways without training that of part A."""
    again = row["part"] == "D" and row["norm"] == "batch_momenta"
    return Cell(
        "A" if again else row["part"],
        row["norm"],
        float(row["rate"]),
        *(int(row[name]) for name in ("seed", "steps", "logs")),
        float(row["freeze"]) if row["freeze"] else None,
        row["data"],  # type: ignore[arg-type]
    )


def _names(rows: Sequence[dict[str, str]], folder: Path) -> dict[str, list[str]]:
    """Of each set all its logs. A row must be of the whole set, or of its first at a snapshot."""
    sets: dict[str, list[str]] = {}
    for row in rows:
        if row["names"] and row["step"] == row["steps"]:
            sets.setdefault(row["set"], row["names"].split(";"))
    for name, names in sets.items():
        path = folder / f"{name}.txt"
        if path.exists() and path.read_text().splitlines() != names:
            raise ValueError(f"the logs of {name} are others than in {path.name}")
    for row in filter(lambda row: row["names"], rows):
        wanted = sets[row["set"]][: None if row["step"] == row["steps"] else SNAPSHOT_LOGS]
        if row["names"].split(";") != wanted:
            raise ValueError(f"the logs of {row['set']} differ between its rows")
    return sets


def _write(path: Path, text: str) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            file.write(text.encode())


if __name__ == "__main__":
    auto_cli(collect, as_positional=False)
