"""What a server traces, where an endpoint is set."""

from pathlib import Path

from tests.fakes.serve_process import RECALL, running
from tests.fakes.traces import Collector


def test_a_served_run_is_traced_once_with_its_nodes(served_store: Path, tmp_path: Path) -> None:
    with (
        Collector() as collector,
        running(
            tmp_path, "--store", served_store, "--no-llm", OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint
        ) as server,
    ):
        assert server.wait(context=RECALL)["tags"]
        # It logs the item as well: both listen to the same run.
        assert len(server.lines("tagged")) == 1
        server.stop()
        names = collector.names
    assert names.count("tagging") == 1
    assert {"prepare", "search_tags", "fuse_candidates", "calibrate", "report"} <= set(names)
