"""Reading the address of a store on a server, and which setting overrides which."""

import pytest

from llm4tag.knowledge_store.location import parse_weaviate_location
from llm4tag.schema import UsageError


def test_all_but_the_host_has_a_default() -> None:
    found = parse_weaviate_location("weaviate://db.example")
    assert (found.host, found.port, found.name, found.http) == (
        "db.example",
        8080,
        "default",
        "http://db.example:8080",
    )
    assert (found.settings.grpc_port, found.grpc_host, found.settings.tenant) == (50051, "db.example", None)


def test_the_location_beats_the_environment_which_beats_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM4TAG_WEAVIATE_GRPC_PORT", "1000")
    monkeypatch.setenv("LLM4TAG_WEAVIATE_TENANT", "acme")
    monkeypatch.setenv("LLM4TAG_WEAVIATE_TLS", "true")
    found = parse_weaviate_location("weaviate://[::1]:9000/news?grpc_port=2000&grpc_host=other")
    assert (found.settings.grpc_port, found.grpc_host) == (2000, "other")
    assert (found.settings.tenant, found.http, found.name) == ("acme", "https://[::1]:9000", "news")
    assert found.settings.query_timeout == 30.0


def test_the_key_comes_from_the_environment_and_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM4TAG_WEAVIATE_API_KEY", "s3cret")
    found = parse_weaviate_location("weaviate://h")
    assert found.settings.api_key is not None
    assert found.settings.api_key.get_secret_value() == "s3cret"
    assert "s3cret" not in f"{found!r} {found} {found.model_dump_json()} {found.text}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weaviate://", "weaviate://host:port"),
        ("weaviate://h:port", "weaviate://host:port"),
        ("weaviate://h/News", "small letter"),
        ("weaviate://h/a/b", "small letter"),
        ("weaviate://h?port=3", "no setting is called 'port'"),
        ("weaviate://h?grpc_port=x", "LLM4TAG_WEAVIATE_GRPC_PORT"),
        ("weaviate://h?tenant=a b", "tenant"),
        ("weaviate://h?consistency=TWO", "consistency"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_weaviate_location(text)


@pytest.mark.parametrize("text", ["weaviate://user:s3cret@h", "weaviate://h?api_key=s3cret"])
def test_a_secret_in_a_location_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError, match="LLM4TAG_WEAVIATE_API_KEY") as raised:
        parse_weaviate_location(text)
    assert "s3cret" not in str(raised.value)
