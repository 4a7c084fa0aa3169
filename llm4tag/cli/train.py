"""``llm4tag train``: train fine-tuned judges, and convert, shrink or merge them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llm4tag.cli.console import progress_bar
from llm4tag.cli.train_export import export
from llm4tag.cli.train_run import run

if TYPE_CHECKING:
    from llm4tag.models.judge_adapter import Adapter

BaseOption = Annotated[
    Path | None,
    typer.Option(
        "--base", metavar="FILE", help="GGUF file of the base. Default: the pulled model with its sha256."
    ),
]

app = typer.Typer(
    no_args_is_help=True,
    help="Train a fine-tuned judge, and convert, shrink or merge it.",
    rich_markup_mode="rich",
)


def register(root: typer.Typer) -> None:
    """Add the commands to the root."""
    root.add_typer(app, name="train")


app.command()(export)
app.command()(run)


@app.command()
def convert(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with adapter.json and the weights.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="File to write. Default: in the cache folder, where --adapter finds it.",
        ),
    ] = None,
    base: BaseOption = None,
) -> None:
    r"""Write an adapter as GGUF, the format that llama.cpp loads in addition to its base.

    `--adapter DIR` does this by itself when it is first used.

    [bold]Examples[/bold]

    \b
    llm4tag train convert my-judge
    llm4tag train convert my-judge --out my-judge.gguf
    """
    from llm4tag.models.local.adapter_conversion import convert, converted_path, tensor_count
    from llm4tag.schema import settings

    adapter, file = _with_base(folder, base)
    target = out or converted_path(adapter, settings().cache_dir)
    with progress_bar("converting", tensor_count(adapter), "tensors") as bar:
        convert(adapter, file, target, bar)
    typer.echo(target)


@app.command()
def shrink(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with adapter.json and the weights.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to make; it must not exist yet.")
    ],
) -> None:
    r"""Write an adapter in half its size, to pass it on: bytes, with a scale for each direction of the rank.

    Its answers hardly change; measure them before you rely on it.

    [bold]Examples[/bold]

    \b
    llm4tag train shrink my-judge --out my-judge-small
    llm4tag evaluate labelled.jsonl --store my.store --adapter my-judge-small
    """
    from llm4tag.models.judge_adapter import read_adapter
    from llm4tag.models.local.adapter_weights import shrink_folder
    from llm4tag.schema import settings

    shrink_folder(read_adapter(folder, settings().cache_dir), out)
    typer.echo(out)


@app.command()
def merge(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with adapter.json and the weights.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to make; it must not exist yet.")
    ],
    base: BaseOption = None,
) -> None:
    r"""Merge an adapter into its base, for servers that load no adapters.

    The folder gets a GGUF file of 8 bits, for llm4tag, llama.cpp or any other
    server of such files, and the card. Give the folder as `--adapter`, next to
    `--model`: the prompts are then those of the card.

    [bold]Examples[/bold]

    \b
    llm4tag train merge my-judge --out merged
    llm4tag tag new.jsonl --store my.store --adapter merged --model openai/my-judge --api-base http://server/v1
    llm4tag tag new.jsonl --store my.store --adapter merged --model local/merged/my-judge.gguf
    """
    from llm4tag.models.local.adapter_merge import merge_folder, merged_tensor_count

    adapter, file = _with_base(folder, base)
    with progress_bar("merging", merged_tensor_count(file), "tensors") as bar:
        typer.echo(merge_folder(adapter, file, out, bar))


def _with_base(folder: Path, base: Path | None) -> "tuple[Adapter, Path]":
    """Return an adapter and the file of its base, which is checked."""
    from llm4tag.models.judge_adapter import read_adapter
    from llm4tag.models.local.adapter_conversion import base_of, check_base
    from llm4tag.schema import settings

    cache_dir = settings().cache_dir
    adapter = read_adapter(folder, cache_dir)
    file = base or base_of(adapter, cache_dir)
    check_base(adapter, file, cache_dir)
    return adapter, file
