"""Traces of commands: sent before they end, however they end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.fakes.command_line import ROWS
from tests.fakes.jsonl_files import jsonl
from tests.fakes.openai_server import FakeOpenAI, Reply
from tests.fakes.traces import Collector

RUN = [sys.executable, "-c", "from llm4tag.__main__ import main; main()"]


def test_a_run_sends_a_trace_a_content(full: Path, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "new.jsonl", *ROWS)
    given = ["tag", str(file), "--store", str(full), "-o", str(tmp_path / "out.jsonl"), "--no-llm"]
    with Collector() as collector:
        environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        done = subprocess.run([*RUN, *given], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
    assert collector.names.count("tagging") == collector.names.count("search_tags") == len(ROWS)
    assert collector.resource["service.name"] == "llm4tag"


def test_ctrl_c_sends_what_was_begun(full: Path) -> None:
    with FakeOpenAI() as fake, Collector() as collector:
        fake.chat = lambda _: Reply("late", delay=2)
        given = ["explain", "web mail", "--store", str(full), "--model", "openai/x", "--api-base", fake.api_base]
        environment = {
            **os.environ,
            "LLM4TAG_API_KEY": "none",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        }
        with subprocess.Popen([*RUN, *given], stderr=subprocess.PIPE, text=True, env=environment) as process:
            while not fake.chat_requests:
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, printed = process.communicate()
    assert process.returncode == 130
    assert printed == "interrupted: what is done is saved; run the same command again to go on\n"
    assert {"tagging", "judge", "ask"} <= set(collector.names)
