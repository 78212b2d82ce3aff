"""Arrows between the rooms go downwards only: what each imports, at once or later, and must not."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "wellseg"
MUST_NOT = {
    "corpus": ("scan", "training", "scores", "net", "rows", "many", "results"),
    "scan": ("training", "corpus", "scores", "net", "rows", "many", "results", "curves"),
    "scores": ("training", "corpus", "net", "rows", "many", "results", "curves"),
    "norms": ("net", "scan", "rows", "training", "config"),
    "net": ("scan", "rows", "training", "scores"),
    "rows": ("training", "corpus", "many", "results", "curves", "scores", "config"),
    "curves": ("training", "corpus", "net", "rows", "many", "results", "config", "review"),
    "review": ("training", "corpus", "net", "rows", "many", "config"),
    "training": ("rows", "many", "results"),
    "results": ("training", "corpus", "many", "review"),
}
ENTRIES = {"train": ("rows", "many", "results"), "predict": ("training", "corpus", "scores")}


@cache
def imports(file: Path) -> tuple[Path, ...]:
    """The package's files that a file imports, anywhere in its code."""
    found = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [each.name.split(".") for each in node.names]
            bases = [PACKAGE.parent.joinpath(*name) for name in names if name[0] == "wellseg"]
            found += [
                path.with_suffix(".py") for path in bases if path.with_suffix(".py").is_file()
            ]
            found += [path / "__init__.py" for path in bases if path.is_dir()]
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            place = file.parent
        elif (node.module or "").split(".")[0] == "wellseg":
            place = PACKAGE
        else:
            continue
        parts = (node.module or "").split(".")
        base = place.joinpath(*parts[0 if node.level else 1 :])
        places = [base, *(base / alias.name for alias in node.names)]
        found += [path.with_suffix(".py") for path in places if path.with_suffix(".py").is_file()]
        found += [path / "__init__.py" for path in places if (path / "__init__.py").is_file()]
    return tuple(path for path in found if path != PACKAGE / "__init__.py")


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def reached(file: Path) -> set[Path]:
    """All files of the package that are read by who wants to know what this one does."""

    def walk(file: Path, seen: set[Path]) -> Iterator[Path]:
        if file not in seen:
            seen.add(file)
            yield file
            for other in imports(file):
                yield from walk(other, seen)

    return set(walk(file, set()))


@pytest.mark.parametrize("room", MUST_NOT)
def test_no_room_imports_from_above(room: str) -> None:
    assert {room, *MUST_NOT[room]} <= {room_of(file) for file in PACKAGE.rglob("*.py")}
    for file in (PACKAGE / room).glob("*.py"):
        wrong = [str(other) for other in imports(file) if room_of(other) in MUST_NOT[room]]
        assert not wrong or file.name == "__main__.py", (file, wrong)  # python -m wellseg.ROOM


@pytest.mark.parametrize("command", ENTRIES)
def test_a_command_reaches_only_its_rooms(command: str) -> None:
    rooms = {room_of(file) for file in reached(PACKAGE / f"{command}.py")}
    assert {"net", "scan"} < rooms and not rooms & set(ENTRIES[command])


def test_the_way_of_a_log_is_read_in_an_evening() -> None:
    files = [f for f in reached(PACKAGE / "train.py") if room_of(f) != "corpus"]
    lines = sum(len(file.read_text("utf-8").splitlines()) for file in files)
    assert 1500 < lines <= 3000, lines


def test_the_package_is_no_larger_than_agreed() -> None:
    lines = {file: len(file.read_text("utf-8").splitlines()) for file in PACKAGE.rglob("*.py")}
    review = sum(count for file, count in lines.items() if room_of(file) == "review")
    assert review <= 800 and sum(lines.values()) - review <= 9500, (review, sum(lines.values()))
    assert max(lines.values()) <= 350, max(lines, key=lines.__getitem__)


DRAW = """
import sys
from wellseg.corpus import draw_log
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
for number in range(30):
    draw_log(0, number, "tiny")
code = (".py", ".pyc", ".so", ".pyd")  # of modules that are imported meanwhile
print({path for path in opened if not path.endswith(code)})
"""
READERS = "open imread imreadmulti VideoCapture FileStorage fromfile memmap loadtxt genfromtxt"


def test_the_corpus_opens_no_file() -> None:
    """But its recipe, as it is imported, and typefaces. Python tells of files that it opens, not of
    those that OpenCV does."""
    done = subprocess.run([sys.executable, "-c", DRAW], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
    for file in (PACKAGE / "corpus").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            name = getattr(node, "id", getattr(node, "attr", getattr(node, "name", None)))
            assert name not in READERS.split(), (file, name)
