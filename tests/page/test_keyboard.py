"""The page in a real browser, by the keyboard alone."""

import asyncio

import pytest
from playwright.async_api import Page, expect

from llm4tag.schema import TagDecision
from tests.fakes.browser_runs import opened
from tests.fakes.page_results import TAGS, result
from tests.fakes.page_server import PageServer, ScriptedSteps, streamed, values

pytestmark = pytest.mark.asyncio(loop_scope="module")


def many() -> tuple[TagDecision, ...]:
    return tuple(TAGS[0].model_copy(update={"id": f"t{place}", "name": f"Tag {place}"}) for place in range(12))


async def test_the_keyboard_alone_does(page: Page, server: PageServer) -> None:
    await opened(page, server, streamed(values(result(tags=many()))))
    press = page.keyboard.press
    focused = "() => document.activeElement.closest('[data-tag]')?.dataset.tag ?? document.activeElement.id"

    async def tab_to(words: str) -> None:
        for _ in range(60):
            await press("Tab")
            if await page.evaluate("() => document.activeElement.textContent.trim()") == words:
                return
        raise AssertionError(f"Tab does not reach {words!r}")

    await press("Tab")
    assert await page.evaluate(focused) == "title"
    await press("Tab")
    await page.keyboard.type("a mail reader")
    await press("Tab")
    await press("Space")
    await expect(page.get_by_label("Ask the language model")).not_to_be_checked()
    await press("Tab")
    await press("Enter")
    await expect(page.get_by_role("status").first).to_contain_text("Done")
    await tab_to("Evidence for Tag 0")
    outline = await page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    await press("Enter")
    await expect(page.locator('[data-tag="t0"] .evidence')).to_be_visible()
    await tab_to("Show all 12")
    assert await page.locator(".found > li").count() == 10
    await press("Enter")
    await expect(page.locator(".found > li")).to_have_count(12)
    await tab_to("The result")
    await press("Enter")
    await expect(page.locator("pre")).to_be_visible()
    await tab_to("Copy")
    await tab_to(str(await page.locator("pre").text_content()).strip())


async def test_keys_tag_and_cancel(page: Page, server: PageServer) -> None:
    await opened(page, server, ScriptedSteps())
    await page.get_by_label("Text").fill("a mail reader")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_role("button", name="Cancel")).to_have_attribute("aria-disabled", "false")
    for _ in range(2000):
        if server.requests:
            break
        await asyncio.sleep(0.01)
    await page.keyboard.press("Control+Enter")
    await page.evaluate("() => document.activeElement.blur()")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("status").first).to_have_text("Cancelled.")
    assert len(server.requests) == 1
