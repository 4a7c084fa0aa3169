"""Made-up examples that a judge can learn: a tag is right where the text names it."""

from pathlib import Path
from typing import Any

from llm4tag.prompts.judge_forms import prompt_form
from llm4tag.schema.adapter_card import AdapterLimits
from llm4tag.training.judge_examples import Examples, TrainingExample, TrainingSet, line_of, read_examples

TAGS = ("mail", "chess", "web", "maps")
LIMITS = AdapterLimits(text=60, similar=2, similar_first_line=20, description=20)


def head(name: str = "made", form: str = "names", **fields: Any) -> TrainingSet:
    body = {
        "set": name,
        "form": form,
        "prompt": prompt_form(form)[1].prompt,
        "limits": LIMITS,
        "vocabulary": "v",
        "embedding": "none",
        "prior": "by-hand",
        "seed": 0,
        "contents": 1,
        "held_out": 0,
    }
    return TrainingSet.model_validate(body | fields)


def example(number: int, *, of: str = "made", form: str = "names", held_out: bool = False) -> TrainingExample:
    given = {TAGS[number % 4], TAGS[number // 4 % 4]}
    return TrainingExample(
        set=of,
        form=form,
        id=str(number),
        group=str(number),
        split="held_out" if held_out else "train",
        text=f"{number} {' '.join(sorted(given))}",
        similar=({"first_line": f"about {number}", "tags": sorted(given)},),
        tags=tuple({"id": f"t:{tag}", "name": tag, "right": tag in given} for tag in TAGS),
    )


def write(path: Path, train: int = 12, held_out: int = 4, of: str = "made", form: str = "names") -> Path:
    records = [head(of, form), *(example(n, of=of, form=form) for n in range(train))]
    records += [example(1000 + n, of=of, form=form, held_out=True) for n in range(held_out)]
    path.write_bytes(b"".join(line_of(one) for one in records))
    return path


def read(path: Path, **counts: Any) -> Examples:
    return read_examples([str(write(path, **counts))])
