"""Load on the server: the same contents tagged through ``llm4tag serve`` and in this process.

    python -m benchmarks.serving_load STORE CONTENTS.jsonl [--runs 100] [--at-once 4] [--passes 3]
    python -m benchmarks.serving_load STORE CONTENTS.jsonl --runs 4 --at-once 1 --model local/qwen2.5-coder-0.5b

All runs are requested at once, each by ``POST /runs/wait`` on a connection of its own; the server works at
``--at-once`` of them, and so does this process. Both are warmed up, passes alternate, and the median is reported.
A run is lost if no result with its id comes back, and differs if its tags or confidences are not those of this
process. Without --model there is no LLM; with one, answers are not cached, so that both ask. Run ``llm4tag model
serve`` for a local model, or two are loaded.
"""

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from llm4tag.schema import Content, TagResult
from llm4tag.serving.api_keys import Scope, add
from llm4tag.tagger import Tagger

_PATIENCE = 1800.0
_WARM_UP = 1


@contextmanager
def served(store: str, options: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Start ``llm4tag serve``; yield its address and a key."""
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys.json"
        key = add(keys, "benchmark", Scope.TAG)
        command = [str(Path(sys.executable).parent / "llm4tag"), "serve", "--store", store, *options]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "--keys", str(keys), "--state", folder], stdout=log, stderr=subprocess.STDOUT
            )
        try:
            yield _address(process, Path(folder) / "log"), key
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    while process.poll() is None:
        for line in log.read_text("utf-8").splitlines():
            if line.startswith("{") and (event := json.loads(line)).get("event") == "serving":
                return str(event["address"])
        time.sleep(0.1)
    raise SystemExit(log.read_text("utf-8"))


async def through(address: str, key: str, contents: Sequence[Content]) -> tuple[float, list[Any]]:
    """Tag all contents at once; return the seconds and the answers as they came."""
    limits = httpx.Limits(max_connections=len(contents))
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(limits=limits, timeout=_PATIENCE, headers=headers) as client:

        async def one(content: Content) -> Any:
            body = {"assistant_id": "tagging", "input": content.model_dump()}
            try:
                return (await client.post(f"{address}/runs/wait", json=body)).json()
            except (httpx.HTTPError, ValueError) as error:
                return {"__error__": repr(error)}

        started = time.perf_counter()
        answers = await asyncio.gather(*(one(content) for content in contents))
        return time.perf_counter() - started, answers


def _confidences(result: TagResult) -> dict[str, float]:
    return {tag.id: round(tag.confidence, 9) for tag in result.tags}


async def measure(
    store: str, contents: list[Content], at_once: int, passes: int, model: str | None
) -> dict[str, Any]:
    """Return throughputs, and what was lost."""
    chosen: dict[str, Any] = {"use_llm": False} if model is None else {"model": model, "answer_cache": False}
    options = ["--no-llm"] if model is None else ["--model", model, "--no-cache"]
    here: list[float] = []
    there: list[float] = []
    lost = differing = 0
    with served(store, [*options, "--concurrency", str(at_once)]) as (address, key):
        async with Tagger(store, **chosen) as tagger:
            async with Tagger(store, use_llm=False) as recall:
                await recall.atag_many(contents, at_once)  # embeddings of the contents come from the cache then
            await through(address, key, contents[:_WARM_UP])
            await tagger.atag_many(contents[:_WARM_UP], at_once)
            for _ in range(passes):
                seconds, answers = await through(address, key, contents)
                there.append(seconds)
                started = time.perf_counter()
                results = await tagger.atag_many(contents, at_once)
                here.append(time.perf_counter() - started)
                for result, answer in zip(results, answers, strict=True):
                    if not isinstance(answer, dict) or answer.get("id") != result.id:
                        lost += 1
                    elif _confidences(TagResult.model_validate(answer)) != _confidences(result):
                        differing += 1
    return {
        "runs": len(contents),
        "at_once": at_once,
        "passes": passes,
        "model": model,
        "cores": len(os.sched_getaffinity(0)),
        "served_runs_per_s": len(contents) / statistics.median(there),
        "in_process_runs_per_s": len(contents) / statistics.median(here),
        "served_s": [round(seconds, 2) for seconds in there],
        "in_process_s": [round(seconds, 2) for seconds in here],
        "lost": lost,
        "differing": differing,
    }


def main(
    store: str,
    contents: Annotated[Path, typer.Argument(exists=True)],
    runs: Annotated[int, typer.Option(min=1)] = 100,
    at_once: Annotated[int, typer.Option(min=1)] = 4,
    passes: Annotated[int, typer.Option(min=1)] = 3,
    model: str | None = None,
) -> None:
    """Print the figures as JSON."""
    with contents.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in islice(lines, runs)]
    chosen = [Content(id=row["id"], text=row["text"]) for row in rows]
    typer.echo(json.dumps(asyncio.run(measure(store, chosen, at_once, passes, model)), indent=2))


if __name__ == "__main__":
    typer.run(main)
