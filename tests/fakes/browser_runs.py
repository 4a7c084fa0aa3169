"""Runs of the page in a browser, and a record of what the page did."""

from playwright.async_api import Page, Request

from tests.fakes.page_results import NAMES, TAGS, TEXTS, result
from tests.fakes.page_server import Answer, PageServer, custom, streamed, values


class PageWatch:
    """Records what a page did in addition to what it shows.

    Attributes:
        complaints: errors, warnings and breaches of the policy that the browser reports.
        elsewhere: requested addresses that are not of the page's own server.
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


RECALLED = [tag.model_dump(mode="json", include={"id", "name", "signals", "evidence"}) for tag in TAGS]


FUSE = custom({"stage": "fuse_candidates", "candidates": 5, "tags": RECALLED, "texts": TEXTS, "names": NAMES})


WHOLE = streamed(FUSE, values(result()))


async def opened(page: Page, server: PageServer, answer: Answer = WHOLE) -> None:
    server.answer = answer
    await page.goto(f"{server.address}/app")


async def tagged(page: Page, server: PageServer, answer: Answer = WHOLE, text: str = "a mail reader") -> None:
    await opened(page, server, answer)
    await page.get_by_label("Text").fill(text)
    await page.get_by_role("button", name="Tag", exact=True).click()
