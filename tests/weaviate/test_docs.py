"""The example in the guide runs: a server that the client embeds, with a key."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.weaviate_server import SCRIPT

pytestmark = pytest.mark.weaviate
GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "run-weaviate.md"
CHECK = """
import asyncio, os
os.environ["LLM4TAG_WEAVIATE_API_KEY"] = key
from tests.fakes.stores import open_fake
async def check():
    location = "weaviate://127.0.0.1:{port}/news?grpc_port={grpc}"
    async with await open_fake(location, embedding="fake", create=True) as store:
        print((await store.statistics()).engine)
asyncio.run(check())
"""


def free_ports() -> tuple[int, int]:
    import socket

    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


def test_the_embedded_server_of_the_guide(server_ready: None, tmp_path: Path) -> None:
    prepared = subprocess.run([sys.executable, str(SCRIPT), "prepare"], capture_output=True, text=True, check=True)
    binary = Path(prepared.stdout.strip())
    if not binary.is_file():
        pytest.skip("no binary here: the client would download one")
    # The name under which the client looks for the version that was requested.
    name = f"weaviate-v1.39.0-{hashlib.sha256(b'v1.39.0').hexdigest()}"
    (tmp_path / name).symlink_to(binary)
    (snippet,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    port, grpc = free_ports()
    check = "".join(f"    {line}\n" for line in CHECK.format(port=port, grpc=grpc).splitlines())
    program = (
        snippet.replace("port=8079", f"port={port}")
        .replace("grpc_port=50050", f"grpc_port={grpc}")
        .replace(
            "    environment_variables",
            f"    binary_path={str(tmp_path)!r},\n"
            f"    persistence_data_path={str(tmp_path / 'data')!r},\n    environment_variables",
        )
        .replace("    ...  #", f"{check}    #")
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=GUIDE.parents[2],
        timeout=200,
    )
    assert "Weaviate 1.39.0" in done.stdout, done.stdout + done.stderr
