"""The three forms of a register's answer: Solr's JSON, Solr's XML, and Elasticsearch's JSON.

Each is read into the number of entries in all and the entries of this page, as dictionaries of texts.
"""

import json
from typing import Any

from lxml import etree

from esma_files.errors import UnknownAnswer

Entry = dict[str, str]


def read(body: bytes, *, url: str) -> tuple[int, list[Entry]]:
    """Return the number of entries in all, and those of this page. Raises UnknownAnswer."""
    try:
        if body.lstrip().startswith(b"<"):
            return _solr_xml(body)
        answer = json.loads(body)
        return _solr_json(answer) if "response" in answer else _elasticsearch(answer)
    except (ValueError, KeyError, TypeError, AttributeError, etree.XMLSyntaxError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UnknownAnswer(f"{url}: no list of files in the answer ({reason})") from error


def _solr_json(answer: Any) -> tuple[int, list[Entry]]:
    response = answer["response"]
    return int(response["numFound"]), [_texts(doc) for doc in response["docs"]]


def _elasticsearch(answer: Any) -> tuple[int, list[Entry]]:
    hits = answer["hits"]
    total = hits["total"]  # a number, or since version 7 {"value": number}
    count = int(total["value"] if isinstance(total, dict) else total)
    return count, [
        {"id": str(hit.get("_id", "")), **_texts(hit["_source"])} for hit in hits["hits"]
    ]


def _solr_xml(body: bytes) -> tuple[int, list[Entry]]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    result = etree.fromstring(body, parser).find("result")
    if result is None:
        raise KeyError("result")
    docs = [{str(e.get("name")): e.text or "" for e in doc} for doc in result.iter("doc")]
    return int(result.get("numFound", "")), docs


def _texts(doc: dict[str, Any]) -> Entry:
    """Return the values as text: an id is a number in some years and a string in others."""
    return {name: str(value) for name, value in doc.items() if not isinstance(value, dict | list)}
