"""What the documents say exists and works: commands word for word, files, lengths."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

import wellseg
from wellseg.__main__ import COMMANDS, main
from wellseg.training.options import TrainConfig
from wellseg.weights import DEFAULT

ROOT = Path(__file__).parents[1]
DOCUMENTS = ["README.md", "data/README.md", "docs/scale.md", "docs/files.md", "docs/code.md"]
DOCUMENTS += ["docs/batch-size-one.md", "wellseg/pretrained/README.md", "configs/release.yaml"]


def commands(document: str) -> list[str]:
    """Its lines that start wellseg, without prompts and comments."""
    lines = (ROOT / document).read_text("utf-8").splitlines()
    starts = re.compile(r"(?:#   |    )(?:wellseg |\S*python -m wellseg\.)(.*)")
    return [found[1] for line in lines if (found := starts.fullmatch(line))]


ALL = [(name, line) for name in DOCUMENTS for line in commands(name)]
DISTINCT = {tuple(shlex.split(line, comments=True)): name for name, line in ALL}


@pytest.mark.parametrize(("words", "document"), DISTINCT.items())
def test_commands_in_documents_are_understood(
    words: tuple[str, ...], document: str, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as stop:  # --help ends it where all before was understood
        main([*words, "--help"])
    assert stop.value.code == 0, f"{document}: {capsys.readouterr().err}"


def test_programs_of_a_document_run(
    tmp_path: Path, data_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one notebook; what ONNX needs is not installed: what is exported is given to it."""
    sample = tifffile.imread(ROOT / "data" / "sample" / "sample.tif")[600:900]
    tifffile.imwrite(tmp_path / "scan.tif", sample, photometric="miniswhite", resolution=(200, 200))
    (tmp_path / "mine").symlink_to(data_set)
    monkeypatch.chdir(tmp_path)
    exported: dict[str, tuple[torch.Size, object]] = {}
    monkeypatch.setattr(
        "torch.onnx.export",
        lambda model, inputs, name, **given: exported.update({name: (inputs[0].shape, given)}),
    )
    text = (ROOT / "docs" / "code.md").read_text("utf-8").replace("steps=400", "steps=1")
    known: dict[str, Any] = {}
    for program in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(program, "docs/code.md", "exec"), known)
    assert known["follower"].curves and set(exported) == {"gray.onnx", "colour.onnx"}
    assert known["weights"].is_file()
    mine = wellseg.load_model("mine.safetensors")
    assert mine.window_rows == 2000 and not known["model"].training
    assert wellseg.segment(mine, "scan.tif").shape == sample.shape


def test_every_command_stands_in_a_document() -> None:
    assert {words[0] for words in DISTINCT} >= set(COMMANDS) - {"compare"}
    assert len(commands("README.md")) >= 10


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_commands_of_the_documents_run_word_for_word(
    tmp_path: Path, data_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order of the page, on stand-ins for a reader's files; trainings for two steps."""
    (tmp_path / "mine").symlink_to(data_set)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    sample = tifffile.imread(ROOT / "data" / "sample" / "sample.tif")[600:1000]
    (tmp_path / "scans").mkdir()
    tall = np.pad(sample, ((0, 9_600), (0, 0)))  # the documents have depths of row 9,800
    for name, pixels in (("scan.tif", tall), ("scans/a.tif", sample), ("scans/b.tif", sample)):
        tifffile.imwrite(tmp_path / name, pixels, photometric="miniswhite", resolution=(200, 200))
    short = ["--steps", "2", "--val_every", "1", "--data.val_count", "2", "--data.workers", "0"]
    for document in ("README.md", "data/README.md", "wellseg/pretrained/README.md"):
        for line in commands(document):
            words = shlex.split(line.replace("release.yaml", "quick.yaml"), comments=True)
            folder = tmp_path / words[words.index("--out") + 1] if "--out" in words else None
            if words[0] == "train":
                if folder and folder.exists():
                    continue  # of another document: a run there goes on with --resume only
                words += short
            ran = subprocess.run(
                [sys.executable, "-m", "wellseg", *words],
                cwd=tmp_path,
                capture_output=True,
                text=True,
            )
            assert ran.returncode == 0, f"{document}: {line}\n{ran.stdout}{ran.stderr}"
    for left in ("scan.mask.tif", "masks/summary.csv"):
        assert (tmp_path / left).is_file()
    assert (tmp_path / "runs/mine/model.safetensors").is_file()


@pytest.mark.parametrize("config", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_shipped_configs_hold_only_options_there_are(config: Path) -> None:
    from wellseg.cli import parse

    parsed, given = parse(TrainConfig, "train", "", ["--config", str(config)])
    assert parsed.steps and given


@pytest.mark.parametrize("document", [*DOCUMENTS, "benchmarks/README.md", "CHANGELOG.md"])
def test_files_that_are_named_are_there(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    named = set(
        re.findall(r"\b((?:configs|benchmarks|docs|docker|wellseg|tests)/[\w./-]*\w)", text)
    )
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing


def test_pages_are_short() -> None:
    for document, most in (("README.md", 900), ("benchmarks/README.md", 600)):
        assert len((ROOT / document).read_text("utf-8").split()) <= most
    assert len((ROOT / "wellseg/pretrained/README.md").read_text("utf-8").splitlines()) <= 60


def test_the_version_stands_in_the_changelog() -> None:
    from wellseg import __version__

    assert f"## [{__version__.partition('.dev')[0]}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("document", ["README.md", "benchmarks/README.md", "data/pages/README.md"])
def test_the_scores_are_those_of_the_bundled_weights(document: str) -> None:
    card = (ROOT / f"wellseg/pretrained/{DEFAULT}.md").read_text("utf-8")
    pages = re.findall(r"^\| pages, \S+ \|(?: [\d.]+ \|){3} ([\d.]+) \|", card, re.MULTILINE)
    assert len(pages) == 2
    text = (ROOT / document).read_text("utf-8")
    assert all(score in text for score in pages), pages


def test_how_an_option_is_taken_back_stands_in_help_and_document(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It stood below what --help shows of the command's docstring."""
    with pytest.raises(SystemExit):
        main(["curves", "--help"])
    assert "--tracks none" in capsys.readouterr().out
    assert "`--depth none`" in (ROOT / "docs/files.md").read_text("utf-8")


def test_columns_of_the_summary_and_of_the_scores_stand_in_the_document() -> None:
    from wellseg.many.tasks import KNOWN
    from wellseg.scores import ERRORS, FALSE

    text = (ROOT / "docs/files.md").read_text("utf-8")
    columns = {"status", "reason", *KNOWN, "whole_curves", "half_curves", FALSE, ERRORS}
    assert not {name for name in columns if f"`{name}`" not in text}
