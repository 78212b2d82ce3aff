"""The shell: one program of many commands, its help and its messages."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from wellseg import __version__
from wellseg.__main__ import COMMANDS, main
from wellseg.cli import parse
from wellseg.config import PredictConfig
from wellseg.review.options import CurvesConfig
from wellseg.training.options import TrainConfig

ROOT = Path(__file__).parents[1]
RUNS = re.compile(r'^(main = program\(|if __name__ == "__main__")', re.MULTILINE)
HEAVY = {"torch", "numpy", "cv2", "lightning", "tifffile", "lasio"}


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, cwd=ROOT
    )


def refused(capsys: pytest.CaptureFixture[str], options: type, *words: str) -> str:
    with pytest.raises(SystemExit) as stop:
        parse(options, "train", "", words)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("wellseg.train: error: ") and said.count("\n") == 1
    return said


def test_without_a_command_it_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--help"]):
        main(words)
        listed = capsys.readouterr().out
        assert set(re.findall(r"^  (\w+) ", listed, re.M)) == set(COMMANDS)


def test_a_wrong_command_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["pedict", "scan.tif"])
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and not said.out
    assert "pedict" in said.err and all(name in said.err for name in COMMANDS)


def test_ctrl_c_before_a_command_is_there_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wellseg.__main__.import_module", stop)
    with pytest.raises(SystemExit, match="130"):
        main(["train"])
    assert capsys.readouterr().err == "wellseg.train: error: stopped\n"


@pytest.mark.parametrize("fault", [MemoryError(), RuntimeError("CPU: can't allocate memory")])
def test_too_little_memory_is_one_line(
    fault: Exception,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wellseg.synth.draw_logs", Mock(side_effect=fault))
    with pytest.raises(SystemExit, match="1"):
        main(["synth", str(tmp_path / "logs")])
    said = capsys.readouterr().err.splitlines()
    assert said[-1].endswith("there is not enough memory; the same command goes on")
    monkeypatch.setattr("wellseg.synth.draw_logs", Mock(side_effect=RuntimeError("a fault")))
    with pytest.raises(RuntimeError, match="a fault"):
        main(["synth", str(tmp_path / "logs")])


def test_every_module_that_is_a_command_is_listed() -> None:
    modules = [*(ROOT / "wellseg").glob("*.py"), *(ROOT / "wellseg").glob("*/__main__.py")]
    runs = [path for path in modules if RUNS.search(path.read_text("utf-8"))]
    names = {path.parent.name if path.stem == "__main__" else path.stem for path in runs}
    assert names - {"wellseg"} == set(COMMANDS)


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """What --help of each command says, in a process in which nothing else was imported."""
    program = (
        "import sys; from wellseg.__main__ import main\n"
        f"for name in {list(COMMANDS)}:\n"
        "    print('\\0', end='')\n"
        "    try: main([name, '--help'])\n"
        "    except SystemExit as ended: assert not ended.code\n"
        f"print(*({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    shown = run("-c", program)
    assert shown.returncode == 0
    assert not shown.stderr.strip(), "what makes --help slow is imported for it"
    return dict(zip(COMMANDS, shown.stdout.split("\0")[1:], strict=True))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_quick_and_plain_and_has_examples_that_work(
    command: str, helps: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for noise in (
        "<class",
        "Literal[",
        "null",
        "type:",
        "print_config",
        "python -m",
        "default: []",
    ):
        assert noise not in helps[command]
    examples = re.findall(r"^    wellseg (.*)", helps[command], re.M)
    assert sum(line.startswith(command) for line in examples) >= 2
    for line in examples:
        with pytest.raises(SystemExit) as stop:  # --help ends it where all before was understood
            main([*shlex.split(line, comments=True), "--help"])
        assert stop.value.code == 0, capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert capsys.readouterr().out == f"wellseg {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        ["synth", "FILE/out", "--count", "1"],
        ["compare", "--out", "FILE/out"],
        ["train", "--data.preset", "tiny", "--data.count", "3", "--out", "FILE/out"],
        ["predict", "data/sample/sample.tif", "--out", "FILE/out"],
        ["curves", "FILE.probability.tif", "--out", "FILE/out"],
    ],
)
def test_what_the_system_says_is_told_in_words(
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    for name in ("file", "file.probability.tif"):
        (tmp_path / name).touch()
    with pytest.raises(SystemExit, match=r"[12]"):
        main([word.replace("FILE", str(tmp_path / "file")) for word in words])
    said = capsys.readouterr().err
    assert (
        "a file is where a folder should be" in said
        and "Errno" not in said
        and "Error(" not in said
    ), said


def test_a_command_through_the_program_is_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    by_module = run("-m", "wellseg.synth", "nowhere", "--count", "0")
    with pytest.raises(SystemExit, match="2"):
        main(["synth", "nowhere", "--count", "0"])
    assert by_module.returncode == 2 and "--count" in by_module.stderr
    assert by_module.stderr == capsys.readouterr().err


def test_lists_take_all_words_up_to_the_next_flag() -> None:
    words = ["a.tif", "b.tif", "--tracks", "230-740", "880-1890", "--curves"]
    depth = ["--depth", "22,780=3,300", "27,140=4,300.5", "--view"]
    config, given = parse(PredictConfig, "predict", "", [*words, *depth])
    assert config.scans == ["a.tif", "b.tif"] and config.tracks == ["230-740", "880-1890"]
    assert config.depth == ["22,780=3,300", "27,140=4,300.5"] and config.view and config.curves
    assert config.probability and "probability" not in given


TWO = ["230-740 880-1890", "[230-740, 880-1890]", "\n- 230-740\n- 880-1890"]


@pytest.mark.parametrize("written", ["230-740", "[230-740]", "\n- 230-740", *TWO])
def test_a_list_in_a_file_may_be_its_words(tmp_path, written):
    (tmp_path / "some.yaml").write_text(f"curves: true\ntracks: {written}\n")
    words = ["a.tif", "--config", str(tmp_path / "some.yaml")]
    expected = ["230-740", "880-1890"] if written in TWO else ["230-740"]
    assert parse(PredictConfig, "predict", "", words)[0].tracks == expected


@pytest.mark.parametrize("widths", ["32,64,96", "[32,64,96]", "[32, 64, 96]"])
def test_widths_with_commas(widths: str) -> None:
    config, given = parse(TrainConfig, "train", "", ["--model.widths", widths])
    assert config.model.widths == (32, 64, 96) and given == {"model": {"widths": (32, 64, 96)}}


def test_a_switch_needs_no_word(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("resume: true")
    from_file = ["--config", str(file)]
    for words, resume in (
        (["--resume"], True), (["--resume", "true"], True), (["--resume=true"], True), ([], False),
        (["--resume", "false"], False), (["--resume=false"], False), (from_file, True),
        ([*from_file, "--resume", "false"], False),
    ):  # fmt: skip
        assert parse(TrainConfig, "train", "", words)[0].resume is resume
    for view in ([], ["true"]):
        config, _ = parse(PredictConfig, "predict", "", ["--view", *view, "scan.tif"])
        assert config.view and config.scans == ["scan.tif"]
    assert not parse(TrainConfig, "train", "", ["--data.augment", "false"])[0].data.augment


def test_a_path_below_the_home_is_there_however_it_is_given(tmp_path, monkeypatch):
    """A shell leaves --out=~/x as it is; a folder of the name ~ was made. ~x may be a file's."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    (tmp_path / "a.yaml").write_text("out: ~/a\ndata:\n  root: ~/b\nweights: null\n")
    config, _ = parse(TrainConfig, "train", "", ["--config=~/a.yaml"])
    assert (config.out, config.data.root) == (tmp_path / "a", tmp_path / "b")
    config, _ = parse(PredictConfig, "predict", "", ["~/a.tif", "~$a.tif", "b~/c.tif", "--out=~/x"])
    assert Path(config.scans[0]) == tmp_path / "a.tif" and config.scans[1:] == [
        "~$a.tif",
        "b~/c.tif",
    ]
    assert Path(config.out) == tmp_path / "x"


def test_a_name_that_a_shell_would_change_is_given_as_in_a_url():
    """The view writes it so: PowerShell puts variables in place of $b, cmd of %b%."""
    words = ["file:///logs/a%24b.tif", "file:a%25b%25.tif", "x/file:e.tif", "--out=file:/c%60d"]
    config, _ = parse(PredictConfig, "predict", "", words)
    assert [Path(it) for it in config.scans] == [
        *map(Path, ("/logs/a$b.tif", "a%b%.tif", "x/file:e.tif"))
    ]
    assert config.out == "/c`d"


def test_flags_win_over_the_file_wherever_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("steps: 30\nval_every: 10\nmodel:\n  widths: [8, 16]\n")
    for words in (["--steps", "20", "--config", str(file)], [f"--config={file}", "--steps", "20"]):
        config, given = parse(TrainConfig, "train", "", words)
        assert (config.steps, config.val_every, config.model.widths) == (20, 10, (8, 16))
        assert given == {"steps": 20, "val_every": 10, "model": {"widths": (8, 16)}}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data.batch_size", "4"], "one log a step, by design: --steps says how many"),
        (["--epochs", "3"], "one log a step, by design: --steps says how many"),
        (["--stps", "3"], "there is no option --stps: is it --steps?"),
        (["--step", "3"], "is it --steps?"),
        (["--lr", "3"], "is it --optim.lr?"),
        (["--val-every", "3"], "there is no option --val-every: is it --val_every?"),
        (["--steps", "ten"], "--steps takes a whole number, not ten"),
        (["--keep", "c"], "--keep takes one of best, last, not c"),
        (["--model.momentum", "x"], "takes a number, not x"),
        (["--model.widths", "3,a"], "--model.widths"),
        (["--data.augment", "maybe"], "--data.augment takes true or false, not maybe"),
        (["--resume=maybe"], "--resume takes true or false, not maybe"),
        (["--config", "nope.yaml"], "nope.yaml: No such file or directory"),
        (["--optim.lr", "-1e-3"], "--optim.lr is positive, not -0.001"),
    ],
)
def test_a_wrong_option_is_one_plain_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, TrainConfig, *words)
    assert said in line and "<class" not in line and "Literal" not in line


def test_a_list_given_twice_has_all_and_wins_over_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """argparse would take the last alone: the first corrections would be lost in silence."""
    file = tmp_path / "a.yaml"
    file.write_text("tracks: [9-99]\nedit: [A=B]\n")
    words = ["a.curves.csv", "--config", str(file), "--tracks", "1-5", "--edit=C=", "--tracks=7-8"]
    config, _ = parse(CurvesConfig, "curves", "", [*words, "--edit", "D=E", "F="])
    assert config.tracks == ["1-5", "7-8"] and config.edit == ["C=", "D=E", "F="]
    line = refused(capsys, CurvesConfig, "a", "--config", str(file), f"--config={file}")
    assert "--config is given twice: put all options into one file" in line


def test_a_wrong_key_in_the_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text("model:\n  widhts: [8]\n")
    line = refused(capsys, TrainConfig, "--config", str(tmp_path / "a.yaml"))
    assert "no option --model.widhts: is it --model.widths?" in line
    (tmp_path / "a.yaml").write_text("some words\n")
    line = refused(capsys, TrainConfig, "--config", str(tmp_path / "a.yaml"))
    assert "a.yaml: is not a YAML file of options" in line
    (tmp_path / "a.yaml").write_text("steps: [4\n")
    assert "a.yaml" in refused(capsys, TrainConfig, "--config", str(tmp_path / "a.yaml"))
    for text in ("config: other.yaml\n", "model: &a {b: *a}\n", "[" * 3000):
        (tmp_path / "a.yaml").write_text(text)
        refused(capsys, TrainConfig, "--config", str(tmp_path / "a.yaml"))


def test_words_of_a_file_are_what_they_are_as_flags(tmp_path, capsys):
    """YAML reads 0403, an API number, as 259, 1:30 as 90, and on as true."""
    file = tmp_path / "a.yaml"
    file.write_text("out: 04030123\ndata: {root: 0403}\nrecompute: on\nseed: 007\nweights: ~\n")
    config, _ = parse(TrainConfig, "train", "", ["--config", str(file)])
    assert (str(config.out), str(config.data.root)) == ("04030123", "0403")
    assert (config.recompute, config.seed, config.weights) == ("on", 7, None)
    file.write_text("steps: 1:30\n")
    line = refused(capsys, TrainConfig, "--config", str(file))
    assert "--steps takes a whole number, not 1:30" in line


@pytest.mark.parametrize(
    "twice", ["data: {preset: tiny}\nsteps: 4\ndata: {count: 3}", "optim:\n  lr: 1\n  lr: 2"]
)
def test_a_key_that_stands_twice_in_a_file_is_told(tmp_path, capsys, twice):
    """YAML takes the last: the first group's options were lost without a word."""
    (tmp_path / "a.yaml").write_text(twice)
    line = refused(capsys, TrainConfig, "--config", str(tmp_path / "a.yaml"))
    assert " stands there twice: keep one" in line and 'a.yaml", line 3' in line


def test_scans_that_a_list_has_taken_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, PredictConfig, "--tracks", "1-2", "scan.tif")
    assert "give scans in the command, before the options" in line
    line = refused(capsys, PredictConfig, "--scans", "scan.tif")
    assert "there is no option --scans: it stands alone" in line
    line = refused(capsys, PredictConfig, "scan.tif", "--curve")
    assert "there is no option --curve: is it --curves?" in line
    line = refused(capsys, PredictConfig, "a.tif", "--curves", "--depth", "22780:3300", "9=9")
    assert "'22780:3300' is not ROW=DEPTH" in line
    line = refused(capsys, PredictConfig, "a.tif", "--curves", "--depth", "-10=4350", "9=9")
    assert "--depth '-10=4350' is not ROW=DEPTH" in line
    line = refused(capsys, PredictConfig, "a.tif", "--memory", "-1GB")
    assert "--memory '-1GB' is not a size" in line


def test_a_backslash_before_a_closing_quote_on_windows_is_told(monkeypatch, capsys) -> None:
    """Its shells complete folders so, and Windows then makes one word of two."""
    with monkeypatch.context() as patch, pytest.raises(SystemExit, match="2"):
        patch.setattr(os, "name", "nt")
        parse(PredictConfig, "predict", "", ['w:\\my logs" --out w:\\masks"'])
    assert 'logs" --out w:\\masks": leave out the \\ before' in capsys.readouterr().err


def test_threads_that_wait_sleep_on_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spinning they would take the cores from what they wait for; the user's word goes first."""
    for given, load, cores, expected in (
        (None, 2.0, 2, "PASSIVE"), (None, 0.1, 2, None), ("ACTIVE", 2.0, 2, "ACTIVE"),
        (None, 2.0, 64, None), (None, 20.0, 64, "PASSIVE"),
    ):  # fmt: skip
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
        if given:
            monkeypatch.setenv("OMP_WAIT_POLICY", given)
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, 0.0, 0.0), raising=False)
        parse(PredictConfig, "predict", "", ["scan.tif"])
        assert os.environ.get("OMP_WAIT_POLICY") == expected
    monkeypatch.setattr(os, "getloadavg", lambda: open(os.devnull + "/x"), raising=False)
    parse(PredictConfig, "predict", "", ["scan.tif"])  # a system that does not say


def test_lightnings_options_are_in_a_file_what_they_are_as_flags(tmp_path: Path) -> None:
    """devices: [1] is the second card, 1 says how many."""
    config = tmp_path / "config.yaml"
    config.write_text("trainer: {devices: [1], strategy: ddp, logger: false, deterministic: null}")
    by_file, _ = parse(TrainConfig, "train", "", ["--config", str(config)])
    by_flags, _ = parse(TrainConfig, "train", "", ["--trainer.devices", "[1]"])
    assert by_file.trainer == {"devices": [1], "strategy": "ddp", "logger": False}
    assert by_flags.trainer == {"devices": [1]}


@pytest.mark.parametrize(
    "words", [["--label", ""], ["--label", "  "], ["--label="], ["--scan", "", "--step", "1"]]
)
def test_an_option_of_a_variable_that_is_not_set_is_refused(capsys, words):
    """curves --label "" wrote into the folder of the moment, --out "  " made one of that name."""
    with pytest.raises(SystemExit):
        parse(CurvesConfig, "curves", "", ["log.curves.csv", *words])
    assert f"{words[0].rstrip('=')} is empty: give a value" in capsys.readouterr().err
