"""The view: names of pieces that are joined."""

from test_view import settle, view_of, wave

COLUMNS = {"left": 40, "right": 240}


def page_of(folder, browser_page, **curves):
    """Curves by name: their strokes, each COLUMN, ROW, COLUMN, ROW ..., and rows to check."""
    gray, probability = wave(6000, 320)
    with view_of(folder / "log.html", *gray.shape, about={"dpi": 100}) as view:
        view.curves = [
            {"name": name, "rows": [lines[0][1], lines[-1][-1]], "about": "3 px", "track": 1,
             "uncertain": unsure, "lines": lines,
             "borders": [[x, lines[0][1], x, lines[-1][-1]] for x in COLUMNS.values()]}
            for name, (lines, unsure) in curves.items()
        ]  # fmt: skip
        view.put(gray, probability)
    page = browser_page(folder / "log.html")
    settle(page)
    page.keyboard.press("c")
    return page


def edits(page):
    return page.locator("#command").input_value().partition("--edit ")[2].split()


def test_of_two_that_are_joined_the_name_stays_that_somebody_gave(tmp_path, browser_page):
    """Whichever of the two is seen alone, and whether it was given here or before."""
    strokes = {
        "GR": [[100, 0, 100, 999]],
        "T1_C2_SOLID": [[100, 1010, 100, 1999]],
        "T1_C3_DASHED": [[100, 2010, 100, 5999]],
    }
    page = page_of(tmp_path, browser_page, **{name: (it, []) for name, it in strokes.items()})
    asked = []
    page.on("dialog", lambda it: (asked.append(it.message), it.accept()))

    def join(own, other):
        page.evaluate("isolate(followed.findIndex(({ name }) => name === '%s'))" % own)  # noqa: UP031
        page.locator("#mate").select_option(other)
        page.locator("#join").click()
        return page.evaluate("followed[alone].name")

    assert join("GR", "T1_C2_SOLID") == "GR" and edits(page) == ["T1_C2_SOLID=GR"]
    assert "become one curve, GR." in asked[-1]
    assert join("T1_C3_DASHED", "GR") == "GR"
    page.locator("#undo").click()
    page.locator("#undo").click()
    assert join("T1_C2_SOLID", "T1_C3_DASHED") == "T1_C3_DASHED"
    page.locator("#undo").click()
    page.evaluate("isolate(0, 500)")
    page.locator("#cut").click()
    assert join("GR", "GR_B") == "GR" and join("GR", "T1_C2_SOLID") == "GR"
