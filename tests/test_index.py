"""The page of a folder, in a real browser."""

import pytest

from wellseg.many.index import write_index
from wellseg.results.page import fill, link

FIELDS = ("scan", "status", "rows", "columns", "seconds", "ink_share", "reason")
ROWS = [
    dict(zip(FIELDS, line, strict=True))
    for line in (
        ("a.tif", "done", "5000", "800", "4.5", "0.021", ""),
        ("deep/b #2 100%.tif", "done", "90000", "2000", "100", "0.05", ""),
        ("<b>c.tif", "failed", "", "", "", "", "the file is <empty>"),
    )
]


@pytest.fixture
def folder(tmp_path):
    out = tmp_path / "out & more"
    (out / "deep" / "b #2 100%.view").mkdir(parents=True)
    (out / "deep" / "b #2 100%.html").write_text("<title>the view</title>")
    (out / "deep" / "b #2 100%.view" / "thumb.jpg").write_bytes(b"")
    write_index(str(out), ROWS)
    return out


def test_failures_come_first_and_columns_sort(folder, browser_page):
    page = browser_page(folder / "index.html")
    names = lambda: page.locator("tbody .scan").all_inner_texts()  # noqa: E731
    assert names() == ["<b>c.tif", "a.tif", "b #2 100%.tif\ndeep/"]
    assert "the file is <empty>" in page.locator("tr.failed").inner_text()
    assert (
        "1 failed" in page.locator("#sum").inner_text() and page.title() == "out & more · wellseg"
    )
    page.locator("th[data-key=pixels] button").click()
    assert names()[0] == "a.tif" and names()[-1] == "<b>c.tif"  # unknown comes last
    page.locator("th[data-key=pixels] button").click()
    assert names()[0].startswith("b #2") and names()[-1] == "<b>c.tif"
    assert page.locator("th[aria-sort]").get_attribute("data-key") == "pixels"


def test_a_failed_scan_has_no_way_to_the_view_of_an_earlier_start(tmp_path, browser_page):
    (tmp_path / "<b>c.html").write_text("old")
    write_index(str(tmp_path), ROWS)
    assert browser_page(tmp_path / "index.html").locator("tbody a").count() == 0


def test_filter_search_and_the_way_to_a_view(folder, browser_page):
    page = browser_page(folder / "index.html")
    page.get_by_role("button", name="Done").click()
    assert page.locator("tbody tr").count() == 2
    page.get_by_placeholder("Find").fill("B #2")
    assert page.locator("tbody tr").count() == 1
    page.locator("tbody .scan a").click()
    assert page.title() == "the view"


def test_many_scans_are_drawn_as_one_comes_to_them(tmp_path, browser_page):
    write_index(str(tmp_path), [{**ROWS[0], "scan": f"{i}.tif"} for i in range(1000)])
    page = browser_page(tmp_path / "index.html")
    assert page.locator("tbody tr").count() < 500
    to_the_end = "scrollTo(0, document.body.scrollHeight) ?? document.querySelectorAll('tbody tr').length === 1000"
    page.wait_for_function(to_the_end)


@pytest.mark.parametrize("width", [375, 1440])
def test_nothing_overflows(folder, browser_page, width):
    page = browser_page(folder / "index.html", width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_scan_called_index_keeps_its_view(tmp_path):
    (tmp_path / "index.html").write_text("the view")
    write_index(str(tmp_path), [{**ROWS[0], "scan": "index.tif"}])
    assert (tmp_path / "index.html").read_text() == "the view"
    assert "index.tif" in (tmp_path / "index of scans.html").read_text()


def test_a_name_is_never_markup():
    page = fill("index.html", "{{data}} <i>", {"scans": [{"scan": "</script>"}]}).decode()
    assert "{{data}} &lt;i&gt;" in page and page.count("</script>") == 1
    assert (
        link("a: #1/c?.html") == "a%3A%20%231/c%3F.html"
    )  # also the colon, or a: would be a scheme
