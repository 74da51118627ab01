"""What the progress element does, with jobs that do what the test says."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from browser.progress_element import get_bar, open_page, place, read, serve, show, tell
from client_js.package import PACKAGE
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
async def origin(tmp_path: Path) -> AsyncIterator[str]:
    async with serve(tmp_path) as origin:
        yield origin


@pytest.fixture
async def page(origin: str) -> AsyncIterator[Page]:
    async with open_page(origin) as page:
        yield page


async def test_the_age_of_what_is_shown_is_told_and_grows(origin: str) -> None:
    async with open_page(origin, clock=True) as page:
        await page.evaluate("showState('stale', 'x'); 0")
        await page.clock.run_for(1000)
        assert await read(page, "link") == "Nothing heard · last update 2 min. ago"
        await page.clock.run_for(10 * 60_000)
        assert await read(page, "link") == "Nothing heard · last update 12 min. ago"


async def test_progress_is_told_as_aria_wants_it(page: Page) -> None:
    await place(page, label="Import of orders")
    await page.evaluate("painted()")
    assert await get_bar(page, "aria-valuenow") is None
    await tell(page, state={"step": "load"})
    await show(page, "value", "42%")
    assert await get_bar(page, "role") == "progressbar"
    assert [await get_bar(page, f"aria-value{name}") for name in ("min", "now", "max")] == ["0", "42", "100"]
    assert await get_bar(page, "aria-valuetext") == "42% · 42 of 100 · load"
    bar = page.get_by_role("progressbar", name="Import of orders")
    await expect(bar).to_have_count(1)
    await tell(page, link="offline")
    await page.evaluate("painted()")
    assert "Offline" in str(await get_bar(page, "aria-valuetext"))


async def test_the_bar_goes_back_only_where_there_is_another_total_or_attempt(page: Page) -> None:
    await place(page)
    await tell(page, state={"percent": 60, "done": 60})
    await show(page, "value", "60%")
    await tell(page, state={"percent": 30, "done": 30})
    await show(page, "count", "30 of 100")
    assert await read(page, "value") == "60%"
    await tell(page, state={"percent": 15, "done": 30, "total": 200})
    await show(page, "value", "15%")
    await tell(page, state={"percent": 1, "done": 2, "total": 200, "attempt": 2})
    await show(page, "value", "1%")


async def test_announcements_are_few(origin: str) -> None:
    async with open_page(origin, clock=True) as page:
        await place(page)
        await page.evaluate("""() => {
            window.said = [];
            new MutationObserver(() => said.push(part("x", "status").textContent))
                .observe(part("x", "status"), { childList: true });
        }""")
        for percent in range(1, 100):
            await tell(page, state={"percent": percent, "done": percent})
            await page.clock.run_for(500)
        await page.clock.run_for(20_000)
        said = await page.evaluate("said")
        assert said == ["Import: 25%", "Import: 50%", "Import: 75%"]

        await tell(page, link="offline")
        await page.clock.run_for(1000)
        await tell(page, link="live")
        await page.clock.run_for(1000)
        await tell(page, state={"percent": 100, "done": 100, "status": "complete"})
        await page.clock.run_for(2000)
        assert await page.evaluate("said.slice(3)") == ["Import: 99%, Offline"]
        await page.clock.run_for(10_000)
        assert await page.evaluate("said.slice(4)") == ["Import: 100%, Complete"]


async def test_a_lost_worker_is_announced_once(origin: str) -> None:
    """How long it has been lost is shown, and grows; who listens need not hear that again and again."""
    async with open_page(origin, clock=True) as page:
        await page.evaluate("showState('worker-lost', 'x'); 0")
        await page.clock.run_for(1000)
        shown = await read(page, "phase")
        said = await read(page, "status")
        assert said
        await page.clock.run_for(10 * 60_000)
        assert await read(page, "phase") != shown
        assert await read(page, "status") == said


async def test_announcements_can_be_switched_off(page: Page) -> None:
    await place(page, announce="off")
    await tell(page, state={"percent": 80})
    await tell(page, link="offline")
    await show(page, "value", "80%")
    await page.evaluate("painted()")
    assert await page.evaluate("part('x', 'status').textContent") == ""


async def test_an_error_is_an_alert_once(page: Page) -> None:
    await place(page)
    await page.evaluate("""() => {
        window.alerts = 0;
        new MutationObserver(() => alerts++).observe(part("x", "alert"), { childList: true });
    }""")
    failed = {"status": "failed", "error": {"type": "OSError", "message": "<b>disk full</b>"}}
    await tell(page, state=failed)
    await show(page, "error", "<b>disk full</b>")
    await tell(page, state=failed | {"message": "sorry"})
    await show(page, "step", "sorry")
    assert await page.get_by_role("alert").inner_text() == "Import: <b>disk full</b>"
    assert await page.evaluate("alerts") == 1


async def test_it_is_cancelled_with_the_keyboard(page: Page) -> None:
    await place(page, cancelable="")
    await tell(page, state={})
    await show(page, "cancel", "Cancel")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await show(page, "phase", "Cancelling")
    assert await page.evaluate("jobs.get('x').cancelled") == 1
    assert await read(page, "cancel") == ""
    assert await page.evaluate("element('x').shadowRoot.activeElement.id") == "bar"


async def test_a_cancel_that_nobody_heard_is_told(page: Page) -> None:
    await place(page, cancelable="")
    await tell(page, state={})
    await show(page, "cancel", "Cancel")
    await page.evaluate("jobs.get('x').refusal = 'no-worker'")
    await page.locator("#cancel").click()
    await show(page, "error", "Not cancelled: no worker has heard it")
    assert await read(page, "cancel") == "Cancel"
    assert await page.evaluate("element('x').phase") == "running"


async def test_the_page_may_ask_before_it_cancels(page: Page) -> None:
    await place(page, cancelable="")
    await tell(page, state={})
    await show(page, "cancel", "Cancel")
    await page.evaluate("addEventListener('tr-cancel', event => event.preventDefault())")
    await page.locator("#cancel").click()
    await page.evaluate("painted()")
    assert await page.evaluate("jobs.get('x').cancelled") == 0


async def test_what_happens_is_dispatched(page: Page) -> None:
    await place(page)
    await tell(page, state={})
    await tell(page, state={"status": "complete"})
    heard = [["tr-link", "live"], ["tr-progress", "running"], ["tr-progress", "complete"], ["tr-end", "complete"]]
    assert await page.evaluate("heard") == heard


async def test_moving_it_keeps_the_stream_and_taking_it_away_ends_it(page: Page) -> None:
    await place(page)
    await tell(page, state={})
    moved = """async () => {
        const [node, other] = [element("x"), document.createElement("section")];
        document.body.append(other);
        other.append(node);
        document.body.moveBefore?.(node, null);
        await painted();
        return [stubs.asked.length, jobs.get("x").listening];
    }"""
    asked, listening = await page.evaluate(moved)
    assert (asked, listening > 0) == (1, True)
    removed = "async () => { window.kept = element('x'); kept.remove(); await 0; return jobs.get('x').listening; }"
    assert await page.evaluate(removed) == 0
    await page.evaluate("async () => { document.body.append(kept); await painted(); }")
    assert await page.evaluate("[stubs.asked.length, jobs.get('x').listening > 0]") == [2, True]
    assert await read(page, "value") == "42%"


async def test_elements_that_are_gone_leave_nothing(page: Page) -> None:
    gone = """async () => {
        window.gone = [];
        for (let round = 0; round < 50; round++) {
            const element = showState("steps", "x");
            gone.push(new WeakRef(element));
            element.remove();
            await 0;
        }
        await painted();
        return jobs.get("x").listening;
    }"""
    assert await page.evaluate(gone) == 0
    session = await page.context.new_cdp_session(page)
    await session.send("HeapProfiler.collectGarbage")
    assert await page.evaluate("gone.filter(one => one.deref()).length") == 0


async def test_another_job_begins_anew(page: Page) -> None:
    await place(page)
    await tell(page, state={"percent": 80})
    await show(page, "value", "80%")
    await page.evaluate("element('x').job = 'y'; 0")
    await page.wait_for_function("window.jobs.has('y') && !jobs.get('x').listening")
    await page.evaluate("""async () => {
        jobs.get("y").set({ link: "live", state: { id: "y", status: "running", total: 100, percent: 10 } });
        await painted();
    }""")
    assert await page.evaluate("text('y', 'value')") == "10%"
    assert await page.evaluate("element('y').percent") == 10


async def test_it_paints_at_most_ten_times_a_second(page: Page) -> None:
    await place(page)
    paints, took = await page.evaluate("""async () => {
        let paints = 0;
        new MutationObserver(() => paints++).observe(part("x", "bar"), { attributeFilter: ["aria-valuenow"] });
        const begun = performance.now();
        const state = { id: "x", status: "running", total: 1000 };
        for (let done = 1; done <= 1000; done++) {
            jobs.get("x").set({ state: { ...state, done, percent: done / 10 } });
            if (done % 5 === 0) await new Promise(resolve => setTimeout(resolve, 5));
        }
        await painted();
        return [paints, performance.now() - begun];
    }""")
    assert 1 < paints <= took / 100 + 1
    assert await read(page, "value") == "100%"


async def test_warnings_can_be_looked_at(page: Page) -> None:
    await place(page)
    warnings = [{"message": f"row {row}", "time": "2026-01-31T12:00:00Z"} for row in (1, 2)]
    await tell(page, state={"warnings": warnings, "warned": 12})
    await show(page, "summary", "Warnings: 12")
    await page.locator("summary").press("Enter")
    await tell(page, state={"warnings": warnings, "warned": 12, "percent": 43})
    await show(page, "value", "43%")
    assert await page.locator("#list li bdi").all_inner_texts() == ["row 2", "row 1"]


async def test_what_was_set_before_the_element_was_known_counts(page: Page) -> None:
    placed = """async () => {
        const { promise, resolve } = Promise.withResolvers();
        const frame = document.createElement("tailrace-later");
        frame.client = stubs;
        frame.job = "later";
        document.body.append(frame);
        customElements.define("tailrace-later", class extends TailraceProgress {});
        await painted();
        return [stubs.asked, Object.hasOwn(frame, "client"), frame.getAttribute("job")];
    }"""
    assert await page.evaluate(placed) == [[["later", None]], False, "later"]


async def test_the_old_name_works_as_it_did(page: Page) -> None:
    result = """async () => {
        await import("/shim.js");
        window.SSEProgressUI.defaults = { container: "#place" };
        const done = Promise.withResolvers();
        const ui = new SSEProgressUI("gauge", "x", { title: "Import", onComplete: done.resolve, debug: true });
        ui.element.client = stubs;
        await painted();
        jobs.get("x").set({ link: "live", state: { id: "x", status: "complete", result: { url: "/r/9.pdf" } } });
        const result = await done.promise;
        await painted();
        return [result, element("x").kind, text("x", "label"), ui.element.parentNode.id];
    }"""
    # The page's own bundle has the element, and the shim's has another copy: the first one stays.
    assert await page.evaluate(result) == [{"url": "/r/9.pdf"}, "gauge", "Import", "place"]
    assert (PACKAGE / "src" / "shim.ts").is_file()
