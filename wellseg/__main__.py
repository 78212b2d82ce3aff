"""``wellseg COMMAND ...`` and ``python -m wellseg COMMAND ...``."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from wellseg import __version__

COMMANDS = {
    "predict": "mask the curves of scans",
    "curves": "write the files of curves again: corrected, or with other depths, scales, tracks",
    "train": "train a network, on logs that are drawn or on your own",
    "evaluate": "score masks against a labelled data set",
    "synth": "draw logs with exact masks",
    "compare": "compare normalisations for training at one log a step",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command by name; without one, list them."""
    words = list(sys.argv[1:] if argv is None else argv)
    command = words[0] if words else "--help"
    if command in ("--help", "-h", "--version"):
        lines = [f"  {name:10}{does}" for name, does in COMMANDS.items()]
        usage = "\n".join(["usage: wellseg COMMAND ..., and wellseg COMMAND --help\n", *lines])
        with suppress(OSError):  # nobody reads it
            print(f"wellseg {__version__}" if command == "--version" else usage, flush=True)
    elif command not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(f"wellseg: error: there is no command {command}, only {known}", file=sys.stderr)
        raise SystemExit(2)
    else:
        name = "review.command" if command == "curves" else command
        try:
            import_module(f"wellseg.{name}").main(words[1:])
        except KeyboardInterrupt:  # while it is imported; later the command says so itself
            print(f"wellseg.{command}: error: stopped", file=sys.stderr)
            raise SystemExit(130) from None


if __name__ == "__main__":
    main()
