import pytest

from data_loader.sources.parsing import Fault, clean_text, decode


def test_decoding_names_the_line_and_texts_stand_on_one():
    assert decode("\ufeffé".encode()) == "é"
    with pytest.raises(Fault) as caught:
        decode(b"one\ntwo \xff")
    assert str(caught.value.of("a")) == "a: not UTF-8 text (byte 0xff in line 2)"
    assert clean_text(" one\n two\t") == "one two"
    assert clean_text("می‌خواهم") == "می‌خواهم"  # holds a joiner, which is no printable character
    with pytest.raises(Fault, match="control characters"):
        clean_text("a\x00b")


def test_a_fault_quotes_no_more_of_a_file_than_fits_on_a_line():
    long = Fault("a non-number", f"point 3 is {'9' * 10**5!r}").of("line.xml")
    assert "point 3 is '999" in str(long) and len(str(long)) < 300
    assert str(Fault("a non-number", "point 3 is 'x'").of("line.xml")).endswith("(point 3 is 'x')")
