"""Parses XML of untrusted files, without document types and entities; escapes texts for XML."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any
from xml.etree import ElementTree

from ink.sample import Fault
from utils.checks import MAX_QUOTED
from utils.files import XML_FORBIDDEN

_BROKEN = "broken XML"
_XML_ERRORS = (ElementTree.ParseError, LookupError, ValueError)  # the last two: unknown encodings


class _TreeBuilder(ElementTree.TreeBuilder):
    """Builds elements whose tags have no namespaces, and refuses document types."""

    def start(self, tag: str, attributes: dict[str, str]) -> ElementTree.Element:
        return super().start(_local_name(tag) if tag.startswith("{") else tag, attributes)

    def start_ns(self, prefix: str, uri: str) -> None:
        if len(uri) > MAX_QUOTED:  # It is part of each element's name.
            raise Fault(f"a namespace of more than {MAX_QUOTED} characters")

    def doctype(self, *_: object) -> None:
        raise Fault("a document type, which no ink needs (entities are never expanded)")


class _ChildBuilder(_TreeBuilder):
    """Collects the children of the outermost element as they end, and stores no others."""

    def __init__(self, tag: str) -> None:
        super().__init__()
        self.tag = tag
        self.open: list[ElementTree.Element] = []
        self.ended: deque[ElementTree.Element] = deque()

    def start(self, tag: str, attributes: dict[str, str]) -> ElementTree.Element:
        element = super().start(tag, attributes)
        if not self.open:
            _check_root(element.tag, self.tag)
        self.open.append(element)
        return element

    def end(self, tag: str) -> ElementTree.Element:
        element = super().end(tag)
        self.open.pop()
        if len(self.open) == 1:
            self.open[0].clear()  # The outermost element would keep all its children in memory.
            self.ended.append(element)
        return element


def xml_children(blocks: Iterable[bytes], tag: str) -> Iterator[ElementTree.Element]:
    """Yield the children of the outermost element of an XML document, which comes in blocks; each
    child is freed when it is no longer used.

    Raises:
        Fault: see `xml_tree`.
    """
    builder = _ChildBuilder(tag)
    parser = ElementTree.XMLParser(target=builder)
    try:
        for block in blocks:
            parser.feed(block)
            while builder.ended:
                yield builder.ended.popleft()
        parser.close()
    except _XML_ERRORS as error:
        raise Fault(_BROKEN, str(error)) from None


def xml_tree(content: bytes | str, tag: str) -> ElementTree.Element:
    """Return the outermost element of an XML document; its tags have no namespaces.

    Raises:
        Fault: if the document is empty, broken, declares a document type, or has an
            outermost element that is not called `tag`.
    """
    if not content.strip():
        raise Fault("an empty file")
    parser = ElementTree.XMLParser(target=_TreeBuilder())
    try:
        parser.feed(content)
        root = parser.close()
    except _XML_ERRORS as error:
        raise Fault(_BROKEN, str(error)) from None
    _check_root(root.tag, tag)
    return root


def cut_tree(
    content: bytes | str, tag: str
) -> tuple[ElementTree.Element, Sequence[ElementTree.Element], Fault | None]:
    """Return the `xml_tree` of a document that may be truncated.

    Returns:
        the outermost element, the elements that have no end, and the fault of such a document.
    """
    try:
        return xml_tree(content, tag), (), None
    except Fault as fault:
        if fault.reason != _BROKEN:
            raise
        unended: list[ElementTree.Element] = []
        with suppress(*_XML_ERRORS):
            for event, element in _events(content, "start", "end"):
                if event == "start":
                    element.tag = _local_name(element.tag)
                    unended.append(element)
                else:
                    unended.pop()
        if not unended:
            raise
        _check_root(unended[0].tag, tag)
        return unended[0], unended, fault


def _check_root(root: str, tag: str) -> None:
    if root != tag:
        detail = f"its outermost element is <{root[:40]}>, not <{tag}>"
        raise Fault("another kind of XML", detail)


def root_tag(head: bytes) -> str:
    """Return the tag of the outermost element of a document that begins with `head`; "" if none."""
    with suppress(*_XML_ERRORS):
        return next((_local_name(element.tag) for _, element in _events(head, "start")), "")
    return ""


def _events(content: bytes, *kinds: str) -> Iterator[tuple[str, ElementTree.Element]]:
    """Yield the events of some kinds, "start" and "end", in a document that may be truncated."""
    parser: ElementTree.XMLPullParser[Any] = ElementTree.XMLPullParser(kinds)
    parser.feed(content)
    for event in parser.read_events():
        match event:
            case (str(kind), ElementTree.Element() as element):
                yield kind, element


def escape(text: str) -> str:
    """Return a text as the content of an element; characters that XML forbids become `?`."""
    from xml.sax import saxutils  # slow to import

    return saxutils.escape(XML_FORBIDDEN.sub("?", text))


def quoteattr(text: str) -> str:
    """Return a text as the quoted value of an attribute, as `escape` does."""
    from xml.sax import saxutils  # slow to import

    return saxutils.quoteattr(XML_FORBIDDEN.sub("?", text))


def _local_name(tag: str) -> str:
    return tag.rpartition("}")[2]
