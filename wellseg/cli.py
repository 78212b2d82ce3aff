"""Shared by the commands: typed options from dataclasses, YAML, one clear line for each error."""

import argparse
import errno
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from functools import partial
from itertools import pairwise
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints
from urllib.parse import unquote

import yaml  # type: ignore[import-untyped]
from docstring_parser import parse_from_object

from wellseg.scan import ScanError, one_line

Options = TypeVar("Options")
SOME_FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130  # 128 + SIGINT, as shells say
NO_ROOM = errno.ENOSPC, errno.EDQUOT, errno.EFBIG
NO_MEMORY = re.compile("(out of|allocate) memory")  # in an error of PyTorch
KINDS: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false"}
KINDS |= {tuple[int, ...]: "whole numbers with commas", tuple[float, ...]: "numbers with commas"}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line: what is wrong, and which option may have been meant."""
        if unknown := re.match(r"unrecognized arguments: --([\w.-]+)", message):
            name = unknown[1].replace("-", "_")
            known = [action.dest for action in self._actions]
            near = [k for k in known if k.endswith(f".{name}")] or get_close_matches(name, known, 1)
            advice = f"is it --{near[0]}?" if near else "--help lists the options"
            if near == [unknown[1]]:
                advice = "it stands alone, before the options"
            if re.search(r"\b(max_)?epochs$|batch_size$", name) and self.prog == "train":
                advice = "training runs one log a step, by design: --steps says how many"
            message = f"there is no option --{unknown[1]}: {advice}"
        if missing := re.match(r"the following arguments are required: (\w+)", message):
            message = f"give {missing[1]} in the command, before the options or after --"
        fail(self.prog, message.removeprefix("argument ").replace(": takes", " takes"), WRONG_USAGE)


def parse(
    options: type[Options], command: str, doc: str, argv: Sequence[str] | None
) -> tuple[Options, dict[str, Any]]:
    """Options of ``wellseg COMMAND``, and those that were given: {"model": {"norm": "batch"}}.
    Flags win over --config. An error ends the program (2). doc: two paragraphs begin --help."""
    parser = _Parser(
        command, description="\n\n".join(doc.strip().split("\n\n")[:2]),
        epilog="exit status: 0 all done, 1 some failed or are left, 2 wrong usage, 130 stopped",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS, allow_abbrev=False,
    )  # fmt: skip
    parser._negative_number_matcher = re.compile(r"-\.?\d")  # begins a value, as in -10=4350
    parser.add_argument("--config", metavar="FILE", help="YAML file of these options.")
    _add_options(parser, parser, options)
    without_flag = "".join(f"{it.dest.upper()} " for it in parser._get_positional_actions())
    parser.usage = f"wellseg %(prog)s {without_flag}[options]"
    words = list(sys.argv[1:] if argv is None else argv)
    if os.name == "nt" and (odd := [it for it in words if re.search('"( |$)', it)]):
        parser.error(f'{odd[0]}: leave out the \\ before the closing "')
    # A switch alone is true; the next word is not its value. Behind -- there are files alone.
    switches = {f"--{action.dest}" for action in parser._actions if action.const}
    for i, word in enumerate(words[: words.index("--") if "--" in words else None]):
        if word in switches and [*words, ""][i + 1].lower() not in ("true", "false"):
            words[i] = f"{word}=true"
    _let_signals_interrupt()
    _sleep_where_busy()
    if isinstance(sys.stdout, io.TextIOWrapper):  # Windows may write it in an 8-bit code
        sys.stdout.reconfigure(errors="backslashreplace")  # as Python lets stderr do
    given: dict[str, Any] = {}
    try:
        flags, _ = parser.parse_known_args(words)
        if path := vars(flags).pop("config", None):
            with open(_read(str, path), "rb") as stream:
                file = yaml.compose(stream, yaml.SafeLoader)  # words as they stand, no numbers
            if not isinstance(file, yaml.MappingNode | None):
                raise ValueError(f"--config {path}: is not a YAML file of options")
            # Before the flags, which win; --config again ends the last list.
            words = [*_words(file, "--", flags, parser), "--config", path, *words]
        if sum(word.partition("=")[0] == "--config" for word in words) > 2:
            raise ValueError("--config is given twice: put all options into one file")
        for word, following in pairwise([*words, "--"]):  # empty: a shell's variable not set
            if word.startswith("--") and (word.find("=") == len(word) - 1 or not following.strip()):
                raise ValueError(f"{word.rstrip('=')} is empty: give a value, or leave it out")
        for name in {word.partition("=")[0] for word in words if word.startswith("--trainer.")}:
            parser.add_argument(name, type=yaml.safe_load)  # passed on: Lightning knows their names
        for name, value in vars(parser.parse_args(words)).items():
            group, _, option = name.partition(".")
            (given.setdefault(group, {}) if option else given)[option or name] = value
        given.pop("config", None)
        hints = get_type_hints(options)
        groups = {name: hints[name](**given[name]) for name in given if is_dataclass(hints[name])}
        return options(**(given | groups)), given
    except (ValueError, OSError, yaml.YAMLError, RecursionError) as error:
        parser.error(one_line(error))


def program(
    do: Callable[[Options], int | None], options: type[Options], stopped: str
) -> Callable[..., None]:
    """The ``main`` of the command ``do``; python -m wellseg.COMMAND calls it at once. It exits
    with the status of ``do``; on a user's fault, or Ctrl-C (text: ``stopped``), after one line."""
    command, doc = do.__name__, sys.modules[do.__module__].__doc__ or ""

    def main(argv: Sequence[str] | None = None) -> None:
        try:
            config, _ = parse(options, command, doc, argv)
            status = do(config)
        except (ValueError, OSError, ScanError, NotImplementedError) as error:
            full = getattr(error, "errno", None) in NO_ROOM
            fail(command, one_line(error), SOME_FAILED if full else WRONG_USAGE)
        except KeyboardInterrupt:
            fail(command, f"stopped; {stopped}", INTERRUPTED)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, MemoryError) or NO_MEMORY.search(str(error)):
                fail(command, f"there is not enough memory; {stopped}", SOME_FAILED)
            raise
        if status is not None:
            raise SystemExit(status)

    if do.__module__ == "__main__":
        main()
    return main


def fail(command: str, message: str, status: int) -> NoReturn:
    """End the program with one line on stderr."""
    print(f"wellseg.{command}: error: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(status)


def _let_signals_interrupt() -> None:
    """SIGTERM, of a cluster before it kills, and SIGHUP, of a closed terminal, act as Ctrl-C."""
    with suppress(ValueError):  # only the main thread may set handlers
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            signal.signal(signal.SIGHUP, signal.default_int_handler)  # under nohup it stays ignored


def _sleep_where_busy() -> None:
    """On a busy machine, let threads that wait for one another sleep. Call it before torch loads.
    By default libgomp's threads spin: on two cores beside a training 1,200 x 640 pixels took 80 s,
    with sleeping threads 2 to 7 s, which take a third longer on an idle machine."""
    with suppress(AttributeError, OSError):  # not on Windows, nor where /proc is closed
        if os.getloadavg()[0] > max(0.5, (os.cpu_count() or 1) / 8):  # cores, and an eighth of all
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _add_options(parser: Any, group: Any, options: Any, key: str = "") -> None:
    """Add an argument for each field of a dataclass; one without a default has no flag."""
    params = [each for base in options.__mro__[:-1] for each in parse_from_object(base).params]
    texts = {param.arg_name: " ".join((param.description or "").split()) for param in params}
    hints = get_type_hints(options)
    for field in sorted(fields(options), key=lambda field: bool(field.kw_only)):
        name, hint, text = key + field.name, hints[field.name], texts.get(field.name, "")
        if is_dataclass(hint):
            about = (hint.__doc__ or "").partition("\n")[0].rstrip(".")
            _add_options(parser, parser.add_argument_group(f"{name}: {about}"), hint, f"{name}.")
            continue
        if not any(field.default is each for each in (None, False, MISSING)):
            text += f" (default: {str(field.default).strip('()').removesuffix('.0')})"
        how: dict[str, Any] = {"type": partial(_read, hint), "help": text.replace("%", "%%")}
        if hint is bool and not field.default:
            how |= {"nargs": "?", "const": True, "metavar": "true|false"}
        elif get_origin(hint) is Literal:
            how["metavar"] = "|".join(get_args(hint))
        elif get_origin(hint) is list:
            how |= {"type": partial(_read, str), "nargs": "+", "action": "extend"}  # twice: all
        flag = f"--{name}.OPTION" if get_origin(hint) is dict else f"--{name}"
        is_required = field.default is MISSING and field.default_factory is MISSING
        group.add_argument(name if is_required else flag, **how)


def _read(hint: Any, word: str) -> Any:
    """A word as an option's type. ~/x is in the user's home, as in a shell; file:a%24b is a$b."""
    if re.match(r"~([/\\]|$)", word):
        word = os.path.expanduser(word)
    if word.startswith("file:"):  # so the view writes names of which a shell would make others
        word = unquote(re.sub("^file:(///(?=[A-Za-z]:))?", "", word))
    one_of = get_args(hint) if get_origin(hint) in (Union, UnionType) else [hint]
    kinds = [kind for kind in one_of if kind is not NoneType]
    for kind in kinds:
        if get_origin(kind) is Literal and word in get_args(kind):
            return word
        with suppress(ValueError, KeyError, TypeError):  # it is not of this kind
            if get_origin(kind) is tuple:
                return tuple(map(get_args(kind)[0], word.strip("[]").split(",")))
            return {"true": True, "false": False}[word.lower()] if kind is bool else kind(word)
    takes = (KINDS.get(kind) or f"one of {', '.join(get_args(kind))}" for kind in kinds)
    raise argparse.ArgumentTypeError(f"takes {' or '.join(takes)}, not {word}")


def _words(node: Any, key: str, flags: argparse.Namespace, parser: _Parser) -> list[str]:
    """Of ``model: {norm: batch}`` in a file --model.norm=batch, as on the command line."""
    name = key.rstrip(".")
    if node is None or node.tag.endswith(":null") or node.value == [] or name[2:] in flags:
        return []
    if name.startswith("--trainer."):  # of any kind: read as YAML again
        return [f"{name}={yaml.serialize(node, Dumper=yaml.SafeDumper)}"]
    if isinstance(node, yaml.MappingNode):
        found = dict[str, Any]()
        for at, it in node.value:
            if found.setdefault(str(at.value), it) is not it:  # PyYAML takes the last of them
                said = f"{at.value} stands there twice: keep one"
                raise yaml.MarkedYAMLError(problem=said, problem_mark=at.start_mark)
        return [it for at in found for it in _words(found[at], f"{key}{at}.", flags, parser)]
    is_list = isinstance(node, yaml.SequenceNode)
    values = [str(it.value) for it in (node.value if is_list else [node])]
    if any(action.dest == name[2:] and action.nargs == "+" for action in parser._actions):
        return [name, *" ".join(values).split()]
    return [f"{name}={','.join(values)}"]
