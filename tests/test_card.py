"""The model card: rendered from the header alone."""

import importlib
from pathlib import Path

import pytest

from wellseg.weights import BUNDLED, read_header, weights_path

NAMES = sorted(path.stem for path in BUNDLED.glob("*.safetensors"))
HEADER = {
    "model": {"norm": "group", "patch": 2, "widths": [8, 16]},
    "training": {"steps": 7},
    "licence": "Apache-2.0",
    "limits": ["Headers.", "Blots."],
    "window_rows": 600,
}


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "data" / "pages")
    return importlib.import_module("release").card


def test_a_card_says_what_the_header_says(card) -> None:
    said = card("mine", HEADER)
    for part in ("# mine", "| steps | 7 |", "* Blots.", "Apache-2.0", "Not measured yet"):
        assert part in said
    one = card("model", HEADER | {"scores": {"validation": {"f1_at_3px": 0.75}}})
    assert "| validation |  | 0.750 |" in one


def test_the_bundled_card_is_what_the_bundled_header_says(card) -> None:
    for name in NAMES:
        assert (BUNDLED / f"{name}.md").read_text() == card(name, read_header(weights_path(name)))
