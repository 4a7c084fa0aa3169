"""The server that tests of failures kill."""

from collections.abc import Iterator

import pytest

from tests.fakes.weaviate_server import WeaviateServer, running


@pytest.fixture(scope="module")
def server(server_ready: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WeaviateServer]:
    """A server of a module's own, to be killed."""
    with running(tmp_path_factory.mktemp("killed")) as started:
        if started.pid is None:
            pytest.skip("the server in LLM4TAG_TEST_WEAVIATE is not ours to kill")
        yield started
