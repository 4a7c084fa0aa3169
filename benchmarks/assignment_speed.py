"""Two forms of a content's tags on Weaviate compared: an array property, and cross references to tag objects.

    scripts/weaviate run --data /tmp/server &            # prints the URL
    python -m benchmarks.assignment_speed URL [--contents 5000]

Both forms hold the same contents and tags. Measured: writing, reading the tags of 100 neighbours, finding the
contents of a tag, and counting contents a tag.
"""

import json
import time
import uuid
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import typer
import weaviate
from weaviate.classes.aggregate import GroupByAggregate
from weaviate.classes.config import Configure, DataType, Property, ReferenceProperty, Tokenization
from weaviate.classes.data import DataObject, DataReference
from weaviate.classes.query import Filter, QueryReference

from llm4tag.knowledge_store.location import parse_weaviate_location

TAGS = 600
NEIGHBOURS = 100
ROUNDS = 50


def timed(work: Callable[[], object], rounds: int) -> float:
    """Return the median milliseconds of a call."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - started))
    return round(float(np.median(taken)), 2)


def make(client: weaviate.WeaviateClient, run: str) -> tuple[Any, Any, Any]:
    """Make a collection of tags, and one of contents for each form."""
    words = Property(name="key", data_type=DataType.TEXT, tokenization=Tokenization.FIELD)
    plain = Configure.Vectors.self_provided()
    tags = client.collections.create(f"{run}Tags", properties=[words], vector_config=plain)
    listed = Property(name="tags", data_type=DataType.TEXT_ARRAY, tokenization=Tokenization.FIELD)
    array = client.collections.create(f"{run}Array", properties=[words, listed], vector_config=plain)
    references = client.collections.create(
        f"{run}References",
        properties=[words],
        references=[ReferenceProperty(name="tags", target_collection=f"{run}Tags")],
        vector_config=plain,
    )
    return tags, array, references


def measure(url: str, contents: int) -> dict[str, Any]:
    """Return the figures of both forms, and their ratios."""
    where = parse_weaviate_location(url)
    numbers = np.random.default_rng(0)
    ids = [str(uuid.uuid4()) for _ in range(contents)]
    tag_ids = [str(uuid.uuid4()) for _ in range(TAGS)]
    given = [sorted(set((numbers.zipf(1.3, 4) % TAGS).tolist())) for _ in range(contents)]
    client = weaviate.connect_to_custom(
        where.host,
        where.port,
        where.settings.tls,
        where.grpc_host,
        where.settings.grpc_port,
        where.settings.tls,
        skip_init_checks=True,
    )
    with client:
        tags, array, references = make(client, f"Bench{uuid.uuid4().hex[:6]}")
        tags.data.insert_many([DataObject(properties={"key": f"t{n}"}, uuid=tag_ids[n]) for n in range(TAGS)])
        started = time.perf_counter()
        for at in range(0, contents, 250):
            array.data.insert_many(
                [
                    DataObject(properties={"key": str(n), "tags": [f"t{tag}" for tag in given[n]]}, uuid=ids[n])
                    for n in range(at, min(contents, at + 250))
                ]
            )
        array_seconds = time.perf_counter() - started
        started = time.perf_counter()
        for at in range(0, contents, 250):
            some = range(at, min(contents, at + 250))
            references.data.insert_many([DataObject(properties={"key": str(n)}, uuid=ids[n]) for n in some])
            references.data.reference_add_many(
                [DataReference("tags", ids[n], tag_ids[tag]) for n in some for tag in given[n]]
            )
        reference_seconds = time.perf_counter() - started

        def neighbours(collection: Any, **more: Any) -> object:
            some = [ids[n] for n in numbers.integers(0, contents, NEIGHBOURS)]
            return collection.query.fetch_objects_by_ids(some, limit=NEIGHBOURS, **more)

        grouped = GroupByAggregate(prop="tags", limit=TAGS)
        link = QueryReference(link_on="tags", return_properties=["key"])
        figures = {
            "write_per_s": (round(contents / array_seconds), round(contents / reference_seconds)),
            "tags_of_100_ms": (
                timed(lambda: neighbours(array), ROUNDS),
                timed(lambda: neighbours(references, return_references=link), ROUNDS),
            ),
            "contents_of_a_tag_ms": (
                timed(
                    lambda: array.query.fetch_objects(
                        filters=Filter.by_property("tags").contains_any(["t7"]), limit=50
                    ),
                    ROUNDS,
                ),
                timed(
                    lambda: references.query.fetch_objects(
                        filters=Filter.by_ref("tags").by_property("key").equal("t7"), limit=50
                    ),
                    ROUNDS,
                ),
            ),
            "contents_a_tag_ms": (
                timed(lambda: array.aggregate.over_all(group_by=grouped), 5),
                timed(lambda: references.aggregate.over_all(group_by=grouped), 5),
            ),
        }
        for collection in (array, references, tags):
            client.collections.delete(collection.name)
    return {
        "contents": contents,
        **{name: {"array": a, "references": r, "ratio": round(a / r, 2)} for name, (a, r) in figures.items()},
    }


def main(
    url: Annotated[str, typer.Argument(help="weaviate://host:port?grpc_port=…")],
    contents: Annotated[int, typer.Option(min=250)] = 5_000,
) -> None:
    """Measure, and print the figures as JSON."""
    typer.echo(json.dumps(measure(url, contents), indent=2))


if __name__ == "__main__":
    typer.run(main)
