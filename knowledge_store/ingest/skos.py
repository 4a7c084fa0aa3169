"""Reading SKOS concepts as rows of a vocabulary, by rdflib."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm4tag.knowledge_store.ingest.input_formats import check_file
from llm4tag.knowledge_store.ingest.notices import Notes
from llm4tag.knowledge_store.ingest.row import Row, RowProblem, Rows
from llm4tag.schema import UsageError
from llm4tag.schema.text import visible

if TYPE_CHECKING:
    from rdflib import Graph
    from rdflib.term import Node

_JSON_LD = "json-ld"
SKOS_SUFFIXES = {
    ".ttl": "turtle",
    ".rdf": "xml",
    ".xml": "xml",
    ".owl": "xml",
    ".nt": "nt",
    ".jsonld": _JSON_LD,
}


def check_skos(file: str) -> None:
    """Make sure that an RDF file can be opened and needs nothing from the network.

    Raises:
        UsageError: the file cannot be opened, or it is JSON-LD with a context outside the file.
    """
    check_file(file)
    if Path(file).suffix.lower() == ".jsonld":
        try:
            data = json.loads(Path(file).read_bytes())
        except (ValueError, RecursionError) as error:
            raise UsageError(f"not JSON-LD ({error})", where=file, remedy="correct it") from error
        remote = _remote_context(data)
        if remote:
            # rdflib would fetch it.
            raise UsageError(
                f"its @context is outside the file ({remote})",
                where=file,
                remedy="write the context into the file, or convert it to Turtle",
            )


def _remote_context(data: Any) -> str | None:
    """Return the first reference to a context outside the file."""
    todo = [data]
    while todo:
        value = todo.pop()
        if isinstance(value, list):
            todo.extend(value)
        elif isinstance(value, dict):
            contexts = value.get("@context", [])
            for context in contexts if isinstance(contexts, list) else [contexts]:
                if isinstance(context, str):
                    return context
                if isinstance(context, dict) and "@import" in context:
                    return str(context["@import"])
            todo.extend(value.values())
    return None


def read_skos(file: str, language: str, notes: Notes) -> Rows:
    """Read the concepts of an RDF file, in the order of their URIs.

    The URI becomes the id, prefLabel the name, altLabel and hiddenLabel the aliases, definition (or else
    scopeNote) the description, and broader (or narrower of the parent) the parents; a deprecated concept is
    retired. Labels are taken in ``language``; for a concept without a name in it another language is used, with a
    notice.

    Raises:
        UsageError: the file is not RDF or holds no concept.
    """
    from rdflib import OWL, RDF, SKOS, URIRef

    check_skos(file)
    graph = _parsed(file)
    concepts = sorted(set(graph.subjects(RDF.type, SKOS.Concept)), key=str)
    if not concepts:
        raise UsageError("holds no skos:Concept", where=file, remedy="give a SKOS vocabulary")
    for concept in concepts:
        if not isinstance(concept, URIRef):
            yield RowProblem(
                file=file,
                line=None,
                field="id",
                problem="a concept without a URI",
                remedy="give it one",
                raw=[str(label) for label in graph.objects(concept, SKOS.prefLabel)],
            )
            continue
        names = list(graph.objects(concept, SKOS.prefLabel))
        name, found_language = _best(names, language)
        if name is not None and found_language not in ("", language):
            notes.add("language", f"concepts without a name in {language!r}: taken in {found_language!r}", file)
        broader = {*graph.objects(concept, SKOS.broader), *graph.subjects(SKOS.narrower, concept)}
        labels = (*graph.objects(concept, SKOS.altLabel), *graph.objects(concept, SKOS.hiddenLabel))
        description, _ = _best(graph.objects(concept, SKOS.definition), language)
        if description is None:
            description, _ = _best(graph.objects(concept, SKOS.scopeNote), language)
        deprecated = (str(value).lower() in ("true", "1") for value in graph.objects(concept, OWL.deprecated))
        data = {
            "id": str(concept),
            "name": name,
            "description": description,
            "aliases": sorted({str(label) for label in labels if _speaks(label, found_language)}),
            "parents": sorted(str(parent) for parent in broader),
            "retired": any(deprecated),
        }
        yield Row(file, None, {key: value for key, value in data.items() if value is not None})


def _parsed(file: str) -> "Graph":
    from rdflib import Graph
    from rdflib.plugins.parsers.jsonld import to_rdf

    path = Path(file)
    form = SKOS_SUFFIXES[path.suffix.lower()]
    try:
        if form == _JSON_LD:
            # Graph.parse, and a store with named graphs, would warn about what rdflib itself uses.
            return to_rdf(json.loads(path.read_bytes()), Graph(store="SimpleMemory")) or Graph()
        return Graph().parse(path.absolute(), format=form)
    # rdflib's parsers raise whatever their libraries raise (SAXParseException, BadSyntax, ValueError, ...).
    except Exception as error:
        raise UsageError(
            f"not valid RDF ({visible(str(error))[:200]})", where=file, remedy="correct it"
        ) from error


def _language(value: "Node") -> str:
    return (getattr(value, "language", None) or "").lower()


def _speaks(label: "Node", language: str) -> bool:
    spoken = _language(label)
    return spoken in ("", language) or spoken.split("-")[0] == language


def _best(values: Iterable["Node"], language: str) -> tuple[str | None, str]:
    """Return the text in the wanted language, else in none, else in the first by name; and its language."""

    def rank(value: "Node") -> tuple[int, str, str]:
        spoken = _language(value)
        order = [spoken == language, spoken.split("-")[0] == language, spoken == ""]
        return order.index(True) if any(order) else len(order), spoken, str(value)

    best = min(values, key=rank, default=None)
    if best is None:
        return None, ""
    spoken = _language(best)
    return str(best), language if spoken.split("-")[0] == language else spoken
