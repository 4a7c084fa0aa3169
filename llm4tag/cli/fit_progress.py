"""Fitting recall from the command line: progress, and what came of it."""

from collections.abc import Sequence

from llm4tag.cli.console import progress_bar, recall_paths, run_async, say


def fit_after_ingest(location: str, *, always: bool) -> None:
    """Fit where it is due, or always; say what came of it."""
    from llm4tag.knowledge_store.stores import open_store
    from llm4tag.training.recall_fit import fit_is_due

    async def due() -> bool:
        async with await open_store(location) as store:
            return await fit_is_due(store)

    if always or run_async(due()):
        fit_and_say(location)


def fit_and_say(
    location: str, *, fewest_tags: int | None = None, without: Sequence[str] = (), seed: int = 0
) -> None:
    """Fit the linear scorer and the fusion on a store's history and say what they rest on."""
    from llm4tag.knowledge_store.stores import open_store
    from llm4tag.tools.recall_plan import ALL_PATHS
    from llm4tag.training.recall_fit import FEWEST_CONTENTS, FEWEST_DOCUMENTS, FitReport, fit_recall

    paths = ALL_PATHS - recall_paths(without)

    async def run() -> FitReport:
        async with await open_store(location) as store:
            return await fit_recall(store, progress_bar, paths=paths, fewest_tags=fewest_tags, seed=seed)

    report = run_async(run())
    if not report.linear_documents:
        say(f"nothing fitted: {report.tagged_contents:,} tagged contents, at least {FEWEST_CONTENTS} are needed")
        return
    say(f"linear scorer fitted on {report.linear_documents:,} contents, {report.linear_tags:,} tags")
    if report.fusion_documents:
        say(f"fusion fitted on {report.fusion_documents:,} contents with {report.fewest_tags} tags or more")
    else:
        say(f"no fusion: fewer than {FEWEST_DOCUMENTS} contents are tagged richly enough; fixed weights serve")
