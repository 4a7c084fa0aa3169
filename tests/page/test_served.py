"""The page in a real browser, from `llm4tag serve`, with the real graph and a scripted LLM."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from llm4tag.schema import TagResult
from tests.fakes.browser_runs import PageWatch
from tests.fakes.openai_server import FakeOpenAI, Reply
from tests.fakes.scripted_llm import likes
from tests.fakes.serve_process import ServeProcess, running

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def running_server(tmp_path: Path, store: str, fake: FakeOpenAI) -> Iterator[ServeProcess]:
    """Serve the graph and the page."""
    options = (
        "--store",
        store,
        "--model",
        "openai/fake",
        "--api-base",
        fake.api_base,
        "--max-rounds",
        1,
        "--no-cache",
    )
    with running(tmp_path, *options, LLM4TAG_API_KEY="test-key") as started:
        yield started


async def test_a_content_is_tagged_a_run_cancelled_and_a_failing_model_reported(
    page: Page, running_server: ServeProcess, fake: FakeOpenAI, seen: PageWatch
) -> None:
    await page.goto(f"{running_server.address}/app")
    await page.get_by_label("Title").fill("mutt")
    await page.get_by_label("Text").fill("a mail reader with imap for people who play chess")
    await page.get_by_role("button", name="Tag", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("The server wants an API key. no key, or none")
    refused = seen.complaints.copy()
    assert all("401" in complaint for complaint in refused)
    await page.get_by_label("Key for this server").fill(running_server.key)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").first).to_contain_text("Done", timeout=60_000)
    states = await page.locator(".stages > li").evaluate_all("all => all.map(one => one.dataset.state)")
    assert states == ["done"] * 6
    mail = page.locator('[data-tag="mail"]')
    await expect(mail.locator(".short")).to_contain_text("on 3 of 6 similar contents; 'Mail' is in the text")
    await expect(mail.locator(".short")).to_contain_text("the LLM: named in 3 of 3 answers, judged yes")
    await expect(mail.locator(".confidence")).to_have_text(re.compile(r"^[01]\.\d\d estimated$"))
    await mail.locator("summary").click()
    await expect(mail.locator(".human").first).to_contain_text(
        "tagged by people): imap mail reader for the terminal"
    )
    await expect(mail.locator(".reason")).to_contain_text("the store has no calibrator")
    await page.get_by_text("What the model is shown").click()
    await expect(page.locator('[data-stage="knowledge"]')).to_contain_text("Passage “IMAP”: IMAP is a protocol")
    await page.locator("summary", has_text="The result").click()
    result = TagResult.model_validate(json.loads(str(await page.locator("pre").text_content())))
    assert result.tags[0].id == "mail"
    assert await page.locator(".found > li").count() == min(10, len(result.tags))

    asked = len(fake.chat_requests)

    def slowly(request: dict[str, Any]) -> Reply:
        answer = likes("Mail")(request)
        assert isinstance(answer, Reply)
        return Reply(answer.text, first_token=answer.first_token, delay=1.5)

    fake.chat = slowly
    await page.get_by_label("Text").fill("a chess game with a board, and a web daemon")
    await page.get_by_role("button", name="Tag", exact=True).click()
    await expect(page.locator('[data-stage="judge"]')).to_have_attribute("data-state", "running", timeout=30_000)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("status").first).to_contain_text("Cancelled")
    # The first judgement alone comes first, then all others at once: of these none follows.
    await asyncio.sleep(4)
    assert len(fake.chat_requests) - asked <= 1

    fake.key = "another key"
    await page.get_by_role("button", name="Tag", exact=True).click()
    await expect(page.get_by_role("status").first).to_contain_text("Done", timeout=60_000)
    await expect(page.locator("[data-degraded]")).to_contain_text("Incorrect API key provided")
    await expect(page.locator("[data-degraded]")).to_contain_text("set up otherwise")
    await expect(page.locator('[data-stage="judge"]')).to_have_attribute("data-state", "failed")
    assert seen.complaints == refused
    assert seen.elsewhere == []
