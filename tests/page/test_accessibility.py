"""The page by axe-core: nothing serious in any state of it, light or dark, wide or narrow."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.fakes.browser_runs import FUSE, opened, tagged
from tests.fakes.page_results import result
from tests.fakes.page_server import PageServer, ScriptedSteps, refused, streamed, values

pytestmark = pytest.mark.asyncio(loop_scope="module")

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
WRONG = {"serious", "critical"}


@pytest.fixture(scope="module")
def axe() -> str:
    """Return axe-core's source, or skip."""
    if not AXE.is_file():
        pytest.skip("no axe-core here: run `npm ci --prefix web`")
    return AXE.read_text(encoding="utf-8")


async def found(page: Page, axe: str) -> list[tuple[str, str]]:
    """Return the serious findings, each with the first element that has it."""
    await page.evaluate(f"() => {{ {axe} }}")
    results: dict[str, Any] = await page.evaluate("() => axe.run()")
    assert len(results["passes"]) > 10, "axe looked at nothing"
    return [(one["id"], one["nodes"][0]["html"]) for one in results["violations"] if one["impact"] in WRONG]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
async def test_nothing_serious(browser: Browser, server: PageServer, axe: str, scheme: Any, width: int) -> None:
    context = await browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = await context.new_page()
    await opened(page, server)
    assert await found(page, axe) == []
    await page.get_by_role("button", name="Tag", exact=True).click()
    assert await found(page, axe) == [], "with a blank text"

    steps = ScriptedSteps()
    await tagged(page, server, steps)
    steps.send(FUSE)
    await expect(page.locator(".found > li").first).to_be_visible()
    assert await found(page, axe) == [], "while it runs"
    await page.get_by_role("button", name="Cancel").click()

    await tagged(page, server, streamed(FUSE, values(result(degraded="the LLM is down"))))
    await expect(page.get_by_role("status").first).to_contain_text("Done")
    for summary in await page.locator("main summary").all():
        await summary.click()
    assert await found(page, axe) == [], "with a result, all of it open"
    wider = await page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    assert wider <= 0, "the page scrolls sideways"

    await tagged(page, server, refused(401, "no key"))
    await expect(page.get_by_label("Key for this server")).to_be_focused()
    assert await found(page, axe) == [], "with an error, and asked for a key"
    await context.close()


async def test_axe_finds_what_is_wrong(page: Page, server: PageServer, axe: str) -> None:
    await opened(page, server)
    await page.evaluate("() => document.querySelector('label[for=text]').remove()")
    assert "label" in [rule for rule, _ in await found(page, axe)]
