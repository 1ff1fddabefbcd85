"""What a reader can do with a board in a browser, with its script and without."""

import pytest
from axe_playwright_python.sync_playwright import Axe

ROWS = "#unseen tbody tr:not([hidden]) th"


def names(page, section="unseen"):
    """The rows that are to be seen, in order."""
    found = page.locator(f"#{section} tbody tr:not([hidden]) th").all_inner_texts()
    return [text.split("\n")[0].rstrip("12345 ") for text in found]


def press(page, title, section="unseen"):
    page.locator(f"#{section} thead button", has_text=title).first.click()


def fragment(page):
    return page.evaluate("location.hash")


def test_a_column_s_title_sorts(visit):
    page = visit()
    first = names(page)
    assert first[0] == "sasrec" and len(first) == 5
    press(page, "ndcg@10")
    assert names(page) == first  # the highest figure first, as it was
    press(page, "ndcg@10")
    assert names(page) == first[::-1]
    head = page.locator("#unseen thead th[aria-sort]")
    assert head.get_attribute("aria-sort") == "ascending" and "ndcg@10" in head.inner_text()
    press(page, "ndcg@10")
    assert page.locator("#unseen thead th[aria-sort]").count() == 0
    press(page, "model")
    assert names(page) == sorted(first)
    assert names(page, "full") == first  # each table by itself


def test_times_are_sorted_by_what_they_last(visit):
    page = visit()
    press(page, "fit", "cost")
    assert names(page, "cost")[0] == "vlm2rec (tiny)"
    press(page, "fit", "cost")
    assert names(page, "cost")[0] == "itemknn"  # <0.1s


def test_rows_are_filtered_everywhere_and_decisions_stay(visit):
    page = visit()
    before = page.locator("#unseen tbody tr", has_text="sasrec").inner_text()
    page.fill("#find", "sasrec pop")
    assert names(page) == names(page, "full") == names(page, "cost") == ["sasrec", "pop"]
    assert page.locator("#unseen tbody tr", has_text="sasrec").inner_text() == before
    told = page.locator("#told").inner_text()
    assert told.startswith("2 of 5 rows.") and "stay those of all 5" in told
    said = page.locator("#unseen .pairs output").first.inner_text()
    assert "decisions stay those of the whole family" in said
    page.fill("#find", "-tiny -script")
    assert names(page) == ["sasrec", "itemknn", "pop"]
    page.fill("#find", "nobody")
    assert names(page) == [] and "0 of 5" in page.locator("#told").inner_text()


def test_the_address_holds_what_is_shown(visit):
    page = visit()
    press(page, "model")
    press(page, "model")
    page.fill("#find", "-pop")
    page.click("#theme")
    shown, address = names(page), fragment(page)
    again = visit(address)
    assert names(again) == shown and len(shown) == 4
    assert again.input_value("#find") == "-pop"
    assert again.evaluate("document.documentElement.dataset.theme") == "dark"
    head = again.locator("#unseen thead th[aria-sort]")
    assert head.get_attribute("aria-sort") == "descending"
    again.evaluate("location.hash = '#find=sasrec'")  # as by the button that goes back
    again.wait_for_function("document.querySelectorAll('#unseen tbody tr[hidden]').length == 4")
    assert names(again) == ["sasrec"]


def test_a_link_to_a_place_goes_there_and_loses_nothing(visit):
    page = visit("#find=sasrec")
    page.click("nav a[href='#cost']")
    assert fragment(page) == "#find=sasrec"
    top = page.evaluate("document.getElementById('cost').getBoundingClientRect().top")
    assert -5 < top < 300
    plain = visit("#cost")
    assert abs(plain.evaluate("document.getElementById('cost').getBoundingClientRect().top")) < 300


def test_nothing_is_asked_of_anybody_and_nothing_is_refused(visit):
    for scheme in ("light", "dark"):
        page = visit(color_scheme=scheme)
        page.fill("#find", "a")
        press(page, "model")
        page.click("#theme")
        page.wait_for_timeout(200)
        assert [url.partition("#")[0] for url in page.requests] == [page.url.partition("#")[0]]
        assert page.complaints == []


def test_a_policy_keeps_out_what_is_not_the_page_s(visit):
    page = visit()
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.foreign = 1";
          document.body.append(script);
          document.body.setAttribute("style", "color: red");
          const image = new Image();
          image.src = "https://example.org/x.png";
          document.body.append(image);
        }"""
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.foreign") is None
    assert len([text for text in page.complaints if "Content Security Policy" in text]) >= 3


def test_foreign_names_are_text(visit):
    page = visit()
    assert "<script>alert(1)</script>" in page.locator("h1").inner_text()
    assert "<script>alert(1)</script>" in names(page)
    assert page.locator("main script").count() == 0


def test_all_is_there_without_the_script(visit):
    page = visit(java_script_enabled=False)
    text = page.inner_text("body")
    for words in (
        "What may be concluded: of the",
        "sasrec is best",
        "group, by ndcg@10: rows that share a letter",
        "Where rows are good",
        "By the length of the history",
        "Paper and ours",
        "KeyError: 'x'",
        "Tiny preset: the same code",
        "Rows are ordered on unseen",
    ):
        assert words in text
    assert page.locator(".controls").is_hidden()
    assert page.locator("#unseen .scroll svg").first.is_visible()
    assert page.locator(".trade circle").first.is_visible()
    assert page.locator(".pairs ol").first.is_visible()  # the map as text
    page.click("text=Training curves")
    page.click(".curves summary")
    assert page.locator(".curves svg").first.is_visible()


def test_keys_do_what_the_mouse_does(visit):
    page = visit()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "find"
    page.keyboard.type("pop")
    assert names(page) == ["pop"]
    page.keyboard.press("Escape")
    assert len(names(page)) == 5
    page.locator("#unseen thead button").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#unseen thead th").first.get_attribute("aria-sort") == "ascending"
    page.locator("#unseen .pairs canvas").first.focus()
    page.keyboard.press("ArrowRight")
    said = page.locator("#unseen .pairs output").first
    assert said.inner_text() == "sasrec is above itemknn: p < .001"
    page.keyboard.press("ArrowDown")
    assert said.inner_text() == "sasrec is above vlm2rec (tiny): p < .001"
    page.reload()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"


def test_a_click_on_a_name_opens_its_curves(visit):
    page = visit()
    assert page.locator(".curves[open]").count() == 0
    page.click("#unseen tbody th a >> text=sasrec")
    opened = page.locator(".curves[open]")
    assert opened.locator("summary").inner_text() == "sasrec"
    assert opened.locator("figcaption").first.inner_text() == (
        "valid ndcg@10: from 0 to 0.59, steps 0 to 59, seeds 0, 1, 2"
    )
    assert page.locator("#unseen tbody th a", has_text="pop").count() == 0


@pytest.mark.parametrize("width", [360, 800, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_width_makes_the_page_itself_scroll_sideways(visit, width, scheme):
    page = visit(viewport={"width": width, "height": 740}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    inside = page.evaluate(
        "[...document.querySelectorAll('.scroll')].every(e => e.scrollWidth <= e.clientWidth "
        "|| getComputedStyle(e).overflowX == 'auto')"
    )
    assert inside


def test_heads_and_names_stay_in_sight(visit):
    page = visit(viewport={"width": 360, "height": 500})
    box = page.locator("#unseen .scroll")
    box.evaluate("e => { e.scrollLeft = 200; e.scrollTop = 60 }")
    left = box.bounding_box()
    name = page.locator(ROWS).nth(2).bounding_box()
    assert abs(name["x"] - left["x"]) < 3
    head = page.locator("#unseen thead th").nth(1).bounding_box()
    assert abs(head["y"] - left["y"]) < 3


def test_in_print_all_of_a_table_is_on_paper(visit):
    page = visit(color_scheme="dark")
    page.emulate_media(media="print")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"
    first = page.locator(".pairs canvas").first.evaluate(
        "c => [...c.getContext('2d').getImageData(c.width - 3, 3, 1, 1).data]"
    )
    assert first[:3] == [8, 70, 127]  # the darkest of a light page
    assert page.locator(".controls").is_hidden()
    style = page.locator("#unseen .scroll").evaluate(
        "e => [getComputedStyle(e).overflowX, getComputedStyle(e).maxHeight]"
    )
    assert style == ["visible", "none"]
    assert page.pdf(format="A4").startswith(b"%PDF")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_axe_finds_nothing(visit, width, scheme):
    """Roles, labels, names, contrast, order of headings, heads of tables: what axe-core checks."""
    page = visit(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    found = Axe().run(page).response
    told = [
        (one["id"], node["html"][:120], node.get("failureSummary", "")[:200])
        for one in found["violations"]
        for node in one["nodes"]
    ]
    assert told == []
    assert {"color-contrast", "th-has-data-cells", "label", "heading-order"} <= {
        one["id"] for one in found["passes"]
    }
