"""What the commands share: typed options from dataclasses, YAML, one clear line for each error."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from types import NoneType
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from docstring_parser import parse_from_object
from jsonargparse import ArgumentParser, DefaultHelpFormatter

from wellseg import __version__

Options = TypeVar("Options")

SOME_FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130
"""What shells say of a program ended by Ctrl-C: 128 + SIGINT."""

BUSY_LOAD = 0.5
"""Processes that wanted a core at once in the last minute, from which on a machine is busy."""

TYPE_WORDS = {int: "a whole number", float: "a number", bool: "true or false"}
ONE_LOG_A_STEP = "training runs one log a step, by design: --steps says how many"
INSTEAD = dict.fromkeys(("epochs", "max_epochs", "batch_size"), ONE_LOG_A_STEP)
"""Options of other programs that people try, and what there is for them here."""


class _Help(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """What is said of an option, and its default; no Python types."""

    def _get_help_string(self, action: argparse.Action) -> str:
        default = action.default
        if default is None or default is False or default in (argparse.SUPPRESS, [], {}):
            return action.help or ""
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
        return f"{action.help} (default: {shown.removesuffix('.0')})"


class _OneLineParser(ArgumentParser):
    """Says what is wrong in one line, in the words of someone who does not know Python's types."""

    def error(self, message: str, *_: Any) -> NoReturn:
        message = " ".join(message.split())
        message = re.sub(r'^(?:argument|Parser key) "?(?:--)?([\w.]+)"?: ', r"--\1: ", message)
        flags = {action.dest: action for action in self._actions if action.option_strings}
        if wrong := re.match(r"--([\w.]+): .*(?:Got|Given) value: (.*)$", message):
            hint = getattr(flags[wrong[1]], "_typehint", None) or flags[wrong[1]].type
            message = f"--{wrong[1]} takes {_takes(hint)}, not {wrong[2]}"
        elif missing := re.match(r"the following arguments are required: (\w+)", message):
            message = f"give {missing[1]}, before the options or after --"
        elif unknown := re.match(r"(?:unrecognized arguments: --|Option ')([\w.]+)", message):
            near = get_close_matches(unknown[1], flags, 1)
            advice = f"is it --{near[0]}?" if near else "--help lists the options"
            advice = INSTEAD.get(unknown[1].rpartition(".")[2], advice)
            message = f"there is no option --{unknown[1]}: {advice}"
        fail(self.prog.rpartition(" ")[2], message, WRONG_USAGE)


def parse(
    options: type[Options],
    command: str,
    doc: str,
    argv: Sequence[str] | None = None,
    positional: str | None = None,
) -> tuple[Options, dict[str, Any]]:
    """Options of ``wellseg COMMAND`` from flags and --config YAML, and what was given of them.

    The second are nested dictionaries without the defaults: {"model": {"norm": "batch"}}.
    Unknown flags and YAML keys, wrong types and values out of range end the program with status 2.
    Flags win over the file, wherever they stand. A list takes all words up to the next flag.
    doc: its first two paragraphs, what the command does and examples, begin the text of --help.
    positional: the option that is given without a flag.
    """
    parser = _OneLineParser(
        prog=f"wellseg {command}",
        usage=f"%(prog)s {f'{positional.upper()} ' if positional else ''}[options]",
        description="\n\n".join(doc.strip().split("\n\n")[:2]),
        formatter_class=_Help,
        version=__version__,
        print_config=None,
        allow_abbrev=False,
    )
    config = parser.add_argument("--config", action="config", help="YAML file of these options.")
    _add_options(parser, options, positional)
    words = list(sys.argv[1:] if argv is None else argv)
    switches = {word for a in parser._actions if a.metavar == "\b" for word in a.option_strings}
    for i, word in enumerate(words):  # --resume alone is --resume true
        if word in switches and words[i + 1 : i + 2] not in (["true"], ["false"]):
            words[i] = f"{word}=true"
    for i in range(len(words) - 1):  # jsonargparse reads from left to right: the file goes first
        if words[i] == "--config":
            words = [f"--config={words[i + 1]}", *words[:i], *words[i + 2 :]]
    _sleep_where_busy()
    given = parser.parse_args(words, defaults=False).as_dict()
    given.pop(config.dest, None)
    try:
        return _build(options, given), given
    except ValueError as error:
        fail(command, str(error), WRONG_USAGE)


def run(
    do: Callable[[Options], int | None],
    options: type[Options],
    command: str,
    doc: str,
    argv: Sequence[str] | None,
    positional: str | None = None,
    stopped: str = "nothing was written",
) -> None:
    """Parse and do a command, and end with a status it returns; what a user can mend is one line.

    stopped: what Ctrl-C leaves.
    """
    config, _ = parse(options, command, doc, argv, positional)
    try:
        status = do(config)
    except (ValueError, OSError) as error:
        fail(command, str(error), WRONG_USAGE)
    except KeyboardInterrupt:
        fail(command, f"stopped; {stopped}", INTERRUPTED)
    if status is not None:
        raise SystemExit(status)


def _sleep_where_busy() -> None:
    """On a busy machine, have threads that wait for one another sleep; before torch is loaded.

    libgomp lets them spin, against whoever computes beside them: on two cores beside a training,
    1,200 x 640 pixels took 80 s, and 2 to 7 s so. On an idle machine to wake up costs a third.
    """
    with suppress(AttributeError, OSError):  # not on Windows, nor where /proc is closed
        if os.getloadavg()[0] > BUSY_LOAD:
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _add_options(parser: Any, options: type, positional: str | None = None, key: str = "") -> None:
    """An argument for each field of a dataclass and of those in it; its own before inherited ones.

    jsonargparse's add_class_arguments takes twice as long as --help may (0.3 s).
    """
    hints, texts = get_type_hints(options), _attribute_docs(options)
    for field in sorted(fields(options), key=lambda field: bool(field.kw_only)):
        name, hint = key + field.name, hints[field.name]
        if is_dataclass(hint):
            about_all = (hint.__doc__ or "").partition("\n")[0].rstrip(".")
            group = parser.add_argument_group(f"{name}: {about_all}")
            _add_options(group, hint, None, f"{name}.")  # type: ignore[arg-type]
            continue
        made = field.default_factory
        default = field.default if made is MISSING else made()
        about: dict[str, Any] = {"help": " ".join(texts[field.name].split()), "type": hint}
        if get_origin(hint) is list:
            about |= {"type": str, "nargs": "+"}
        elif get_origin(hint) is tuple:
            about |= {"type": whole_numbers}
        elif hint is bool and not default:
            about |= {"metavar": "\b"}  # none: the switch alone is true
        if name == positional:
            parser.add_argument(name, metavar=name.upper(), **about)
        else:
            parser.add_argument(f"--{name}", default=default, **about)


def whole_numbers(given: str | Sequence[int]) -> tuple[int, ...]:
    """ "32,64" or [32, 64] -> (32, 64). Raises ValueError."""
    words = given.strip("[]").split(",") if isinstance(given, str) else given
    return tuple(int(word) for word in words)


@cache
def _attribute_docs(options: type) -> dict[str, str]:
    """The strings below a dataclass's fields; Python does not keep them."""
    params = [each for base in options.__mro__[:-1] for each in parse_from_object(base).params]
    return {param.arg_name: param.description or "" for param in params}


def _build(options: type[Options], given: Mapping[str, Any]) -> Options:
    hints = get_type_hints(options)
    build = {key: _build if is_dataclass(hints[key]) else lambda _, value: value for key in given}
    return options(**{key: build[key](hints[key], value) for key, value in given.items()})


def _takes(hint: Any) -> str:
    """The values of an option in words: "one of best, last", "a number or one of cumulative"."""
    if get_origin(hint) is Literal:
        return f"one of {', '.join(get_args(hint))}"
    parts = " or ".join(_takes(part) for part in get_args(hint) if part is not NoneType)
    return parts or TYPE_WORDS.get(hint, "another value")


def fail(command: str, message: str, status: int) -> NoReturn:
    """End the program with one line on stderr."""
    print(f"wellseg.{command}: error: {message}", file=sys.stderr)
    raise SystemExit(status)
