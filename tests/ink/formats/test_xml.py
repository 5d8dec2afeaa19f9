"""Faults of files in short messages, and XML: what is refused, and how deep it may be."""

import pytest

from ink.formats.xml import root_tag, xml_tree
from ink.sample import Fault


def test_a_fault_quotes_no_more_of_a_file_than_fits_on_a_line():
    long = Fault("a non-number", detail=f"point 3 is {'9' * 10**5!r}").within("line.xml")
    assert "point 3 is '999" in str(long) and len(str(long)) < 300
    assert str(Fault("a\n\x1b[31m", detail="x").within("line.xml")) == r"line.xml: a\n\x1b[31m (x)"


DOCTYPE = b'<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY a "1 2,"><!ENTITY b "&a;&a;">]>\n'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b" \n", "an empty file"),
        (b"<x><y></x>", r"broken XML \(mismatched tag: line 1, column 8\)"),
        (b"<x>&b;</x>", "broken XML .*undefined entity"),
        (b'<?xml version="1.0" encoding="klingon"?><x/>', "broken XML"),
        (DOCTYPE + b"<x>&b;</x>", "a document type, which no ink needs"),
        (b'<!DOCTYPE x SYSTEM "/etc/passwd"><x/>', "a document type, which no ink needs"),
    ],
)
def test_xml_is_refused_with_a_reason(content, reason):
    with pytest.raises(Fault, match=f"^{reason}"):
        xml_tree(content, "x")


@pytest.mark.slow
def test_deeply_nested_xml_is_read():
    assert xml_tree(b"<x>" * 400_000 + b"</x>" * 400_000, "x").tag == "x"


def test_the_outermost_element_is_known_from_the_start_of_a_file():
    head = '<?xml version="1.0"?><i:ink xmlns:i="x"><i:trace>1 2, 3'
    assert root_tag(head.encode()) == root_tag(head.encode("utf-16")) == "ink"
    assert root_tag(b"hello") == root_tag(b"") == ""
