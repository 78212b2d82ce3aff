"""The study's page: made from rows, looked at in a browser, its network held against PyTorch."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from study_rows import atlas_rows

from studies.batch_size_one.collect import committed
from studies.batch_size_one.findings import best_rates
from studies.batch_size_one.logs import Logs
from studies.batch_size_one.page import live, numbers
from studies.batch_size_one.page.build import block_of, build
from studies.batch_size_one.plan import Cell
from studies.batch_size_one.recalibrate import precise, running_norms
from studies.batch_size_one.rows import COLUMNS
from studies.batch_size_one.score import own_first, use_momentum
from studies.batch_size_one.table import Table, Way
from studies.batch_size_one.train import Training
from wellseg.net.resunet import to_ink

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
    }
    assert data["depth"]["renders"]["x"] == list(range(1, 7))
    assert all(d["mean"] == 0 for d in data["depth"]["renders"]["line"])
    assert [d["mean"] for d in data["unlabelled"]["renders"]["priors"]["0"]["line"]] == [0, 0]
    for name in ("over_rates", "batch", "sizes", "mixed"):
        assert data[name] is None


def test_the_page_in_the_repository_is_that_of_the_rows():
    data = numbers.numbers(Table(committed())) | {"live": block_of(PAGE)["live"]}
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert page.said == []
    page.close()


def test_the_rule_of_the_page_is_the_products(chromium, made):
    from wellseg.norms.group import half_or_16

    page = opened(chromium, made)
    found = page.evaluate("Array.from({ length: 512 }, (_, i) => halfOr16(i + 1))")
    assert found == [half_or_16(c) for c in range(1, 513)]
    page.close()
