"""The business header of an ESMA message (ISO 20022 head.003 around head.001)."""

import dataclasses
import datetime as dt
import re
from collections.abc import Iterator

from lxml import etree

from esma_files.errors import BadFileName, BadXml, WrongEnvelope
from esma_files.names import FileName
from esma_files.parsing.mapping import Mapping

_MESSAGE = re.compile(r"(?:DRAFT\d*)?(auth\.\d{3})\.\d{3}\.\d{2}")


@dataclasses.dataclass(frozen=True)
class Envelope:
    """What the header says of the message, and where in `head` the records begin."""

    message_id: str  # BizMsgIdr: the file's name without .zip
    definition: str  # MsgDefIdr, as auth.017.001.02
    created: str
    sender: str  # of the header, as EU; "" where it says none
    records_begin: int | None  # offset of the first record's tag; None where it is not in `head`
    closing: str  # the end tags of what is around the records, as they are written in the file


def read(head: bytes, *, file_name: str, mapping: Mapping) -> Envelope:
    """Read the header from the first bytes of a file. Raises BadXml, WrongEnvelope."""
    found: dict[str, str] = {}
    events, problem = _events(head)
    wanted = {"BizMsgIdr", "MsgDefIdr", "CreDt"}
    root = sender = closing = ""
    for event, element in events:
        name = str(element.tag).rpartition("}")[2]
        root = root or name
        if event == "end" and name in wanted:
            found.setdefault(name, element.text or "")
        elif event == "end" and name == "Fr":
            sender = "".join(map(str, element.itertext())).strip()
        if name == mapping.root:
            around = (element, *element.iterancestors())
            closing = "".join(f"</{_written(one)}>" for one in around)
        if name in (mapping.root, *mapping.record_tags):
            break
    if not root or (problem and root == "BizData" and not found):
        raise BadXml(file_name, f"the file is not XML ({problem or 'no element in it'})")
    if root != "BizData":
        raise WrongEnvelope(file_name, f"the message is in <{root}>, not in <BizData>")
    if missing := wanted - found.keys():
        raise WrongEnvelope(file_name, f"the header has no {', '.join(sorted(missing))}")
    return Envelope(
        message_id=found["BizMsgIdr"],
        definition=found["MsgDefIdr"],
        created=found["CreDt"],
        sender=sender,
        records_begin=_records_begin(head, mapping),
        closing=closing,
    )


def check(envelope: Envelope, *, name: FileName, file_name: str, mapping: Mapping) -> None:
    """Raise WrongEnvelope unless the message is the one that the file's name promises."""
    version = _MESSAGE.fullmatch(envelope.definition)
    if version is None or version[1] != mapping.message:
        raise WrongEnvelope(
            file_name, f"the message is {envelope.definition!r}, not {mapping.message}"
        )
    try:
        said = FileName.parse(envelope.message_id)
    except BadFileName:
        said = None
    if said is None or not said.same_message(name):
        raise WrongEnvelope(file_name, f"the header says it is {envelope.message_id!r}")
    try:
        dt.datetime.fromisoformat(envelope.created)
    except ValueError:
        raise WrongEnvelope(
            file_name, f"the header's CreDt {envelope.created!r} is not a date and time"
        ) from None


def check_sender(envelope: Envelope, *, file_name: str, foreign: dict[str, str]) -> None:
    """Raise WrongEnvelope where the message is of another dataset: their file names are alike."""
    if dataset := foreign.get(envelope.sender):
        raise WrongEnvelope(
            file_name,
            f"the header says it is from {envelope.sender}: load it with --dataset {dataset}",
        )


def _events(head: bytes) -> tuple[Iterator[tuple[str, etree._Element]], str]:
    """What the elements of the header begin and end with, and what is wrong with the XML, "" for nothing."""
    pull = etree.XMLPullParser(
        events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False
    )
    try:
        pull.feed(head)
        problem = ""
    except etree.XMLSyntaxError as error:
        problem = str(error)
    found = pull.read_events()
    return ((e, element) for e, element in found if isinstance(element, etree._Element)), problem


def _written(element: etree._Element) -> str:
    local = str(element.tag).rpartition("}")[2]
    return f"{element.prefix}:{local}" if element.prefix else local


def _records_begin(head: bytes, mapping: Mapping) -> int | None:
    tags = "|".join(sorted(mapping.record_tags))
    first = re.search(rf"<(?:[\w.-]+:)?(?:{tags})[\s/>]".encode(), head)
    return first.start() if first else None
