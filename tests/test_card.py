"""The model card: rendered from the header alone."""

from pathlib import Path

import pytest

from wellseg.card import card, main
from wellseg.net.resunet import ResUNet
from wellseg.weights import (
    BUNDLED,
    read_header,
    save_weights,
    weights_path,
)

NAMES = sorted(path.stem for path in BUNDLED.glob("*.safetensors"))
MODEL = {"norm": "group", "patch": 2, "widths": [8, 16]}


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


def test_a_card_says_what_the_header_says(weights: Path, capsys: pytest.CaptureFixture) -> None:
    main(["--weights", str(weights)])
    printed = capsys.readouterr().out
    assert printed == card("mine", read_header(weights))
    for part in ("# mine", "| steps | 7 |", "* Blots.", "Apache-2.0", "Not measured yet"):
        assert part in printed


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--weights", "nope.safetensors"], "no weights 'nope.safetensors'"),
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
