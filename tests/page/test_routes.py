"""How the page is served: its policy, its caching, and that it is whole."""

import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from llm4tag.serving.web_page import routes


@pytest.fixture(params=["", "/behind/a/prefix"])
def client(request: pytest.FixtureRequest) -> TestClient:
    app = Starlette(routes=[Mount(request.param, routes=routes)] if request.param else routes)
    return TestClient(app, base_url=f"http://test{request.param}/", follow_redirects=False)


def assets(client: TestClient) -> list[str]:
    page = client.get("app").text
    return re.findall(r'(?:src|href)="\./([^"]+)"', page)


def policy(headers: "dict[str, str]") -> dict[str, list[str]]:
    parts = [part.split() for part in headers["content-security-policy"].split(";")]
    return {part[0]: part[1:] for part in parts}


def test_the_policy_lets_nothing_in_but_the_page_itself(client: TestClient) -> None:
    for path in ["app", *assets(client)]:
        answer = client.get(path)
        assert answer.status_code == 200
        found = policy(dict(answer.headers))
        assert found["default-src"] == ["'none'"]
        assert found["base-uri"] == found["form-action"] == found["frame-ancestors"] == ["'none'"]
        for kind in ("script-src", "style-src", "img-src", "connect-src"):
            assert found[kind] == ["'self'"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_the_page_is_whole_and_needs_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("app").text
    assert len(re.findall(r'(?:src|href)="', page)) == len(assets(client)) == 3
    assert not re.search(r"<script(?![^>]*src=)|<style| style=| on\w+=", page)
    kinds = {}
    for path in assets(client):
        answer = client.get(path)
        kinds[Path(path).suffix] = answer.headers["content-type"]
        names = set(re.findall(r"https?://[^\s\"'`)]+", answer.text))
        assert all(name.startswith("http://www.w3.org/") for name in names), "names of namespaces alone"
    assert kinds[".js"].startswith(("text/javascript", "application/javascript"))
    assert kinds[".css"].startswith("text/css")


def test_the_page_is_requested_again_and_its_files_are_cached(client: TestClient) -> None:
    page = client.get("app")
    assert page.headers["cache-control"] == "no-cache"
    again = client.get("app", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == page.headers["content-security-policy"]
    assert client.get("app", headers={"If-None-Match": '"another"'}).status_code == 200
    for path in assets(client):
        answer = client.get(path)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        cached = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert cached.status_code == 304


def test_nothing_else_is_served(client: TestClient) -> None:
    for path in ("app/assets/", "app/assets/nothing.js", "app/assets/%2e%2e/%2e%2e/made-from.sha256", "app/x"):
        assert client.get(path).status_code == 404
    assert client.post("app").status_code == 405
    slash = client.get("app/")
    assert slash.status_code == 307
    assert str(slash.next_request.url if slash.next_request else "") == str(client.base_url.join("app"))
