"""Options that several commands share, declared once."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llm4tag.cli.console import EmbeddingOption, StoreOption, WithoutOption, recall_paths

if TYPE_CHECKING:
    from llm4tag.graphs.context import TagOptions

_TAGGING = "How to tag"
_MODEL = "LLM"
_RUN = "The run"


@dataclass(frozen=True)
class TaggerOptions:
    """What results depend on."""

    store: StoreOption
    model: Annotated[
        str | None,
        typer.Option(
            envvar="LLM4TAG_MODEL",
            help="local/NAME, local/FILE.gguf or any LiteLLM model, such as openai/gpt-4.1-mini. "
            "Default: local/qwen2.5-coder-1.5b.",
            show_default=False,
            rich_help_panel=_MODEL,
        ),
    ] = None
    api_base: Annotated[
        str | None,
        typer.Option(
            envvar="LLM4TAG_API_BASE", help="URL of the model's API.", show_default=False, rich_help_panel=_MODEL
        ),
    ] = None
    adapter: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|general|none",
            envvar="LLM4TAG_ADAPTER",
            help="Folder of a fine-tuned judge for the local model; general: the one that comes with llm4tag, "
            "which is the default with the model that it was trained on; none: the model judges as it comes.",
            show_default=False,
            rich_help_panel=_MODEL,
        ),
    ] = None
    judge_form: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            envvar="LLM4TAG_JUDGE_FORM",
            help="Prompt form of the adapter, as its adapter.json names it. Default: its default_form.",
            show_default=False,
            rich_help_panel=_MODEL,
        ),
    ] = None
    no_llm: Annotated[bool, typer.Option("--no-llm", help="Tag from recall alone.", rich_help_panel=_MODEL)] = (
        False
    )
    no_cache: Annotated[
        bool,
        typer.Option("--no-cache", help="Ask the LLM again though its answer is known.", rich_help_panel=_MODEL),
    ] = False
    samples: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=20,
            help="Answers over shuffled candidates, a content. 0: none. Default: 0 where a fine-tuned judge is "
            "asked, else 3.",
            show_default=False,
            rich_help_panel=_MODEL,
        ),
    ] = None
    judge_top: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=200,
            help="Candidates judged yes or no, one by one. 0: none. Default: 10 where there is history, else 20.",
            show_default=False,
            rich_help_panel=_MODEL,
        ),
    ] = None
    rating: Annotated[
        bool | None,
        typer.Option(
            "--rating/--no-rating",
            help="Ask for the probabilities of these in words, in one question, in place of judging them. "
            "Default: where the model gives no log-probabilities.",
            show_default=False,
            rich_help_panel=_MODEL,
        ),
    ] = None
    cascade: Annotated[
        bool | None,
        typer.Option(
            "--cascade/--no-cascade",
            help="Judge only candidates that recall is unsure of; ask nothing where there is none. Default: where "
            "a fine-tuned judge is asked.",
            show_default=False,
            rich_help_panel=_MODEL,
        ),
    ] = None
    adaptive: Annotated[
        bool | None,
        typer.Option(
            "--adaptive/--no-adaptive",
            help="Stop asking for answers over shuffled candidates when no further one can change a decision. "
            "Default: no.",
            show_default=False,
            rich_help_panel=_MODEL,
        ),
    ] = None
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.toml",
            envvar="LLM4TAG_PROFILE",
            help="For which kind of content the LLM is asked: news, advertisement, query, catalogue, each also in "
            "Chinese (news-zh …), or a file of your own; see `llm4tag profiles`. Default: general.",
            show_default=False,
            rich_help_panel=_MODEL,
        ),
    ] = None
    embedding: EmbeddingOption = None
    top: Annotated[
        int,
        typer.Option(min=1, max=1000, help="Tags in a result, rejected ones included.", rich_help_panel=_TAGGING),
    ] = 50
    recipe: Annotated[
        Literal["learned", "history", "vocabulary"] | None,
        typer.Option(
            envvar="LLM4TAG_RECIPE",
            help="How recall weighs its paths: by the fusion fitted on history, or by fixed weights for stores "
            "with history or with a vocabulary alone. Default: by what the store holds.",
            show_default=False,
            rich_help_panel=_TAGGING,
        ),
    ] = None
    without: WithoutOption = None
    within: Annotated[
        str | None,
        typer.Option(
            metavar="PARENT",
            help="Only tags under this parent.",
            show_default=False,
            rich_help_panel=_TAGGING,
        ),
    ] = None
    max_rounds: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=5,
            help="Recall rounds at most; another starts while no candidate is sure. Default: 1 where a fusion was "
            "fitted on history, else 2.",
            show_default=False,
            rich_help_panel=_TAGGING,
        ),
    ] = None
    accept_at: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Confidence from which to accept, without --max-error.", rich_help_panel=_TAGGING
        ),
    ] = 0.5
    review_at: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Confidence from which to review. Default: 0.2.",
            show_default=False,
            rich_help_panel=_TAGGING,
        ),
    ] = None

    max_error: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Accept as many tags as the store's calibrator allows with at most this share of wrong ones "
            "among them, such as 0.05 (also LLM4TAG_MAX_ERROR); see `llm4tag calibrate`.",
            show_default=False,
            rich_help_panel=_TAGGING,
        ),
    ] = None
    uncalibrated: Annotated[
        bool,
        typer.Option("--uncalibrated", help="Leave the store's calibrator aside.", rich_help_panel=_TAGGING),
    ] = False

    def context(self) -> "TagOptions":
        """Return them as a tagger takes them.

        Raises:
            UsageError: two of them contradict each other.
        """
        from llm4tag.graphs.context import TagOptions
        from llm4tag.schema import Recipe

        return TagOptions.checked(
            store=self.store,
            model=self.model,
            api_base=self.api_base,
            adapter=self.adapter,
            judge_form=self.judge_form,
            profile=self.profile,
            use_llm=not self.no_llm,
            answer_cache=False if self.no_cache else None,
            samples=self.samples,
            judge_top=self.judge_top,
            rating=self.rating,
            cascade=self.cascade,
            adaptive=self.adaptive,
            embedding=self.embedding,
            top=self.top,
            recipe=None if self.recipe is None else Recipe(self.recipe),
            without=recall_paths(self.without or ()),
            within=self.within,
            max_rounds=self.max_rounds,
            accept_at=self.accept_at,
            review_at=self.review_at,
            max_error=self.max_error,
            uncalibrated=self.uncalibrated,
        )


@dataclass(frozen=True)
class RunOptions:
    """How a run over many contents goes; results do not depend on it."""

    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=256,
            help="Contents in work at once. Default: 8; 1 with a local model; 2 without any.",
            show_default=False,
            rich_help_panel=_RUN,
        ),
    ] = None
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Only a sample: the first N ids by the sha256 of SEED:ID.",
            show_default=False,
            rich_help_panel=_RUN,
        ),
    ] = None
    seed: Annotated[int, typer.Option(help="Seed of the sample.", rich_help_panel=_RUN)] = 0
    max_cost: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="USD",
            help="Do not start, or stop, when the LLM costs more. Contents in work are finished.",
            show_default=False,
            rich_help_panel=_RUN,
        ),
    ] = None
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start the output file anew.", rich_help_panel=_RUN)
    ] = False
    retry_degraded: Annotated[
        bool,
        typer.Option("--retry-degraded", help="Tag again what came out degraded.", rich_help_panel=_RUN),
    ] = False
    rejects: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where rows that cannot be used go. Default: <input>.rejected.jsonl beside the output.",
            show_default=False,
            rich_help_panel=_RUN,
        ),
    ] = None
