"""What the README says exists: its commands, their flags, its files."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = sorted(set(re.findall(r"python -m wellseg\.(\w+)", README)))


def test_the_commands_of_the_design_that_exist_are_in_the_readme():
    assert {"train", "predict", "evaluate", "synth"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_flags_in_the_readme_are_flags_of_the_command(command):
    shown = subprocess.run(
        [sys.executable, "-m", f"wellseg.{command}", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = [line for line in README.splitlines() if f"wellseg.{command}" in line]
    flags = {
        flag
        for line in lines
        for flag in re.findall(r"(--[\w.]+)", line.split(f"wellseg.{command}")[1])
    }
    assert flags <= set(re.findall(r"(--[\w.]+)", shown)) | {"--help"}


def test_files_in_the_readme_are_there():
    named = set(
        re.findall(r"\b((?:configs|data|benchmarks|docs|docker|wellseg)/[\w./-]*\w)", README)
    )
    assert named and not [name for name in named if not (ROOT / name).exists()]
