"""The view: what is asked at a place to check, by its kind, and names of pieces that are joined."""

import pytest
from test_view import change_data, settle, view_of, wave

from wellseg.review.options import parse_edits

pytestmark = pytest.mark.slow  # as all that drive a browser but test_view.py

COLUMNS = {"left": 40, "right": 240}


def page_of(folder, browser_page, **curves):
    """Curves by name: their strokes, each COLUMN, ROW, COLUMN, ROW ..., and rows to check."""
    gray, probability = wave(6000, 320)
    with view_of(folder / "log.html", *gray.shape, about={"dpi": 100}) as view:
        view.curves = [
            {"name": name, "rows": [lines[0][1], lines[-1][-1]], "about": "3 px", "track": int(not name.startswith("T0")),
             "uncertain": unsure, "lines": lines,
             "borders": [[x, lines[0][1], x, lines[-1][-1]] for x in COLUMNS.values()]}
            for name, (lines, unsure) in curves.items()
        ]  # fmt: skip
        view.put(gray, probability)
    page = browser_page(folder / "log.html")
    settle(page)
    return page


def followed_anew(page, folder, **data):
    """The page after another `wellseg curves`, from its top and with its curves seen: whether a page
    that is loaded again has kept its row and what it stored depends on how soon that is."""
    change_data(folder, **data)
    page.goto((folder / "log.html").as_uri())
    settle(page)
    page.evaluate("lineCanvas.hidden && showWhole(true)")


def edits(page):
    return page.locator("#command").input_value().partition("--edit ")[2].split()


def click_paper(page, column, row):
    settle(page)
    script = """([column, row]) => { const { left, top } = sheet.getBoundingClientRect();
        return [left + column * state.zoom, top + row * state.zoom].map(Math.ceil); }"""
    page.mouse.click(*page.evaluate(script, [column, row]))


def test_what_is_no_curve_below_a_place_is_removed_to_the_next_place(tmp_path, browser_page):
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], [1000, 3000]))
    page.keyboard.press("n")
    assert "lettering or dirt?" in page.locator("#ask").inner_text()
    page.keyboard.press("e")
    assert edits(page) == ["A:1001-3000="] and page.evaluate("answerAt(1000)") == "removed"
    assert "Removed from here on: A" in page.locator("#ask").inner_text()
    assert page.locator("#erase").is_hidden()
    page.keyboard.press("Control+z")
    assert page.locator("#edits").is_hidden() and page.evaluate("answerAt(1000)") == "seen"
    page.evaluate("visit(3000)")
    page.locator("#erase").click()
    assert edits(page) == ["A:3001-5999="]


def test_a_piece_that_begins_at_a_place_is_removed_whole(tmp_path, browser_page):
    pieces = {"A": ([[100, 0, 100, 999]], []), "B": ([[100, 1100, 100, 1400]], [1100])}
    page = page_of(tmp_path, browser_page, **pieces)
    page.keyboard.press("n")
    page.keyboard.press("e")
    assert edits(page) == ["B="] and page.locator("#ask").is_hidden()
    page.keyboard.press("Control+z")
    assert page.locator("#edits").is_hidden() and page.evaluate("isOpen(1100)")


def test_also_the_first_row_behind_a_border_is_asked_about_as_such(tmp_path, browser_page):
    a = [[200, 0, 200, 900, 238, 999], [42, 1000, 60, 1100, 42, 1200], [238, 1201, 200, 5999]]
    page = page_of(tmp_path, browser_page, A=(a, [1000]))
    page.keyboard.press("n")
    said = page.locator("#ask").inner_text()
    assert "Here it leaps from 0.99 to 0.01 of its track: rows 1,000 to 1,200 may be beyond" in said
    page.keyboard.press("b")
    assert edits(page) == ["A:1000-1200+1"]


def test_a_gap_is_asked_about_as_such_and_what_is_missing_is_drawn_from_end_to_end(
    tmp_path, browser_page
):
    a = [[100, 0, 100, 1000], [100, 1060, 100, 5999]]
    page = page_of(tmp_path, browser_page, A=(a, [1000]))
    page.keyboard.press("n")
    said = page.locator("#ask").inner_text()
    assert "Nothing was found from row 1,000 to 1,060. Is it below the gap still A?" in said
    assert page.locator("#exchange").is_hidden() and page.locator("#attach").is_hidden()
    assert "gap of 59 rows" in page.locator("#uncertain").inner_text()
    page.keyboard.press("r")
    assert "its ends are given" in page.locator("#pen").inner_text()
    page.keyboard.press("Backspace")
    assert page.evaluate("[pen.points, pen.until]") == [[[100, 1001]], [100, 1060]]
    click_paper(page, 180, 1030)
    page.keyboard.press("Enter")
    words = edits(page)
    assert words[0] == "DRAWN_1:1001@100:1030@180:1060@100"
    assert {"A:1001-1060=", "DRAWN_1=A"} < {*words}
    assert page.evaluate("answerAt(1000)") == "drawn" and page.evaluate("alone") == -1
    said = page.locator("#ask").inner_text()
    assert "Drawn here: A. Take it back" in said and "Next K" in said and "Draw what" not in said
    page.keyboard.press("Control+z")
    assert page.evaluate("answerAt(1000)") == "seen" and page.locator("#edits").is_hidden()
    page.locator("#fill").click()
    page.keyboard.press("Enter")  # without a click between: along the ink from end to end
    assert edits(page)[0] == "DRAWN_1:1001@100:1060@100"
    page.keyboard.press("k")
    assert "all of them are answered" in page.evaluate("note")


def test_a_stroke_in_a_gap_that_goes_beyond_it_ends_where_one_clicked(tmp_path, browser_page):
    a = [[100, 0, 100, 1000], [100, 1060, 100, 5999]]
    page = page_of(tmp_path, browser_page, A=(a, [1000]))
    page.keyboard.press("n")
    page.keyboard.press("r")
    click_paper(page, 120, 1080)
    page.keyboard.press("Enter")
    assert edits(page)[0] == "DRAWN_1:1001@100:1080@120"


def test_a_stroke_in_a_gap_goes_down_to_its_end_and_is_of_the_curve_as_it_is_named_then(
    tmp_path, browser_page
):
    """wellseg curves takes no stroke that goes up and down: it would refuse the whole command."""
    a = [[100, 0, 100, 1000], [100, 1060, 100, 5999]]
    page = page_of(tmp_path, browser_page, A=(a, [1000]))
    page.locator("#each button").first.click()
    page.keyboard.press("n")
    page.keyboard.press("r")
    click_paper(page, 120, 900)
    assert "a stroke goes down, or up" in page.evaluate("note")
    page.locator("#name").fill("GR")
    page.locator("#name").press("Enter")
    assert "Click along GR in the gap" in page.locator("#pen").inner_text()
    page.keyboard.press("Enter")
    words = edits(page)
    assert words[0] == "DRAWN_1:1001@100:1060@100" and "DRAWN_1=GR" in words
    assert page.evaluate("followed.map(({ name }) => name)") == ["GR"]
    parse_edits(words)


def test_a_gap_with_another_curve_beside_it_may_be_an_exchange_or_another_curve(
    tmp_path, browser_page
):
    a = [[100, 0, 100, 1000], [130, 1060, 130, 5999]]
    page = page_of(tmp_path, browser_page, A=(a, [1000]), B=([[130, 0, 100, 5999]], []))
    page.keyboard.press("n")
    assert "still A, or has it changed places with" in page.locator("#ask").inner_text().replace(
        "\n", " "
    )
    for button in ("fill", "exchange", "part", "same"):
        assert page.locator(f"#{button}").is_enabled()
    page.keyboard.press("a")
    assert "A:1001-5999=A_B" in edits(page) and page.evaluate("answerAt(1000)") == "cut"
    page.keyboard.press("Control+z")
    page.keyboard.press("x")
    assert page.evaluate("answerAt(1000)") == "exchanged"


def test_a_place_without_a_gap_asks_whether_it_is_the_curve_or_lettering(tmp_path, browser_page):
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], [1000]))
    page.keyboard.press("n")
    assert "or a line of the grid, lettering or dirt?" in page.locator("#ask").inner_text()
    assert page.locator("#fill").is_hidden() and page.locator("#exchange").is_hidden()
    page.keyboard.press("x")
    assert "no answer here" in page.evaluate("note") and page.locator("#edits").is_hidden()
    page.keyboard.press("r")  # a curve that was missed, as anywhere
    assert page.evaluate("[pen.points.length, pen.until === undefined]") == [0, True]


def test_where_a_piece_begins_it_is_asked_of_which_curve_it_is(tmp_path, browser_page):
    """As where a stretch over the border was too long to be one curve."""
    page = page_of(
        tmp_path, browser_page, A=([[230, 0, 230, 999]], []), B=([[50, 1000, 50, 5999]], [1000])
    )
    page.on("dialog", lambda it: it.accept())
    page.keyboard.press("n")
    said = page.locator("#ask").inner_text().replace("\n", " ")
    assert "B begins here. Is it a curve of its own, or does it go on from" in said
    assert page.locator("#same").inner_text() == "Its own K"
    assert page.locator("#partner").input_value() == "A"
    for button in ("fill", "exchange", "part"):
        assert page.locator(f"#{button}").is_hidden()
    page.keyboard.press("a")
    page.keyboard.press("x")
    assert page.locator("#edits").is_hidden(), "neither is asked"
    page.keyboard.press("j")
    assert edits(page) == ["B=A"] and page.evaluate("answerAt(1000)") == "joined"
    assert "the value leaps" in page.locator("#leap").inner_text()
    page.reload()
    settle(page)
    assert page.evaluate("answerAt(1000)") == "joined"
    page.locator("#undo").click()
    assert page.evaluate("answerAt(1000)") == "seen"


def test_an_answer_of_a_joined_piece_stays_after_the_command(tmp_path, browser_page):
    page = page_of(
        tmp_path, browser_page, A=([[60, 0, 60, 999]], []), B=([[50, 1000, 50, 5999]], [1000])
    )
    page.on("dialog", lambda it: it.accept())
    page.keyboard.press("n")
    page.keyboard.press("j")
    (a, b) = page.evaluate("original")
    joined = a | {"rows": [0, 5999], "lines": a["lines"] + b["lines"], "uncertain": [1000]}
    change_data(tmp_path, followed=[joined], edits=1, done=["B=A"])
    page.reload()
    settle(page)
    assert page.evaluate("answerAt(1000)") == "joined"


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
    page.evaluate("isolate(followed.findIndex(({ name }) => name === 'T1_C3_DASHED'), 3000)")
    page.locator("#cut").click()
    assert join("T1_C3_DASHED", "T1_C3_DASHED_B") == "T1_C3_DASHED", "as before the cut"


IN_SIGHT = """(id) => { const { left, top, width, height } = $(id).getBoundingClientRect();
    return document.elementFromPoint(left + width / 2, top + height / 2)?.closest(id) != null; }"""


def test_while_drawing_it_stays_in_sight_what_to_do(tmp_path, browser_page):
    strokes = {f"T1_C{i}_SOLID": ([[40 + 6 * i, 0, 40 + 6 * i, 5999]], []) for i in range(30)}
    page = page_of(tmp_path, browser_page, **strokes)
    page.set_viewport_size({"width": 1366, "height": 768})
    page.locator("#each button").last.click()
    assert page.evaluate("$('#followed').scrollTop") > 300
    page.keyboard.press("r")
    click_paper(page, 100, 100)
    for one in ("#pen", "#done", "#back", "#drop"):
        assert page.evaluate(IN_SIGHT, one), one
    click_paper(page, 100, 200)
    page.locator("#done").click()
    assert "DRAWN_1" in page.locator("#command").input_value()
    page.locator("#blank").click()
    assert page.locator("#done").is_hidden(), "its second click ends it"


def test_a_piece_goes_on_from_one_of_its_own_track(tmp_path, browser_page):
    page = page_of(
        tmp_path, browser_page, A=([[50, 0, 50, 5999]], []), B=([[50, 1000, 50, 1100]], [1000]),
        C=([[52, 500, 52, 999]], [])
    )  # fmt: skip
    a, b, c = page.evaluate("original")
    followed_anew(page, tmp_path, followed=[a, b, c | {"track": 2}])
    page.keyboard.press("n")
    assert page.locator("#partner option").all_inner_texts() == ["A"]


def test_a_piece_does_not_go_on_from_one_that_begins_below(tmp_path, browser_page):
    page = page_of(
        tmp_path, browser_page, B=([[50, 1000, 50, 2999]], [1000, 2999]),
        C=([[52, 3010, 52, 5999]], [])
    )  # fmt: skip
    page.on("dialog", lambda it: it.accept())
    page.keyboard.press("n")
    assert "Is it a curve of its own?" in page.locator("#ask").inner_text()
    assert page.locator("#attach").is_hidden()
    page.keyboard.press("n")
    assert "does it go on as" in page.locator("#ask").inner_text()
    page.keyboard.press("j")
    assert page.evaluate("answerAt(2999)") == "joined"
    page.evaluate("correct('', () => { fix.scales.C = '0:1:V'; })")
    page.locator("#undo").click()  # another correction
    assert page.evaluate("answerAt(2999)") == "joined"


def test_after_a_join_all_places_are_gone_through_still(tmp_path, browser_page):
    page = page_of(
        tmp_path, browser_page, A=([[60, 0, 60, 999]], []), B=([[50, 1000, 50, 5999]], [1000]),
        C=([[200, 0, 200, 5999]], [3000])
    )  # fmt: skip
    page.on("dialog", lambda it: it.accept())
    for key in "njk":
        page.keyboard.press(key)
        settle(page)
    assert page.evaluate("[alone, marked]") == [-1, 3000]
    page.locator("#each button").first.click()
    page.keyboard.press("p")
    page.keyboard.press("k")
    assert page.evaluate("note") == "all of A are answered: Esc leads to the others"


def test_what_is_to_be_done_is_told_in_its_order_and_ticked(tmp_path, browser_page):
    page = page_of(
        tmp_path, browser_page, T1_C1_SOLID=([[50, 100, 50, 5999]], [1000]),
        GR=([[90, 0, 90, 5999]], [])
    )  # fmt: skip
    assert not page.evaluate("isGiven('T1_C1_SOLID_X10')") and page.evaluate("isGiven('GR_X10')")
    steps = page.locator("#hint")
    done = "[...document.querySelectorAll('.step')].map((step) => step.matches('.done'))"
    assert "(1 of 2 named)" in steps.inner_text() and "(0 of 1)" in steps.inner_text()
    assert page.evaluate(done) == [False, True, False, False]
    for key in "nk":
        page.keyboard.press(key)
    assert "(1 of 1)" in steps.inner_text()
    assert page.evaluate(done) == [False, True, False, True]
    page.locator("#each button").first.click()
    page.locator("#name").fill("ILD")
    page.locator("#name").press("Enter")
    page.keyboard.press("Escape")
    assert "(2 of 2 named)" in steps.inner_text()
    assert page.evaluate(done) == [False, True, True, True]


def test_tracks_are_to_be_set_where_many_curves_are_in_none(tmp_path, browser_page):
    page = page_of(
        tmp_path, browser_page, T0_C1_SOLID=([[20, 3000, 20, 5999]], []),
        T1_C1_SOLID=([[90, 0, 90, 5999]], [])
    )  # fmt: skip
    assert page.locator("#tracks").get_attribute("data-step") == "2."


def test_curves_beyond_the_reach_of_the_depths_are_told(tmp_path, browser_page):
    """A tenth beyond the depths that are given: what lies further would be missed in the LAS."""
    page = page_of(tmp_path, browser_page, A=([[50, 0, 50, 5999]], []))
    answers = ["1000", "2000", "3,000"]
    page.on("dialog", lambda it: it.accept(answers.pop(0)))
    bare = page.locator("#bare")
    assert bare.is_hidden()
    page.locator("#depth").click()
    for row in (100, 3000):
        page.evaluate(f"goTo({row})")
        click_paper(page, 20, row)
    page.keyboard.press("Enter")
    said = bare.inner_text()
    assert "Curves below 2099.7 ft are too far" in said and "nearer to their bottom." in said
    assert "965.5 to" not in page.locator("#each").inner_text(), "its last row has no depth"
    page.locator("#depth").click()
    page.evaluate("goTo(5900)")
    click_paper(page, 20, 5900)
    page.keyboard.press("Enter")
    assert bare.is_hidden()
    assert "965.5 to 3034.1 ft" in page.locator("#each").inner_text()


def test_what_is_drawn_in_a_gap_is_off_its_scale_where_both_its_ends_are(tmp_path, browser_page):
    """Else the value would leap by a whole scale there, and back."""
    a = [[100, 0, 100, 1000], [100, 1060, 100, 5999]]
    page = page_of(tmp_path, browser_page, A=(a, [1000]))
    (curve,) = page.evaluate("original")
    for last, word in ((1500, "DRAWN_1:1001-1060+1"), (1050, "DRAWN_1=A")):
        page.evaluate("localStorage.clear()")
        followed_anew(page, tmp_path, followed=[curve | {"off": [[900, last, 1]]}])
        for key in ("n", "r", "Enter"):
            page.keyboard.press(key)
        assert word in edits(page) and ("+1" in str(edits(page))) == (last == 1500)
    followed_anew(page, tmp_path, edits=1, done=edits(page))  # the command was run
    page.keyboard.press("n")
    assert "correct it in the list" in page.locator("#ask").inner_text()


def see_alone(page, name):
    page.evaluate(f"isolate(followed.findIndex(({{ name }}) => name === '{name}'))")


def off_of(page, name, row):
    script = "([name, row]) => offAt(followed.find((one) => one.name === name), row)"
    return page.evaluate(script, [name, row])


def page_of_a_wrap(folder, browser_page):
    """GR leaves its track at the right border, and comes in at the left, as a piece, to check."""
    page = page_of(
        folder, browser_page, GR=([[60, 0, 60, 980, 238, 999], [238, 1101, 60, 1120, 60, 5999]], []),
        T1_C2_SOLID=([[42, 1000, 60, 1050, 42, 1100]], [1000]),
    )  # fmt: skip
    page.evaluate("correct('', () => { fix.scales.GR = '0:150:GAPI'; })")
    page.keyboard.press("n")
    return page


def test_a_way_over_the_border_that_is_told_is_asked_about_as_one_if_it_is_steep(
    tmp_path, browser_page
):
    a = [[60, 0, 60, 980, 230, 999], [76, 1000, 120, 1050, 44, 1100], [236, 1101, 60, 5999]]
    page = page_of(tmp_path, browser_page, A=(a, [999]))
    curves = page.evaluate("DATA.followed")
    curves[0]["off"] = [[1000, 1100, 1]]
    followed_anew(page, tmp_path, followed=curves)
    page.keyboard.press("n")
    assert "0.95 to 0.18 of its track, which is taken for" in page.locator("#ask").inner_text()
    assert page.locator("#erase").is_hidden() and page.locator("#beyond").is_hidden()


def test_a_piece_that_comes_in_by_a_steep_stroke_may_be_beyond_the_scale(tmp_path, browser_page):
    """In its first row it is far from the border; at its other end the value leaps."""
    gr = [[60, 0, 60, 980, 233, 999], [236, 1101, 60, 1120, 60, 5999]]
    piece = [[80, 1000, 120, 1050, 44, 1100]]
    page = page_of(tmp_path, browser_page, GR=(gr, []), T1_C2_SOLID=(piece, [1000]))
    page.on("dialog", lambda it: it.accept())
    page.keyboard.press("n")
    assert "At row 1,101, if the two are joined, the value" in page.locator("#ask").inner_text()
    page.keyboard.press("b")
    assert edits(page) == ["T1_C2_SOLID:1000-1100+1", "T1_C2_SOLID=GR"]
    assert [off_of(page, "GR", row) for row in (999, 1050, 1101)] == [0, 1, 0]


def test_a_piece_that_comes_in_at_the_other_border_may_be_beyond_the_scale(tmp_path, browser_page):
    page = page_of_a_wrap(tmp_path, browser_page)
    asked = []
    page.on("dialog", lambda it: (asked.append(it.message), it.accept()))
    said = page.locator("#ask").inner_text()
    assert "T1_C2_SOLID, rows 1,000 to 1,100, may be beyond its right border, or a backup" in said
    assert "At row 1,000, if the two are joined, the value leaps from 0.99 to 0.01 of" in said
    page.keyboard.press("b")
    assert edits(page) == ["T1_C2_SOLID:1000-1100+1", "T1_C2_SOLID=GR"]
    assert "may be beyond its right border" in asked[-1] and "offers" not in asked[-1]
    assert page.evaluate("answerAt(1000)") == "joined" and page.evaluate("alone") == -1
    assert [off_of(page, "GR", row) for row in (999, 1050, 1101)] == [0, 1, 0]
    assert (
        page.locator("#beyond").is_hidden() and "Joined here" in page.locator("#ask").inner_text()
    )
    page.keyboard.press("Control+z")
    assert page.evaluate("answerAt(1000)") == "seen" and edits(page) == []
    see_alone(page, "GR")  # the same without a place to check
    page.locator("#leap").get_by_role("button", name="It is beyond its right border").click()
    assert edits(page) == ["T1_C2_SOLID:1000-1100+1", "T1_C2_SOLID=GR"]


def test_a_piece_that_comes_in_at_the_other_border_may_be_a_backup(tmp_path, browser_page):
    page = page_of_a_wrap(tmp_path, browser_page)
    page.keyboard.press("u")
    assert edits(page) == ["T1_C2_SOLID=GR_X10"]
    assert "GR_X10=0:1500:GAPI" in page.locator("#command").input_value()
    assert page.evaluate("answerAt(1000)") == "backup"
    assert "A backup begins or ends here: GR_X10." in page.locator("#ask").inner_text()
    page.evaluate("correct('', () => { fix.scales.GR = '0:100:GAPI'; })")
    page.locator("#undo").click()  # another correction
    assert page.evaluate("answerAt(1000)") == "backup"
    page.keyboard.press("Control+z")
    assert page.evaluate("answerAt(1000)") == "seen" and edits(page) == []
    for name in ("GR", "T1_C2_SOLID"):
        see_alone(page, name)
        page.locator("#leap").get_by_role("button", name="It is a backup").click()
        assert edits(page) == ["T1_C2_SOLID=GR_X10"]
        for one in ("GR", "GR_X10"):
            see_alone(page, one)
            assert page.locator("#leap").is_hidden()
        page.locator("#undo").click()


def test_no_leap_is_told_between_pieces_of_which_one_ends_far_below(tmp_path, browser_page):
    """A long curve at the right border and a short one at the left, side by side."""
    page = page_of(
        tmp_path, browser_page, A=([[60, 0, 238, 4000]], []), B=([[42, 1000, 42, 1100]], [])
    )
    see_alone(page, "B")
    assert page.locator("#mate").input_value() == "A" and page.locator("#leap").is_hidden()
    asked = []
    page.on("dialog", lambda it: (asked.append(it.message), it.accept()))
    page.locator("#join").click()
    assert edits(page) == ["B=A"] and page.locator("#leap").is_hidden()
    assert "leaps" not in asked[0]


def test_no_leap_is_told_to_a_piece_beside_a_curve(tmp_path, browser_page):
    a = [[60, 0, 238, 1000], [238, 1001, 60, 5999]]
    page = page_of(tmp_path, browser_page, A=(a, []), B=([[42, 1000, 42, 1100]], []))
    see_alone(page, "B")
    assert page.locator("#mate").input_value() == "A" and page.locator("#leap").is_hidden()


def test_where_a_curve_goes_over_its_border_it_may_be_beyond_the_scale(tmp_path, browser_page):
    """Two rows without it, which were asked about as a gap, to draw in."""
    a = [[60, 0, 238, 1000], [42, 1003, 60, 1050, 42, 1100], [238, 1103, 60, 5999]]
    page = page_of(tmp_path, browser_page, A=(a, [1000]))
    page.keyboard.press("n")
    said = page.locator("#ask").inner_text()
    assert "Here it leaps from 0.99 to 0.01 of its track: rows 1,003 to 1,100 may be" in said
    assert "beyond its right border, or a backup on ten times its scale" in said
    assert page.locator("#fill").is_hidden()
    assert "goes over its border" in page.locator("#uncertain").inner_text()
    for key, word in (("b", "A:1003-1100+1"), ("u", "A:1003-1100=A_X10")):
        page.keyboard.press(key)
        assert edits(page) == [word]
        assert page.evaluate("answerAt(1000)") == {"b": "beyond", "u": "backup"}[key]
        assert page.locator("#beyond").is_hidden()
        page.keyboard.press("Control+z")
        assert page.evaluate("answerAt(1000)") == "seen" and edits(page) == []
    page.keyboard.press("r")
    assert page.evaluate("pen.gap === undefined")
    page.keyboard.press("Escape")
    (curve,) = page.evaluate("original")
    followed_anew(page, tmp_path, followed=[curve | {"off": [[1003, 1100, 1]]}])
    page.keyboard.press("n")
    said = page.locator("#ask").inner_text()
    assert "of its track, which is taken for a way over its border. Is it below still A?" in said
    assert page.locator("#beyond").is_hidden() and page.locator("#same").is_visible()
    page.keyboard.press("b")
    assert edits(page) == []


def test_of_the_sides_of_a_border_the_shorter_one_may_be_beyond_it(tmp_path, browser_page):
    a = [[42, 1, 42, 1000], [238, 1001, 60, 5999]]
    page = page_of(tmp_path, browser_page, A=(a, [1000]))
    for key in "nb":
        page.keyboard.press(key)
    assert edits(page) == ["A:1-1000+1"] and page.evaluate("answerAt(1000)") == "beyond"
    page.keyboard.press("Control+z")
    assert page.evaluate("answerAt(1000)") == "seen"


def test_a_curve_that_was_cut_at_a_border_may_be_beyond_it_below(tmp_path, browser_page):
    page = page_of(tmp_path, browser_page, A=([[60, 0, 238, 4000], [42, 4003, 60, 5999]], [4000]))
    for key in "na":
        page.keyboard.press(key)
    see_alone(page, "A_B")
    page.on("dialog", lambda it: it.accept())
    page.locator("#turned").click()
    assert edits(page) == ["A:4001-5999+1"] and page.locator("#leap").is_hidden()


def test_an_exchange_is_offered_with_curves_of_the_same_ink(tmp_path, browser_page):
    page = page_of(
        tmp_path, browser_page, A=([[100, 0, 100, 5999]], [1000, 3000]), B=([[110, 0, 110, 5999]], []),
        C=([[120, 0, 120, 5999]], [3000]), D=([[130, 0, 130, 5999]], []),
    )  # fmt: skip
    inks = {"A": [250, 0, 0], "B": [0, 0, 250], "C": None, "D": [128, 40, 40]}
    curves = page.evaluate("original")
    followed_anew(page, tmp_path, followed=[one | {"colour": inks[one["name"]]} for one in curves])
    page.evaluate("correct('', () => { fix.scales.A = '0:1:V'; })")
    page.keyboard.press("n")
    assert page.locator("#partner option").all_inner_texts() == ["D"]
    page.keyboard.press("n")  # C is uncertain there, too
    assert page.locator("#partner option").all_inner_texts() == ["D", "C"]
    page.evaluate("isolate(0, 500)")
    for box in ("#other", "#mate"):
        assert page.locator(f"{box} option").all_inner_texts() == ["D", "B", "C"], box


def test_a_name_that_ends_in_b_was_given_unless_it_was_cut_off(tmp_path, browser_page):
    page = page_of(
        tmp_path, browser_page, RHO_B=([[60, 0, 60, 999]], []), T1_C2_SOLID=([[60, 1000, 60, 5999]], [])
    )  # fmt: skip
    page.on("dialog", lambda it: it.accept())
    assert "(1 of 2 named)" in page.locator("#hint").inner_text()
    see_alone(page, "T1_C2_SOLID")
    page.locator("#join").click()
    assert page.evaluate("followed.map(({ name }) => name)") == ["RHO_B"]
    page.evaluate("isolate(0, 2000)")
    page.locator("#cut").click()
    assert page.evaluate("['RHO_B', 'RHO_B_B', 'rho_b_bb', 'T1_C2_SOLID_B'].map(isGiven)") == [
        True, False, False, False
    ]  # fmt: skip


def test_a_stroke_is_off_its_scale_where_the_curve_is_at_both_its_ends(tmp_path, browser_page):
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []))
    (curve,) = page.evaluate("original")
    followed_anew(page, tmp_path, followed=[curve | {"off": [[100, 400, 1]]}])
    see_alone(page, "A")
    for rows, has in (((150, 250), True), ((300, 500), False), ((50, 450), False)):
        page.keyboard.press("r")
        for row in rows:
            click_paper(page, 110, row)
        page.keyboard.press("Enter")
        first, last = rows
        assert (f"DRAWN_1:{first}-{last}+1" in edits(page)) == has, rows
        assert off_of(page, "A", (first + last) // 2) == has
        page.locator("#undo").click()


def test_a_stroke_is_said_to_be_off_its_scale_as_any_stretch(tmp_path, browser_page):
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []))
    see_alone(page, "A")
    page.keyboard.press("r")
    for row in (150, 250):
        click_paper(page, 110, row)
    page.keyboard.press("Enter")
    page.locator("#over").click()
    for row in (100, 200):
        click_paper(page, 110, row)
    assert {"DRAWN_1:150-200+1", "A:100-149+1"} < {*edits(page)}
    parse_edits(edits(page))


def test_of_tracks_that_are_set_here_a_curve_may_lie_in_none(tmp_path, browser_page):
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []))
    for sides, astray in (([[50, 150]], False), ([[200, 300]], True), ([[103, 203]], False)):
        page.evaluate(f"fix.tracks = {sides}")
        see_alone(page, "A")
        assert page.locator("#over").is_disabled() == astray
        assert ("in no track" in page.locator("#fault").inner_text()) == astray
        page.keyboard.press("Escape")


def test_a_curve_that_was_drawn_in_no_track_has_no_scale_to_be_off(tmp_path, browser_page):
    """wellseg curves would refuse the whole command."""
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []))
    for column, astray in ((20, True), (110, False)):
        page.keyboard.press("r")
        for row in (150, 250):
            click_paper(page, column, row)
        page.keyboard.press("Enter")
        assert page.locator("#over").is_disabled() == astray
        assert page.locator("#under").is_disabled() == astray
        page.keyboard.press("Escape")


def test_a_name_that_is_pasted_with_spaces_around_is_taken_without(tmp_path, browser_page):
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []))
    see_alone(page, "A")
    page.locator("#name").fill(" GR ")
    page.locator("#name").press("Enter")
    assert edits(page) == ["A=GR"]


def test_after_a_join_all_are_gone_through_also_where_another_piece_leaps(tmp_path, browser_page):
    page = page_of(
        tmp_path, browser_page, A=([[60, 0, 60, 999]], []), B=([[60, 1000, 238, 3000]], [1000]),
        C=([[42, 3001, 60, 5999]], []),
    )  # fmt: skip
    page.on("dialog", lambda it: it.accept())
    for key in "nj":
        page.keyboard.press(key)
    assert edits(page) == ["B=A"] and page.evaluate("alone") == -1
    see_alone(page, "A")
    assert page.locator("#leap").is_visible()


def test_pieces_that_head_apart_at_a_border_are_a_place_to_check(tmp_path, browser_page):
    """Though none of their rows is uncertain: they are not taken for one curve."""
    page = page_of(
        tmp_path, browser_page, A=([[60, 0, 238, 999]], []), B=([[42, 1010, 60, 2999]], []),
        C=([[60, 3010, 60, 5999]], []),
    )  # fmt: skip
    assert page.evaluate("places") == [1010]
    page.keyboard.press("n")
    assert "B begins here" in page.locator("#ask").inner_text()
    assert page.locator("#partner").input_value() == "A"
    page.keyboard.press("u")
    assert edits(page) == ["A=B_X10"] and page.evaluate("answerAt(1010)") == "backup"
    a, *others = page.evaluate("original")
    for changed in ({"track": 2}, {"rows": [0, 900], "lines": [[60, 0, 238, 900]]}):
        change_data(tmp_path, followed=[a | changed, *others])
        page.evaluate("localStorage.clear()")
        page.reload()
        settle(page)
        assert page.evaluate("places") == [], changed


def test_two_curves_side_by_side_in_two_tracks_are_not_joined(tmp_path, browser_page):
    page = page_of(
        tmp_path, browser_page, T0_A=([[30, 0, 30, 999]], []), B=([[60, 990, 60, 5999]], []),
        C=([[90, 0, 90, 5999]], []),
    )  # fmt: skip
    asked = []
    page.on("dialog", lambda it: (asked.append(it.message), it.accept()))
    for other, words in (("C", []), ("B", ["T0_A=B"])):
        page.locator("#each button", has_text="T0_A").click()
        page.locator("#name").fill(other)
        page.locator("#name").press("Enter")
        assert edits(page) == words and len(asked) == len(words)
        assert words or page.locator("#name").input_value() == "T0_A"
        page.keyboard.press("Escape")


def test_a_join_that_wellseg_curves_would_refuse_for_one_piece_is_refused(tmp_path, browser_page):
    page = page_of(
        tmp_path, browser_page, A=([[60, 0, 60, 5999]], []), B=([[100, 0, 100, 3499]], []),
        T0_C=([[200, 3500, 200, 5999]], []),
    )  # fmt: skip
    page.on("dialog", lambda it: it.accept())
    page.evaluate("rename('B', 'T0_C')")
    assert edits(page) == ["T0_C=B"]
    at = "(row) => valueAt(followed.find(({ name }) => name === 'B'), 200, row)"
    assert page.evaluate(at, 3000).startswith("B ") and page.evaluate(at, 4500) == "", "in no track"
    page.evaluate("rename('A', 'B')")
    assert edits(page) == ["T0_C=B"], "its rows 3500 to 5999 are a curve of another track"


def test_the_name_of_a_curve_that_was_removed_brings_no_scale_with_it(tmp_path, browser_page):
    lines = [[60, 0, 60, 5999]], []
    page = page_of(tmp_path, browser_page, GR=lines, B=([[100, 0, 100, 5999]], []))
    page.evaluate("correct('', () => { fix.scales = { GR: '0:150:GAPI', B: '0:10:MV' }; })")
    see_alone(page, "GR")
    page.keyboard.press("Delete")
    page.evaluate("rename('GR', 'B')")
    command = page.locator("#command").input_value()
    assert "GR=0:10:MV" in command and "GAPI" not in command
    assert edits(page) == ["GR=", "B=GR"]


def test_the_last_correction_comes_back_though_no_word_is_left_and_not_behind_a_dialog(
    tmp_path, browser_page
):
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []))
    page.keyboard.press("r")
    for row in (150, 250):
        click_paper(page, 110, row)
    page.keyboard.press("Enter")
    drawn = edits(page)
    page.keyboard.press("Delete")
    assert drawn and page.locator("#edits").is_hidden()
    page.keyboard.press("Control+z")
    assert edits(page) == drawn
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.evaluate("document.querySelector('dialog').open")
    page.keyboard.press("Control+z")
    assert edits(page) == drawn


def test_where_no_curve_was_found_one_is_drawn(tmp_path, browser_page):
    page = page_of(tmp_path, browser_page)
    assert page.locator("#curves").is_visible(), "there is nothing but the mask to see"
    page.locator("#whole").click()
    assert "There is no curve: draw" in page.locator("#followed").inner_text()
    assert page.evaluate("document.querySelectorAll('.step.done').length") == 1, "nothing to check"
    page.keyboard.press("r")
    for row in (150, 250):
        click_paper(page, 110, row)
    page.keyboard.press("Enter")
    assert edits(page) == ["DRAWN_1:150@110:250@110"]
    assert "There is no curve" not in page.locator("#followed").inner_text()
    parse_edits(edits(page))


def test_without_curves_asked_for_there_are_none_to_see_or_draw(tmp_path, browser_page):
    gray, probability = wave(300, 320)
    with view_of(tmp_path / "log.html", *gray.shape) as view:
        view.put(gray, probability)
    page = browser_page(tmp_path / "log.html")
    page.keyboard.press("c")
    assert page.evaluate("DATA.followed") is None
    assert page.locator("#whole").is_hidden() and page.locator("#followed").is_hidden()


def test_depths_that_were_typed_are_not_lost_by_a_key(tmp_path, browser_page):
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []))
    answers, asked, is_meant = ["1000", "1100"], [], False

    def reply(dialog):
        if dialog.type == "prompt":
            return dialog.accept(answers.pop(0))
        asked.append(dialog.message)
        return dialog.accept() if is_meant else dialog.dismiss()

    page.on("dialog", reply)
    page.locator("#depth").click()
    for key in ("Escape", "c"):  # nothing was typed yet
        page.keyboard.press(key)
    assert not asked
    page.keyboard.press("c")
    page.locator("#depth").click()
    for row in (100, 200):
        click_paper(page, 20, row)
    for lose in ("Escape", "c"):
        page.keyboard.press(lose)
    page.locator("#tracks").click()
    assert len(asked) == 3 and "Give up the depths" in asked[0]
    assert page.evaluate("pen.points.length") == 2 and page.locator("#followed").is_visible()
    page.keyboard.press("Enter")
    assert "--depth 100=1000 200=1100" in page.locator("#command").input_value()
    page.locator("#depth").click()
    page.keyboard.press("Backspace")
    is_meant = True
    page.keyboard.press("Escape")
    assert len(asked) == 4 and page.evaluate("pen") is None
    assert "200=1100" in page.locator("#command").input_value()


def test_esc_takes_back_what_was_typed_in_one_field_alone(tmp_path, browser_page):
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []))
    see_alone(page, "A")
    left, right, unit = (page.locator(name) for name in ("#left", "#right", "#unit"))
    left.fill("0.2")
    right.press_sequentially("20")
    page.keyboard.press("Escape")
    assert (left.input_value(), right.input_value()) == ("0.2", "")
    assert page.evaluate("document.activeElement === document.body")
    right.fill("2000")
    right.press("Enter")
    unit.press_sequentially("OHM")
    page.keyboard.press("Escape")
    assert unit.input_value() == "" and page.evaluate("alone") == 0
    assert "--scale A=0.2:2000" in page.locator("#command").input_value()
    right.fill("20000")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert "--scale A=0.2:20000" in page.locator("#command").input_value()


def test_the_key_of_the_list_leads_to_that_of_the_places_to_check(tmp_path, browser_page):
    lines = [[100, 0, 100, 5999]]
    page = page_of(tmp_path, browser_page, A=(lines, [1000, 3000]), B=(lines, []))
    page.keyboard.press("c")
    page.evaluate("showList(true)")  # of the mask
    page.keyboard.press("c")
    page.keyboard.press("n")
    page.keyboard.press("k")
    page.evaluate("DATA.places.splice(0) && isolate(-1)")
    settle(page)
    assert page.locator("#list").is_enabled(), "though the mask has no place of doubt"
    assert page.locator("#list").get_attribute("title") == "List of the places to check (L)"
    page.keyboard.press("l")
    assert page.locator("#places").is_hidden()
    assert "row 3,000" in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    assert page.evaluate("marked") == 3000
    see_alone(page, "B")
    page.keyboard.press("l")
    assert page.evaluate("note") == "no place to check of B"


def test_a_join_is_offered_with_curves_of_the_same_track_first(tmp_path, browser_page):
    """The nearest of these, though one of another track ends nearer, and one lies in its rows."""
    page = page_of(
        tmp_path, browser_page, A=([[100, 0, 100, 1999]], []), B=([[60, 0, 60, 5999]], []),
        C=([[100, 2001, 100, 2999]], []), FAR=([[100, 3000, 100, 5999]], []),
        NEAR=([[110, 2050, 110, 2999]], []),
    )  # fmt: skip
    curves = page.evaluate("original")
    curves[2]["track"] = 2
    followed_anew(page, tmp_path, followed=curves)
    see_alone(page, "A")
    assert page.locator("#mate option").all_inner_texts() == ["NEAR", "FAR", "B", "C"]


def test_a_value_is_told_where_a_curve_was_drawn_by_the_nearest_borders(tmp_path, browser_page):
    page = page_of(
        tmp_path, browser_page, A=([[100, 0, 100, 1000]], []), T0_B=([[300, 1200, 300, 2000]], [])
    )
    a, b = page.evaluate("original")  # B is in no track: its borders are the paper's
    followed_anew(
        page, tmp_path, followed=[a, b | {"borders": [[0, 0, 0, 5999], [320, 0, 320, 5999]]}]
    )
    page.evaluate("correct('A', () => { fix.scales.A = '0:200:GAPI'; })")
    value = "(row) => valueAt(followed[alone], 110, row)"

    def draw(*rows):
        page.keyboard.press("r")
        for row in rows:
            click_paper(page, 110, row)
        page.keyboard.press("Enter")

    draw(150, 250)
    page.evaluate("goTo(1400)")
    draw(1300, 1500)
    told = [page.evaluate(value, row) for row in (50, 200, 1100, 1400)]
    assert told == ["A 70 GAPI", "A 70 GAPI", "", "A 70 GAPI"], "in 1100 it is not"
    click_paper(page, 110, 1400)
    settle(page)
    assert "A 7" in page.locator("#point").inner_text()
    page.evaluate("isolate(-1)")
    draw(1600, 1700)  # a curve of its own, in the track of another one that ends above
    assert page.evaluate(value, 1650) == "DRAWN_3 0.35 of its track"
    assert page.locator("#over").is_enabled()


def test_it_is_said_which_curve_the_lower_part_is_after_a_cut(tmp_path, browser_page):
    """Only the upper one is seen then: as if the rest were gone."""
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], [1000]))
    page.evaluate("isolate(0, 500)")
    page.locator("#cut").click()
    assert page.evaluate("note") == "from row 500 on it is A_B now: Ctrl Z takes it back"


def test_before_a_join_it_is_said_in_how_many_rows_one_of_both_is_kept(tmp_path, browser_page):
    """A piece that is given to a curve with ink in the same rows may change nothing."""
    page = page_of(
        tmp_path, browser_page, A=([[100, 0, 100, 3000]], []), B=([[60, 1000, 60, 5999]], []),
        C=([[60, 3001, 60, 5999]], []),
    )  # fmt: skip
    asked = []
    page.on("dialog", lambda it: (asked.append(it.message), it.dismiss()))
    for other in "BC":
        page.evaluate(f"rename('{other}', 'A')")
    assert "In 2,001 rows of both, the one with more ink is kept" in asked[0]
    assert "both" not in asked[1] and len(asked) == 2


def test_in_a_low_window_the_cut_and_the_undo_are_in_sight(tmp_path, browser_page):
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []), B=([[60, 0, 60, 99]], []))
    page.set_viewport_size({"width": 1024, "height": 600})
    ends = "(id) => $(id).getBoundingClientRect().bottom - $('#followed').getBoundingClientRect().bottom"
    page.evaluate("isolate(0, 500)")
    assert page.locator("#cut").inner_text() == "Cut at row 500" and page.evaluate(ends, "#cut") < 0
    assert page.locator("#depth").is_hidden()
    page.locator("#cut").click()
    tops = [page.locator(it).bounding_box()["y"] for it in ("#copy", "#undo")]
    assert tops[0] == tops[1], "side by side"
    page.keyboard.press("Escape")
    assert page.locator("#depth").is_visible() and page.locator("#tracks").is_visible()


@pytest.mark.parametrize("height", [600, 740])
def test_in_a_low_window_all_that_can_be_done_with_a_curve_is_in_sight(
    tmp_path, browser_page, height
):
    strokes = {f"T{i}_C{i}_DOTTED": ([[60 * i, 0, 60 * i, 5999]], []) for i in (1, 2, 3)}
    page = page_of(tmp_path, browser_page, **strokes)
    page.set_viewport_size({"width": 1024, "height": height})
    page.evaluate("isolate(0, 500)")
    for one in (
        "name",
        "left",
        "columns",
        "following",
        "remove",
        "backup",
        "piece",
        "swap",
        "other",
        "join",
        "give",
    ):
        assert page.evaluate(IN_SIGHT, f"#{one}"), one


def give(page, heir, first, last):
    page.locator("#mate").select_option(heir)
    page.locator("#give").click()
    for row in (last, first):
        page.evaluate(f"goTo({row})")
        click_paper(page, 20, row)


def test_a_stretch_is_given_to_another_curve_by_two_clicks(tmp_path, browser_page):
    """Clicks beside the ends of its gap take nothing from what the other one has."""
    b = [[60, 0, 60, 999], [60, 2000, 60, 5999]]
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []), B=(b, []))
    page.evaluate("isolate(0)")
    assert page.locator("#give").inner_text() == "Give a stretch to B"
    give(page, "B", 990, 2010)
    assert edits(page) == ["A:1000-1999=B"]
    assert "A is B from row 990 to 2,010, but for 21 rows that this has" in page.evaluate("note")
    page.locator("#undo").click()
    assert page.locator("#edits").is_hidden()
    give(page, "B", 1200, 1300)
    assert edits(page) == ["A:1200-1300=B"]


def test_within_a_stretch_off_the_scale_two_that_change_places_each_keep_theirs(
    tmp_path, browser_page
):
    a = [[200, 0, 200, 999, 238, 999], [46, 1000, 60, 1500, 46, 2000], [238, 2001, 200, 5999]]
    b = [[100, 0, 100, 1399, 60, 1400, 60, 1600, 100, 1601, 100, 5999]]
    page = page_of(tmp_path, browser_page, A=(a, []), B=(b, []))
    curves = page.evaluate("DATA.followed")
    curves[0]["off"] = [[1000, 2000, 1]]
    followed_anew(page, tmp_path, followed=curves)
    page.evaluate("isolate(0, 1450)")
    give(page, "B", 1420, 1580)
    assert [off_of(page, "A", row) for row in (900, 1100, 1500, 1900, 2100)] == [0, 1, 1, 1, 0]
    assert {off_of(page, "B", row) for row in (1100, 1500, 1900)} == {0}
    told = {"A:1420-1580-1", "B:1420-1580+1"}
    assert {*edits(page)} == {"A:1420-1580=B", "B:1420-1580=A"} | told
    page.locator("#undo").click()
    give(page, "B", 3000, 3100)  # on the scale nothing is said of it
    assert {*edits(page)} == {"A:3000-3100=B", "B:3000-3100=A"}


def test_in_a_stretch_that_both_have_two_curves_change_places(tmp_path, browser_page):
    page = page_of(
        tmp_path, browser_page, A=([[100, 0, 100, 5999]], []), B=([[60, 0, 60, 5999]], []),
        C=([[80, 0, 80, 999]], [])
    )  # fmt: skip
    page.evaluate("isolate(0, 2000)")  # as at a crossing: a click on A, where B is beside it
    assert page.locator("#give").inner_text() == "Give a stretch to B"
    assert page.locator("#mate").input_value() == "C"
    page.locator("#mate").click()
    assert page.locator("#give").inner_text() == "Give a stretch to C"
    page.locator("#mate").select_option("B")
    page.locator("#give").click()
    assert "become those of B; where B has rows" in page.locator("#pen").inner_text()
    settle(page)
    seen = """[100, 60, 80].map((column, i) => { const context = lineCanvas.getContext("2d");
        context.lineWidth = 9;
        const place = sheet.offsetLeft - scroller.scrollLeft + column * state.zoom;
        return context.isPointInStroke(drawn[i], place * devicePixelRatio, 100); })"""
    assert page.evaluate(seen) == [True, True, False], "where the two cross"
    page.keyboard.press("Escape")
    give(page, "B", 700, 1200)
    assert edits(page) == ["A:700-1200=B", "B:700-1200=A"]
    assert "have changed places from row 700 to 1,200" in page.evaluate("note")
    page.evaluate("isolate(2)")
    give(page, "A", 1100, 1200)
    assert page.evaluate("note") == "C has no rows from 1,100 to 1,200"
    assert page.evaluate("before.length") == 1, "nothing was changed"


def test_what_was_taken_back_is_made_again(tmp_path, browser_page):
    """By a key or a button, with the answer at a place to check; not after another correction."""
    strokes = {"A": ([[100, 0, 100, 5999]], [1000]), "B": ([[60, 0, 60, 5999]], [])}
    page = page_of(tmp_path, browser_page, **strokes)
    see_alone(page, "A")
    assert page.locator("#redo").is_hidden()
    page.locator("#name").fill("GR")
    page.locator("#name").press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.press("x")
    exchanged = edits(page)
    assert len(exchanged) == 3 and page.locator("#redo").is_disabled()
    page.keyboard.press("Control+z")
    assert edits(page) == ["A=GR"] and page.evaluate("isOpen(1000)")
    said = "taken back: A:0-1000=GR A:1001-5999=B B:1001-5999=GR"
    assert page.evaluate("note") == said, "none has to look for what it was"
    page.locator("#redo").click()
    assert edits(page) == exchanged and page.evaluate("answerAt(1000)") == "exchanged"
    page.keyboard.press("Escape")
    see_alone(page, "GR")
    for _ in range(2):
        page.locator("#undo").click()
    assert page.evaluate("followed[alone].name") == "A", "the same one, by its name of before"
    assert page.locator("#edits").is_hidden() and page.locator("#undo").is_disabled()
    page.reload()  # what was taken back is kept, too
    settle(page)
    page.evaluate("lineCanvas.hidden && showWhole(true)")
    see_alone(page, "A")
    for keys in ("Control+y", "Control+Shift+Z"):
        page.keyboard.press(keys)
    assert edits(page) == exchanged and page.evaluate("answerAt(1000)") == "exchanged"
    page.keyboard.press("Control+z")
    page.keyboard.press("Delete")
    page.keyboard.press("Control+y")
    assert edits(page) == ["A="] and page.locator("#redo").is_disabled()


def test_from_the_bottom_of_the_scan_n_leads_to_the_first_place_that_is_open(
    tmp_path, browser_page
):
    """Whoever has given the depths is at the bottom: the button was dead there, with all to check."""
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], [1000, 2000]))
    page.keyboard.press("n")
    page.keyboard.press("k")
    page.keyboard.press("Escape")
    page.keyboard.press("End")
    settle(page)
    assert page.locator("#next").is_enabled()
    page.keyboard.press("n")
    assert page.evaluate("marked") == 2000
    assert page.evaluate("note") == "there is none below: on from the top"
    page.keyboard.press("k")
    assert page.evaluate("note") == "all of them are answered"
    page.keyboard.press("End")
    settle(page)
    page.keyboard.press("n")
    assert (
        page.evaluate("note") == "no place to check below" and page.locator("#next").is_disabled()
    )


def test_curves_are_named_one_after_the_other_without_the_list(tmp_path, browser_page):
    """It lies below what can be done with a curve, and below the command."""
    strokes = {name: ([[x, 0, x, 5999]], []) for name, x in (("A", 60), ("B", 100), ("C", 140))}
    page = page_of(tmp_path, browser_page, **strokes)
    page.keyboard.press(".")
    for name in ("GR", "SP", "CAL"):
        page.locator("#name").fill(name)
        page.locator("#following").click()
    assert edits(page) == ["A=GR", "B=SP", "C=CAL"]
    assert page.locator("#name").input_value() == "GR", "after the last one the first"
    page.locator("#former").click()
    assert page.locator("#name").input_value() == "CAL"
    page.keyboard.press(",")
    assert page.locator("#name").input_value() == "SP"
    page.locator("#name").press(",")
    assert page.locator("#name").input_value() == ",SP", "it is written there"
    page.locator("#name").press("Escape")
    page.locator("#mate").focus()  # where letters choose another curve
    for key in ("F2", "D", "T", "Tab", "1", "Tab", "2", "Enter", ".", "F2", "X", "Enter"):
        page.keyboard.press(key)  # name and scale of one after the other, without the mouse
    assert page.evaluate("fix.scales") == {"DT": "1:2"} and edits(page)[1:] == ["B=DT", "C=X"]
    for key, name in ((",", "DT"), ("Delete", None), (".", "X"), ("Delete", None), (",", "GR")):
        page.keyboard.press(key)  # after one that was removed it goes on where that was
        assert page.evaluate("followed[alone]?.name") == name


def test_the_ink_below_a_curve_can_be_seen(tmp_path, browser_page):
    """The line of a curve lies on its ink, and is as broad: is it in its midst?"""
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []))
    see_alone(page, "A")
    page.locator("#opacity").fill("0.4")
    assert page.evaluate("lineCanvas.style.opacity") == "0.4"
    page.keyboard.down("h")
    assert not page.locator("#lines").is_visible()
    page.keyboard.up("h")
    assert page.locator("#lines").is_visible() and page.evaluate("alone") == 0
    page.keyboard.press("c")
    page.keyboard.press("o")
    assert page.locator("#opacity").is_disabled(), "nothing is seen"
    swatch = "getComputedStyle($('#each .swatch')).getPropertyValue('--c')"
    assert page.evaluate(swatch).endswith("42%)")
    see_alone(page, "A")
    page.keyboard.press("i")  # dark ones are not seen on black paper
    assert (
        page.evaluate(swatch).endswith("62%)") and page.locator("#each [aria-pressed=true]").count()
    )


def test_the_ink_of_a_curve_is_shown_in_the_list(tmp_path, browser_page):
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []))
    change_data(
        tmp_path, followed=[{**page.evaluate("original[0]"), "about": "solid, #0303fe, 3 px"}]
    )
    page.goto((tmp_path / "log.html").as_uri() + "?")
    small = page.locator("#each small")
    assert small.text_content() == "rows 0 to 5,999, solid, ink\N{NO-BREAK SPACE}, 3 px"
    colour = small.locator("i").evaluate("(it) => getComputedStyle(it).backgroundColor")
    assert colour == "rgb(3, 3, 254)"


def test_curves_that_lie_on_one_another_are_both_seen(tmp_path, browser_page):
    """The one that is drawn last hid the other: none saw that both were followed along one ink."""
    lines = [[100, 0, 100, 5999]]
    page = page_of(tmp_path, browser_page, A=(lines, []), B=(lines, []))
    settle(page)
    colours = page.evaluate("""() => {
        const seen = lineCanvas.getContext("2d"), swatches = [...document.querySelectorAll("#each .swatch")];
        const [x, high] = [sheet.offsetLeft - scroller.scrollLeft + 100 * state.zoom, lineCanvas.height];
        const { data } = seen.getImageData(Math.floor(x * devicePixelRatio), 0, 1, high);
        const all = Array.from({ length: high }, (_, y) => `rgb(${data.slice(4 * y, 4 * y + 3).join(", ")})`);
        return swatches.map((it) => all.filter((one) => one === getComputedStyle(it).backgroundColor).length / high);
    }""")
    assert min(colours) > 0.2, colours


def test_keys_are_the_page_s_again_after_a_scale_a_copy_or_a_choice(tmp_path, browser_page):
    """They were written in the field or the command, or chose another curve in the box."""
    strokes = {"A": ([[100, 0, 100, 5999]], [1000]), "B": ([[60, 0, 60, 5999]], [])}
    strokes["C"] = ([[150, 0, 150, 5999]], [])
    page = page_of(tmp_path, browser_page, **strokes)
    see_alone(page, "A")
    page.locator("#left").fill("0")
    page.locator("#left").press("Enter")
    assert page.evaluate("document.activeElement.id") == "left", "half a scale"
    page.locator("#right").fill("150")
    page.locator("#right").press("Enter")
    page.keyboard.press("n")
    assert page.evaluate("marked") == 1000 and page.locator("#right").input_value() == "150"
    page.locator("#copy").click()
    page.keyboard.press("Control+z")
    assert page.locator("#edits").is_hidden()
    page.locator("#partner").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    assert edits(page) == ["A:1001-5999=C", "C:1001-5999=A"], "with the one below B in the box"


def test_a_stretch_becomes_a_curve_of_its_own_by_two_clicks(tmp_path, browser_page):
    """It took two cuts and a join."""
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []))
    see_alone(page, "A")
    page.locator("#piece").click()
    assert "it becomes a curve of its own there" in page.locator("#pen").inner_text()
    for row in (300, 200):
        click_paper(page, 20, row)
    assert edits(page) == ["A:200-300=A_B"]
    assert page.evaluate("note").startswith("from row 200 to 300 it is A_B now")
    assert page.evaluate("followed.map(({ name, rows }) => [name, ...rows])") == [
        ["A", 0, 5999],
        ["A_B", 200, 300],
    ]
    parse_edits(edits(page))


def test_in_a_window_of_1280_pixels_and_less_the_head_is_one_line(tmp_path, browser_page):
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], [1000]))
    for width in (1280, 1050):
        page.set_viewport_size({"width": width, "height": 700})
        page.keyboard.press("n")
        tops = [page.locator(it).bounding_box()["y"] for it in ("#overlay", "#help")]
        assert tops[0] == tops[1]
    page.keyboard.press("o")  # the mask, too
    assert page.locator("#threshold").is_visible()


def test_the_button_that_ends_a_step_is_read_where_the_step_is_done_already(tmp_path, browser_page):
    """Its words, These are the tracks, were in the colour of its ground."""
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []))
    button = page.locator("#tracks")
    assert button.get_attribute("class") == "step done"
    button.click()
    assert button.inner_text() == "These are the tracks"
    style = button.evaluate(
        "(it) => [getComputedStyle(it).color, getComputedStyle(it).backgroundColor]"
    )
    assert style[0] != style[1]


def test_the_row_below_the_mouse_is_told_anew_where_the_wheel_moves_the_paper(
    tmp_path, browser_page
):
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []))
    click_paper(page, 20, 100)
    assert page.locator("#point").inner_text().startswith("row 100,")
    page.evaluate("scroller.scrollTop += 200 * state.zoom")
    page.wait_for_function("$('#point').textContent.startsWith('row 300,')")


def test_the_map_marks_the_places_to_check_that_are_open(tmp_path, browser_page):
    """It marked the mask's places of doubt, where no key leads while whole curves are shown."""
    strokes = {"A": ([[100, 0, 100, 5999]], [1000, 4000]), "B": ([[200, 0, 200, 5999]], [5000])}
    page = page_of(tmp_path, browser_page, **strokes)
    followed_anew(page, tmp_path, places=[[2000, 2256, 0.7]])

    def marked():
        return page.evaluate("""() => [1000, 2128, 4000, 5000].filter((row) => {
            const canvas = $("#map canvas"), y = Math.round((row / rows) * canvas.height);
            const [red, , blue] = canvas.getContext("2d").getImageData(canvas.width - 2, y, 1, 1).data;
            return red > 180 && blue < 80;
        })""")

    assert marked() == [1000, 4000, 5000]
    page.keyboard.press("n")
    page.keyboard.press("k")
    assert marked() == [4000, 5000]
    see_alone(page, "B")
    assert marked() == [5000]
    page.keyboard.press("c")
    assert marked() == [2128]
    page.keyboard.press("c")
    assert marked() == [4000, 5000]


def test_the_curves_that_are_not_asked_about_are_faint_all_along(tmp_path, browser_page):
    strokes = {"C": ([[200, 0, 200, 5999]], []), "A": ([[100, 0, 100, 5999]], [1000])}
    page = page_of(tmp_path, browser_page, **strokes, B=([[60, 0, 60, 5999]], []))
    page.keyboard.press("n")
    page.keyboard.press("+")
    settle(page)
    alphas = page.evaluate("""() => {
        const x = Math.round((sheet.offsetLeft - scroller.scrollLeft + 200 * state.zoom) * devicePixelRatio);
        const { data } = lineCanvas.getContext("2d").getImageData(x, 0, 1, lineCanvas.height / 3);
        return [...new Set(data.filter((_, i) => i % 4 === 3))];
    }""")
    assert len(alphas) == 1 and 60 < alphas[0] < 90


def test_undo_and_redo_lead_to_what_they_change_unless_it_is_in_sight(tmp_path, browser_page):
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []), B=([[60, 0, 60, 90]], []))

    def leads(key, start):
        page.evaluate(f"goTo({start})")
        page.keyboard.press(f"Control+{key}")
        return page.evaluate("Math.round(middle())")

    see_alone(page, "A")
    page.locator("#name").fill("GR")
    page.locator("#name").press("Enter")
    page.evaluate("cut(3000, 'GR')")
    assert leads("z", 5500) == 3000 and leads("y", 500) == 3000
    assert leads("z", 3100) == 3100, "its row is in sight"
    assert leads("z", 5500) == 5500, "a name is in all rows"
    see_alone(page, "B")
    page.keyboard.press("Delete")
    assert leads("z", 5500) < 500
    page.evaluate(
        "correct('', () => { fix.depth = { logs: [[[1000, 1], [2000, 2]]], unit: 'm' }; })"
    )
    assert leads("z", 5000) == 1000


def test_that_a_command_was_copied_is_said_only_if_it_was(tmp_path, browser_page):
    page = page_of(tmp_path, browser_page, A=([[100, 0, 100, 5999]], []))
    see_alone(page, "A")
    page.keyboard.press("Delete")
    page.evaluate("void (document.execCommand = () => false)")
    page.locator("#copy").click()
    assert page.locator("#copy").inner_text() == "Copy"
    assert "did not copy it" in page.evaluate("note")
    assert page.evaluate("String(getSelection())") == page.locator("#command").input_value()


def test_one_more_click_where_curves_lie_on_one_another_shows_the_next(tmp_path, browser_page):
    line = [[100, 0, 100, 5999]]
    page = page_of(
        tmp_path, browser_page, A=(line, []), B=(line, []), C=([[200, 0, 200, 5999]], [])
    )
    for name in ("A", "B", "A"):
        click_paper(page, 100, 300)
        assert page.evaluate("followed[alone].name") == name
    for row in (500, 500):  # where B is not seen
        click_paper(page, 100, row)
        assert page.evaluate("[followed[alone].name, marked]") == ["A", row]
    click_paper(page, 20, 500)
    assert page.evaluate("alone") == -1
    click_paper(page, 100, 300)
    assert page.evaluate("followed[alone].name") == "A", "the first again"
