"""The header of a file: ISO 20022's business header (head.003 around head.001), or GLEIF's header."""

import dataclasses
import datetime as dt
import re

from lxml import etree

from esma_files.datasets import Dataset
from esma_files.errors import BadFileName, BadXml, WrongEnvelope
from esma_files.names import FileName
from esma_files.parsing.mapping import Mapping

_MESSAGE = re.compile(r"(?:DRAFT\d*)?(auth\.\d{3})\.\d{3}\.\d{2}")
_NAMESPACE = re.compile(rb"\sxmlns[:=]")
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

    @property
    def created_at(self) -> dt.datetime | None:
        """The time in CreDt, which `check` has found to be one; UTC where it names no zone.

        None at the ends of the calendar, where the time in UTC does not exist.
        """
        moment = dt.datetime.fromisoformat(self.created)
        try:
            return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        except OverflowError:
            return None


def read(head: bytes, *, file_name: str, mapping: Mapping) -> Envelope:
    """Read the header from the first bytes of a file. Raises BadXml, WrongEnvelope."""
    if not mapping.message:
        return _read_golden_copy(head, file_name=file_name, mapping=mapping)
    events = _events(head, file_name=file_name)
    if (outermost := _local_name(events[0][1])) != "BizData":
        raise WrongEnvelope(file_name, f"the message is in <{outermost}>, not in <BizData>")
    header: dict[str, str] = {}
    root = sender = ""
    for event, element in events:
        name, parent = _local_name(element), element.getparent()
        if event == "start" and parent is not None and _local_name(parent) == "Document":
            root = name
            break
        if event == "end" and name == "Fr":
            sender = "".join(map(str, element.itertext())).strip()
        elif event == "end":
            header.setdefault(name, element.text or "")
    _check_names(header, *_REQUIRED, file_name=file_name)
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
    if not mapping.message:
        _check_golden_copy(envelope, name=name, file_name=file_name, mapping=mapping)
        return
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
    _check_day(envelope.created, element="CreDt", file_name=file_name)


def _check_day(text: str, *, element: str, file_name: str) -> None:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        raise WrongEnvelope(
            file_name, f"the header's {element} {text!r} is not a date and time"
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
            file_name,
            f"{sent}, so it is not of {dataset}: load it as a file of the dataset {other.value}"
            f" (--dataset {other.value})",
        )
    raise WrongEnvelope(
        file_name, f"{sent}, and files of {dataset} are sent by {publication.senders[0]}"
    )


def namespaces(head: bytes) -> int:
    """Return the number of declarations of namespaces in tags before the records."""
    return sum(len(_NAMESPACE.findall(tag)) for tag in re.findall(rb"<[^>]*>", head))


def _read_golden_copy(head: bytes, *, file_name: str, mapping: Mapping) -> Envelope:
    """Read the header of a file of GLEIF's: ContentDate, FileContent and RecordCount, before the records."""
    events = _events(head, file_name=file_name)
    if (outermost := _local_name(events[0][1])) != mapping.document[0]:
        raise WrongEnvelope(
            file_name, f"the file is a <{outermost}>, not a <{mapping.document[0]}>"
        )
    header: dict[str, str] = {}
    path: list[str] = []
    root = ""
    for event, element in events:
        name = _local_name(element)
        if event == "end":
            header.setdefault(name, element.text or "")
            path.pop()
            continue
        path.append(name)
        if path[:-1] == list(mapping.document) and "Header" not in name:
            root = name
            break
    _check_names(header, "ContentDate", "FileContent", file_name=file_name)
    return Envelope(
        message_id="",
        definition=header["FileContent"],
        created=header["ContentDate"],
        sender="",
        root=root,
        records_begin=_records_begin(head, mapping),
    )


def _check_names(header: dict[str, str], *names: str, file_name: str) -> None:
    """Raise WrongEnvelope unless a header has elements of all these names."""
    if missing := [name for name in names if name not in header]:
        raise WrongEnvelope(file_name, f"the header has no {', '.join(missing)}")


def _check_golden_copy(
    envelope: Envelope, *, name: FileName, file_name: str, mapping: Mapping
) -> None:
    """Raise WrongEnvelope unless the file holds what its name promises: all records, or the changed ones."""
    if envelope.root != mapping.root:
        raise WrongEnvelope(
            file_name, f"the records are in <{envelope.root}>, not in <{mapping.root}>"
        )
    content = "FULL" if name.kind.is_full else "DELTA"
    if f"_{content}_" not in envelope.definition:
        raise WrongEnvelope(
            file_name, f"the header's FileContent is {envelope.definition!r}, not a {content} file"
        )
    _check_day(envelope.created, element="ContentDate", file_name=file_name)


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
