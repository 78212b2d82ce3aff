"""The model card of weights, from their header: the network, its training data and its scores.

    wellseg card                                            # of the bundled weights
    wellseg card --weights runs/a/model.safetensors         # of your own

Printed as Markdown."""

from dataclasses import dataclass
from typing import Any

from wellseg.cli import program
from wellseg.scores import HEADINGS
from wellseg.weights import BUNDLED, read_header, weights_path


@dataclass
class CardConfig:
    """The model card of weights."""

    weights: str | None = None
    """A bundled name or a .safetensors file. Default: the bundled weights."""


def card(name: str, header: dict[str, Any]) -> str:
    """The model card as Markdown. name: of the weights. header: what `read_header` returns."""
    from jinja2 import Template

    text = (BUNDLED / "card.md.jinja").read_text("utf-8")
    template = Template(text, trim_blocks=True, keep_trailing_newline=True)
    return str(template.render(name=name, headings=HEADINGS, **header))


def show(config: CardConfig) -> None:
    """Print the card of weights."""
    path = weights_path(config.weights)
    print(card(path.stem, read_header(path)), end="")


main = program(show, CardConfig, "card", __doc__)
