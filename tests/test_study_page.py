"""The study's page: made from rows, looked at in a browser, its network held against PyTorch."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from study_rows import atlas_rows
from test_study_docs import other_rows

from studies.batch_size_one.collect import committed
from studies.batch_size_one.findings import best_rates
from studies.batch_size_one.logs import Logs
from studies.batch_size_one.page import live, numbers, others, words
from studies.batch_size_one.page.build import block_of, build
from studies.batch_size_one.plan import Cell
from studies.batch_size_one.recalibrate import precise, running_norms
from studies.batch_size_one.rows import COLUMNS
from studies.batch_size_one.score import own_first, use_momentum
from studies.batch_size_one.table import Table, Way
from studies.batch_size_one.train import Training
from wellseg.net.resunet import to_ink

pytestmark = pytest.mark.slow  # of the study alone, and what takes longest of its tests

LOGS = 3
PAGE = Path(__file__).parents[1] / "studies/batch_size_one/report.html"


def rows_of_part_d(rows):
    """Made-up rows of depth and unlabelled logs, as D would give for v1's weights."""
    rate = best_rates(Table(rows))["batch_momenta m0.01"]
    found = []
    for row in rows:
        if (row["norm"], row["way"], row["schedule"], float(row["rate"])) == (
            "batch_momenta",
            "m0.01",
            "annealed",
            rate,
        ):
            ways = [f"own first {k}" for k in range(1, 7)] + ["one scalar"]
            ways += [f"unlabelled {n} prior {p}" for n in (1, 2) for p in (0, 4, 16)]
            found += [dict.fromkeys(COLUMNS, "") | row | {"part": "D", "way": way} for way in ways]
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A page from made-up rows, with networks of two stages trained for some steps."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("page")
    rows = atlas_rows(2, logs=LOGS)
    rows += rows_of_part_d(rows)
    table, logs = Table(rows), Logs(folder / "logs", scored=2)
    rates = best_rates(table)
    for norm, way in (("batch_momenta", "m0.01"), ("group", "evaluation")):
        cell = Cell("A", norm, rates[f"{norm} {way}"], 0, 8, widths=(8, 16, 16))
        Training(cell, logs).run(folder / "checkpoints" / cell.name)
    data = numbers.numbers(table)
    data["live"] = live.live(folder / "checkpoints", rates, logs)
    (folder / "report.html").write_text(build(data), "utf-8")
    return folder, table, data


def test_every_number_of_the_page_comes_from_the_rows(made):
    """Recomputed here by other means: plain means of F1 over seeds and logs."""
    _, table, data = made
    rates = best_rates(table)

    of = {}
    for row in table.rows:
        key = tuple(row[name] for name in ("part", "norm", "way", "set", "schedule", "step"))
        of.setdefault((*key, float(row["rate"])), []).append(row["f1"])

    def mean(way, rate, name, schedule="annealed", step="1600", part="A"):
        norm, _, way = way.partition(" ")
        f1 = [x.split(";") for x in of[part, norm, way, name, schedule, step, rate]]
        return float(np.mean(np.array(f1, float)))

    own = "batch_momenta own"
    for key, (difference, low, high, running, of_own, group, seeds, logs) in data["map"][
        "cells"
    ].items():
        name, rate, stop, way = key.split("|")
        step, schedule = stop.split()
        at = {"schedule": schedule, "step": step}
        first, second = (mean(f"batch_momenta {w}", float(rate), name, **at) for w in (way, "own"))
        assert (running, of_own) == pytest.approx((first, second), abs=1e-4)
        assert difference == pytest.approx(first - second, abs=1e-4)
        assert group == pytest.approx(mean("group evaluation", float(rate), name, **at), abs=1e-4)
        assert low <= difference <= high and (seeds, logs) == (2, LOGS)
    assert len(data["map"]["cells"]) == 2 * 4 * 7 * 12
    assert len(data["pairs"]) == 6 * (3 + 4)
    for pair in data["pairs"]:
        a, other = (
            f"batch_momenta {pair['way']}",
            {"own": own, "group": "group evaluation"}[pair["against"]],
        )
        rate_b = rates[a] if pair["against"] == "own" else rates[other]
        b = mean(other, rate_b, pair["set"])
        assert pair["b"] == pytest.approx(b, abs=1e-4) and pair["rate"] == rates[a]
        assert pair["mean"] == pytest.approx(mean(a, rates[a], pair["set"]) - b, abs=2e-4)
    for point in data["tradeoff"]:
        way, part = point["way"], point["part"]
        f1 = {
            name: mean(way, point["rate"], name, part=part) for name in ("like", "renders", "blank")
        }
        assert point["f1"] == pytest.approx(f1, abs=1e-4)
        assert point["renders"]["mean"] == pytest.approx(f1["renders"] / f1["like"], abs=2e-3)
    for line in data["family"]:
        if line["name"] != "H8":
            assert line["seeds"] == 2 and line["low"] <= line["mean"] <= line["high"]
        assert "word" not in line or line["word"] is None  # nothing is said of two seeds
    assert data["seeds"] == "interim, 2 of 12 seeds"
    assert {p["part"]: p["scored"] for p in data["parts"]} == {
        "A": 16,
        "B": 0,
        "C": 0,
        "D": 0,
        "E": 0,
        "F": 0,
        "G": 0,
        "H": 0,
        "I": 0,
    }
    assert data["depth"]["renders"]["x"] == list(range(1, 7))
    assert all(d["mean"] == 0 for d in data["depth"]["renders"]["line"])
    assert [d["mean"] for d in data["unlabelled"]["renders"]["priors"]["0"]["line"]] == [0, 0]
    for name in ("over_rates", "batch", "sizes", "mixed"):
        assert data[name] is None


@pytest.fixture(scope="module")
def shown():
    """The committed rows, and the numbers of the page in the repository."""
    rows = committed()
    return rows, numbers.numbers(Table(rows))


def test_the_page_in_the_repository_is_that_of_the_rows(shown):
    data = shown[1] | {"live": block_of(PAGE)["live"]}
    assert data["live"] and build(data) == PAGE.read_text("utf-8"), (
        "run: python -m studies.batch_size_one.page"
    )


def test_the_logs_of_the_page_are_chosen_by_the_whole_set(made):
    """And of the page in the repository, their F1 is that of the rows: part D scored its weights."""
    folder, _, data = made
    logs, nets = Logs(folder / "logs", scored=2), live.of_page(data["live"])
    with torch.no_grad():
        for name in ("renders", "like"):
            scores = [live.scores_of(nets, log) for log in logs.set(name)]
            costs = [one["own"] - one["running"] for one in scores]
            for strip in (one for one in data["live"]["strips"] if one["set"] == name):
                wanted = np.quantile(costs, live.STRIPS[strip["key"]][1])
                assert strip["cost"] == pytest.approx(wanted, abs=1e-4) and strip["logs"] == 2
                assert f"{wanted:.2f}".replace("-", "−") in strip["why"]
    for strip in block_of(PAGE)["live"]["strips"]:
        way = Way("batch_momenta", "own first 14", "D")
        scores = Table(committed()).scores(way, 3e-4, strip["set"])
        f1 = scores.f1[0, scores.names.index(strip["name"])]
        assert strip["f1"]["own"] == pytest.approx(f1, abs=0.02)
        assert strip["logs"] == len(scores.names) >= strip["readable"] >= strip["small"] > 0


def mean_of(rows, column="f1", **about):
    """A plain mean over seeds and logs of the rows that are so, at the annealed end."""
    about = {"schedule": "annealed", "logs": "1", "freeze": ""} | about
    here = [r for r in rows if all(r[name] == value for name, value in about.items())]
    here = [r for r in here if r["step"] == r["steps"]]
    assert here
    return float(np.nanmean([[float(x) for x in r[column].split(";")] for r in here]))


def test_numbers_of_sentences_and_of_lines_are_plain_means(shown):
    rows, data = shown
    more, rates = data["more"], data["rates"]
    for key, way in {
        "running": "batch_momenta m0.01",
        "own": "batch_momenta own",
        "group": "group evaluation",
    }.items():
        norm, _, name = way.partition(" ")
        about = {"part": "A", "norm": norm, "way": name, "rate": f"{rates[way]:g}"}
        false = mean_of(rows, "false_px_per_row", set="negative", **about)
        assert more["false_px"][key]["mean"] == pytest.approx(false, abs=1e-4)
        renders = mean_of(rows, set="renders", **about)
        assert more["renders"][key]["mean"] == pytest.approx(renders, abs=1e-4)
        assert more["thresholds"][key][0] >= renders - 1e-4
    about = {"norm": "batch_momenta", "rate": "0.0003", "seed": "0"}
    for name, both in more["second"].items():
        here = mean_of(rows, part="A", way="own", set=name, **about)
        again = mean_of(rows, part="D", way="own first 14", set=name, **about)
        assert both == pytest.approx([here, again], abs=1e-4)
    for share, both in more["freezing"].items():
        for key, way in (("running", "evaluation"), ("own", "own")):
            about = {"part": "D", "norm": "batch_frozen", "freeze": share, "set": "like"}
            assert np.mean(both[key]) == pytest.approx(mean_of(rows, way=way, **about), abs=1e-4)
    whole = [r for r in rows if r["seed"] not in data["parts"][2]["begun"]]
    for key, panel in data["batch"].items():
        name, rate = key.split("|")
        for line, points in panel["lines"].items():
            way = others.SWEPT[line]
            about = {"part": "C", "norm": way.norm, "way": way.way, "set": name, "rate": rate}
            for k, point in zip(panel["x"], points, strict=True):
                assert point["mean"] == pytest.approx(
                    mean_of(whole, logs=str(k), **about), abs=1e-4
                )


def test_every_training_that_diverged_has_its_dagger(shown):
    rows, data = shown
    left = {(part["part"], seed) for part in data["parts"] for seed in part["begun"]}
    bad = {
        (r["part"], r["norm"], float(r["rate"]), int(r["logs"]), int(r["seed"]))
        for r in rows
        if r["status"] != "ok" and (r["part"], r["seed"]) not in left
    }
    found = set()
    for key, panel in data["batch"].items():
        for line, points in panel["lines"].items():
            about = "C", others.SWEPT[line].norm, float(key.split("|")[1])
            for k, point in zip(panel["x"], points, strict=True):
                found |= {(*about, k, seed) for seed in point.get("diverged", ())}
    norm_of = {said: norm for norm, said in words.NORMS.items()}
    for panel in data["over_rates"].values():
        for said, line in panel["lines"].items():
            for rate, point in zip(panel["rates"], line, strict=True):
                seeds = point.get("diverged", ()) if point else ()
                found |= {("B", norm_of[said], float(rate), 1, seed) for seed in seeds}
    assert found == bad and len(bad) >= 5
    said = [line for part in data["parts"] for line in part["diverged"]]
    assert "GroupNorm, 8 logs a step, rate 0.001, seed 0" in said and len(said) >= len(bad)


def test_what_the_page_says_in_words_is_so(shown):
    """The finding on the first screen, and those of parts B, C and F and of freezing."""
    _, data = shown
    family = {line["name"]: line["word"] for line in data["family"]}
    pairs = {(p["way"], p["against"], p["set"]): p for p in data["pairs"]}
    kept = {p["way"]: p["renders"]["mean"] for p in data["tradeoff"] if p["best"]}
    assert family["H1"] == "better" and family["H7"] == "worse"
    for name in ("renders", "real_colour"):
        assert pairs["m0.01", "group", name]["low"] < 0 < pairs["m0.01", "group", name]["high"]
        assert pairs["own", "group", name]["low"] > 0
    assert max(kept, key=kept.get) == "batch_momenta own"
    assert kept["batch_momenta m0.01"] < 0.5 and kept["group evaluation"] < 0.5
    lines, shares = data["over_rates"]["renders"]["lines"], data["more"]["kept"]
    finer = ["LayerNorm", *(f"GroupNorm, groups of {many}" for many in (16, 8, 4))]
    for rate in (0, 1):
        steps = np.diff([shares[name][rate] for name in finer])
        assert (steps > 0).sum() == 3 or (steps > -0.01).all()
        for name in ("groups of 4", "always 8 groups", "and weight standardisation"):
            said = next(line for line in lines if line.endswith(name))
            assert lines[said][rate]["low"] > 0
        assert lines["Batch Renorm"][rate]["low"] < 0 < lines["Batch Renorm"][rate]["high"]
    for rate in ("0.0003", "0.001"):  # from eight logs to one: BatchNorm no more than GroupNorm
        lines = data["batch"][f"like|{rate}"]["lines"]
        lost, by_group = (
            lines[way][-1]["mean"] - lines[way][0]["mean"] for way in ("running", "group")
        )
        assert lost < by_group and 0.065 < by_group < 0.115
    for both in data["more"]["freezing"].values():
        assert (np.array(both["own"]) > both["running"]).all()
    late = [data["more"]["freezing"][share]["running"] for share in ("0.5", "0.75")]
    assert [sum(f1 < 0.005 for f1 in seeds) for seeds in late] == [1, 1]
    mixed = {d["label"]: d for d in data["mixed"] if d["set"] == "renders"}
    v1, faster, own, hybrid = (mixed[said] for said in words.MIXED.values())
    assert max(p["f1"]["like"] for p in data["tradeoff"] if p["best"]) < 0.85  # the missed numbers
    assert all(abs(here - there) > 1e-3 for here, there in data["more"]["second"].values())
    assert max(v1["low"], faster["low"]) < 0 < min(v1["high"], faster["high"])
    assert own["low"] > 0 and hybrid["low"] > 0


def test_what_the_page_says_of_longer_training_is_so(shown):
    rows, data = shown
    steps, lines = data["lengths"]["x"], data["lengths"]["lines"]
    assert steps == [1600, 6400, 25600]
    seeds = {row["seed"] for row in rows if row["part"] == "G"}
    for name, of in lines.items():
        for key, way in others.LENGTHS.items():
            for part, count, point in zip("AGH", steps, of[key], strict=True):
                here = [row for row in rows if row["seed"] in seeds and row["step"] == str(count)]
                about = {"norm": way.norm, "way": way.way, "rate": f"{data['rates'][way.name]:g}"}
                mean = mean_of(here, part=part, set=name, **about)
                assert point["mean"] == pytest.approx(mean, abs=1e-4)
    for name, of in lines.items():
        running, own, group = ([d["mean"] for d in of[key]] for key in ("running", "own", "group"))
        gained = {key: of[key][-1]["mean"] - of[key][0]["mean"] for key in of}
        assert max(gained, key=gained.get) == "group" and gained["own"] > 0.07, name
        assert abs(own[-1] - group[-1]) < 0.015 and running[-1] < group[-1] - 0.04, name
    running, group = ([d["mean"] for d in lines["like"][key]] for key in ("running", "group"))
    assert running[0] > group[0] and running[1] < group[1] and gained["running"] < gained["own"]

    def of_seed(seed, part, way, name):
        here = [row for row in rows if row["seed"] == seed]
        rate = f"{data['rates'][others.V1.name]:g}"
        return mean_of(here, part=part, norm="batch_momenta", way=way, rate=rate, set=name)

    for name in lines:
        ends = [of_seed("2", *at, name) for at in (("A", "m0.01"), ("H", "m0.01"), ("H", "m0.1"))]
        assert ends == sorted(ends, reverse=True) and ends[0] - ends[1] > 0.03, name
        assert all(of_seed(s, "H", "m0.01", name) > of_seed(s, "A", "m0.01", name) for s in "01")


def test_differences_after_long_training_have_a_zero_line_and_intervals(shown):
    rows, data = shown
    found = {(d["set"], d["label"]): d for d in data["lengths"]["pairs"]}
    assert len(found) == 5 * 3
    for (name, label), d in found.items():
        a, b = ((w.norm, w.way) for side in label.split(" − ")
                for w in others.LENGTHS.values() if others.SHORT[w] == side)  # fmt: skip
        means = (
            mean_of(rows, part="H", norm=norm, way=way, set=name,
                    rate="0.001" if norm == "group" else "0.0003") for norm, way in (a, b)
        )  # fmt: skip
        assert d["mean"] == pytest.approx(np.subtract(*means), abs=2e-4)
        assert d["low"] <= d["mean"] <= d["high"] and d["seeds"] == 3
    above = {key for key, d in found.items() if d["low"] > 0}
    assert above == {("pages", "own (InstanceNorm) − GroupNorm")}, "told apart on pages alone"


def test_of_whole_pages_after_long_training_is_said_what_the_rows_say(shown):
    """No difference is shown between own statistics and GroupNorm, but on whole real pages: own is above in each seed."""
    rows, _ = shown
    for seed in "012":
        here = [row for row in rows if row["seed"] == seed and row["part"] == "H"]
        own, group = (
            mean_of(here, norm=norm, way=way, set="pages", step="25600")
            for norm, way in (("batch_momenta", "own"), ("group", "evaluation"))
        )
        assert own > group
    assert "but on whole real pages" in " ".join(PAGE.read_text("utf-8").split())


def test_numbers_at_one_rate_are_means_of_the_rows(shown):
    """Parts H and I, scored once more at low thresholds: at 0.5 within what that changes."""
    rows, data = shown
    for name in ("like", "renders", "real_bilevel", "real_colour"):
        for key, way in others.LENGTHS.items():
            for rate, (half, chosen) in zip(
                ("0.0003", "0.001"), data["lengths"]["one_rate"][name][key], strict=True
            ):
                part = "H" if (rate == "0.001") == (key == "group") else "I"
                about = {"part": part, "norm": way.norm, "way": way.way, "rate": rate}
                assert half == pytest.approx(mean_of(rows, set=name, **about), abs=3e-3)
                assert chosen > half - 0.02


def test_words_only_when_all_is_done():
    """Twelve seeds of A are not enough: H8 needs D."""
    rows = atlas_rows(12, logs=4)
    assert all(line.get("word") is None for line in numbers.families(Table(rows)))


def test_a_page_of_no_rows_says_so():
    data = numbers.numbers(Table([])) | {"live": None}
    assert data["map"] is None and all(p["scored"] == 0 for p in data["parts"])
    assert "</script><" not in json.dumps(data) and build(data).count("<script") == 3


def opened(chromium, made, width=1280, scheme="light"):
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.set_default_timeout(60_000)
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on(
        "request",
        lambda request: page.said.append(request.url) if request.url.startswith("http") else None,
    )
    page.goto((made[0] / "report.html").as_uri())
    page.wait_for_function(
        "window.study && !window.study.engine.busy && document.querySelector('#hero .says').textContent.includes('page')"
    )
    return page


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (375, "light")])
def test_it_opens_without_a_word_in_the_console(chromium, made, width, scheme):
    page = opened(chromium, made, width, scheme)
    assert page.said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("svg").count() >= 9
    page.close()


def logits_of_page(page, how, key):
    """From the page's own network, float32 (rows, columns)."""
    found = page.evaluate(
        """async ([how, key]) => {
          const { engine, pictureOf } = window.study, picture = await pictureOf(key);
          const result = await new Promise((done) => engine.ask("test", picture, how, done));
          let words = "";
          for (const byte of new Uint8Array(result.logits.buffer)) words += String.fromCharCode(byte);
          return [picture.h, picture.w, btoa(words)];
        }""",
        [how, key],
    )
    return np.frombuffer(base64.b64decode(found[2]), "<f4").reshape(found[:2])


def test_the_network_of_the_page_is_pytorchs(chromium, made):
    folder, table, data = made
    rates, logs = best_rates(table), Logs(folder / "logs", scored=2)
    page = opened(chromium, made)
    cells = {
        norm: Cell("A", norm, rates[way], 0, 8)
        for norm, way in (("batch_momenta", "batch_momenta m0.01"), ("group", "group evaluation"))
    }
    nets = {
        norm: live.restored(cell, folder / "checkpoints" / cell.name / "annealed.pt")
        for norm, cell in cells.items()
    }
    again = live.of_page(data["live"])  # what the page is made from, read back
    for one, other in ((nets["batch_momenta"], again["batch"]), (nets["group"], again["group"])):
        ours, theirs = one.state_dict(), other.state_dict()
        for name in ours:
            if not name.endswith(("running_mean", "running_var")):  # those in use, chosen later
                assert torch.equal(ours[name], theirs[name]), name
    batch, k = nets["batch_momenta"], len(running_norms(nets["batch_momenta"]))
    assert k == 10
    for strip in data["live"]["strips"][::3]:
        kind, seed, number = strip["name"].split("-")
        ink = to_ink(logs.drawn(kind, int(seed), int(number)).tensors[0])

        def agree(net, how, ink=ink, key=strip["key"], within=1e-3):
            with torch.no_grad():
                there = net(ink)[0, 0].numpy()
            assert np.abs(there - logits_of_page(page, how, key)).max() < within * max(
                1, np.abs(there).max()
            )

        agree(nets["group"], {"name": "group"})
        for momentum, corrected in ((0.01, False), (0.1, True), ("cumulative", False)):
            use_momentum(batch, momentum, corrected)
            agree(batch, {"name": "running", "momentum": str(momentum), "corrected": corrected})
        use_momentum(batch, 0.01)
        for depth in (0, 3, 4, k):
            with own_first(batch, depth):
                agree(batch, {"name": "own first", "k": depth})
        for n, prior in ((1, 0), (2, 4)):
            fresh = live.restored(
                cells["batch_momenta"],
                folder / "checkpoints" / cells["batch_momenta"].name / "annealed.pt",
            )
            use_momentum(fresh, 0.01)
            precise(fresh, [to_ink(log.tensors[0]) for log in logs.set("unlabelled")[:n]], prior)
            how = {"name": "unlabelled", "n": n, "prior": prior}
            agree(fresh, how, within=1e-2)  # moments in half precision
    assert page.said == []
    page.close()


def test_the_switch_changes_the_mask_and_keys_move_the_sliders(chromium, made):
    page = opened(chromium, made)
    canvas = "document.querySelector('#hero canvas').toDataURL()"
    own = page.evaluate(canvas)
    page.locator("#hero-how input").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"{canvas} !== arguments[0]".replace("arguments[0]", json.dumps(own)))
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(f"{canvas} === {json.dumps(own)}")
    for box in ("#map-controls", "#depth-live", "#new-live", "#blank-live", "#width-controls"):
        slider = page.locator(f"{box} input[type=range]").first
        before = page.locator(f"{box} output").first.text_content()
        slider.focus()
        page.keyboard.press("ArrowRight" if int(slider.input_value()) == 0 else "ArrowLeft")
        assert page.locator(f"{box} output").first.text_content() != before
    page.locator("#width-controls input[type=range]").fill("12")
    assert "1 group of 12 channels" in page.locator("#groups-readout").text_content()
    page.locator("#width-controls input[type=range]").fill("128")
    assert "8 groups of 16 channels" in page.locator("#groups-readout").text_content()
    page.emulate_media(media="print")
    assert not page.locator("#map-controls").is_visible() and page.locator("#map svg").is_visible()
    widest = (
        "Math.max(...[...document.querySelectorAll('svg')].map((svg) => svg.viewBox.baseVal.width))"
    )
    before = page.evaluate(widest)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(widest) <= 688 < before, (
        "drawn for the paper, so that letters keep their size"
    )
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(widest) == before
    assert page.said == []
    page.close()


def test_the_rule_of_the_page_is_the_products(chromium, made):
    from wellseg.norms.group import half_or_16

    page = opened(chromium, made)
    found = page.evaluate("Array.from({ length: 512 }, (_, i) => halfOr16(i + 1))")
    assert found == [half_or_16(c) for c in range(1, 513)]
    page.close()


def test_three_seeds_of_batches_and_sizes_are_drawn_with_bars_and_daggers(chromium, tmp_path):
    rows = atlas_rows(2, logs=5)
    more = [row | {"status": "ok"} for row in other_rows(best_rates(Table(rows)))]
    for row in more:
        if (row["part"], row["norm"], row["logs"], row["seed"]) == ("C", "group", "8", "1"):
            row["status"] = "diverged"
    data = numbers.numbers(Table(rows + more)) | {"live": None}
    (tmp_path / "report.html").write_text(build(data), "utf-8")
    page = chromium.new_page(viewport={"width": 375, "height": 900})
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto((tmp_path / "report.html").as_uri())
    assert page.locator("#longer-plots svg").count() == 5
    assert "25,6003 seeds" in page.locator("#longer-plots svg").first.text_content()
    said = page.locator("#others").text_content()
    assert "A training in it diverged" in said and "one seed" not in said
    assert "small logs" in said and "two logs of 6,400 rows" in said and "12,800" in said
    assert "GroupNorm, 8 logs a step" in page.locator("#parts").text_content()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375 and page.said == []
    cut = """[...document.querySelectorAll("#others svg text, #longer svg text")].filter((text) =>
      text.getBoundingClientRect().right > text.closest("svg").getBoundingClientRect().right + 1).map((text) => text.textContent)"""
    assert page.evaluate(cut) == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_of_the_map_can_be_read_on_their_cells(chromium, scheme):
    page = opened(chromium, [PAGE.parent], scheme=scheme)
    found = page.evaluate("""() => {
      const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      const light = (colour) => {
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((x) => x / 255)
          .map((x) => (x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
      };
      return [...document.querySelectorAll("#map .cell")].map((cell) => {
        const [a, b] = [getComputedStyle(cell).fill, getComputedStyle(cell.nextSibling).fill].map(light);
        return Math.max(a, b) / Math.min(a, b);
      });
    }""")
    assert len(found) == 49 and min(found) >= 4.5
    page.close()


def test_white_paper_is_shown_on_a_log_that_shows_it(chromium):
    page = opened(chromium, [PAGE.parent])
    slider, says = page.locator("#blank-live input[type=range]"), page.locator("#blank-live .says")
    right = []
    for place in ("0", "3"):
        slider.fill(place)
        page.wait_for_function(
            "!study.engine.busy && !document.querySelector('#blank-live .waiting')"
        )
        right.append(int(says.text_content().split("; ")[1].split(" %")[0]))
    assert right[1] <= right[0] - 8, "false marks come with the paper"
    page.close()
