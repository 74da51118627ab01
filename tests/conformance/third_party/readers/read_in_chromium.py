"""Runs a module in a page of the stream's own origin. Arguments: Chromium, the module's path, the URL."""

import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

from playwright.sync_api import Route, sync_playwright

from conformance.third_party.readers.contract import URL, show

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

chromium, module = sys.argv[1], Path(sys.argv[2])
origin = "{0.scheme}://{0.netloc}".format(urlsplit(URL))
# Without the icon, the browser asks the edge for one.
page_text = (
    f'<!doctype html><link rel="icon" href="data:,"><script type="module" src="/files/readers/{module.name}"></script>'
)


def answer(route: Route) -> None:
    path = urlsplit(route.request.url).path.removeprefix("/files/")
    if path == "page":
        route.fulfill(body=page_text, content_type="text/html")
    else:
        route.fulfill(path=module.parents[1] / path, content_type="text/javascript")


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS, timeout=120_000)
    page = browser.new_page()
    page.expose_function("show", show)
    page.route(f"{origin}/files/**", answer)
    page.goto(f"{origin}/files/page?stream={quote(URL, safe='')}")
    page.wait_for_function("globalThis.over", timeout=0)
    browser.close()
