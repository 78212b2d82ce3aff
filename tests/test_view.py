"""predict --view: the files, and the page in a real browser."""

import base64
import errno
import json
import math
import os
import re
import time
import zlib
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from conftest import draw_waves

from wellseg.curves.options import parse_depth
from wellseg.results import view as viewer
from wellseg.results.view import ViewWriter, mark_of
from wellseg.review.options import parse_edits
from wellseg.scan.reader import open_scan


def wave(rows=2500, columns=320):
    """Paper, and a probability that falls from certainty in a curve's middle to nothing beside it."""
    gray, mask = draw_waves(rows, columns, phase=0)
    return gray, cv2.blur(mask, (5, 5))


def view_of(page, rows, columns, orientation=1, about=None):
    scan = SimpleNamespace(rows=rows, columns=columns, orientation=orientation)
    return ViewWriter(page, scan, 0.5, {"scan": "log.tif", **(about or {})})


def write_view(folder, gray, probability, band_rows=300, **options):
    with view_of(folder / "log.html", *gray.shape[:2], **options) as view:
        for start in range(0, len(gray), band_rows):
            view.put(gray[start : start + band_rows], probability[start : start + band_rows])
    return folder / "log.html"


def read_view(page, level=0):
    """What the tiles of one level hold: gray, probability."""
    parts = {}
    for script in sorted(page.with_suffix(".view").glob(f"{level}-*.js")):
        _, row, column = script.stem.split("-")
        paper = next(path for path in script.parent.glob(f"{script.stem}.*") if path != script)
        gray = cv2.imread(str(paper), cv2.IMREAD_GRAYSCALE)
        name, data = re.fullmatch(r'tile\("(.*)","(.*)"\)', script.read_text()).groups()
        assert name == script.stem
        values = np.frombuffer(zlib.decompress(base64.b64decode(data)), np.uint8).reshape(
            gray.shape
        )
        parts.setdefault(int(row), {})[int(column)] = gray, values
    strips = [
        [np.hstack([part[i] for _, part in sorted(row.items())]) for i in (0, 1)]
        for _, row in sorted(parts.items())
    ]
    return [np.vstack([strip[i] for strip in strips]) for i in (0, 1)]


def page_data(page):
    return json.loads(re.search(r"const DATA = (.*);", page.read_text("utf-8"))[1])


@pytest.mark.parametrize("band_rows", [64, 1024, 2500])
def test_tiles_hold_every_pixel(tmp_path, monkeypatch, band_rows):
    monkeypatch.setattr(viewer, "TILE_COLUMNS", 128)
    gray, probability = wave()
    page = write_view(tmp_path, gray, probability, band_rows)
    paper, values = read_view(page)
    np.testing.assert_array_equal(paper, gray)
    np.testing.assert_array_equal(values, np.where(probability < viewer.LEAST, 0, probability))
    _, small = read_view(page, level=1)
    assert small.shape == (625, 80)
    assert small[10, 40] == values[40:44, 160:164].max()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (1024, 70), (4097, 5), (2, 9000)])
def test_scans_of_any_size(tmp_path, shape):
    gray = np.random.default_rng(0).integers(0, 2, shape, np.uint8) * 255
    page = write_view(tmp_path, gray, gray)
    for level in (0, 1):
        for pixels in read_view(page, level):
            assert pixels.shape == tuple(-(-side // (4 if level else 1)) for side in shape)
    np.testing.assert_array_equal(read_view(page)[0], gray)
    data = page_data(page)
    curves, paper = (base64.b64decode(data[name]) for name in ("curves", "paper"))
    assert len(curves) == len(paper) > 0 == len(paper) % data["cells"]


def test_gray_paper_stays_nearly_what_it_is(tmp_path):
    gray = cv2.GaussianBlur(wave()[0], (9, 9), 3)
    paper, _ = read_view(write_view(tmp_path, gray, np.zeros_like(gray)))
    assert np.abs(paper.astype(int) - gray).mean() < 2


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_turned_scan_is_shown_as_stored_as_its_mask_is(tmp_path, orientation):
    gray, probability = wave(1500, 200)
    page = write_view(tmp_path, gray, probability, orientation=orientation)
    paper, values = read_view(page)
    np.testing.assert_array_equal(paper, gray)
    np.testing.assert_array_equal(values, np.where(probability < viewer.LEAST, 0, probability))
    assert f'"turned":{str(orientation > 1).lower()}' in page.read_text("utf-8")


def test_doubt_is_where_probabilities_are_neither_high_nor_low(tmp_path):
    gray, probability = np.full((20_000, 100), 255, np.uint8), np.zeros((20_000, 100), np.uint8)
    probability[:, 50:60] = 250
    probability[5120:5632, 50:55] = (
        128  # two places, neighbours: half of what may be curve is in doubt
    )
    probability[10_000:10_001, 50:55] = 128  # too little to look at
    data = page_data(write_view(tmp_path, gray, probability))
    assert data["places"] == [[5120, 5376, 0.5], [5376, 5632, 0.5]]


def test_a_failure_leaves_the_view_that_was_there(tmp_path):
    gray, probability = wave(1200, 100)
    page = write_view(tmp_path, gray, probability)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(KeyboardInterrupt), view_of(page, 1200, 100) as view:
        view.put(gray, probability)
        raise KeyboardInterrupt
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("held", ["old", "new"])
def test_a_picture_that_another_program_has_open_leaves_the_view_that_was_there(
    tmp_path, monkeypatch, held
):
    """Windows moves no folder of which a file is open."""
    gray, probability = wave(1200, 100)
    page = write_view(tmp_path, gray, probability)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    replace = os.replace

    def refused(source, target):
        is_new = Path(source, "page.html").exists()
        if is_new if held == "new" else Path(source) == page.with_suffix(".view"):
            raise PermissionError(errno.EACCES, "Access is denied", str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refused)
    monkeypatch.setattr("wellseg.scan.atomic.RETRY_AFTER_S", ())
    with pytest.raises(PermissionError, match="close it where it is open"):
        write_view(tmp_path, gray, probability)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    monkeypatch.undo()
    write_view(tmp_path, gray[:600], probability[:600])
    assert len([*tmp_path.iterdir()]) == 2


def test_a_disk_that_is_full_at_the_very_end_leaves_the_view_that_was_there(tmp_path):
    resource = pytest.importorskip("resource", reason="POSIX limits")
    gray, probability = wave(1200, 100)
    page = write_view(tmp_path, gray, probability)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    largest = max(len(data) for path, data in before.items() if path != page)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (largest, limits[1])
    )  # room for every picture, none for the page
    try:
        with pytest.raises(OSError, match="cannot write"):
            write_view(tmp_path, gray, probability)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_two_runs_at_once_do_not_touch_each_others_pictures(tmp_path):
    gray, probability = wave(1200, 100)
    with view_of(tmp_path / "log.html", 1200, 100) as first:
        first.put(gray[:1100], probability[:1100])
        write_view(tmp_path, gray, probability)
        first.put(gray[1100:], probability[1100:])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.html", "log.view"]
    np.testing.assert_array_equal(read_view(tmp_path / "log.html")[0], gray)


def test_colours_are_shown_as_they_are(tmp_path):
    gray, probability = wave(1300, 200)
    red = np.dstack([np.full_like(gray, 255), gray, gray])
    page = write_view(tmp_path, red, probability)
    tile = cv2.imread(str(page.with_suffix(".view") / "0-0000-0.jpg"))[..., ::-1].astype(int)
    off = tile - red[: viewer.TILE_ROWS]
    assert np.abs(off).mean() < 12 and tile[..., 0].mean() > tile[..., 1].mean() + 20


def with_doubt():
    """A scan with two places of doubt, and nowhere else any."""
    gray, mask = draw_waves(30_000, 200, phase=0)
    for row in (8192, 20_480):
        mask[row : row + 256] //= 2
    return gray, mask


# ---- in the browser ------------------------------------------------------------------------------------


def red(page):
    """Pixels of the curve's colour on the screen."""
    picture = cv2.imdecode(
        np.frombuffer(page.locator("#scroller").screenshot(), np.uint8), cv2.IMREAD_COLOR
    )
    blue, green, red = (picture[..., i].astype(int) for i in range(3))
    return int(np.count_nonzero((red > 180) & (green < 110) & (blue < 110)))


def settle(page):
    """Until every tile near the view is there, with its curves painted."""
    whole = (
        "one => tiles.get(one.name)?.done && (one.level !== level() || tiles.get(one.name).values)"
    )
    page.wait_for_function(f"() => !asked && wanted().every({whole})")


MIDDLE_ABOVE_QUESTION = """(scroller.scrollTop + ($("#ask").getBoundingClientRect().top
    - scroller.getBoundingClientRect().top) / 2) / state.zoom"""


@pytest.fixture
def opened(tmp_path, browser_page):
    page = browser_page(
        write_view(tmp_path, *wave(), about={"scan": "log.tif", "dpi": 200.0, "weights": "small"})
    )
    settle(page)
    return page


def test_a_key_toggles_the_curves(opened):
    assert (
        opened.title() == "log.tif · wellseg"
        and "2,500 × 320" in opened.locator("#about").inner_text()
    )
    assert red(opened) > 1000
    opened.keyboard.press("o")
    assert red(opened) == 0 and opened.locator("#overlay").get_attribute("aria-pressed") == "false"
    opened.keyboard.press("o")
    assert red(opened) > 1000


def test_the_threshold_acts_at_once(opened):
    counts = []
    for value in ("0.1", "0.5", "0.95"):
        opened.locator("#threshold").fill(value)
        opened.wait_for_function("() => !asked")
        counts.append(red(opened))
    assert counts[0] > 1.2 * counts[1] > 1.4 * counts[2] > 0
    opened.keyboard.press("[")
    assert opened.locator("output").inner_text() == "0.93"


def test_the_map_jumps_and_doubt_is_found_by_keys(tmp_path, browser_page):
    gray, probability = with_doubt()
    page = browser_page(write_view(tmp_path, gray, probability))
    settle(page)
    places = page_data(tmp_path / "log.html")["places"]
    middle = lambda: page.evaluate("(scroller.scrollTop + scroller.clientHeight / 2) / state.zoom")  # noqa: E731
    assert [place[:2] for place in places] == [[8192, 8448], [20_480, 20_736]]
    for key, row in (("n", 8320), ("n", 20_608), ("p", 8320)):
        page.keyboard.press(key)
        assert middle() == pytest.approx(row, abs=3)
    box = page.locator("#map").bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + box["height"] / 2)
    assert middle() == pytest.approx(15_000, abs=60)
    page.locator("#map").focus()
    page.keyboard.press("End")
    settle(page)
    assert page.locator("#map").get_attribute("aria-valuetext").endswith("of 30,000")
    assert "to 30,000 of" in page.locator("#rows").inner_text()


def test_zoom_stays_where_one_looks(opened):
    opened.evaluate("goTo(1700)")
    for key in "++-1+":
        opened.keyboard.press(key)
    settle(opened)
    assert opened.evaluate(
        "(scroller.scrollTop + scroller.clientHeight / 2) / state.zoom"
    ) == pytest.approx(1700, abs=3)
    assert opened.evaluate("state.zoom") == pytest.approx(1.25)
    for _ in range(9):
        opened.keyboard.press("-")
    settle(opened)
    assert opened.evaluate("level()") == 1 and red(opened) > 50  # the reduced tiles


@pytest.mark.slow
def test_scrolling_through_a_tall_log_keeps_the_page_small(tmp_path, browser_page):
    gray, probability = wave(20_000, 120)
    page = browser_page(write_view(tmp_path, gray, probability))
    most = 0
    for row in range(0, 20_001, 4000):
        page.evaluate(f"goTo({row})")
        settle(page)
        most = max(most, page.locator("#sheet *").count())
        assert red(page) > 100
    assert most <= 16
    assert page.evaluate("document.scripts.length") <= 4  # tiles' scripts are gone
    assert "to 20,000 of 20,000" in page.locator("#rows").inner_text()


@pytest.mark.slow
def test_a_real_scan_of_50_000_rows_scrolls_to_its_end(shared, tmp_path, browser_page):
    with open_scan(shared / "real" / "scans" / "BXG70.tif") as scan:
        with view_of(tmp_path / "log.html", scan.rows, scan.columns) as view:
            for start in range(0, scan.rows, 512):
                gray = scan.read(start, min(scan.rows, start + 512))
                view.put(
                    gray, 255 - cv2.blur(gray, (3, 3))
                )  # every ink is a curve: more than any network says
    files = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert files < 0.3 * scan.rows * scan.columns
    started_s = time.monotonic()
    page = browser_page(tmp_path / "log.html")
    settle(page)
    print(f"first view after {time.monotonic() - started_s:.2f} s, {files / 1e6:.0f} MB")
    size = "({ canvas, values }) => canvas ? 4 * canvas.width * canvas.height + values.length : 0"
    held = f"[...tiles.values()].map({size}).reduce((sum, bytes) => sum + bytes, 0)"
    most = 0
    for row in range(0, scan.rows + 500, 1000):
        page.evaluate(f"goTo({row})")
        settle(page)
        most = max(most, page.evaluate(held))
    assert "to 54,740 of 54,740" in page.locator("#rows").inner_text() and red(page) > 0
    assert 5e6 < most < 60e6


@pytest.mark.parametrize("width", [375, 1440])
def test_nothing_overflows_at(tmp_path, browser_page, width):
    page = browser_page(write_view(tmp_path, *wave(1200)), width, 800)
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for element in page.locator("button:visible, input:visible, #map").all():
        box = element.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width + 0.5


def test_dark_follows_the_system_and_the_button(opened):
    assert opened.evaluate("document.documentElement.dataset.theme") == "light"
    opened.emulate_media(color_scheme="dark")
    opened.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    opened.get_by_role("button", name="Light or dark").click()
    assert opened.evaluate("document.documentElement.dataset.theme") == "light"
    opened.keyboard.press("?")
    assert (
        opened.get_by_role("dialog").is_visible()
        and "0.2" in opened.locator("#meaning").inner_text()
    )


def test_a_page_without_its_pictures_says_so(tmp_path, browser_page):
    page = write_view(tmp_path, *wave())
    alone = tmp_path / "mail" / "log.html"
    alone.parent.mkdir()
    page.rename(alone)
    opened = browser_page(alone, may_miss_files=True)
    said = opened.get_by_role("alert")
    said.wait_for()
    assert "pictures of this scan are missing" in said.inner_text()
    assert "log.view" in said.inner_text()


def test_dragging_moves_the_paper(tmp_path, browser_page):
    page = browser_page(write_view(tmp_path, *wave(6000, 3000)))
    page.evaluate("zoomBy(1 / state.zoom); goTo(2000)")
    settle(page)
    before = page.evaluate("[scroller.scrollLeft, scroller.scrollTop]")
    page.mouse.move(700, 500)
    page.mouse.down()
    page.mouse.move(650, 300, steps=4)
    page.mouse.up()
    page.mouse.move(400, 600)
    after = page.evaluate("[scroller.scrollLeft, scroller.scrollTop]")
    assert [b - a for a, b in zip(before, after, strict=True)] == pytest.approx([50, 200], abs=1)


def test_two_fingers_zoom_around_their_middle(tmp_path, browser_page):
    page = browser_page(write_view(tmp_path, *wave(6000, 400)), 390, 844)
    settle(page)
    page.evaluate("goTo(3000)")
    before = page.evaluate("state.zoom")
    fingers = page.context.new_cdp_session(page)

    def touch(kind, *ys):
        points = [{"x": 150, "y": y, "id": i} for i, y in enumerate(ys)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    middle = page.evaluate("scroller.getBoundingClientRect().top + scroller.clientHeight / 2")
    touch("touchStart", middle - 50, middle + 50)
    for apart in (75, 100):
        touch("touchMove", middle - apart, middle + apart)
    touch("touchEnd")
    page.wait_for_function("() => !asked")
    assert page.evaluate("state.zoom") == pytest.approx(2 * before, rel=0.02)
    assert page.evaluate("middle()") == pytest.approx(3000, abs=4)


def test_the_place_of_doubt_that_is_gone_to_is_counted(tmp_path, browser_page):
    """Also where others are in view, and at the ends, where none can be in the middle."""
    gray, probability = draw_waves(12_000, 200, phase=0)
    for row in (0, 1024, 1536, 6144, 6656, 11_520):
        probability[row : row + 256] //= 2
    page = browser_page(write_view(tmp_path, gray, probability))
    for key, numbers in (("n", (1, 2, 3, 4, 5, 6)), ("p", (5, 4, 3, 2, 1))):
        for number in numbers:
            page.keyboard.press(key)
            page.wait_for_function("() => !asked")
            assert f"doubt {number} of 6" in page.locator("#rows").inner_text()
    assert page.locator("#before").is_disabled() and page.locator("#next").is_enabled()
    page.evaluate("scroller.scrollTop = 1664 - scroller.clientHeight / 2 + 20")
    page.wait_for_function("() => $('#rows').textContent.includes('doubt 3 of 6')")


def test_the_end_of_the_places_of_doubt_is_said_and_the_list_leads_to_each(tmp_path, browser_page):
    gray, probability = with_doubt()
    page = browser_page(write_view(tmp_path, gray, probability))
    settle(page)
    for _ in range(2):
        page.keyboard.press("n")
        settle(page)
    assert page.locator("#next").is_disabled()
    page.keyboard.press("n")
    page.wait_for_function("() => $('#rows').textContent.includes('no place of doubt below')")
    assert page.locator("#before").is_enabled()
    page.keyboard.press("l")
    rows = page.locator("#places li")
    assert rows.count() == 2
    item = rows.filter(has_text="row 8,192")
    item.get_by_role("checkbox").check()
    item.get_by_role("button").click()
    assert page.evaluate("middle()") == pytest.approx(8320, abs=3)
    page.reload()
    page.keyboard.press("l")
    assert page.get_by_role("checkbox", name="Row 8,192 seen").is_checked()
    assert page.locator("#places :checked").count() == 1


def test_the_address_follows_and_leads_to_the_row(tmp_path, browser_page):
    page = browser_page(write_view(tmp_path, *wave(30_000, 200)))
    settle(page)
    assert "#" not in page.url
    page.evaluate("goTo(12_000)")
    page.wait_for_function("() => Math.abs(Number(location.hash.slice(1)) - 12000) < 3")
    page.reload()
    settle(page)
    assert page.evaluate("middle()") == pytest.approx(12_000, abs=4)
    page.evaluate("location.hash = '#20000'")
    page.wait_for_function("() => Math.abs(middle() - 20000) < 3")
    page.keyboard.press("?")
    assert "#27000" in page.get_by_role("dialog").inner_text()


def test_each_curve_has_a_colour_and_a_click_leads_to_one_alone(tmp_path, browser_page):
    gray, probability = wave(6000, 320)
    curves = [
        {"name": name, "colour": [0, 0, 255], "rows": rows, "confidence": 0.9, "about": "3 px",
         "uncertain": unsure, "lines": [[column, rows[0], column, rows[1]]]}
        for name, column, rows, unsure in (("T1_C1_SOLID", 60, [0, 5999], []),
                                           ("T1_C2_DASHED", 250, [3000, 5999], [4500]))
    ]  # fmt: skip
    with view_of(tmp_path / "log.html", *gray.shape) as view:
        view.curves = curves
        view.put(gray, probability)
    page = browser_page(tmp_path / "log.html")
    settle(page)
    assert page.locator("#each li").count() == 2 and page.locator("#overlay[aria-pressed=false]")

    def drawn():
        script = """() => { const { width, height } = lineCanvas;
            const data = lineCanvas.getContext("2d").getImageData(0, 0, width, height).data;
            const found = new Set();
            for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) found.add(data.slice(i, i + 3).join());
            return found.size; }"""
        page.wait_for_function("() => !asked")
        return page.evaluate(script)

    page.evaluate("goTo(4000)")
    settle(page)
    assert drawn() == 2
    page.evaluate("goTo(0)")
    page.get_by_role("button", name="T1_C2_DASHED rows 3,000 to 5,999, 3 px").click()
    settle(page)
    assert drawn() == 1 and 2900 < page.evaluate("middle()") < 3600
    page.keyboard.press("Escape")
    page.get_by_role("button", name="row 4,500").click()
    settle(page)
    assert page.evaluate(MIDDLE_ABOVE_QUESTION) == pytest.approx(4500, abs=3)
    assert drawn() >= 3, "both curves, and a frame around the row"
    assert page.locator("#uncertain button[aria-pressed=true]").count() == 1
    page.keyboard.press("Escape")
    settle(page)
    assert drawn() == 2

    def click(column):
        place = "(x) => sheet.getBoundingClientRect().left + x * state.zoom"
        page.mouse.click(page.evaluate(place, column), 500)
        settle(page)

    click(251)
    assert drawn() == 2, "the one that is clicked on, and a frame around the row"
    assert page.locator("#each button[aria-pressed=true]").inner_text().startswith("T1_C2")
    click(150)
    assert drawn() == 2, "paper: all of them"
    assert page.locator("#threshold").is_disabled(), "it acts on the mask alone"
    page.keyboard.press("c")
    assert page.locator("#lines").is_hidden() and page.locator("#threshold").is_enabled()


def test_curves_are_corrected_by_a_command_that_the_page_writes(tmp_path, browser_page):
    gray, probability = wave(6000, 320)
    with view_of(tmp_path / "log.html", *gray.shape) as view:
        view.curves = [
            {"name": name, "rows": rows, "about": "3 px", "uncertain": [1500] * (name < "C"),
             "lines": [[column, rows[0], column, rows[1]]]}
            for name, column, rows in (("A", 60, [0, 5999]), ("B", 250, [100, 5999]), ("C", 150, [0, 90]))
        ]  # fmt: skip
        view.put(gray, probability)
    mark = mark_of({"curve_list": view.curves})
    page = browser_page(tmp_path / "log.html")
    settle(page)

    def alone(name, row=None):
        page.keyboard.press("Escape")
        page.locator("#each button", has_text=name).first.click()
        if row is not None:
            page.evaluate("row => isolate(alone, row)", row)

    def words():
        command = page.locator("#command").input_value()
        assert command.startswith(
            f"wellseg curves '{tmp_path / 'log.curves.csv'}' --after 0-{mark} --edit "
        )
        return command.partition("--edit ")[2].split()

    def shown():
        return page.evaluate("followed.map(({ name, rows }) => [name, ...rows])")

    assert page.locator("#edit").is_hidden() and page.locator("#edits").is_hidden()
    alone("A")
    assert page.locator("#cut").is_disabled() and page.locator("#swap").is_disabled()
    name = page.locator("#name")
    name.fill("G R")
    name.press("Tab")
    assert page.locator("#edits").is_hidden(), "a LAS has no such name"
    name.fill("a")
    name.press("Tab")
    assert words() == ["A=a"], "another case is another name"
    page.locator("#undo").click()
    alone("A")
    name.fill("GR")
    name.press("Tab")
    assert words() == ["A=GR"] and page.locator(
        "#each button[aria-pressed=true]"
    ).inner_text().startswith("GR")
    alone("C")
    page.keyboard.press("Delete")
    assert page.evaluate("note") == "C is removed: Ctrl Z takes it back"
    assert words() == ["A=GR", "C="] and [one[0] for one in shown()] == ["GR", "B"]
    assert "GR, B" in page.locator("#uncertain li").inner_text(), "as they are called now"
    alone("GR", 800)
    assert page.locator("#other option").all_inner_texts() == ["B"]  # C is not there
    page.locator("#swap").click()  # they have changed places
    assert words() == ["A:0-799=GR", "A:800-5999=B", "B:800-5999=GR", "C="]
    assert page.evaluate("followed[0].lines") == [[60, 0, 60, 799], [250, 800, 250, 5999]]
    alone("B", 3000)
    page.locator("#cut").click()
    assert sorted(shown()) == [["B", 100, 2999], ["B_B", 3000, 5999], ["GR", 0, 5999]]
    alone("B_B")
    page.locator("#remove").click()
    assert words() == ["A:0-799=GR", "A:800-2999=B", "A:3000-5999=", "B:800-5999=GR", "C="]
    for _ in range(3):
        page.locator("#undo").click()
    assert words() == ["A=GR", "C="]
    alone("GR")
    page.reload()  # nothing is lost
    settle(page)
    assert words() == ["A=GR", "C="] and page.locator("#followed").is_visible()
    page.locator("#undo").click()  # the last one alone
    assert words() == ["A=GR"]
    alone("C")
    page.keyboard.press("Delete")
    alone("GR")
    page.once("dialog", lambda dialog: dialog.accept())
    name.fill("b")  # another one's: they are joined
    name.press("Enter")
    assert words() == ["A=B", "C="] and shown() == [["B", 0, 5999]]
    page.locator("#copy").click()
    assert page.locator("#copy").inner_text() == "Copied"
    page.locator("#undo").click()
    assert words() == ["A=GR", "C="] and page.locator("#copy").inner_text() == "Copy"


def page_of_a_knot(folder, browser_page):
    """Track 1: A and B, which leave a knot at row 3000 on either side, C beside them; track 2: D,
    and E, which is in no track, in one place; F in none, above."""
    gray, probability = wave(6000, 320)
    lines = {
        "D": (2, [300, 0, 300, 5999], [500]),
        "C": (1, [30, 0, 30, 5999], []),
        "A": (1, [100, 0, 60, 2995, 70, 3006, 140, 5999], [1000, 2995, 4000]),
        "B": (1, [60, 0, 66, 3002, 64, 3006, 60, 5999], [3002]),
        "E": (0, [305, 0, 305, 5999], []),
        "F": (0, [1, 0, 1, 90], []),
    }
    with view_of(folder / "log.html", *gray.shape, about={"dpi": 100}) as view:
        view.curves = [
            {"name": name, "rows": line[1::2][:: len(line) // 2 - 1], "about": "3 px", "uncertain": unsure, "track": track,
             "lines": [line], "borders": []} for name, (track, line, unsure) in lines.items()
        ]  # fmt: skip
        view.put(gray, probability)
    page = browser_page(folder / "log.html")
    settle(page)
    return page


def test_the_curve_that_is_offered_for_an_exchange_is_the_nearest_one_there(tmp_path, browser_page):
    page = page_of_a_knot(tmp_path, browser_page)
    offered = """([name, row]) => { isolate(followed.findIndex((curve) => curve.name === name), row);
        return [...$("#other").options].map(({ value }) => value); }"""
    assert page.evaluate(offered, ["A", 300]) == ["B", "C", "E", "D"], "its own track first"
    assert page.evaluate(offered, ["A", 2000]) == ["B", "C", "E", "D"]
    assert page.evaluate(offered, ["B", 5000]) == ["C", "A", "E", "D"]
    assert page.evaluate(offered, ["E", 50]) == ["D", "A", "B", "C", "F"], (
        "in no track: the nearest"
    )


def test_uncertain_rows_are_gone_through_and_answered_by_keys(tmp_path, browser_page):
    page = page_of_a_knot(tmp_path, browser_page)
    which, rows, command = (page.locator(f"#{it}") for it in ("which", "rows", "command"))
    for key in "ckn":  # they are of the mask then
        page.keyboard.press(key)
    assert page.locator("#ask").is_hidden() and "to check" not in rows.inner_text()
    page.keyboard.press("c")
    assert page.locator("#unsure").inner_text() == "Places to check: 5"
    for key, at, row in (
        ("n", 1, 500),
        ("n", 2, 1000),
        ("n", 3, 2995),
        ("n", 4, 3002),
        ("p", 3, 2995),
    ):
        page.keyboard.press(key)
        settle(page)
        assert which.inner_text() == f"{at} of 5  ·  row {row:,}".replace("  ", " ")
        assert page.evaluate(MIDDLE_ABOVE_QUESTION) == pytest.approx(row, abs=3)
    assert "place to check 3 of 5" in rows.inner_text()
    assert page.locator("#next").inner_text() == "To check 3/5"
    page.evaluate("isolate(followed.findIndex(({ name }) => name === 'A'))")
    page.evaluate("goTo(0)")
    assert page.locator("#uncertain li").count() == 3, "its own alone"
    for at in (1, 2):
        page.keyboard.press("n")
        assert which.inner_text().startswith(f"{at} of 3 of A")
    assert page.locator("#one").inner_text() == "A"
    assert page.locator("#partner option").all_inner_texts() == ["B", "C"]
    page.evaluate("goTo(5000)")
    page.keyboard.press("x")  # what is not in sight is not answered, but shown
    assert page.locator("#edits").is_hidden()
    assert page.evaluate("middle()") == pytest.approx(2995, abs=3)
    page.keyboard.press("x")
    words = command.input_value().partition("--edit ")[2].split()
    at = int(words[1].split(":")[1].split("-")[0])
    assert at == 3002, "where they are nearest in the knot"
    assert words == [f"A:{at}-5999=B", f"B:{at}-5999=A"] or words == [
        f"A:0-{at - 1}=A", f"A:{at}-5999=B", f"B:{at}-5999=A"]  # fmt: skip
    settle(page)
    assert f"exchanged from row {at:,} on" in rows.inner_text()
    assert "exchanged" in which.inner_text() and page.locator("#exchange").is_disabled()
    page.keyboard.press("x")
    assert page.evaluate("before.length") == 1, "once is enough"
    page.keyboard.press("Escape")
    assert page.locator("#unsure").inner_text() == "Places to check: 5, 2 answered"
    page.locator("#undo").click()
    assert page.locator("#unsure").inner_text() == "Places to check: 5"


def test_answers_at_uncertain_rows_are_remembered_and_lead_to_the_next_open_one(
    tmp_path, browser_page
):
    page = page_of_a_knot(tmp_path, browser_page)
    which, unsure = page.locator("#which"), page.locator("#unsure")

    def ticks():
        return page.evaluate("walk().map(answerAt)")

    for _ in range(2):
        page.keyboard.press("n")
    page.keyboard.press("k")
    assert which.inner_text().startswith("3 of 5")
    page.locator("#partner").select_option("C")
    page.locator("#exchange").click()
    assert ticks() == ["seen", "right", "exchanged", "", ""]
    assert page.locator("#command").input_value().endswith("C:2996-5999=A A:2996-5999=C")
    page.reload()
    settle(page)
    assert ticks() == ["seen", "right", "exchanged", "", ""]
    assert unsure.inner_text() == "Places to check: 5, 2 answered"
    page.locator("#uncertain button").nth(3).click()
    for _ in range(2):
        page.keyboard.press("k")
    settle(page)
    assert "on from the top: 1 above is not answered yet" in page.locator("#rows").inner_text()
    assert which.inner_text().startswith("1 of 5")
    curves = page.evaluate("original")
    done = page.evaluate("words()")
    change_data(tmp_path, edits=1, done=done)  # the command was run
    page.reload()
    settle(page)
    assert ticks() == ["seen", "right", "exchanged", "right", "right"]
    moved = [one | {"lines": [[x + 9 * (k % 2 == 0) for k, x in enumerate(one["lines"][0])]]} for one in curves]  # fmt: skip
    change_data(tmp_path, followed=moved, edits=0, done=[])
    page.reload()
    settle(page)
    assert set(ticks()) == {""}, "other curves"


def test_an_exchange_that_a_command_did_not_have_is_open_again(tmp_path, browser_page):
    page = page_of_a_knot(tmp_path, browser_page)
    for key in "nnnx":
        page.keyboard.press(key)
    assert page.evaluate("answerAt(2995)") == "exchanged"
    change_data(tmp_path, edits=1, done=["D=GR"])
    page.reload()
    settle(page)
    assert "were not made" in page.locator("#lost").inner_text()
    assert page.evaluate("answerAt(2995)") == "seen"


def test_a_place_where_no_other_curve_is_near_is_right_or_cut(tmp_path, browser_page):
    page = page_of_a_knot(tmp_path, browser_page)
    change_data(
        tmp_path, followed=page.evaluate("DATA.followed.filter(({ name }) => name === 'A')")
    )
    page.reload()
    page.keyboard.press("n")
    assert page.locator("#exchange").is_hidden() and page.locator("#partner").is_hidden()
    page.keyboard.press("x")
    assert page.locator("#edits").is_hidden()
    page.locator("#part").click()
    assert page.locator("#command").input_value().endswith("--edit A:1001-5999=A_B")
    assert page.evaluate("answerAt(1000)") == "cut"


def test_of_pieces_whose_value_leaps_one_is_said_to_be_beyond_its_border(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    (curve,) = page.evaluate("DATA.followed")

    def pieces(*columns):
        rows = ([0, 2000], [2020, 2400], [2420, 5999])
        return [
            curve | {"name": name, "rows": [a, b], "track": 1, "lines": [[x, a, x, b]]}
            for name, (a, b), x in zip("ABC", rows, columns, strict=True)
        ]

    asked = []
    page.on("dialog", lambda it: (asked.append(it.message), it.accept()))
    leap, command = page.locator("#leap"), page.locator("#command")
    for columns, way, turns in (((117, 23, 117), "right", "+1"), ((23, 117, 23), "left", "-1")):
        change_data(tmp_path, followed=[curve | {"name": "Z", "rows": [0, 5999], "track": 1, "lines": [[columns[1], 0, columns[1], 2019], [columns[1], 2019, columns[1], 5999]]}, *pieces(*columns)], dpi=100)  # fmt: skip
        page.evaluate("localStorage.clear()")
        page.reload()
        settle(page)
        page.evaluate("isolate(followed.findIndex(({ name }) => name === 'B'))")
        assert page.locator("#mate option").all_inner_texts()[-1] == "Z", "it is in all its rows"
        assert page.locator("#mate").input_value() == "A"
        assert "At row 2,020, if the two are joined, the value leaps" in leap.inner_text()
        page.evaluate("isolate(alone, 2390)")
        assert page.locator("#mate").input_value() == "C", "nearest to the row that was clicked on"
        page.locator("#join").click()
        assert f"B, rows 2,020 to 2,400, may be beyond its {way} border" in asked[-1]
        page.evaluate("isolate(followed.findIndex(({ name }) => name === 'A'))")
        page.locator("#mate").select_option("C")
        page.locator("#join").click()
        assert "At row 2,020 the value leaps from" in leap.inner_text()
        leap.get_by_role("button", name=f"It is beyond its {way} border").click()
        assert leap.is_hidden()
        assert command.input_value().endswith(f"--edit B:2020-2400{turns} A=C B=C")
        page.locator("#undo").click()
        assert leap.is_visible()
    change_data(tmp_path, followed=pieces(80, 40, 80))
    page.evaluate("localStorage.clear()")
    page.reload()
    settle(page)
    page.evaluate("isolate(0)")
    page.locator("#join").click()
    assert "leaps" not in asked[-1] and leap.is_hidden()


def test_two_tabs_on_one_page_keep_the_corrections_of_both(tmp_path, browser_page):
    page = page_of_a_knot(tmp_path, browser_page)
    other = page.context.new_page()
    other.goto(page.url)

    def rename(tab, number, name):
        tab.evaluate(f"showWhole(true); isolate({number})")
        tab.fill("#name", name)
        tab.press("#name", "Enter")

    rename(page, 0, "GR")
    other.wait_for_function("typeof words === 'function' && words().length === 1")
    rename(other, 1, "SP")
    page.wait_for_function("typeof words === 'function' && words().length === 2")
    assert page.locator("#command").input_value().endswith(" D=GR C=SP")


def test_a_browser_that_keeps_nothing_says_so_before_the_page_is_left(tmp_path, browser_page):
    page = page_of_a_knot(tmp_path, browser_page)
    lost = page.locator("#lost")
    assert lost.inner_text() == ""
    page.evaluate("void (Storage.prototype.setItem = () => { throw new Error('full'); })")
    page.evaluate("isolate(0)")
    page.fill("#name", "GR")
    page.press("#name", "Enter")
    assert "keeps no corrections: run the command before" in lost.inner_text()
    assert page.locator("#command").input_value().endswith(" D=GR")


AFTER = "--after 0-{}".format(mark_of({"curve_list": [{"name": "A", "rows": [0, 5999]}]}))


def page_of_one_curve(folder, browser_page):
    """Its whole curves: A, column 60 of a track from 20 to 120."""
    gray, probability = wave(6000, 320)
    with view_of(folder / "log.html", *gray.shape) as view:
        view.curves = [{"name": "A", "rows": [0, 5999], "about": "3 px", "uncertain": [],
                        "lines": [[60, 0, 60, 5999]],
                        "borders": [[20, 0, 20, 5999], [120, 0, 120, 5999]]}]  # fmt: skip
        view.put(gray, probability)
    page = browser_page(folder / "log.html")
    settle(page)
    return page


def test_a_page_opens_with_whole_curves_unless_the_mask_was_seen_last(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    lines, mask = page.locator("#lines"), page.locator("#curves")
    assert lines.is_visible() and mask.is_hidden() and page.locator("#followed").is_visible()
    for is_whole in (False, True):
        page.keyboard.press("c")
        page.reload()
        settle(page)
        assert lines.is_visible() == is_whole and mask.is_hidden() == is_whole
    for none in ([], None):  # none was found, or asked for, since the page was seen with its curve
        change_data(tmp_path, followed=none)
        page.reload()
        settle(page)
        assert lines.is_hidden() and mask.is_visible() and page.locator("#followed").is_hidden()


AT_ROW = """(row) => { const { left, top } = sheet.getBoundingClientRect();
    return [left + 60 * state.zoom, Math.ceil(top + row * state.zoom)]; }"""


def test_a_stretch_of_a_curve_is_removed_by_two_clicks(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    page.evaluate("isolate(0)")
    settle(page)
    first = round(page.evaluate("scroller.scrollTop / state.zoom")) + 100
    for lower, upper in ((first + 300, first), (first + 400, first + 350)):  # in any order
        page.locator("#blank").click()
        page.mouse.dblclick(*page.evaluate(AT_ROW, lower))  # a habit: it is no stretch of a row
        assert "1 so far" in page.locator("#pen").inner_text()
        page.mouse.click(*page.evaluate(AT_ROW, upper))
        assert page.locator("#pen").is_hidden() and page.locator("#name").input_value() == "A"
    words = page.locator("#command").input_value().partition("--edit ")[2].split()
    assert words == [f"A:{first}-{first + 300}=", f"A:{first + 350}-{first + 400}="]
    assert page.evaluate("followed.map(({ name }) => name)") == ["A"]
    page.locator("#undo").click()
    assert page.locator("#command").input_value().endswith(f"A:{first}-{first + 300}=")
    page.locator("#blank").click()
    page.mouse.click(*page.evaluate(AT_ROW, first + 450))
    page.evaluate("isolate(-1)")  # what was begun is of no other curve
    assert page.locator("#pen").is_hidden()
    page.evaluate("isolate(0)")
    page.evaluate("followed[0].rows = [first, 5999]".replace("first", str(first)))
    page.locator("#blank").click()
    for row in (first - 60, first - 40):  # the curve is not there
        page.mouse.click(*page.evaluate(AT_ROW, row))
    page.locator("#blank").click()
    page.keyboard.press("Enter")  # of one row or none: nothing is removed
    assert page.locator("#command").input_value().endswith(f"A:{first}-{first + 300}=")


def test_a_stretch_off_its_scale_is_told_by_two_clicks(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    page.evaluate("isolate(0)")
    settle(page)
    first = round(page.evaluate("scroller.scrollTop / state.zoom")) + 100
    for way, lower, upper in (("over", 300, 0), ("under", 250, 200), ("under", 400, 350)):
        page.locator(f"#{way}").click()
        is_told = "taken back" in page.locator("#pen").inner_text()  # what the second one does
        assert is_told == (way == "under")
        for row in (lower, upper):
            page.mouse.click(*page.evaluate(AT_ROW, first + row))
    words = page.locator("#command").input_value().partition("--edit ")[2].split()
    rows = ((0, 199, "+1"), (251, 300, "+1"), (350, 400, "-1"))  # the second took a part back
    assert words == [f"A:{first + a}-{first + b}{turns}" for a, b, turns in rows]
    edits, _ = parse_edits(words)
    assert [it.becomes for it in edits] == [1, 1, -1]
    turns = "(row) => followed[0].off.find(([from, to]) => from <= row && row <= to)?.[2] ?? 0"
    for row, there in ((50, 1), (220, 0), (280, 1), (320, 0), (360, -1)):
        assert page.evaluate(turns, first + row) == there
    page.locator("#undo").click()
    assert page.evaluate(turns, first + 360) == 0


def test_backup_stretches_become_a_curve_on_ten_times_the_scale(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    page.evaluate("isolate(0)")
    settle(page)
    page.locator("#left").fill("0")
    page.locator("#right").fill("50")
    page.locator("#unit").fill("OHMM")
    page.keyboard.press("Enter")
    first = round(page.evaluate("scroller.scrollTop / state.zoom")) + 100
    for lower, upper in ((100, 0), (300, 250)):
        page.locator("#backup").click()
        assert "ten times" in page.locator("#pen").inner_text()
        for row in (lower, upper):
            page.mouse.click(*page.evaluate(AT_ROW, first + row))
    command = page.locator("#command").input_value()
    words = command.partition("--edit ")[2].split()
    assert words == [f"A:{first}-{first + 100}=A_X10", f"A:{first + 250}-{first + 300}=A_X10"]
    assert " --scale A=0:50:OHMM A_X10=0:500:OHMM --edit " in command
    edits, _ = parse_edits(words)
    assert [it.becomes for it in edits] == ["A_X10"] * 2
    assert page.evaluate("followed.map(({ name }) => name)") == ["A", "A_X10"]
    for _ in range(2):
        page.locator("#undo").click()
    assert page.locator("#command").input_value().endswith("--scale A=0:50:OHMM")


def test_the_scale_of_a_backup_follows_that_of_its_curve(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    back_up = "(to) => correct('A', () => backUp('A', to - 100, to))"
    set_scale = """([name, scale]) => { const { left, right, unit } = scaleOf(scale);
        isolate(followed.findIndex((one) => one.name === name));
        Object.entries({ left, right, unit }).forEach(([id, it]) => { $(`#${id}`).value = it; }); takeScale(); }"""
    page.evaluate(back_up, 1000)  # before there is a scale
    for scale, tenfold in (("0.07:0.14:V", "0.7:1.4:V"), ("0:50:OHMM", "0:500:OHMM")):
        page.evaluate(set_scale, ["A", scale])
        assert page.evaluate("[fix.scales.A, fix.scales.A_X10]") == [scale, tenfold]
    page.evaluate(set_scale, ["A_X10", "0:1000:OHMM"])  # its own, which stays
    page.evaluate(set_scale, ["A", "0:20:OHMM"])
    page.evaluate(back_up, 2000)
    assert page.evaluate("[fix.scales.A, fix.scales.A_X10]") == ["0:20:OHMM", "0:1000:OHMM"]
    assert page.evaluate("fix.names.length") == 2


def test_a_backup_is_called_by_the_name_that_its_curve_is_given_later(tmp_path, browser_page):
    """Else the scale of the curve would not be followed, and its next backup be another curve."""
    page = page_of_one_curve(tmp_path, browser_page)
    page.evaluate("correct('A', () => { fix.scales.A = '0:50:OHMM'; backUp('A', 900, 1000); })")
    page.locator("#name").fill("RT")
    page.locator("#name").press("Enter")
    assert page.evaluate("followed.map(({ name }) => name)") == ["RT", "RT_X10"]
    assert page.evaluate("fix.scales") == {"RT": "0:50:OHMM", "RT_X10": "0:500:OHMM"}
    page.evaluate("correct('RT', () => backUp('RT', 1900, 2000))")
    words = page.locator("#command").input_value().partition("--edit ")[2].split()
    assert {"A:900-1000=RT_X10", "A:1900-2000=RT_X10"} < {*words}


def test_a_missed_stretch_is_drawn_point_by_point(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    place = """(point) => { const { left, top } = sheet.getBoundingClientRect();
        return [left, top].map((from, i) => Math.ceil(from + point[i] * state.zoom)); }"""

    def draw(*points):
        page.keyboard.press("r")
        for point in points:
            page.mouse.click(*page.evaluate(place, point))

    def words():
        return page.locator("#command").input_value().partition("--edit ")[2].split()

    page.evaluate('correct("A", () => { fix.names = ["GR"]; })')
    draw([200, 300], [210, 350], [220, 400])
    page.keyboard.press("Control+z")  # of the last point, not of the name
    assert words() == ["A=GR"]
    page.evaluate("$('#undo').click()")
    draw([200, 300], [210, 350], [220, 400])
    page.keyboard.press("Backspace")
    page.mouse.click(*page.evaluate(place, [230, 420]))
    page.keyboard.press("Escape")  # it asks, and Playwright says no
    assert page.locator("#edits").is_hidden() and "3 so far" in page.locator("#pen").inner_text()
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("#drop").focus()
    page.keyboard.press("Enter")
    assert page.locator("#edits").is_hidden() and page.locator("#pen").is_hidden()
    draw([200, 300], [210, 350], [230, 420])
    page.locator("#scroller").focus()
    page.keyboard.press("Enter")
    assert words() == ["DRAWN_1:300@200:350@210:420@230"] and page.locator("#pen").is_hidden()
    assert page.locator("#name").input_value() == "DRAWN_1"
    value = "(column) => valueAt(followed[alone], column, 350)"
    assert page.evaluate(value, 45.5) == "DRAWN_1 0.255 of its track"
    assert page.evaluate(value, 210) == "DRAWN_1 0.6563 of the scan’s width", "it is in no track"
    page.keyboard.press("Escape")
    draw([100, 100])
    page.keyboard.press("Escape")  # of no use yet: nothing is drawn
    assert len(words()) == 1
    page.locator("#each button", has_text="A").first.click()  # then a stroke is of this one
    settle(page)
    first = round(page.evaluate("scroller.scrollTop / state.zoom")) + 100
    page.locator("#draw").click()
    for point in ([66, first + 90], [62, first + 40]):  # upwards, and ended by the button
        page.mouse.click(*page.evaluate(place, point))
    page.locator("#draw").click()
    drawn = ["DRAWN_1:300@200:350@210:420@230", f"DRAWN_2:{first + 40}@62:{first + 90}@66"]
    assert words() == [*drawn, f"A:{first + 40}-{first + 90}=", "DRAWN_2=A"]
    lines = page.evaluate("followed.find(({ name }) => name === 'A').lines")
    assert lines == [
        [60, 0, 60, first + 39],
        [60, first + 91, 60, 5999],
        [62, first + 40, 66, first + 90],
    ]
    page.evaluate("row => isolate(alone, row)", first + 65)
    page.locator("#cut").click()
    upper = [f"A:{first + 40}-{first + 90}=", f"A:{first + 91}-5999=A_B"]
    lower = [f"DRAWN_2:{first + 40}-{first + 64}=A", f"DRAWN_2:{first + 65}-{first + 90}=A_B"]
    assert words() == [*drawn, *upper, *lower], "no stroke is cut: the ink between has its own way"
    page.keyboard.press("Delete")
    page.reload()
    settle(page)
    for _ in range(4):
        page.locator("#undo").click()
    assert page.locator("#edits").is_hidden()
    draw([10, 10], [10, 100])
    page.keyboard.press("Enter")
    page.keyboard.press("Delete")  # a stroke that is nobody's is not drawn
    assert page.locator("#edits").is_hidden()
    draw([10, 10])
    page.locator("#back").click()
    assert "so far" not in page.locator("#pen").inner_text()
    page.locator("#drop").click()
    assert page.locator("#pen").is_hidden() and page.locator("#back").is_hidden()


def test_corrections_that_a_command_did_not_have_are_told_when_the_page_is_loaded(
    tmp_path, browser_page
):
    page = page_of_one_curve(tmp_path, browser_page)
    page.locator("#each button").first.click()
    for name in ("GR", "GR2"):
        page.locator("#name").fill(name)
        page.locator("#name").press("Enter")
    page.evaluate("correct('GR2', () => { fix.tracks = [[10, 150]]; })")
    html = (tmp_path / "log.html").read_text("utf-8")
    done = html.replace(
        '"followed":[{"name":"A"', '"edits":1,"done":["A=GR"],"followed":[{"name":"GR"'
    )
    (tmp_path / "log.html").write_text(done, "utf-8")  # as wellseg curves --edit A=GR leaves it
    page.reload()
    settle(page)
    assert page.locator("#lost").inner_text().endswith("forget them. A=GR2, --tracks 10-150")
    assert page.locator("#edits").is_hidden() and page.locator("#followed").is_visible()
    done = done.replace('"A=GR"', '"A=GR2","--tracks 10-150"')
    (tmp_path / "log.html").write_text(done, "utf-8")
    for is_seen in (True, False):  # all is done: the panel is as it was left
        page.reload()
        settle(page)
        assert page.locator("#lost").inner_text() == ""
        assert page.locator("#followed").is_visible() == is_seen
        page.keyboard.press("c")


def test_tracks_are_shown_and_set_by_a_click_on_each_border(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    settle(page)
    seen = """(column) => { const x = Math.round((sheet.getBoundingClientRect().left - scroller.getBoundingClientRect().left
        + (column + 0.5) * state.zoom) * devicePixelRatio);
        const data = lineCanvas.getContext("2d").getImageData(x - 2, 0, 5, lineCanvas.height).data;
        return data.some((value, i) => i % 4 === 3 && value > 0); }"""
    assert [page.evaluate(seen, column) for column in (20, 60, 120, 200)] == [1, 1, 1, 0]

    def click(*columns):
        for column in columns:
            left = page.evaluate("sheet.getBoundingClientRect().left")
            page.mouse.click(math.ceil(left + column * page.evaluate("state.zoom")), 300)

    page.locator("#tracks").click()
    click(30, 130, 130, 30)  # a border of two tracks is clicked on twice
    assert "4 so far" in page.locator("#pen").inner_text()
    page.keyboard.press("Escape")
    page.locator("#tracks").click()
    click(200, 30, 130)
    page.keyboard.press("Enter")
    settle(page)
    assert "one is missing" in page.locator("#pen").inner_text()
    click(300)
    page.locator("#tracks").click()
    page.locator("#tracks").click()
    click(26, 200, 145, 300)
    page.keyboard.press("Enter")
    assert "lie over one another" in page.locator("#pen").inner_text()
    page.keyboard.press("Escape")
    command = page.locator("#command").input_value()
    probability = tmp_path / "log.probability.tif"  # curves are followed anew by these tracks
    assert command == f"wellseg curves '{probability}' --tracks 30.5-130.5 200.5-300.5"
    settle(page)
    assert [page.evaluate(seen, column) for column in (20, 30, 120, 200)] == [0, 1, 0, 1]
    page.locator("#each button").first.click()
    page.locator("#name").fill("GR")
    page.locator("#name").press("Enter")
    command = page.locator("#command").input_value()
    assert command.endswith(f".curves.csv' {AFTER} --tracks 30.5-130.5 200.5-300.5 --edit A=GR")
    page.locator("#undo").click()
    page.locator("#undo").click()
    assert page.locator("#edits").is_hidden()


def test_a_printed_scale_is_given_and_values_are_seen_in_its_unit(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    page.locator("#each button").first.click()
    command, left, right = (page.locator(name) for name in ("#command", "#left", "#right"))

    def fill(**fields):
        for name, value in fields.items():
            page.locator(f"#{name}").fill(value)
            page.locator(f"#{name}").press("Enter")

    def value():
        at = "(column) => sheet.getBoundingClientRect().left + column * state.zoom"
        page.mouse.move(page.evaluate(at, 70), 400)
        return page.locator("#point").inner_text()

    assert "A 0.5" in value() and "of its track" in value()
    fill(left="0", unit="GAPI")
    assert page.locator("#edits").is_hidden(), "the right one is still to come"
    fill(right="0")
    page.wait_for_function(
        "() => document.querySelector('#fault').textContent.includes('same value')"
    )
    assert page.locator("#edits").is_hidden()
    fill(right="150")
    table = tmp_path / "log.curves.csv"
    assert command.input_value() == f"wellseg curves '{table}' {AFTER} --scale A=0:150:GAPI"
    assert "GAPI" in value() and float(value().split(" A ")[1].split()[0]) == pytest.approx(
        75, 0.02
    )
    assert "0 to 150 GAPI" in page.locator("#each").inner_text()
    fill(left="0,200", right="2,000,000")  # a decimal comma, which no thousands have
    page.wait_for_function("() => document.querySelector('#fault').textContent.includes('0.2')")
    assert " --scale A=0:150:GAPI" in command.input_value()
    fill(left="-2,000")
    assert " --scale A=-2000:2000000:GAPI" in command.input_value()
    fill(left="0.2", right="2000", unit="OHMM")
    page.wait_for_function("() => document.querySelector('#fault').textContent.includes('decades')")
    page.locator("#log").check()
    page.wait_for_function("() => document.querySelector('#fault').textContent === ''")
    assert float(value().split(" A ")[1].split()[0]) == pytest.approx(20, 0.2)
    page.locator("#name").fill("ILD")
    page.locator("#name").press("Enter")
    assert command.input_value().endswith("--scale ILD=0.2:2000:OHMM:log --edit A=ILD")
    page.reload()
    settle(page)
    assert command.input_value().endswith("--scale ILD=0.2:2000:OHMM:log --edit A=ILD")
    page.evaluate("isolate(0)")
    assert (left.input_value(), right.input_value()) == ("0.2", "2000")
    fill(unit="", left="")
    assert "--scale ILD=0.2" in command.input_value(), "half of a scale is none"
    fill(right="")
    assert command.input_value().endswith(f"{AFTER} --edit A=ILD")


def test_depth_is_given_by_clicks_where_it_is_printed(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    command, depth = page.locator("#command"), page.locator("#depth")

    def click(at, *said):
        answers, asked = list(said), []

        def answer(dialog):
            asked.append(dialog.message)
            dialog.accept(answers.pop(0)) if answers else dialog.dismiss()

        page.on("dialog", answer)
        box = page.evaluate("(({ left, top }) => [left, top])(sheet.getBoundingClientRect())")
        zoom = page.evaluate("state.zoom")
        page.mouse.click(box[0] + 200 * zoom, math.ceil(box[1] + at * zoom))
        page.remove_listener("dialog", answer)
        return asked

    depth.click()
    click(100, "1,000 m")
    depth.click()
    assert "Two depths are needed" in page.locator("#pen").inner_text()
    for wrong in ("deep", "1325,5", "9 km"):
        assert "That is no depth" in click(300, wrong)[1]
    click(300, "990")
    depth.click()
    assert "Two depths are needed in each log" in page.locator("#pen").inner_text()
    settle(page)
    drawn = """() => { const of = [...lineCanvas.getContext("2d").getImageData(0, 0, lineCanvas.width, lineCanvas.height).data];
        return [[28, 32, 36], [255, 254, 251]].map((ink) => of.some((_, i) => i % 4 === 0 && ink.every((it, k) => of[i + k] === it))); }"""
    assert page.evaluate(drawn) == [True, True], "digits, and a ground on print and colours"
    page.keyboard.press("Backspace")
    assert "The other depths are in m" in click(300, "1010.5 ft", "1010.5")[1]
    page.keyboard.press("Enter")
    given = command.input_value()
    rows = [int(word.split("=")[0]) for word in given.split(" --depth ")[1].split()[:2]]
    assert rows == [pytest.approx(100, abs=2), pytest.approx(300, abs=2)]
    assert given.endswith(f" {AFTER} --depth {rows[0]}=1000 {rows[1]}=1010.5 --depth_unit m")
    assert page.evaluate("row => depth(row)", rows[0]) == "1000.0 m"
    assert page.evaluate("depth(1000)") == ""
    page.reload()
    settle(page)
    assert command.input_value() == given
    depth.click()  # another one is added to them
    assert "2 so far" in page.locator("#pen").inner_text()
    page.keyboard.press("Enter")
    assert page.evaluate("before.length") == 1, "nothing has changed"
    change_data(tmp_path, depth=[{"points": [[5, 1], [9, 2]], "reach": [5, 9]}], depth_unit="ft")
    page.reload()
    settle(page)
    depth.click()
    for _ in range(2):
        page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    assert command.input_value().endswith(f" {AFTER} --depth none")
    assert page.evaluate("depth(7)") == ""
    page.locator("#undo").click()
    assert page.locator("#edits").is_hidden() and page.evaluate("depth(7)") == "1.5 ft"
    change_data(tmp_path, depth=[{"points": [[5, 1], [9, 2]], "reach": [5, 9]}], depth_unit="ft")
    page.reload()
    settle(page)
    assert page.locator("#edits").is_hidden(), "others were given since, by a command"


def test_a_depth_is_given_anew_at_its_line_and_one_that_bends_much_is_asked_about(
    tmp_path, browser_page
):
    page = page_of_one_curve(tmp_path, browser_page)
    answers, asked = [], []

    def answer(dialog):
        asked.append(dialog.message)
        dialog.accept(answers.pop(0)) if dialog.type == "prompt" else dialog.dismiss()

    page.on("dialog", answer)

    def click(at, *said):
        answers[:] = said
        box = page.evaluate("(({ left, top }) => [left, top])(sheet.getBoundingClientRect())")
        page.mouse.click(box[0] + 9, math.ceil(box[1] + at * page.evaluate("state.zoom")))
        return [depth for _, _, depth in page.evaluate("pen.points")]

    page.locator("#depth").click()
    for at, depth in ((100, "1000"), (200, "1010"), (300, "1090")):
        click(at, depth)
    page.keyboard.press("Enter")
    assert "on a row is 8.00 times as deep as above it" in asked[-1]
    assert click(203, "1050") == [1000, 1090, 1050], "the line at row 200 was meant"
    assert "Depth printed at row 200" in asked[-1]
    assert click(302, "") == [1000, 1050], "it is taken back"
    assert click(300, "1100") == [1000, 1050, 1100]
    page.keyboard.press("Enter")
    assert "100=1000 200=1050 300=1100" in page.locator("#command").input_value()


def test_where_depth_falls_back_another_log_begins(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    command, depth = page.locator("#command"), page.locator("#depth")
    known = [[[50, 300], [150, 350]], [[160, 360], [200, 370]]]  # of two logs, one below the other
    logs = [{"points": log, "reach": [0, 0]} for log in known]
    change_data(tmp_path, depth=logs, depth_unit="m")
    page.reload()
    settle(page)
    depth.click()
    page.keyboard.press("Enter")
    assert page.locator("#edits").is_hidden(), "nothing has changed"
    depth.click()
    asked = []
    page.on("dialog", lambda it: (asked.append(it.message), it.accept()))
    page.evaluate("pen.points.push([9, 260, 320], [9, 300, 340], [9, 290, 335])")
    page.keyboard.press("Enter")
    assert "rows 260 to 300: 320 to 340 m" in asked[0] and "3 logs" in asked[0]
    words = "50-150=300-350 160-200=360-370 260-290=320-335 290-300=335-340"
    assert command.input_value().endswith(f" --depth {words} --depth_unit m")
    there = [(log.points, list(log.reach)) for log in parse_depth(words.split())]
    seen = page.evaluate("depths().logs.map(({ points, reach }) => [points, reach])")
    assert [[list(map(list, points)), reach] for points, reach in there] == seen
    said = page.evaluate("[158, 210, 275, 295].map(depth)")
    assert said == ["359.5 m", "", "327.5 m", "337.5 m"]


def change_data(folder, **data):
    """In log.html, as wellseg curves does."""
    page = folder / "log.html"
    before, mark, rest = page.read_text("utf-8").partition("const DATA = ")
    old, end = json.JSONDecoder().raw_decode(rest)
    page.write_text(before + mark + json.dumps(old | data) + rest[end:], "utf-8")


def test_depths_that_a_command_took_away_are_not_told_as_missing(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    log = {"points": [[0, 10], [900, 20]], "reach": [0, 990]}
    change_data(tmp_path, depth=[log], depth_unit="ft")
    page.reload()
    settle(page)
    page.evaluate("correct('', () => { fix.depth = { logs: [], unit: 'ft' }; })")
    assert page.locator("#command").input_value().endswith("--depth none")
    change_data(tmp_path, depth=None, edits=1)  # and a name was given in that command
    page.reload()
    settle(page)
    assert page.locator("#lost").inner_text() == "" and page.locator("#edits").is_hidden()


def test_scales_that_a_command_gave_or_took_since_are_those_of_the_page(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    command = page.locator("#command")
    (curve,) = page.evaluate("DATA.followed")
    page.evaluate("correct('A', () => { fix.scales.A = '0:150:GAPI'; })")
    assert command.input_value().endswith("--scale A=0:150:GAPI")
    for scale, words in (([0, 150, "GAPI", False], ""), ([0, 1, "FRAC", False], "")):
        change_data(tmp_path, followed=[curve | {"scale": scale}])
        page.reload()
        settle(page)
        assert command.input_value() == words
    page.evaluate("correct('A', () => { fix.scales.A = '0:200:GAPI'; })")
    change_data(tmp_path, followed=[curve | {"name": "GR"}], edits=1, done=["A=GR"])
    page.reload()  # a command was run that had been copied before
    settle(page)
    assert page.locator("#lost").inner_text().endswith("forget them. A=0:200:GAPI")
    page.evaluate("correct('GR', () => { fix.scales.GR = '0:9:V'; })")
    page.reload()  # still
    settle(page)
    assert page.locator("#lost").inner_text().endswith("forget them. A=0:200:GAPI")
    page.locator("#lost").click()
    page.reload()
    settle(page)
    assert page.locator("#lost").inner_text() == "" and command.input_value().endswith("GR=0:9:V")
    page.locator("#undo").click()
    assert page.locator("#edits").is_hidden()


def test_the_value_is_by_the_borders_of_the_track_that_a_part_lies_in(tmp_path, browser_page):
    gray, probability = wave(6000, 320)
    curves = [
        {"name": name, "rows": [0, 5999], "about": "3 px", "uncertain": [], "track": 1,
         "lines": [[column, 0, column, 5999]],
         "borders": [[column - 50, 0, column - 50, 5999], [column + 50, 0, column + 50, 5999]]}
        for name, column in (("A", 70), ("B", 250))
    ]  # fmt: skip
    with view_of(tmp_path / "log.html", *gray.shape) as view:
        view.curves = [*curves, {**curves[0], "name": "C", "track": 0}]
        view.put(gray, probability)
    page = browser_page(tmp_path / "log.html")
    settle(page)
    page.evaluate("isolate(0, 500)")
    page.locator("#swap").click()
    at = "([x, row]) => valueAt(followed[alone], x, row)"
    assert page.evaluate(at, [60, 400]) == "A 0.4 of its track"
    assert page.evaluate(at, [260, 700]) == "A 0.6 of its track", "it is B's stroke there"
    page.evaluate("correct('A', () => { fix.tracks = [[0, 100], [120, 320]]; })")
    assert page.evaluate(at, [260, 700]) == "A 0.7 of its track"
    assert page.evaluate(at, [60, 400]) == "A -0.3 of its track", "most of it is in the second"
    page.evaluate("correct('A', () => { fix.tracks = [[0, 100]]; })")
    assert page.evaluate(at, [80, 400]) == "A 0.25 of the scan’s width", "it is in none of these"


def test_a_value_is_told_where_no_track_was_found(tmp_path, browser_page):
    """As in the CSV, a share of the scan's width; by the tracks that are then set."""
    gray, probability = wave(6000, 320)
    curve = {"rows": [0, 5999], "about": "3 px", "uncertain": [], "lines": [[70, 0, 70, 5999]]}
    borders = [[0, 0, 0, 5999], [320, 0, 320, 5999]]
    with view_of(tmp_path / "log.html", *gray.shape) as view:
        view.curves = [{**curve, "name": "A", "track": 0, "borders": borders}]
        view.put(gray, probability)
    page = browser_page(tmp_path / "log.html")
    settle(page)
    page.evaluate("isolate(0, 500)")
    at = "([x, row]) => valueAt(followed[alone], x, row)"
    assert page.evaluate(at, [80, 400]) == "A 0.25 of the scan’s width"
    page.evaluate("refresh('A')")
    assert page.evaluate(at, [80, 400]) == "A 0.25 of the scan’s width"
    assert page.locator("#over").is_disabled(), "wellseg curves would refuse it"
    draw = "fix.strokes.push({ name: 'D', rows: [0, 99], lines: [[70, 0, 70, 99]], about: '' })"
    page.evaluate(f"correct('A', () => {{ {draw}; fix.names.push('D'); "
                  "fix.parts.push([{ from: 0, to: 99, as: 1 }]); })")  # fmt: skip
    page.evaluate("isolate(1)")
    assert page.evaluate(at, [80, 50]) == "D 0.25 of the scan’s width"
    assert page.locator("#over").is_disabled()
    page.evaluate("correct('D', () => { fix.tracks = [[0, 160]]; })")
    assert page.evaluate(at, [80, 50]) == "D 0.5 of its track"
    page.evaluate("isolate(0)")
    assert page.evaluate(at, [80, 400]) == "A 0.5 of its track"
    page.evaluate("correct('A', () => { fix.scales.A = '0:100:MV'; })")
    assert page.evaluate(at, [80, 400]) == "A 50 MV"


def test_of_a_sheet_that_leans_it_is_said_how_far_depths_are_off(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    page.locator("#depth").click()
    assert "leans" not in page.locator("#pen").inner_text()
    (curve,) = page.evaluate("DATA.followed")
    change_data(tmp_path, followed=[curve | {"borders": [[20, 0, 320, 3000, 320, 5999]]}])
    page.reload()
    settle(page)
    page.locator("#depth").click()  # a tenth of 320 columns
    assert "printed up to 32 rows lower or higher" in page.locator("#pen").inner_text()


def test_depth_is_shown_where_it_is_known(tmp_path, browser_page):
    depth = [
        {"points": [[1000, 500], [2000, 600], [3000, 800]], "reach": [800, 3200]},
        {"points": [[4000, 550], [4500, 575]], "reach": [3900, 4600]},
    ]
    about = {"depth": depth, "depth_unit": "m"}
    page = browser_page(write_view(tmp_path, *wave(6000, 320), about=about))
    settle(page)
    said = page.evaluate("[700, 900, 1500, 2500, 3100, 3300, 4020].map(depth)")
    assert said == ["", "490.0 m", "550.0 m", "700.0 m", "820.0 m", "", "551.0 m"]
    page.evaluate("zoomBy(1 / state.zoom); goTo(1500)")
    settle(page)
    assert " m" in page.locator("#rows").inner_text()
    page.evaluate("goTo(907)")
    settle(page)
    said = page.locator("#rows").inner_text()
    assert "· to 531" in said, said
    page.evaluate("goTo(5500)")
    settle(page)
    assert " m" not in page.locator("#rows").inner_text()


def test_the_name_of_a_curve_far_down_the_list_is_in_sight_beside_it(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    page.set_viewport_size({"width": 1300, "height": 800})
    (curve,) = page.evaluate("DATA.followed")
    change_data(tmp_path, followed=[curve | {"name": f"C{number}"} for number in range(90)])
    page.reload()
    settle(page)
    page.evaluate("showWhole(true)")  # what a browser keeps of it, it may keep late
    page.locator("#each button").nth(80).click()
    settle(page)
    assert page.locator("#name").input_value() == "C80"
    for place in ("#name", "#each button >> nth=80"):
        box = page.locator(place).bounding_box()
        assert 0 <= box["y"] and box["y"] + box["height"] <= 800, place


def test_what_may_be_wrong_with_a_curve_is_seen_beside_it(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    (curve,) = page.evaluate("DATA.followed")
    wide = curve | {"beyond": 0.4, "off": [[300, 400, -1]], "scale": [0, 150, "GAPI", False, []]}
    wide |= {"scale_changes": [[[500, 600], [0, 300, "GAPI", False, []]]]}
    change_data(tmp_path, followed=[wide, curve | {"name": "B", "track": 0}, curve | {"name": "C"}])
    page.goto((tmp_path / "log.html").as_uri())  # not reload: then its curves may not be seen yet
    settle(page)
    page.evaluate("lineCanvas.hidden && showWhole(true)")
    page.evaluate("isolate(0)")
    assert "40 % of its rows lie beyond its track" in page.locator("#fault").inner_text()
    value = "row => valueAt(followed[0], 70, row)"
    assert page.evaluate(value, 250) == "A 75 GAPI"
    assert page.evaluate(value, 350) == "A -75 GAPI off its scale"
    assert page.evaluate(value, 550) == "A 150 GAPI", "another scale is printed there"
    page.evaluate("isolate(1)")
    assert "It lies in no track" in page.locator("#fault").inner_text()
    for field, typed in (("left", "0"), ("right", "100"), ("columns", "90-20")):
        page.locator(f"#{field}").fill(typed)
        page.locator(f"#{field}").press("Enter")
    page.wait_for_function("() => document.querySelector('#fault').textContent.startsWith('Col')")
    page.locator("#columns").fill("020-120.0")
    page.locator("#columns").press("Enter")
    assert " A=0:150:GAPI B=0:100@20-120" in page.locator("#command").input_value()
    assert page.evaluate("valueAt(followed[1], 70, 250)") == "B 50"
    page.evaluate("fix.scales.A = '0:100@20-70'")
    assert page.evaluate(value, 350) == "A -100 off its scale", "a track aside, as in the LAS"
    page.evaluate("fix.tracks = [[20, 120]]")
    assert page.evaluate("doubtful(followed[1], { left: '0', right: '1', columns: '' })") == ""
    page.evaluate("fix.tracks = null")
    page.evaluate("isolate(2)")
    page.locator("#left").fill("0,5")
    page.locator("#each button").first.click()
    page.wait_for_function(
        "() => document.querySelector('#fault').textContent.startsWith('C, whose')"
    )
    page.evaluate("isolate(2)")
    for field, typed in (("left", ".50"), ("right", "1,000.")):
        page.locator(f"#{field}").fill(typed)
        page.locator(f"#{field}").press("Enter")
    assert "C=0.5:1000" in page.locator("#command").input_value(), "as the files have it"


def test_corrections_of_curves_that_were_followed_anew_are_told_and_depths_stay(
    tmp_path, browser_page
):
    page = page_of_one_curve(tmp_path, browser_page)
    page.evaluate("""() => {
        correct("A", () => { fix.names = ["GR"]; });
        correct("A", () => { fix.depth = { logs: [[[10, 1], [20, 2]]], unit: "m" }; });
        correct("A", () => { fix.scales.GR = "0:9"; }); }""")
    page.evaluate("isolate(0)")
    page.locator("#log").focus()  # no text of its own to take back
    page.keyboard.press("Control+z")
    assert "--scale" not in page.locator("#command").input_value()
    (curve,) = page.evaluate("DATA.followed")
    change_data(tmp_path, followed=[curve | {"rows": [0, 5000]}])
    page.reload()
    settle(page)
    lost, command = (page.locator(it) for it in ("#lost", "#command"))
    assert "were not made" in lost.inner_text() and lost.inner_text().endswith(" A=GR")
    assert command.input_value().endswith("--depth 10=1 20=2 --depth_unit m")


def test_a_stroke_goes_one_way_and_backspace_removes_no_curve(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    page.evaluate("isolate(0)")
    page.keyboard.press("Backspace")
    assert page.evaluate("followed.length") == 1
    page.keyboard.press("r")
    place = """(point) => { const { left, top } = sheet.getBoundingClientRect();
        return [left, top].map((from, i) => Math.ceil(from + point[i] * state.zoom)); }"""
    for point in ((200, 300), (210, 350), (220, 320)):
        page.mouse.click(*page.evaluate(place, point))
    assert [point[1] for point in page.evaluate("pen.points")] == [300, 350]


def test_another_scale_in_some_rows_stays_with_its_curve(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    (curve,) = page.evaluate("DATA.followed")
    curve |= {"scale": [0, 150, "GAPI", False, []]}
    curve |= {"scale_changes": [[[500, 600], [0, 300, "GAPI", False, []]]]}
    change_data(tmp_path, followed=[curve, curve | {"name": "B", "scale": [0, 1, "V", False, []]}])
    page.reload()
    settle(page)

    def given():
        words = page.locator("#command").input_value().partition(" --edit")[0]
        return set(words.partition("--scale ")[2].split())

    was = {"A=0:150:GAPI", "A:500-600=0:300:GAPI", "B=0:1:V", "B:500-600=0:300:GAPI"}
    page.evaluate("isolate(0); cut(550, 'A')")
    assert given() == was | {"A_B=0:150:GAPI", "A_B:500-600=0:300:GAPI"}
    assert (
        page.evaluate("valueAt(followed.find(({ name }) => name === 'A'), 70, 520)") == "A 150 GAPI"
    )
    assert page.evaluate("valueAt(followed.find(({ name }) => name === 'A_B'), 70, 580)") == (
        "A_B 150 GAPI"
    )
    page.evaluate("correct('A', () => setScale('A', '0:100:API'))")
    assert {"A=0:100:API", "A:500-600=0:300:API"} < given()
    page.evaluate("backUp('A', 100, 200)")
    page.evaluate("refresh('A')")
    assert {"A_X10=0:1000:API", "A_X10:500-600=0:3000:API"} < given()
    page.evaluate("rename('C', 'A')")
    assert {"C=0:100:API", "C:500-600=0:300:API", "A=", "A:500-600="} < given()
    page.evaluate("window.confirm = () => true; rename('B', 'C')")
    assert {"B=0:1:V", "B:500-600=0:300:GAPI"} < given() and not page.evaluate("keysOf('C').length")
    page.evaluate("correct('B', () => setScale('B', undefined))")
    assert {"B=", "B:500-600="} < given()


def test_a_scale_that_is_taken_away_is_told_beside_one_that_stays(tmp_path, browser_page):
    page = page_of_one_curve(tmp_path, browser_page)
    (curve,) = page.evaluate("DATA.followed")
    scaled = curve | {"scale": [0, 150, "GAPI", False]}
    change_data(tmp_path, followed=[scaled, scaled | {"name": "B"}])
    page.reload()
    settle(page)
    page.evaluate("correct('A', () => { fix.scales.A = undefined; })")
    assert page.locator("#command").input_value().endswith("--scale B=0:150:GAPI A=")


def test_without_javascript_the_page_says_what_it_needs(tmp_path, chromium):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(write_view(tmp_path, *wave(300)).as_uri())
    said = page.locator("noscript b")
    assert said.is_visible() and "needs JavaScript" in said.inner_text()
    context.close()
