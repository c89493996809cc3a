"""The three forms in which registers answer: Solr's JSON, Solr's XML, and Elasticsearch's JSON.

Each becomes the number of entries found and those of this page, as dictionaries of texts.
"""

import json
from typing import Any

from lxml import etree

from esma_files.errors import UnknownAnswer

Entry = dict[str, str]


def read(body: bytes, *, url: str) -> tuple[int, list[Entry]]:
    """Take an answer apart. Raises UnknownAnswer."""
    try:
        if body.lstrip().startswith(b"<"):
            return _solr_xml(body)
        answer = json.loads(body)
        return _solr_json(answer) if "response" in answer else _elasticsearch(answer)
    except (ValueError, KeyError, TypeError, AttributeError, etree.XMLSyntaxError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UnknownAnswer(f"{url}: no list of files in the answer ({reason})") from error


def _solr_json(answer: Any) -> tuple[int, list[Entry]]:
    found = answer["response"]
    return int(found["numFound"]), [_texts(doc) for doc in found["docs"]]


def _elasticsearch(answer: Any) -> tuple[int, list[Entry]]:
    found = answer["hits"]
    total = found["total"]  # a number, or since version 7 {"value": number}
    count = int(total["value"] if isinstance(total, dict) else total)
    return count, [
        {"id": str(hit.get("_id", "")), **_texts(hit["_source"])} for hit in found["hits"]
    ]


def _solr_xml(body: bytes) -> tuple[int, list[Entry]]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    found = etree.fromstring(body, parser).find("result")
    if found is None:
        raise KeyError("result")
    docs = [{str(e.get("name")): e.text or "" for e in doc} for doc in found.iter("doc")]
    return int(found.get("numFound", "")), docs


def _texts(doc: dict[str, Any]) -> Entry:
    """Values as text: an id is a number in some years and a string in others."""
    return {name: str(value) for name, value in doc.items() if not isinstance(value, dict | list)}
