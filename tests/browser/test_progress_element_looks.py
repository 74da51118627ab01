"""How the progress element looks, whatever the page, the language and the eyes."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from browser.progress_element import get_bar, open_page, place, read, serve, show, tell
from client_js.package import prepare_package
from PIL import Image
from playwright.async_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
async def origin(tmp_path: Path) -> AsyncIterator[str]:
    async with serve(tmp_path) as origin:
        yield origin


@pytest.fixture
async def page(origin: str) -> AsyncIterator[Page]:
    async with open_page(origin) as page:
        yield page


async def take_row(page: Page) -> list[Any]:
    """Return the colours along the bar's middle."""
    picture = Image.open(io.BytesIO(await page.locator("#bar").screenshot()))
    return [picture.getpixel((column, picture.height // 2)) for column in range(picture.width)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_in_any_state(origin: str, scheme: str) -> None:
    axe = (prepare_package() / "node_modules" / "axe-core" / "axe.min.js").read_text()
    async with open_page(origin, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce") as page:
        await page.evaluate(axe)
        names = await page.evaluate("Object.keys(STATES)")
        assert len(names) >= 20
        for name in names:
            await page.evaluate("name => { showState(name) }", name)
        await page.evaluate("painted()")
        for element in await page.query_selector_all("tailrace-progress"):
            assert await element.evaluate("node => node.shadowRoot.querySelector('details').open = true")
        found = await page.evaluate(
            "axe.run({ include: 'tailrace-progress' }, { resultTypes: ['violations', 'incomplete'] })"
        )
        assert len(found["passes"]) > 10
        assert [(rule["id"], rule["nodes"][0]["html"], rule["nodes"][0]["any"]) for rule in found["violations"]] == []
        unsure = [node["html"] for rule in found["incomplete"] for node in rule["nodes"]]
        # The number in the middle of a gauge, which axe takes to lie upon its arc.
        assert set(unsure) <= {"<bdi>42%</bdi>", "<bdi>100%</bdi>"}


async def test_states_differ_by_icon_and_words(page: Page) -> None:
    names = ["connecting", "waiting", "running", "stale", "offline", "unauthorized", "worker-lost", "retrying"]
    names += ["cancelling", "complete", "failed", "cancelled", "refused"]
    for name in names:
        await page.evaluate("name => { showState(name) }", name)
    await page.evaluate("painted()")
    seen = await page.evaluate(
        """names => names.map(name => ["phase", "link"].map(id => [text(name, id),
            text(name, id) && part(name, id).querySelector("path").getAttribute("d")]).flat())""",
        names,
    )
    words = [(phase, link.split(" · ")[0]) for phase, _, link, _ in seen]
    icons = [(phase, link) for _, phase, _, link in seen]
    assert len(set(words)) == len(names)
    assert len(set(icons)) >= len(names) - 1  # to be cancelled and being cancelled look alike


async def test_each_state_can_be_styled_by_the_page(page: Page) -> None:
    for name in ("running", "stale", "worker-lost", "indeterminate", "failed"):
        await page.evaluate("name => { showState(name) }", name)
    await page.evaluate("painted()")
    matches = "([name, states]) => states.map(state => element(name).matches(`:state(${state})`))"
    assert await page.evaluate(matches, ["running", ["live", "moving", "halted"]]) == [True, True, False]
    assert await page.evaluate(matches, ["stale", ["stale", "moving", "halted"]]) == [True, False, True]
    assert await page.evaluate(matches, ["worker-lost", ["worker-lost", "moving", "halted"]]) == [True, False, True]
    assert await page.evaluate(matches, ["indeterminate", ["indeterminate", "moving"]]) == [True, True]
    assert await page.evaluate(matches, ["failed", ["failed", "halted", "live"]]) == [True, False, False]


async def test_a_gauge_is_an_arc_around_the_value(page: Page) -> None:
    await page.evaluate("showState('gauge-running', 'x'); 0")
    await show(page, "value", "42%")
    await page.wait_for_function("() => part('x', 'arc')?.checkVisibility() && !part('x', 'fill').checkVisibility()")
    box = "name => JSON.stringify(part('x', name).getBoundingClientRect())"
    arc, value = [json.loads(await page.evaluate(box, name)) for name in ("arc", "value")]
    for side, other in (("left", "right"), ("top", "bottom")):
        assert arc[side] < value[side] < value[other] < arc[other]
    assert value["left"] + value["right"] == pytest.approx(arc["left"] + arc["right"], abs=1)
    await page.evaluate("element('x').kind = 'bar'; 0")
    await page.wait_for_function("() => !part('x', 'arc').checkVisibility() && part('x', 'fill').checkVisibility()")


@pytest.mark.parametrize("kind", ["bar", "gauge"])
@pytest.mark.parametrize("name", ["stale", "offline", "unauthorized", "worker-lost"])
async def test_it_never_pretends_to_run(page: Page, name: str, kind: str) -> None:
    await page.evaluate(
        """([name, kind]) => {
        for (const each of [name, 'running']) showState(each).kind = kind;
    }""",
        [name, kind],
    )
    await page.evaluate("painted()")
    looks = """([name, kind]) => {
        const arc = part(name, "arc");
        const [fill, hatched] = kind === "bar" ? [part(name, "fill"), part(name, "fill")] : [arc.lastChild, arc];
        const { backgroundColor, stroke } = getComputedStyle(fill);
        const { backgroundImage, maskImage } = getComputedStyle(hatched);
        return [text(name, "eta"), text(name, "rate"), backgroundColor + stroke,
            [backgroundImage, maskImage].some((image) => image !== "none")];
    }"""
    eta, rate, colour, hatched = await page.evaluate(looks, [name, kind])
    assert (eta, rate, hatched) == ("", "", True)
    running = await page.evaluate(looks, ["running", kind])
    assert running[:2] == ["about 2 min left", "48/s"]
    assert (colour != running[2], running[3]) == (True, False)
    place = "phase" if name == "worker-lost" else "link"
    assert "last update" in await page.evaluate("([name, place]) => text(name, place)", [name, place])


@pytest.mark.parametrize("name", ["connecting", "waiting"])
async def test_a_gauge_of_which_nothing_is_known_looks_like_no_share(page: Page, name: str) -> None:
    await page.evaluate("name => { showState(name).kind = 'gauge' }", name)
    await page.evaluate("painted()")
    assert await page.evaluate("name => getComputedStyle(part(name, 'arc').lastChild).strokeDasharray", name) == "none"


async def test_percent_are_not_rounded_up(page: Page) -> None:
    await place(page)
    await tell(page, state={"percent": 99.9})
    await show(page, "value", "99%")
    assert await get_bar(page, "aria-valuenow") == "99"


async def test_only_what_is_asked_for_is_shown(page: Page) -> None:
    state = {"message": "page 1", "steps": [{"name": "Load", "status": "running", "percent": 64}]}
    await place(page, show="percent steps")
    await tell(page, state=state)
    await show(page, "value", "42%")
    assert await read(page, "count") == await read(page, "step") == ""
    assert await read(page, "steps") == "Load · 64%Running"
    assert await page.evaluate("part('x', 'label').className") == "unseen"
    assert await read(page, "link") == "Live"


async def test_words_are_those_of_the_language(page: Page) -> None:
    german = {"running": "Läuft", "live": "Verbunden", "count": "{} von {}", "eta": "noch etwa {}"}
    await page.evaluate(
        "german => { TailraceProgress.strings.de = german; document.documentElement.lang = 'de' }", german
    )
    await place(page)
    await tell(page, state={"done": 1234.5, "total": 5000, "eta": 200})
    await show(page, "count", "1.235 von 5.000")
    assert await read(page, "eta") == "noch etwa 3 Min."
    assert await read(page, "link") == "Verbunden"
    await page.evaluate("element('x').strings = { live: 'Da' }; 0")
    await show(page, "link", "Da")


async def test_a_native_bar_is_there_until_the_element_is(origin: str) -> None:
    async with open_page(origin) as page:
        shown = """tag => {
            const node = document.createElement(tag);
            node.append(document.createElement("progress"));
            document.body.append(node);
            return node.firstChild.checkVisibility() && node.firstChild.getClientRects().length > 0;
        }"""
        assert await page.evaluate(shown, "tailrace-unknown") is True
        assert await page.evaluate(shown, "tailrace-progress") is False


@pytest.mark.parametrize("name", ["indeterminate", "gauge-indeterminate"])
async def test_reduced_motion_is_slow_and_not_frozen(origin: str, name: str) -> None:
    moving = """async name => {
        showState(name);
        await painted();
        const moves = name.startsWith("gauge") ? part(name, "arc").lastChild : part(name, "fill");
        const [animation] = moves.getAnimations();
        return [animation.effect.getTiming().duration, animation.playState];
    }"""
    async with open_page(origin, reduced_motion="no-preference") as page:
        fast, _ = await page.evaluate(moving, name)
    async with open_page(origin, reduced_motion="reduce") as page:
        slow, state = await page.evaluate(moving, name)
    assert state == "running"
    assert slow >= 4 * fast


async def test_right_to_left_it_fills_from_the_right(page: Page) -> None:
    await page.evaluate("document.documentElement.dir = 'rtl'")
    await place(page)
    await tell(page, state={})
    await show(page, "value", "42%")
    await page.evaluate("painted().then(() => Promise.all(part('x', 'fill').getAnimations().map(one => one.finished)))")
    box = "name => JSON.stringify(part('x', name).getBoundingClientRect())"
    bar, fill = [json.loads(await page.evaluate(box, name)) for name in ("bar", "fill")]
    assert fill["right"] == bar["right"]
    assert fill["width"] == pytest.approx(0.42 * bar["width"], abs=1)


async def test_with_forced_colours_bar_and_fill_differ(origin: str) -> None:
    async with open_page(origin, forced_colors="active") as page:
        await place(page)
        await tell(page, state={})
        await show(page, "value", "42%")
        await page.evaluate("Promise.all(part('x', 'fill').getAnimations().map(one => one.finished))")
        # The picture: computed styles do not have the colours that are forced.
        running = await take_row(page)
        assert running[len(running) // 5] != running[4 * len(running) // 5]
        await tell(page, link="stale")
        await page.wait_for_function("() => element('x').matches(':state(halted)')")
        halted = await take_row(page)
        middle = slice(len(running) // 10, len(running) // 3)
        assert (len(set(running[middle])), len(set(halted[middle])) > 1) == (1, True), "no hatching"
        assert await page.evaluate("getComputedStyle(part('x', 'bar')).borderTopWidth") == "1px"
