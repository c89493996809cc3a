"""The business header of an ESMA message (ISO 20022 head.003 around head.001)."""

import dataclasses
import datetime as dt
import re

from lxml import etree

from esma_files.datasets import Dataset
from esma_files.errors import BadFileName, BadXml, WrongEnvelope
from esma_files.names import FileName
from esma_files.parsing.mapping import Mapping

_MESSAGE = re.compile(r"(?:DRAFT\d*)?(auth\.\d{3})\.\d{3}\.\d{2}")
_REQUIRED = ("BizMsgIdr", "MsgDefIdr", "CreDt")


@dataclasses.dataclass(frozen=True)
class Envelope:
    """The header of a message, and the place in `head` where its records begin."""

    message_id: str  # BizMsgIdr: the file's name without .zip
    definition: str  # MsgDefIdr, as auth.017.001.02
    created: str
    sender: str  # Fr, as EU; "" where the header names none
    root: str  # the element around the records
    records_begin: int | None  # offset of the first record's tag; None where it is not in `head`


def read(head: bytes, *, file_name: str, mapping: Mapping) -> Envelope:
    """Read the header from the first bytes of a file. Raises BadXml, WrongEnvelope."""
    header: dict[str, str] = {}
    outermost = root = sender = ""
    for event, element in _events(head, file_name=file_name):
        name = _local_name(element)
        outermost = outermost or name
        if event == "end" and name in _REQUIRED:
            header.setdefault(name, element.text or "")
        elif event == "end" and name == "Fr":
            sender = "".join(map(str, element.itertext())).strip()
        parent = element.getparent()
        if event == "start" and parent is not None and _local_name(parent) == "Document":
            root = name
            break
    if outermost != "BizData":
        raise WrongEnvelope(file_name, f"the message is in <{outermost}>, not in <BizData>")
    if missing := [name for name in _REQUIRED if name not in header]:
        raise WrongEnvelope(file_name, f"the header has no {', '.join(missing)}")
    if not root:
        raise WrongEnvelope(file_name, "there is no Document with a message in its first bytes")
    return Envelope(
        message_id=header["BizMsgIdr"],
        definition=header["MsgDefIdr"],
        created=header["CreDt"],
        sender=sender,
        root=root,
        records_begin=_records_begin(head, mapping),
    )


def check(envelope: Envelope, *, name: FileName, file_name: str, mapping: Mapping) -> None:
    """Raise WrongEnvelope unless the message is the one that the file's name promises."""
    version = _MESSAGE.fullmatch(envelope.definition)
    if version is None or version[1] != mapping.message:
        raise WrongEnvelope(
            file_name, f"the message is {envelope.definition!r}, not {mapping.message}"
        )
    if envelope.root != mapping.root:
        raise WrongEnvelope(
            file_name, f"the records are in <{envelope.root}>, not in <{mapping.root}>"
        )
    try:
        promised = FileName.parse(envelope.message_id)
    except BadFileName:
        promised = None
    if promised is None or not promised.is_same_part(name):
        raise WrongEnvelope(file_name, f"the header names it {envelope.message_id!r}")
    try:
        dt.datetime.fromisoformat(envelope.created)
    except ValueError:
        raise WrongEnvelope(
            file_name, f"the header's CreDt {envelope.created!r} is not a date and time"
        ) from None


def check_sender(envelope: Envelope, *, name: FileName, file_name: str, dataset: str) -> None:
    """Raise WrongEnvelope where the message is of another dataset: ESMA and the FCA use the same file names.

    A header without a sender is accepted.
    """
    publication = Dataset(dataset).publication
    if not envelope.sender or envelope.sender in publication.senders:
        return
    sent = f"the header names {envelope.sender[:50]!r} as its sender"
    if (other := name.kind.dataset_of(envelope.sender)) is not None:
        raise WrongEnvelope(
            file_name, f"{sent}, so it is not of {dataset}: load it with --dataset {other.value}"
        )
    raise WrongEnvelope(
        file_name, f"{sent}, and files of {dataset} are sent by {publication.senders[0]}"
    )


def _events(head: bytes, *, file_name: str) -> list[tuple[str, etree._Element]]:
    """The starts and ends of elements in the first bytes. Raises BadXml where there is no element."""
    pull = etree.XMLPullParser(
        events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False
    )
    problem = "no element in it"
    try:
        pull.feed(head)
    except etree.XMLSyntaxError as error:
        problem = str(error)
    events: list[tuple[str, etree._Element]] = [
        (e, element) for e, element in pull.read_events() if isinstance(element, etree._Element)
    ]
    if not events:
        raise BadXml(file_name, f"the file is not XML ({problem})")
    return events


def _local_name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _records_begin(head: bytes, mapping: Mapping) -> int | None:
    tags = "|".join(sorted(mapping.record_tags))
    first = re.search(rf"<(?:[\w.-]+:)?(?:{tags})[\s/>]".encode(), head)
    return first.start() if first else None
