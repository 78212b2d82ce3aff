"""The study's page on a phone: its first figure is near, and a finger reads what a pointer's titles tell."""

import pytest
from test_study_page import PAGE, block_of

pytestmark = pytest.mark.slow  # of the study alone, and what takes longest of its tests

SIZES = [(360, 740), (390, 844), (768, 1024)]


@pytest.fixture(scope="module")
def data():
    return block_of(PAGE)


@pytest.fixture
def phone(browser_page):
    """The page in the repository, when its network has done all that it was asked."""

    def opened(width=360, height=740):
        page = browser_page(PAGE, width, height, phone=True)
        page.set_default_timeout(60_000)
        page.wait_for_function(  # else figures are drawn anew under the finger
            "window.study && !window.study.engine.busy && document.querySelector('#hero .says').textContent.includes('page')"
        )
        return page

    return opened


def touch(page, of, x=0.5, y=0.5):
    """A tap on a figure, at shares of its width and height."""
    svg = page.locator(of).first
    svg.evaluate("(it) => it.scrollIntoView({ block: 'center', behavior: 'instant' })")
    box = svg.bounding_box()
    page.touchscreen.tap(box["x"] + x * box["width"], box["y"] + y * box["height"])
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_first_figure_is_near_and_all_is_large_enough_for_a_finger(phone, width, height):
    page = phone(width, height)
    bottom = page.evaluate("document.querySelector('#hero .paper').getBoundingClientRect().bottom")
    assert bottom < 1.5 * height
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    low = """[...document.querySelectorAll("input[type=range], fieldset label span, .check, summary, nav a")]
      .filter((it) => it.offsetWidth && it.offsetHeight < 40).map((it) => it.outerHTML)"""
    assert page.evaluate(low) == []
    fine = """[...document.querySelectorAll("svg text, p, td, th, small, label, legend, span")]
      .filter((it) => it.getClientRects().length && parseFloat(getComputedStyle(it).fontSize) < 12).map((it) => it.textContent)"""
    assert page.evaluate(fine) == []


@pytest.mark.parametrize("width", [320, 360])
def test_no_label_of_a_figure_lies_over_another_or_beside_the_screen(phone, width):
    over = """[...document.querySelectorAll("svg")].flatMap((svg) => {
      const all = [...svg.querySelectorAll("text")].map((it) => [it.textContent, it.getBoundingClientRect()]);
      const shared = (a, b) => [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
      return all.flatMap(([words, box], i) => [
        ...(box.left < 2 || box.right > innerWidth - 2 ? [words] : []),
        ...all.slice(i + 1).filter(([, other]) => { const [w, h] = shared(box, other); return w > 1 && h > 3; }).map(([other]) => [words, other])]);
    })"""
    assert phone(width).evaluate(over) == []


def test_a_touched_row_column_or_point_tells_its_numbers_and_intervals(phone, data):
    page = phone()
    plus = "(x) => signed(x)"
    for letter, line in enumerate(data["family"]):
        y = (
            page.locator("#family .dot")
            .nth(letter)
            .evaluate("""(it) =>
          it.getAttribute("cy") / it.ownerSVGElement.viewBox.baseVal.height""")
        )
        # Wherever in the row: a finger has 24 px.
        touch(page, "#family svg", (0.1, 0.9)[letter % 2], y + 0.012)
        said = page.locator("#family .told")
        numbers = [page.evaluate(plus, line[name]) for name in ("mean", "low", "high")]
        assert (
            f"{line['a']} − {line['b']}: {numbers[0]} [{numbers[1]} to {numbers[2]}]"
            == said.inner_text()
        )
        box = said.bounding_box()
        assert (
            box["y"] >= 0 and box["y"] + box["height"] <= 740
        )  # in sight, though the figure is tall
    assert (
        page.locator("#family svg").text_content().count(" to ") >= 6
    )  # printed, where there is room
    of = data["lengths"]["lines"]["like"]
    touch(page, "#longer-plots svg", 0.52, 0.8)
    said = page.locator("#longer-plots .told").first.inner_text()
    for point in (of[way][1] for way in ("group", "running", "own")):
        low, mean, high = (f"{point[name]:.2f}" for name in ("low", "mean", "high"))
        assert f"{mean} [{low} to {high}]" in said
    assert "6,400" in said
    own = next(p for p in data["tradeoff"] if p["way"].endswith(" own") and p["best"])
    at = page.locator("#tradeoff .dot.own:not(.faint)").last.evaluate("""(it) => {
      const { width, height } = it.ownerSVGElement.viewBox.baseVal;
      return [it.getAttribute("cx") / width, it.getAttribute("cy") / height]; }""")
    touch(page, "#tradeoff svg", at[0] + 0.04, at[1] - 0.02)  # beside it
    said = page.locator("#tradeoff .readout").inner_text()
    for kind in ("renders", "blank"):
        low, high = (f"{round(100 * own[kind][name])} %" for name in ("low", "high"))
        assert f"{low} to {high}" in said
    for name in ("depth-rows", "new-rows", "map-lines", "contrast", "error"):
        touch(page, f"#{name} svg", 0.4, 0.5)
        assert page.locator(f"#{name} .touched").is_visible()
        assert any(letter.isdigit() for letter in page.locator(f"#{name} .told").inner_text())
    touch(page, "#depth-rows svg", 0.4, 0.5)  # again: away
    assert page.locator("#depth-rows .told").inner_text().startswith("Touch a column")


def test_a_mouse_and_paper_see_none_of_that(browser_page):
    page = browser_page(PAGE)
    page.locator("#family svg").click(position={"x": 700, "y": 20})
    assert page.locator("#family .told").count() == 1  # for fingers alone
    assert page.locator(".told:visible, .touch:visible, .touched:visible").count() == 0
    assert (
        page.evaluate("document.querySelector('.lead').nextElementSibling.className") == "finding"
    )
