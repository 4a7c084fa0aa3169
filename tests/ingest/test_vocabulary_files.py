"""Vocabularies read from JSONL, tables and SKOS."""

from pathlib import Path

import pytest
from rdflib import Graph

from llm4tag.knowledge_store.ingest.notices import Notes
from llm4tag.knowledge_store.ingest.vocabulary_files import check_vocabulary_files, read_vocabulary
from llm4tag.schema import Tag, UsageError
from tests.fakes.jsonl_files import jsonl

SKOS = """
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix : <http://example.org/> .
:animal a skos:Concept ; skos:prefLabel "Animal"@en, "动物"@zh ; skos:narrower :cat .
:dog a skos:Concept ; skos:prefLabel "Dog"@en, "狗"@zh ; skos:altLabel "hound"@en, "犬"@zh ;
  skos:hiddenLabel "dgo" ;
  skos:definition "A loyal animal."@en ; skos:scopeNote "Not wolves."@en ; skos:broader :animal .
:cat a skos:Concept ; skos:prefLabel "Cat"@en-GB ; skos:scopeNote "Tame ones." .
:fox a skos:Concept ; skos:prefLabel "Fuchs"@de ; owl:deprecated true .
:nameless a skos:Concept ; skos:broader :animal .
"""


def test_jsonl_with_groups(tmp_path: Path) -> None:
    tags = jsonl(
        tmp_path / "tags.jsonl",
        {"id": "t", "name": " Tag ", "aliases": ["tag one", " tag one ", "Tag", ""], "parents": ["g"], "note": 1},
        {"id": 5, "name": "五", "description": "数字"},
    )
    groups = jsonl(tmp_path / "groups.jsonl", {"id": "g", "name": "Group"})
    notes = Notes()
    found = read_vocabulary([tags], [groups], notes=notes)
    assert found.problems == ()
    assert found.tags == (
        Tag(id="g", name="Group", group=True),
        Tag(id="t", name="Tag", aliases=("tag one",), parents=("g",)),
        Tag(id="5", name="五", description="数字"),
    )
    assert [notice.message for notice in notes.notices] == ["the field 'note' is not read"]


def test_csv(tmp_path: Path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text("id,name,aliases,parents\na,A,x|y,\nb,B,,a\n")
    assert read_vocabulary([str(file)]).tags == (
        Tag(id="a", name="A", aliases=("x", "y")),
        Tag(id="b", name="B", parents=("a",)),
    )


def test_bad_rows(tmp_path: Path) -> None:
    tags = jsonl(
        tmp_path / "tags.jsonl",
        {"id": "a", "name": "A"},
        {"id": "b"},
        "{",
        {"id": "c", "name": "  "},
        {"id": "a", "name": "Again"},
        {"id": "d", "name": "D", "aliases": "x"},
        {"id": "g", "name": "In both"},
    )
    groups = jsonl(tmp_path / "groups.jsonl", {"id": "g", "name": "G"})
    found = read_vocabulary([tags], [groups])
    assert [tag.id for tag in found.tags] == ["g", "a"]
    assert [(problem.line, problem.field) for problem in found.problems] == [
        (2, "name"),
        (3, ""),
        (4, "name"),
        (5, "id"),
        (6, "aliases"),
        (7, "id"),
    ]
    assert "line 1" in found.problems[3].problem
    assert f"{groups}:1" in found.problems[5].problem


def test_unknown_parents_circles_and_shared_labels_are_noted(tmp_path: Path) -> None:
    tags = jsonl(
        tmp_path / "tags.jsonl",
        {"id": "a", "name": "A", "parents": ["b", "stored"], "aliases": ["both"]},
        {"id": "b", "name": "B", "parents": ["c"], "aliases": ["Both"]},
        {"id": "c", "name": "C", "parents": ["a", "nowhere"]},
        {"id": "d", "name": "Stored name", "parents": ["d"]},
    )
    notes = Notes()
    known = {"stored": Tag(id="stored", name="stored  NAME")}
    found = read_vocabulary([tags], known=known, notes=notes)
    assert [tag.parents for tag in found.tags] == [("b", "stored"), ("c",), ("a", "nowhere"), ("d",)]
    messages: dict[str, list[str]] = {}
    for notice in notes.notices:
        messages.setdefault(notice.kind, []).append(str(notice))
    assert messages["parent"] == [f"{tags}:3: the parent 'nowhere' is neither a tag nor a group"]
    assert messages["circle"] == [
        f"{tags}:1: parents run in a circle: a → b → c → a",
        f"{tags}:4: parents run in a circle: d → d",
    ]
    assert sorted(messages["ambiguous"]) == [
        "'both' names several tags (a, b); it is never used to map",
        "'stored name' names several tags (d, stored); it is never used to map",
    ]


@pytest.mark.parametrize(
    ("suffix", "form"),
    [(".ttl", "turtle"), (".rdf", "xml"), (".nt", "nt"), (".jsonld", "json-ld"), (".xml", "xml")],
)
def test_skos_in_every_form(tmp_path: Path, suffix: str, form: str) -> None:
    file = tmp_path / f"v{suffix}"
    Graph().parse(data=SKOS, format="turtle").serialize(file, format=form, encoding="utf-8")
    notes = Notes()
    found = read_vocabulary([str(file)], notes=notes)
    base = "http://example.org/"
    assert {tag.id.removeprefix(base): tag.name for tag in found.tags} == {
        "animal": "Animal",
        "cat": "Cat",
        "dog": "Dog",
        "fox": "Fuchs",
    }
    tags = {tag.id.removeprefix(base): tag for tag in found.tags}
    assert tags["dog"].aliases == ("dgo", "hound")
    assert tags["dog"].description == "A loyal animal."
    assert tags["cat"].description == "Tame ones."
    assert tags["dog"].parents == tags["cat"].parents == (f"{base}animal",)
    assert tags["fox"].retired
    (problem,) = found.problems
    assert (problem.line, problem.field) == (None, "name")
    assert problem.raw == {"id": f"{base}nameless", "aliases": [], "parents": [f"{base}animal"], "retired": False}
    assert [notice.message for notice in notes.notices] == ["concepts without a name in 'en': taken in 'de'"]


def test_skos_in_another_language(tmp_path: Path) -> None:
    file = tmp_path / "v.ttl"
    file.write_text(SKOS, encoding="utf-8")
    tags = {tag.id.rpartition("/")[2]: tag for tag in read_vocabulary([str(file)], language="zh").tags}
    assert (tags["dog"].name, tags["dog"].aliases) == ("狗", ("dgo", "犬"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.ttl", "no turtle {", "not valid RDF"),
        ("v.rdf", "<rdf", "not valid RDF"),
        ("v.ttl", "", "holds no skos:Concept"),
        ("v.jsonld", "{", "not JSON-LD"),
        ("v.jsonld", '[{"@context": ["https://example.org/c.jsonld"]}]', r"its @context is outside the file"),
        ("v.doc", "", r"accepted are \.jsonl.*SKOS: \.ttl"),
        ("v.csv", "id,label\n", "no column 'name'"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    file = tmp_path / name
    file.write_text(content)

    def read() -> None:
        check_vocabulary_files([str(file)])
        read_vocabulary([str(file)])

    with pytest.raises(UsageError, match=message) as caught:
        read()
    assert str(file) in str(caught.value)


def test_real_vocabularies(shared_data: Path) -> None:
    folder = shared_data / "debtags"
    notes = Notes()
    found = read_vocabulary([str(folder / "tags.jsonl")], [str(folder / "tag_groups.jsonl")], notes=notes)
    assert found.problems == ()
    assert sum(tag.assignable for tag in found.tags) == 463
    assert {notice.kind for notice in notes.notices} <= {"ambiguous", "parent"}
