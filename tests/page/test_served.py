"""The page in a real browser, in LangGraph's own server, with the real graph and a scripted LLM."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from schema import TagResult
from tests.fakes.langgraph_server import langgraph_dev
from tests.fakes.openai_server import FakeOpenAI, Reply
from tests.graphs.conftest import likes
from tests.page.conftest import Seen

pytestmark = pytest.mark.asyncio(loop_scope="module")

APP = """
from starlette.applications import Starlette
from llm4tag.serving.page import routes
app = Starlette(routes=routes)
"""


@pytest.fixture
def address(tmp_path: Path, store: str, fake: FakeOpenAI) -> Iterator[str]:
    """Serve the graph and the page."""
    (tmp_path / "page_app.py").write_text(APP)
    chosen = {"LLM4TAG_STORE": store, "LLM4TAG_MODEL": "openai/fake", "LLM4TAG_API_BASE": fake.api_base}
    with langgraph_dev(tmp_path, chosen, http={"app": "./page_app.py:app"}) as running:
        yield running


async def test_a_content_is_tagged_and_a_run_cancelled(
    page: Page, address: str, fake: FakeOpenAI, seen: Seen
) -> None:
    await page.goto(f"{address}/app")
    await page.get_by_label("Title").fill("mutt")
    await page.get_by_label("Text").fill("a mail reader with imap for people who play chess")
    await page.get_by_role("button", name="Tag", exact=True).click()
    await expect(page.get_by_role("status").first).to_contain_text("Done", timeout=60_000)
    states = await page.locator(".stages > li").evaluate_all("all => all.map(one => one.dataset.state)")
    assert states == ["done"] * 6
    mail = page.locator('[data-tag="mail"]')
    await expect(mail.locator(".short")).to_contain_text("on 3 of 6 similar contents; 'Mail' stands in the text")
    await expect(mail.locator(".short")).to_contain_text("the LLM: named in 3 of 3 answers, judged yes")
    await expect(mail.locator(".confidence")).to_have_text("uncalibrated")
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
    assert seen.complaints == seen.elsewhere == []
