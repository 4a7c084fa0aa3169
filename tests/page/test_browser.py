"""The page in a real browser, against an API that answers by script."""

import json

import pytest
from playwright.async_api import Page, expect
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from llm4tag.evidence_words import confidence_of, evidence_lines, evidence_summary
from llm4tag.schema import Content, Tag, Vocabulary
from llm4tag.schema.text import visible
from tests.fakes.browser_runs import FUSE, WHOLE, PageWatch, opened, tagged
from tests.fakes.page_results import DEEP, NAMES, TAGS, TEXTS, TURNED, WHY, result
from tests.fakes.page_server import Answer, PageServer, ScriptedSteps, custom, event, refused, streamed, values

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTENTS = {id_: Content(id=id_, text=text) for id_, text in TEXTS.items()}
VOCABULARY = Vocabulary([Tag(id=id_, name=name) for id_, name in NAMES.items()])


async def texts(page: Page, selector: str) -> list[str]:
    return await page.locator(selector).all_text_contents()


async def test_tags_are_worded_as_on_the_command_line(page: Page, server: PageServer, seen: PageWatch) -> None:
    await tagged(page, server)
    await expect(page.get_by_role("status").first).to_have_text(
        "Done: 1 tag accepted, 1 to review, 3 rejected.", use_inner_text=True
    )
    assert await texts(page, ".name strong") == [visible(tag.name) for tag in TAGS]
    assert await texts(page, ".name code") == [visible(tag.id) for tag in TAGS]
    assert await texts(page, ".confidence") == [confidence_of(tag) for tag in TAGS]
    assert await texts(page, ".confidence") == [
        "0.96 calibrated",
        "0.12 calibrated",
        "0.08 estimated",
        "0.07 estimated",
        "0.06 estimated",
    ]
    assert await texts(page, ".decision") == [tag.decision.value for tag in TAGS]
    assert await texts(page, ".short") == [evidence_summary(tag) for tag in TAGS]
    for tag, row in zip(TAGS, await page.locator(".found > li").all(), strict=True):
        said = [line for lines in evidence_lines(tag, CONTENTS, VOCABULARY) for line in lines]
        assert await row.locator(".said").all_text_contents() == said
        reasons = [f"estimated: {tag.calibration.reason}"] if tag.calibration.reason else []
        assert await row.locator(".reason").all_text_contents() == reasons
    human = await texts(page, ".human")
    assert [line.split(" ")[0] for line in human] == ["h1", "toString", "__proto__"]
    banner = await page.locator(".banner").first.text_content()
    assert banner is not None
    assert "Partly calibrated" in banner
    assert WHY.reason in banner
    assert DEEP.reason in banner
    assert seen.complaints == seen.elsewhere == []


async def test_json_is_the_result_and_shows_what_cannot_be_seen(page: Page, server: PageServer) -> None:
    await tagged(page, server)
    await page.locator("summary", has_text="The result").click()
    shown = await page.locator("pre").text_content()
    assert shown is not None
    assert json.loads(shown) == result().model_dump(mode="json", exclude={"text", "title"})
    assert "\\u202e" in shown
    assert shown.replace("\n", "").isprintable()


async def test_what_nobody_vouches_for_stays_text(page: Page, server: PageServer, seen: PageWatch) -> None:
    await tagged(page, server, text="<script>alert('run')</script>")
    for summary in await page.locator("main summary").all():
        await summary.click()
    assert await page.locator("main img, main script, main b").count() == 0
    body = await page.locator("main").inner_text()
    assert "<img src=x onerror" in body
    assert "\u202e" not in body
    assert "gnp.exe\\u202eevil\\u200b\\x1b[31m \\xadé \\U000e0041 日本" in body
    assert seen.complaints == seen.elsewhere == []


async def test_the_policy_holds_where_the_page_would_fail(page: Page, server: PageServer, seen: PageWatch) -> None:
    await opened(page, server)
    assert seen.complaints == []
    markup = "document.querySelector('main').innerHTML = '<img src=x onerror=alert(1)>'"
    with pytest.raises(Exception, match="TrustedHTML"):
        await page.evaluate(f"() => {{ {markup} }}")
    ran = """() => {
      const script = document.createElement('script');
      try { script.textContent = 'window.ran = true'; } catch {}
      document.body.append(script);
      return window.ran === true;
    }"""
    assert await page.evaluate(ran) is False
    asked = "() => fetch('http://127.0.0.1:1/').then(() => 'went', (error) => String(error))"
    assert "Failed to fetch" in await page.evaluate(asked)
    assert any("connect-src" in complaint for complaint in seen.complaints)


async def test_stages_appear_one_after_another(page: Page, server: PageServer) -> None:
    steps = ScriptedSteps()
    await tagged(page, server, steps)

    def stage(name: str) -> str:
        return f'[data-stage="{name}"]'

    await expect(page.locator(stage("recall"))).to_have_attribute("data-state", "running")
    await expect(page.get_by_role("status").first).to_have_text("recall, 1 of 6 …")
    for count in (b"event: custom\r", b'\ndata: {"stage":"search_tags","found":2,"round":1}\r\n\r', b"\n"):
        steps.send(count)
    await expect(page.locator(stage("recall"))).to_contain_text("names and meaning: 2 tags")
    # Cut at every byte: within lines, between \r and \n, within a character of several bytes.
    for at in range(0, len(FUSE)):
        steps.send(FUSE[at : at + 1])
    await expect(page.locator(stage("recall"))).to_have_attribute("data-state", "done")
    await expect(page.locator(stage("knowledge"))).to_have_attribute("data-state", "running")
    assert await texts(page, ".name strong") == [visible(tag.name) for tag in TAGS]
    assert set(await texts(page, ".confidence")) == {"none yet"}
    assert await texts(page, ".reason") == []
    await expect(page.locator(".banner").first).to_contain_text("No confidence yet")
    assert set(await texts(page, ".decision")) == {"undecided"}

    passages = [{"id": "p", "title": "IMAP", "text": "A protocol."}]
    examples = [{"text": "An example", "tags": ["Mail"], "wrong": ["Web"]}]
    steps.send(custom({"stage": "retrieve_knowledge", "shown": {"examples": examples, "passages": passages}}))
    await page.get_by_text("What the model is shown").click()
    await expect(page.locator(stage("knowledge"))).to_contain_text("Passage “IMAP”: A protocol.")
    await expect(page.locator(stage("knowledge"))).to_contain_text("tags that only look right: Web")

    signals = {"recall": 0.5, "agreement": None, "samples": 0, "p_yes": 0.75, "yes_no_mass": 1.0, "rating": None}
    steps.send(custom({"stage": "judge", "judged": 1, "tags": [{"id": "mail", "signals": signals}]}))
    await expect(page.locator('[data-tag="mail"] .short')).to_contain_text("judged yes with probability 0.75")
    await expect(page.locator(stage("generate"))).to_have_attribute("data-state", "running")

    # No answers are drawn: the stage is passed over. The order is now that of the confidences.
    weighed = [
        {"id": tag.id, "confidence": tag.confidence, "calibration": tag.calibration.model_dump(mode="json")}
        for tag in TAGS[::-1]
    ]
    steps.send(custom({"stage": "calibrate", "scored": 5, "status": "calibrated", "tags": weighed}))
    await expect(page.locator(stage("generate"))).to_have_attribute("data-state", "skipped")
    assert await texts(page, ".name strong") == [visible(tag.name) for tag in TAGS[::-1]]
    assert await texts(page, ".confidence") == [confidence_of(tag) for tag in TAGS[::-1]]
    decided = [{"id": tag.id, "decision": tag.decision.value} for tag in TAGS]
    steps.send(custom({"stage": "decide", "accepted": 1, "tags": decided}))
    await expect(page.locator('[data-tag="mail"] .decision')).to_have_text("accept")

    steps.send(custom({"stage": "widen", "round": 2}))
    await expect(page.locator("#stages-heading")).to_have_text("Stages, round 2")
    await expect(page.locator(stage("recall"))).to_have_attribute("data-state", "running")
    steps.send(values(result()))
    steps.send(None)
    await expect(page.get_by_role("status").first).to_contain_text("Done")


@pytest.mark.parametrize(
    ("answer", "messages"),
    [
        (refused(422, "option 'top': should be less; give another"), ["refused (422)", "option 'top'"]),
        (refused(503, "draining"), ["too much to do", "in a moment"]),
        (refused(500, ""), ["refused (500)", "log"]),
        (streamed(FUSE), ["broke off", "what came so far"]),
        (streamed(b"event: values\ndata: {oops\n\n"), ["broke off"]),
        (
            streamed(FUSE, event("error", {"error": "StoreUnreachableError", "message": f"no {TURNED} at x"})),
            ["knowledge store cannot be used", "gnp.exe\\u202eevil", "at x", "Check that the store"],
        ),
        (
            streamed(event("error", {"error": "ModelSetupError", "message": "An internal error occurred"})),
            ["model cannot be used", "untick"],
        ),
        (
            streamed(event("error", {"error": "UsageError", "message": "An internal error occurred"})),
            ["cannot be tagged as it was asked", "log"],
        ),
        (streamed(event("error", {"error": "KeyError", "message": "'x'"})), ["failed (KeyError)", "'x'", "log"]),
        (
            streamed(event("values", {"__error__": {"error": "StoreError", "message": "it is locked"}})),
            ["store cannot be used", "it is locked"],
        ),
    ],
)
async def test_errors_say_what_to_do(page: Page, server: PageServer, answer: Answer, messages: list[str]) -> None:
    await tagged(page, server, answer)
    for words in messages:
        await expect(page.get_by_role("alert")).to_contain_text(words)
    assert "An internal error occurred" not in await page.locator("main").inner_text()
    await expect(page.get_by_role("status").first).to_have_text("Failed.")
    server.answer = WHOLE
    await page.get_by_role("button", name="Tag", exact=True).click()
    await expect(page.get_by_role("status").first).to_contain_text("Done")
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_an_error_with_status_200_is_seen(page: Page, server: PageServer) -> None:
    async def answer(_: Request) -> Response:
        return JSONResponse({"__error__": {"error": "StoreNotFoundError", "message": "no store at x"}})

    await tagged(page, server, answer)
    await expect(page.get_by_role("alert")).to_contain_text("no store at x")


async def test_a_server_that_is_gone_is_said_to_be(page: Page, server: PageServer) -> None:
    await opened(page, server)
    await page.context.set_offline(True)
    await page.get_by_label("Text").fill("a mail reader")
    await page.get_by_role("button", name="Tag", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("does not answer")


async def test_degraded_results_say_so(page: Page, server: PageServer) -> None:
    await tagged(page, server, streamed(values(result(degraded=f"the LLM is down {TURNED}"))))
    banner = page.locator("[data-degraded]")
    await expect(banner).to_contain_text("Degraded. The language model failed, so this is less than was asked for")
    await expect(banner).to_contain_text(f"asked for: the LLM is down {visible(TURNED)}")
    await expect(banner).to_contain_text("Try again once the model answers")


async def test_a_key_is_asked_for_and_saved_in_this_tab_alone(page: Page, server: PageServer) -> None:
    async def answer(request: Request) -> Response:
        known = request.headers.get("x-api-key") == "right-key"
        return await (WHOLE if known else refused(401, "no key, or none that is known"))(request)

    await tagged(page, server, answer)
    await expect(page.get_by_role("alert")).to_contain_text("The server wants an API key. no key")
    key = page.get_by_label("Key for this server")
    await expect(key).to_be_focused()
    await key.fill("wrong-key")
    await key.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("refuses this API key")
    states = await page.locator(".stages > li").evaluate_all("all => all.map(one => one.dataset.state)")
    assert states == ["waiting"] * 6
    await key.fill("right-key")
    await key.press("Enter")
    await expect(page.get_by_role("status").first).to_contain_text("Done")
    await expect(key).to_have_count(0)
    assert [headers.get("x-api-key") for headers, _ in server.requests] == [None, "wrong-key", "right-key"]
    saved = "() => [Object.values(sessionStorage), Object.values(localStorage), document.cookie, location.href]"
    assert await page.evaluate(saved) == [["right-key"], [], "", f"{server.address}/app"]
    assert "right-key" not in await page.content()
    await page.get_by_role("button", name="Forget the API key").click()
    assert await page.evaluate("() => sessionStorage.length") == 0


async def test_cancel_ends_the_run(page: Page, server: PageServer) -> None:
    steps = ScriptedSteps()
    await tagged(page, server, steps)
    steps.send(FUSE)
    await expect(page.locator(".found > li").first).to_be_visible()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("status").first).to_have_text("Cancelled. What was found so far is shown below.")
    await expect(page.get_by_role("button", name="Cancel")).to_have_attribute("aria-disabled", "true")
    await expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    await expect(page.locator('[data-stage="knowledge"]')).to_have_attribute("data-state", "cancelled")
    assert steps.left.wait(10), "the server is left alone with its answer"


async def test_what_is_asked_is_what_was_entered(page: Page, server: PageServer) -> None:
    await opened(page, server)
    button = page.get_by_role("button", name="Tag", exact=True)
    await page.get_by_label("Text").fill("  \n")
    await button.click()
    await expect(page.get_by_text("Paste some text first.")).to_be_visible()
    await expect(page.get_by_label("Text")).to_be_focused()
    assert server.requests == []
    await page.get_by_label("Text").fill("körper\n日本 🙂")
    await button.click()
    await expect(page.get_by_role("status").first).to_contain_text("Done")
    await page.get_by_label("Title").fill("a title")
    await page.get_by_label("Ask the language model").uncheck()
    await button.click()
    await expect(page.locator('[data-stage="judge"]')).to_contain_text("no language model is asked")
    await expect(page.get_by_role("status").first).to_contain_text("Done")
    first, second = [body for _, body in server.requests]
    assert first == {
        "assistant_id": "tagging",
        "input": {"text": "körper\n日本 🙂"},
        "context": {"watched": True},
        "stream_mode": ["custom", "values"],
        "on_disconnect": "cancel",
    }
    assert second["input"] == {"title": "a title", "text": "körper\n日本 🙂"}
    assert second["context"] == {"use_llm": False, "watched": True}
