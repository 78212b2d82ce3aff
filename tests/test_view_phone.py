"""The view of a scan on a phone: by fingers alone, on a small screen."""

import pytest
from test_view import settle, view_of, wave

pytestmark = pytest.mark.slow  # as all that drive a browser but test_view.py

ALL = "[...document.querySelectorAll('button, input, select')].filter((it) => it.offsetWidth)"


def phone(folder, browser_page, width=360, height=740):
    """Two curves, which may have changed places at row 700, and a phone that shows them."""
    gray, probability = wave(6000, 320)
    curves = [
        {"name": name, "colour": None, "rows": [100, 5900], "confidence": 0.9, "about": "3 px",
         "uncertain": [700] if name == "A" else [], "lines": [[column, 100, column, 5900]],
         "borders": [[20, 0, 20, 5999], [300, 0, 300, 5999]], "track": 1}
        for name, column in (("A", 140), ("B", 170))
    ]  # fmt: skip
    with view_of(folder / "log.html", *gray.shape) as view:
        view.curves = curves
        view.put(gray, probability)
    page = browser_page(folder / "log.html", width, height, phone=True)
    settle(page)
    return page


def place(page, column, row):
    return page.evaluate(
        """(point) => { const { left, top } = sheet.getBoundingClientRect();
        return [left, top].map((from, i) => from + (point[i] + 0.5) * state.zoom); }""",
        [column, row],
    )


def tap(page, column, row, roll=0):
    """roll: so many pixels the finger moves while it is down."""
    x, y = place(page, column, row)
    fingers = page.context.new_cdp_session(page)
    for kind, points in (
        ("touchStart", [{"x": x - roll, "y": y}]),
        ("touchMove", [{"x": x, "y": y}]),
        ("touchEnd", []),
    ):
        if roll or kind != "touchMove":
            fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


@pytest.mark.parametrize(("width", "height"), [(360, 740), (390, 844), (768, 1024)])
def test_the_paper_has_room_and_all_is_large_enough_for_a_finger(
    tmp_path, browser_page, width, height
):
    page = phone(tmp_path, browser_page, width, height)
    page.locator("#each button").first.tap()
    for about in ("the curves", "the controls"):
        if about == "the controls" and width < 600:
            page.locator("#more").tap()
            assert page.locator("#threshold").is_visible() and page.locator("#help").is_visible()
        small = f"""{ALL}.filter((it) => it.type !== "checkbox" && (it.offsetHeight < 32 || it.offsetWidth < 32)
            || it.matches("button") && it.offsetHeight < 40).map((it) => it.id)"""
        assert page.evaluate(small) == [], about
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert (
            page.evaluate(f"{ALL}.filter((it) => it.getBoundingClientRect().right > {width})") == []
        ), about
        fine = """[...document.querySelectorAll("body *")].filter((it) => it.offsetWidth && [...it.childNodes]
            .some((one) => one.nodeType === 3 && one.data.trim()) && parseFloat(getComputedStyle(it).fontSize) < 12)
            .map((it) => it.outerHTML)"""
        assert page.evaluate(fine) == [], about
        if about == "the curves" and width < 600:
            assert page.evaluate("scroller.clientWidth") > 0.8 * width
            assert page.evaluate("$('header').offsetHeight") < 0.22 * height
            assert page.evaluate("scroller.clientHeight") > 0.35 * height
            assert page.evaluate("$('#followed').scrollTop") == 0  # its name and scale are in sight
    assert page.evaluate("$('footer').getBoundingClientRect().bottom") <= height


def test_a_page_that_opens_with_curves_leaves_room_for_the_paper(tmp_path, browser_page):
    page = phone(tmp_path, browser_page)
    assert page.locator("#each").is_visible() and page.locator("#lines").is_visible()
    assert page.evaluate("scroller.clientHeight") > 0.35 * 740
    page.locator("#whole").tap()
    assert page.locator("#followed").is_hidden()
    assert page.evaluate("scroller.clientHeight") > 0.7 * 740


def test_a_stroke_is_drawn_taken_back_and_undone_by_taps(tmp_path, browser_page):
    page = phone(tmp_path, browser_page)
    page.locator("#draw").tap()
    assert (
        page.locator("#each").is_hidden() and page.locator("#done").is_visible()
    )  # room for the paper
    for column, row in ((200, 150), (210, 250), (220, 350), (260, 400)):
        tap(page, column, row)
    page.locator("#back").tap()
    assert "3 so far" in page.locator("#pen").inner_text()
    page.locator("#done").tap()
    assert "DRAWN_1:150@200:250@210:350@220" in page.locator("#command").input_value()
    page.locator("#undo").tap()
    assert page.locator("#edits").is_hidden()


def test_a_tap_beside_a_thin_curve_and_of_a_finger_that_rolls_shows_it_alone(
    tmp_path, browser_page
):
    page = phone(tmp_path, browser_page)
    beside = 140 - 17 / page.evaluate("state.zoom")
    tap(page, beside, 300)
    page.wait_for_function("followed[alone]?.name === 'A'")
    page.locator("#all").tap()
    page.wait_for_function("alone === -1")
    tap(page, 170, 300, roll=9)
    page.wait_for_function("followed[alone]?.name === 'B'")
    tap(page, 290, 300)
    page.wait_for_function("alone === -1")


def test_a_tap_tells_what_is_there_and_hides_no_word(tmp_path, browser_page):
    page = phone(tmp_path, browser_page)
    page.locator("#each button").first.tap()
    tap(page, 160, 300)
    said = page.locator("#point")
    assert "row 300, column 160" in said.inner_text() and "A 0.5 of its track" in said.inner_text()
    page.evaluate("scroller.scrollTop += 50")
    page.wait_for_function("!$('#point').textContent")
    page.locator("#draw").tap()
    for row in (350, 450, 400):  # down and up again, which a stroke does not
        tap(page, 160, row)
    page.get_by_text("a stroke goes down, or up").wait_for()  # visible


def test_a_place_to_check_is_answered_taken_back_and_left_by_taps(tmp_path, browser_page):
    page = phone(tmp_path, browser_page)
    page.locator("#next").tap()
    ask, row = page.locator("#ask"), "700 * state.zoom - scroller.scrollTop"
    ask.wait_for()
    top = ask.bounding_box()["y"] - page.locator("#scroller").bounding_box()["y"]
    assert 0 < page.evaluate(row) < top - 30  # not under the question
    assert not ask.locator("kbd:visible").count() and page.locator("#regret").is_hidden()
    page.locator("#exchange").tap()
    page.get_by_text("Undo takes it back").wait_for()
    page.locator("#regret").tap()
    assert page.evaluate("$('#edits').hidden && isOpen(700)")
    page.locator("#away").tap()
    assert ask.is_hidden() and page.locator("#each").is_visible()
