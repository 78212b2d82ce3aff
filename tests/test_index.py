"""The page of all scans, in a real browser; summary.csv as a spreadsheet reads it."""

import csv

import pytest

from wellseg.many.summary import as_csv, index_page
from wellseg.many.tasks import Outcome
from wellseg.results.view import fill, link
from wellseg.scan.files import Task

NAMES = (
    "rows",
    "columns",
    "seconds",
    "curve_share",
    "doubt_share",
    "curves",
    "tracks",
    "dpi",
    "colour",
    "pages",
)


def done(*values):
    return Outcome("done", known=dict(zip(NAMES, values, strict=True)))


OUTCOMES = {
    "a.tif": done(5000, 800, 4.5, 0.021, 0.31, 7, 2, 200.0, "1-bit", 1),
    "deep/b #2 100%.tif": done(90_000, 2000, 100.0, 0.05, 0.12, None, 3, None, "gray", 2),
    "<b>c.tif": Outcome("failed", "the file is <empty>"),
    "doc.pdf": Outcome("not read", "convert it"),
    "later.tif": Outcome("waiting"),
}


def of_tasks(folder, outcomes):
    stem = lambda name: str(folder / name.removesuffix(".tif"))  # noqa: E731
    return {Task(name, name, stem(name)): outcome for name, outcome in outcomes.items()}


def write(folder, outcomes, look_at=".html", running=False):
    folder.mkdir(exist_ok=True)
    (folder / "index.html").write_bytes(
        index_page(str(folder), of_tasks(folder, outcomes), look_at, running)
    )
    return folder / "index.html"


@pytest.fixture
def index(tmp_path):
    out = tmp_path / "out & more"
    (out / "deep" / "b #2 100%.view").mkdir(parents=True)
    (out / "deep" / "b #2 100%.html").write_text("<title>the view</title>")
    (out / "deep" / "b #2 100%.view" / "thumb.jpg").write_bytes(b"")
    (out / "a.view").mkdir()
    (out / "a.view" / "thumb.jpg").write_bytes(b"")
    return write(out, OUTCOMES)


def test_a_page_of_the_users_own_is_no_view(tmp_path):
    (tmp_path / "own.html").write_text("mine")
    page = index_page(
        str(tmp_path), of_tasks(tmp_path, {"own.tif": OUTCOMES["a.tif"]}), ".overlay.png"
    )
    assert b"own.overlay.png" in page and b"own.html" not in page and b"own.view" not in page


def names(page):
    return page.locator("tbody .scan").all_inner_texts()


def test_failures_come_first_and_columns_sort(index, browser_page):
    page = browser_page(index)
    assert names(page) == ["<b>c.tif", "later.tif", "doc.pdf", "a.tif", "b #2 100%.tif\ndeep/"]
    assert "the file is <empty>" in page.locator("tr.failed").inner_text()
    said = page.locator("#sum").inner_text()
    assert "4 scans" in said and "1 failed" in said and "1 not reached" in said
    assert "1 file of other kinds" in said and page.title() == "out & more · wellseg"
    page.locator("th[data-key=doubt_share] button").click()
    page.locator("th[data-key=doubt_share] button").click()
    assert names(page)[:2] == ["a.tif", "b #2 100%.tif\ndeep/"]  # most doubt first, unknown last
    assert page.locator("th[aria-sort]").get_attribute("data-key") == "doubt_share"
    page.locator("th[data-key=pixels] button").click()
    assert names(page)[0] == "a.tif"


def test_what_tells_of_quality_is_shown(index, browser_page):
    page = browser_page(index)
    row = page.locator("tbody tr", has_text="a.tif").inner_text()
    for text in ("5,000 × 800", "200", "1-bit", "2.10 %", "31.0 %", "4.5"):
        assert text in row


def test_a_page_of_a_run_that_goes_on_says_so(tmp_path, browser_page):
    page = browser_page(write(tmp_path, OUTCOMES, ".overlay.png", running=True))
    said = page.locator("#sum").inner_text()
    assert "The run goes on" in said and "reload" in said


def test_without_a_view_a_scan_leads_to_its_overlay(tmp_path, browser_page):
    page = browser_page(write(tmp_path, OUTCOMES, look_at=".overlay.png"))
    assert page.locator("tbody a").first.get_attribute("href") == "a.overlay.png"


def test_a_failed_scan_has_no_way_to_the_view_of_an_earlier_run(tmp_path, browser_page):
    (tmp_path / "<b>c.html").write_text("old")
    failed = {"<b>c.tif": OUTCOMES["<b>c.tif"]}
    assert browser_page(write(tmp_path, failed)).locator("tbody a").count() == 0


def test_filter_search_and_the_way_to_a_view(index, browser_page):
    page = browser_page(index)
    page.get_by_role("button", name="Not read").click()
    assert names(page) == ["doc.pdf"]
    page.get_by_role("button", name="Done").click()
    assert page.locator("tbody tr").count() == 2
    page.get_by_placeholder("Find").fill("B #2")
    assert page.locator("tbody tr").count() == 1
    page.locator("tbody .scan a").click()
    assert page.title() == "the view"


def test_many_scans_are_drawn_as_one_comes_to_them(tmp_path, browser_page):
    page = browser_page(write(tmp_path, {f"{i}.tif": Outcome("waiting") for i in range(1000)}))
    assert page.locator("tbody tr").count() < 500
    to_the_end = (
        "scrollTo(0, document.body.scrollHeight) ?? "
        "document.querySelectorAll('tbody tr').length === 1000"
    )
    page.wait_for_function(to_the_end)


@pytest.mark.parametrize("width", [375, 1280])
def test_nothing_overflows(index, browser_page, width):
    page = browser_page(index, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_name_is_never_markup():
    page = fill("index.html", "{{data}} <i>", {"scans": [{"scan": "</script>{{ 1 }}"}]}).decode()
    assert "{{data}} &lt;i&gt;" in page and page.count("</script>") == 1 and "{{ 1 }}" in page
    # Also the colon, or a: would be a scheme.
    assert link("a: #1/c?.html") == "a%3A%20%231/c%3F.html"


@pytest.mark.parametrize("name", ["=HYPERLINK(1).tif", "+1.tif", "-1.tif", "@sum.tif", "\tx.tif"])
def test_a_name_is_never_a_formula(name):
    lines = as_csv({Task(name, "", ""): Outcome("failed", "=1+1")}).decode().splitlines()
    (row,) = csv.DictReader(lines)
    assert row["scan"] == f"'{name}" and row["reason"] == "'=1+1"
