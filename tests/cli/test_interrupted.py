"""Ctrl-C, whenever it comes, ends with 130 and a word; nothing else is printed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llm4tag.cli.console import run_async
from tests.fakes.openai_server import FakeOpenAI, Reply

RUN = [sys.executable, "-c", "from llm4tag.__main__ import main; main()"]


def test_during_the_imports() -> None:
    script = (
        "import os, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from llm4tag.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted: nothing was begun\n")


def test_while_the_llm_is_asked(store: Path) -> None:
    with FakeOpenAI() as fake:
        fake.chat = lambda _: Reply("late", delay=2)
        given = ["explain", "web mail", "--store", str(store), "--model", "openai/x", "--api-base", fake.api_base]
        environment = {**os.environ, "LLM4TAG_API_KEY": "none"}
        with subprocess.Popen([*RUN, *given], stderr=subprocess.PIPE, text=True, env=environment) as process:
            while not fake.chat_requests:
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, printed = process.communicate()
    assert process.returncode == 130
    assert printed == "interrupted: what is done is saved; run the same command again to go on\n"


def test_before_the_work_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        raise AssertionError("not begun")

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("asyncio.run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_async(work())
