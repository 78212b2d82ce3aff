"""The model card: rendered from the header alone, scores from what evaluate wrote."""

from pathlib import Path

import pytest
import torch

from wellseg.card import average, card, main
from wellseg.net.resunet import ResUNet
from wellseg.weights import (
    BUNDLED,
    load_model,
    read_header,
    save_weights,
    weights_path,
)

NAMES = sorted(path.stem for path in BUNDLED.glob("*.safetensors"))
MODEL = {"norm": "group", "patch": 2, "widths": [8, 16]}
SCORES = """\
name,split,kind,f1_at_3px,precision,recall,dice,iou,cldice,whole_curves,half_curves,false_centreline_px_per_row
a,test,bilevel,0.9,0.8,1.0,0.7,0.5,0.6,0.5,1,0.1
b,val,bilevel,0.7,0.6,0.8,0.5,0.3,0.4,0,0.5,0.3
c,test,colour,,,,,,,,,0.25
"""


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "mine.safetensors"
    save_weights(
        path,
        ResUNet(2, (8, 16)),
        {
            "model": MODEL,
            "training": {"steps": 7},
            "licence": "Apache-2.0",
            "limits": ["Headers.", "Blots."],
            "window_rows": 600,
        },
    )
    return path


def test_means_are_taken_for_each_kind_and_logs_without_curves_apart(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text(SCORES)
    scores = average(tmp_path / "scores.csv")
    assert scores["bilevel"]["f1_at_3px"] == pytest.approx(0.8) and scores["bilevel"]["logs"] == 2
    assert scores["bilevel"]["whole_curves"] == 0.25 and set(scores) == {
        "bilevel",
        "colour without curves",
    }
    assert scores["bilevel"]["false_centreline_px_per_row"] == pytest.approx(0.2)
    assert scores["colour without curves"] == {"logs": 1, "false_centreline_px_per_row": 0.25}


def test_scores_go_into_the_header_and_leave_the_tensors_alone(
    tmp_path: Path, weights: Path, capsys
) -> None:
    (tmp_path / "scores.csv").write_text(SCORES)
    out = tmp_path / "best.safetensors"
    given = ["--scores", tmp_path / "scores.csv", "--out", out]
    main(["--weights", str(weights), *map(str, given)])
    printed = capsys.readouterr().out
    assert printed == card("best", read_header(out))
    for part in ("# best", "| steps | 7 |", "0.800", "0.250", "* Blots.", "Apache-2.0"):
        assert part in printed
    assert load_model(out).window_rows == 600  # and all else in the header
    ink = torch.rand(1, 1, 20, 20)
    assert torch.equal(load_model(out)(ink), load_model(weights)(ink))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--scores", "nope.csv", "--out", "o"], "nope.csv: No such file"),
        (["--scores", "a.csv"], "--out"),
        (["--out", "b.safetensors"], "--scores"),
        (["--header", "more.json"], "no option --header"),
    ],
)
def test_wrong_use_is_one_line(given: list[str], said: str, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(given)
    assert stop.value.code == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1 and said in errors[0]


def test_the_bundled_card_is_what_the_bundled_header_says() -> None:
    for name in NAMES:
        assert (BUNDLED / f"{name}.md").read_text() == card(name, read_header(weights_path(name)))
