"""The same server behind TLS, for HTTP and gRPC."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from llm4tag.knowledge_store import Collection, SearchQuery
from llm4tag.schema import StoreError, Tag
from tests.fakes.stores import open_fake
from tests.fakes.weaviate_server import WeaviateServer

pytestmark = pytest.mark.weaviate


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for this machine that signs itself."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run([*made, "-keyout", str(key), "-out", str(cert), *subject], check=True, capture_output=True)
    return cert, key


@asynccontextmanager
async def behind_tls(port: int, cert: Path, key: Path, protocol: str) -> AsyncIterator[int]:
    """Take TLS off what arrives and pass it on to a port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols([protocol])

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_tls(weaviate: WeaviateServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = certificate(tmp_path)
    # Where HTTP and gRPC look for certificates that they trust.
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(cert))
    where = urlsplit(weaviate.url)
    assert where.port is not None
    grpc_port = int(parse_qs(where.query)["grpc_port"][0])
    async with (
        behind_tls(where.port, cert, key, "http/1.1") as http,
        behind_tls(grpc_port, cert, key, "h2") as grpc,
    ):
        location = f"weaviate://localhost:{http}/tls?grpc_port={grpc}&tls=true"
        async with await open_fake(location, embedding="fake", create=True) as store:
            await store.upsert_tags([Tag(id="a", name="water")])
            assert [hit.id for hit in await store.search(Collection.TAGS, SearchQuery(text="water"))] == ["a"]
        with pytest.raises(StoreError):
            await open_fake(location.replace("&tls=true", ""))
    weaviate.drop("tls")
