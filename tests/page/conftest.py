"""A real browser, and a server with the page in it."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright, expect

from tests.fakes.page_server import PageServer
from tests.graphs.conftest import api_key, fake, store  # noqa: F401

NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW = "no Chromium here: install one (Debian: apt-get install chromium), or name it in LLM4TAG_TEST_CHROMIUM"


PATIENCE = 20_000
"""Milliseconds that a busy machine may take to show something."""
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the browser's path. Skip where there is none, and say what to install; CI fails instead."""
    found = os.environ.get("LLM4TAG_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and os.environ.get("CI"):
        pytest.fail(HOW)
    if found is None:
        pytest.skip(HOW)
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """Start the browser, without a window."""
    async with async_playwright() as playwright:
        # Root has no sandbox; nothing but our own page is opened.
        started = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        await started.close()


@pytest.fixture
def server() -> Iterator[PageServer]:
    """Serve the page, with an API that a test scripts."""
    with PageServer() as running:
        yield running


class Seen:
    """What a page did beside what it shows.

    Attributes:
        complaints: errors, warnings and breaches of the policy that the browser reports.
        elsewhere: addresses asked for that are not the page's own server's.
    """

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        page.on("request", self._asked)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith("http://127.0.0.1:"):
            self.elsewhere.append(request.url)


@pytest_asyncio.fixture(loop_scope="module")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Return a profile with nothing in it."""
    fresh = await browser.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
    fresh.set_default_timeout(PATIENCE)
    yield fresh
    await fresh.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(context: BrowserContext) -> Page:
    """Return an empty tab."""
    return await context.new_page()


@pytest.fixture
def seen(page: Page) -> Seen:
    """Watch the tab."""
    return Seen(page)
