"""A real browser, and a server with the page in it."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.fakes.browser_runs import PageWatch
from tests.fakes.page_server import PageServer
from tests.fakes.scripted_llm import api_key, fake  # noqa: F401
from tests.fakes.small_store import store  # noqa: F401

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
def seen(page: Page) -> PageWatch:
    """Watch the tab."""
    return PageWatch(page)
