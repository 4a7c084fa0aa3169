"""``llm4tag train``: fine-tuned judges."""

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
        "--base", metavar="FILE", help="GGUF file of the base. Default: the pulled model of that sha256."
    ),
]

app = typer.Typer(no_args_is_help=True, help="Fine-tuned judges.", rich_markup_mode="rich")


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
            "--out", "-o", metavar="FILE", help="Default: in the cache folder, where --adapter finds it."
        ),
    ] = None,
    base: BaseOption = None,
) -> None:
    r"""Write an adapter as GGUF, the form that llama.cpp loads beside its base.

    `--adapter DIR` does this by itself at the first use.

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
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="A folder that is not there yet.")],
) -> None:
    r"""Write an adapter in half its size, to be passed on: bytes with a scale for each direction of the rank.

    What it answers hardly changes; measure it before you rely on it.

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
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="A folder that is not there yet.")],
    base: BaseOption = None,
) -> None:
    r"""Merge an adapter into its base, for servers that load no adapter.

    The folder holds a GGUF file of 8 bits, to be served by llama.cpp or
    whatever else takes such files, llm4tag included, and the card: `--adapter`
    takes the folder beside `--model`, and asks with the prompt of the card.

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
    """Return an adapter and the file of its base, checked to be that."""
    from llm4tag.models.judge_adapter import read_adapter
    from llm4tag.models.local.adapter_conversion import base_of, check_base
    from llm4tag.schema import settings

    cache_dir = settings().cache_dir
    adapter = read_adapter(folder, cache_dir)
    file = base or base_of(adapter, cache_dir)
    check_base(adapter, file, cache_dir)
    return adapter, file
