"""What the commands share: typed options from dataclasses, YAML, one clear line for each error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from itertools import takewhile
from typing import Any, NoReturn, TypeVar

from jsonargparse import ArgumentParser, set_parsing_settings

Options = TypeVar("Options")

SOME_FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130
"""What shells say of a program ended by Ctrl-C: 128 + SIGINT."""


class _OneLineParser(ArgumentParser):
    """Says what is wrong in one line, without the whole usage in front."""

    def error(self, message: str, *_: Any) -> NoReturn:
        fail(self.prog.rpartition(".")[2], " ".join(message.split()), WRONG_USAGE)


def parse(
    options: type[Options],
    command: str,
    doc: str,
    argv: Sequence[str] | None = None,
    positional: str | None = None,
) -> tuple[Options, dict[str, Any]]:
    """Options of ``python -m wellseg.COMMAND`` from flags and --config YAML, and what was given of them.

    The second are nested dictionaries without the defaults: {"model": {"norm": "batch"}, "steps": 20}.
    Unknown flags and YAML keys, wrong types and values out of range end the program with status 2.
    positional: the option (a list of paths) that is given without a flag.
    """
    argv = _bare_switches(options, list(sys.argv[1:] if argv is None else argv))
    argv = _spread_lists(options, argv, positional)
    _refuse_flags_before_config(argv, command)
    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = _OneLineParser(
        prog=f"python -m wellseg.{command}", description=doc.partition("\n\n")[0]
    )
    parser.add_argument(
        "--config", action="config", help="YAML file with any of these options; later flags win."
    )
    if positional:
        field = next(field for field in fields(options) if field.name == positional)  # type: ignore[arg-type]
        parser.add_argument(positional, nargs="+", type=str, help=field.metadata["help"])
    parser.add_class_arguments(options, as_group=False, skip={positional} if positional else set())
    values = parser.parse_args(argv)
    values.pop("config", None)
    given = parser.parse_args(argv, defaults=False).as_dict()
    try:
        return options(**vars(parser.instantiate(values))), given
    except ValueError as error:
        fail(command, str(error), WRONG_USAGE)


def _bare_switches(options: type, argv: list[str]) -> list[str]:
    """``--resume`` alone means ``--resume true``."""
    switches = {f"--{field.name}" for field in fields(options) if field.type in (bool, "bool")}
    return [
        f"{word}=true"
        if word in switches and argv[i + 1 : i + 2] not in (["true"], ["false"])
        else word
        for i, word in enumerate(argv)
    ]


def _spread_lists(options: type, argv: list[str], positional: str | None) -> list[str]:
    """``--depth 0=100 9=200`` means ``--depth ["0=100", "9=200"]``: words with = after a list's flag are its own."""
    lists = {
        f"--{f.name}" for f in fields(options) if f.type == "list[str]" and f.name != positional
    }
    words: list[str] = []
    rest = list(argv)
    while rest:
        words.append(rest.pop(0))
        if words[-1] in lists and rest and not rest[0].startswith("["):
            own = list(takewhile(lambda word: "=" in word and not word.startswith("--"), rest))
            words.append(json.dumps(own or rest[:1]))
            del rest[: max(1, len(own))]
    return words


def _refuse_flags_before_config(argv: list[str], command: str) -> None:
    """jsonargparse applies its arguments in order: a YAML after a flag would silently win over it."""
    configs = [
        i for i, word in enumerate(argv) if word == "--config" or word.startswith("--config=")
    ]
    if configs and any(
        word.startswith("--") and not word.startswith("--config") for word in argv[: configs[-1]]
    ):
        fail(
            command,
            "give --config before the other flags: a file read after them would undo them",
            WRONG_USAGE,
        )


def fail(command: str, message: str, status: int) -> NoReturn:
    """End the program with one line on stderr."""
    print(f"wellseg.{command}: error: {message}", file=sys.stderr)
    raise SystemExit(status)
