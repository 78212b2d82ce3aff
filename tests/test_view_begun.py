"""The view: what was begun, and is no correction yet, is there when the page is loaded again."""

import re
from pathlib import Path

import pytest
from test_view import change_data, settle
from test_view_places import click_paper, edits, page_of, see_alone

from wellseg import cli

pytestmark = pytest.mark.slow  # as all that drive a browser but test_view.py

FIELDS = "[$('#left').value, $('#right').value, $('#unit').value, $('#log').checked]"
TOLD = "The value at the other border is still to be given."


def again(page):
    page.reload()
    settle(page)


@pytest.fixture
def page(tmp_path, browser_page):
    strokes = {"A": ([[100, 0, 100, 5999]], [1000]), "B": ([[60, 0, 60, 5999]], [])}
    return page_of(tmp_path, browser_page, **strokes)


def test_half_a_scale_stays_until_it_is_whole(page):
    """Also while other curves are seen, under another name, and when the page is loaded again."""
    see_alone(page, "A")
    page.locator("#left").fill("1,0")
    page.locator("#unit").fill("GAPI")
    click_paper(page, 100, 300)
    assert page.evaluate("marked") > 0 and page.evaluate(FIELDS) == ["1,0", "", "GAPI", False]
    assert page.locator("#fault").inner_text() == TOLD
    page.locator("#name").fill("GR")
    page.locator("#name").press("Enter")
    see_alone(page, "B")
    assert page.evaluate(FIELDS) == ["", "", "", False]
    again(page)
    see_alone(page, "GR")
    assert page.evaluate(FIELDS) == ["1,0", "", "GAPI", False]
    page.locator("#left").fill("0")
    page.locator("#right").fill("150")
    page.locator("#right").press("Enter")
    assert "--scale GR=0:150:GAPI " in page.locator("#command").input_value()
    assert page.evaluate("halves") == {}
    again(page)
    assert page.evaluate("alone") == -1 and page.evaluate("localStorage[begun]") is None


def test_a_unit_that_was_typed_first_stays(page):
    see_alone(page, "A")
    page.locator("#unit").fill("GAPI")
    click_paper(page, 100, 300)
    assert page.evaluate(FIELDS) == ["", "", "GAPI", False]
    assert page.locator("#fault").inner_text() == "" and page.locator("#edits").is_hidden()


def test_what_is_typed_in_a_field_that_was_not_left_is_not_lost(page):
    see_alone(page, "A")
    page.locator("#left").fill("0")
    page.locator("#right").fill("150")
    again(page)
    assert "--scale A=0:150" in page.locator("#command").input_value()
    page.locator("#name").fill("GR")
    again(page)
    assert edits(page) == ["A=GR"] and page.evaluate("followed[alone].name") == "GR"
    page.keyboard.press("Escape")
    page.locator("#undo").click()
    page.locator("#undo").click()
    again(page)
    assert page.locator("#edits").is_hidden()


def test_depths_that_were_typed_without_done_are_not_lost(page):
    answers = ["1000", "2000"]
    page.on("dialog", lambda it: it.accept(answers.pop(0)))
    page.locator("#depth").click()
    for row in (100, 300):
        click_paper(page, 20, row)
    again(page)
    assert "2 so far" in page.locator("#pen").inner_text()
    page.keyboard.press("Enter")
    assert "--depth 100=1000 300=2000 " in page.locator("#command").input_value()
    again(page)
    assert page.evaluate("pen") is None


def test_a_stroke_that_was_begun_goes_on(page, tmp_path):
    see_alone(page, "A")
    page.keyboard.press("r")
    click_paper(page, 110, 100)
    again(page)
    assert "Click along A, 1 so far" in page.locator("#pen").inner_text()
    click_paper(page, 120, 200)
    page.keyboard.press("Enter")
    assert edits(page) == ["DRAWN_1:100@110:200@120", "A:100-200=", "DRAWN_1=A"]
    page.locator("#give").click()
    click_paper(page, 20, 50)
    page.evaluate("keepBegun(); isKept = false")
    change_data(tmp_path, edits=1)  # a command was run: A and B are there still
    again(page)
    assert "become those of B" in page.locator("#pen").inner_text()
    page.keyboard.press("Escape")
    again(page)
    assert page.evaluate("pen") is None


def test_what_is_corrected_after_a_command_was_copied_stays_for_the_next_one(page, tmp_path):
    a, b = page.evaluate("DATA.followed")
    see_alone(page, "A")
    page.locator("#name").fill("GR")
    page.locator("#name").press("Enter")
    page.evaluate("cut(3000, 'B')")
    page.locator("#copy").click()  # and it is run, but the page is not loaded again yet
    page.evaluate("visit(1000)")
    page.keyboard.press("a")
    page.evaluate("""() => {
        rename("B_C", "B_B"); blank("GR", 100, 200); leaveScale("GR", 400, 500, 1);
        isolate(followed.findIndex(({ name }) => name === "B"));
        draw("draw"); pen.points = [[70, 50], [70, 90]]; endStroke(); setScale("GR", "0:9"); refresh(""); }""")
    halves = [{**b, "name": name, "rows": rows, "lines": [[60, rows[0], 60, rows[1]]]}
              for name, rows in (("B", [0, 2999]), ("B_B", [3000, 5999]))]  # fmt: skip
    done = ["A=GR", "B:3000-5999=B_B"]
    change_data(tmp_path, edits=2, done=done, followed=[{**a, "name": "GR"}, *halves])
    for _ in range(2):
        again(page)
        words = ["DRAWN_1:50@70:90@70", "GR:400-500+1", "GR:100-200=", "GR:1001-5999=GR_B"]
        assert edits(page) == [*words, "B:50-90=", "B_B=B_C", "DRAWN_1=B"]
        assert " --after 2-" in page.locator("#command").input_value()
        assert page.locator("#lost").inner_text() == ""
        assert page.evaluate("fix.scales") == {"GR": "0:9"}
    assert page.evaluate("answerAt(1000)") == "cut"
    page.once("dialog", lambda it: it.accept())  # all that is left is taken back
    page.locator("#undo").click()
    assert page.locator("#edits").is_hidden() and page.evaluate("answerAt(1000)") == "seen"
    page.evaluate("correct('', () => { fix.tracks = [[20, 300]]; })")  # a command without --edit
    page.locator("#copy").click()
    page.evaluate("cut(3000, 'GR')")
    borders = [[20, 0, 20, 5999], [300, 0, 300, 5999]]
    change_data(
        tmp_path,
        done=["--tracks 20-300"],
        followed=[{**a, "name": "GR", "borders": borders}, *halves],
    )
    again(page)
    assert edits(page) == ["GR:3000-5999=GR_B"] and page.locator("#lost").inner_text() == ""
    assert "--tracks" not in page.locator("#command").input_value()


def test_a_command_too_long_for_windows_is_made_in_two(page, tmp_path):
    page.add_init_script("Object.defineProperty(navigator, 'platform', { value: 'Win32' })")
    again(page)
    command, long = page.locator("#command"), page.locator("#long")
    stroke = """(tall) => correct("B", () => {
        draw("draw"); pen.points = Array.from({ length: tall }, (_, row) => [110, row]); endStroke(); })"""
    page.evaluate(stroke, 4)
    assert command.input_value().startswith(f'wellseg curves "{tmp_path}'.replace("/", "\\"))
    assert long.is_hidden()
    page.evaluate(stroke, 1000)
    assert long.inner_text() == "It is too long for cmd: use PowerShell."
    page.evaluate(stroke, 3900)
    page.evaluate("correct('B', () => blank('B', 4000, 4001))")
    assert "Undo some, copy and run the rest" in long.inner_text()
    page.locator("#undo").click()
    page.locator("#copy").click()
    done = edits(page)
    page.locator("#redo").click()
    change_data(tmp_path, edits=len(done), done=done)
    again(page)
    assert edits(page) == ["B:4000-4001="] and page.locator("#lost").inner_text() == ""


def test_no_shell_of_windows_puts_anything_else_into_the_name_of_the_file(page, tmp_path):
    """In double quotes PowerShell reads $x and `n, cmd %TEMP%; encoded no shell has anything to."""
    page.add_init_script("Object.defineProperty(navigator, 'platform', { value: 'Win32' })")
    for name in ("a $x `n.html", "100 %TEMP%.html", "a “b”.html"):
        (tmp_path / name).write_bytes((tmp_path / "log.html").read_bytes())
        page.goto((tmp_path / name).as_uri())
        page.evaluate("correct('B', () => blank('B', 400, 401))")
        given = re.match('wellseg curves "([^"]+)" --after', page.locator("#command").input_value())
        assert not re.search("[$`“”„]|%TEMP%", given[1])
        word = cli._read(str, given[1])
        assert Path(word) == tmp_path / name.replace(".html", ".curves.csv")


def test_a_browser_that_keeps_nothing_shows_the_page(tmp_path, browser_page):
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []))
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw 1; } })")
    again(page)
    see_alone(page, "A")
    page.locator("#left").fill("0")
    again(page)
