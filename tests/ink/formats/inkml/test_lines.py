import numpy as np
import pytest

from data_loader import InkMLDataset
from ink.formats.inkml.lines import parse, write_inkml
from ink.reading import read_ink
from ink.sample import Fault
from tests.data_loader.archives import put
from tests.data_loader.ink_formats import INK, channels
from tests.loaded import in_order
from utils.checks import ConfigFault, DataError

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
TRACES = "<trace>10 20, 13 24, 12 30</trace><trace>22 28,22 29</trace>"
SAID = '<annotation type="truth">{}</annotation>'


def document(body=TRACES, truth="hello", head=HEAD, extra=""):
    said = SAID.format(truth) if truth else ""
    return f'{head}<ink xmlns="http://www.w3.org/2003/InkML">{extra}{said}{body}</ink>\n'


def prepared(root, files=None, **options):
    return InkMLDataset(root=str(put(root, files or {})), **options).load()


def several(content=None):
    return {f"{n:02}.inkml": content or document() for n in range(12)}


def sample_of(tmp_path, content):
    """Return the sample of a file."""
    (sample,) = read_ink(put(tmp_path, {"one.inkml": content}) / "one.inkml")
    return sample


def first(tmp_path, content):
    """Return ink and text of a file."""
    sample = sample_of(tmp_path, content)
    return sample.ink.tolist(), sample.text


def test_files_in_folders_are_samples_named_by_their_paths(tmp_path):
    files = several() | {"s/x.XML": document(truth=""), "a.txt": "no"}
    dataset = prepared(tmp_path, files, strict=True)
    samples = in_order(dataset)
    assert len(samples) == 13 and samples[0].ink.tolist() == INK
    assert [(samples[n].name, samples[n].text) for n in (0, 12)] == [("00", "hello"), ("s/x", "")]
    assert "1 samples have no transcription" in dataset.report
    assert "1 left out: no transcription: s/x" in prepared(tmp_path, require_text=True).report


def test_channels_are_read_as_the_trace_format_declares_them(tmp_path):
    form = (
        '<traceFormat><channel name="T"/><channel name="Y" orientation="-ve"/>'
        '<channel name="X"/><intermittentChannels><channel name="F"/></intermittentChannels>'
        "</traceFormat>"
    )
    body = "<trace>0 -20 10 7, 10 -24 13, 20 -30 12</trace><trace>90 -28 22,100 -29 22 5</trace>"
    assert first(tmp_path, document(body, extra=form)) == (INK, "hello")
    ink, _ = first(tmp_path, document("<trace>10 20 1,13 24 2,12 30 9</trace>"))
    assert ink == INK[:3]


UNIT = '<channel name="{}" units="{}"/>'
IN_MILLIMETRES = f"<traceFormat>{UNIT.format('X', 'mm')}{UNIT.format('Y', 'mm')}</traceFormat>"
TURNED = f"<traceFormat>{UNIT.format('Y', 'cm')}{UNIT.format('X', 'cm')}</traceFormat>"
FINE = '<channelProperty channel="X" name="resolution" value="1000" units="1/cm"/>'
SOURCE = f'<inkSource xml:id="s">{TURNED}<channelProperties>{FINE}</channelProperties></inkSource>'
A = f'<context xml:id="a">{IN_MILLIMETRES}</context>'
B, B_OF_SOURCE = (
    f'<context xml:id="b"{inside}' for inside in (f">{SOURCE}</context>", ' inkSourceRef="#s"/>')
)
FIRST, SECOND = "<trace{}>10 20, 13 24, 12 30</trace>", "<trace{}>2800 2200, 2900 2200</trace>"
OF_A, OF_B = ' contextRef="#a"', ' contextRef="#b"'
BOTH = FIRST.format(OF_A) + SECOND.format(OF_B)
CONTEXTS = {
    "named": f"<definitions>{A}{B}</definitions>{BOTH}",
    "of the group": f"<definitions>{A}{B}</definitions><traceGroup{OF_A}>{FIRST.format('')}"
    f"{SECOND.format(OF_B)}</traceGroup>",
    "referred to": f"<definitions>{A}{SOURCE}{B_OF_SOURCE}</definitions>{BOTH}",
    "the last": A + FIRST.format("") + B + SECOND.format(""),
}


@pytest.mark.parametrize("way", CONTEXTS)
def test_trace_has_the_channels_and_the_unit_of_its_context(tmp_path, way):
    """The second trace has y first, in thousandths of a centimetre; the first is in millimetres."""
    ink, _ = first(tmp_path, document(CONTEXTS[way]))
    assert ink == pytest.approx(np.array(INK))


def test_a_channel_of_time_tells_missing_points(tmp_path):
    body = "<trace>0 0 0, 1 0 10, 2 0 20, 3 0 60, 4 0 70</trace><trace>9 9 900, 9 8 910</trace>"
    sample = sample_of(tmp_path, document(body, extra=channels("XYT")))
    assert sample.missing.tolist() == [0, 0, 0, 3, 0, 0, 0]


def test_differences_are_read_as_the_recommendation_defines_them(tmp_path):
    # Its own example, worked out there: X 1125, 1148, 1173, 1196; Y 18432, 18475, 18510, 18544.
    ink, _ = first(tmp_path, document("<trace>1125 18432,'23 '43,\"2 \"-8,-2-1</trace>"))
    x, y = np.cumsum(np.array(ink)[:, :2], axis=0).T
    assert x.tolist() == [0, 23, 48, 71] and y.tolist() == [0, 43, 78, 112]
    ink, _ = first(tmp_path, document("<trace>5 5,*6,!9*,#A 1</trace>"))
    assert ink == [[0, 0, 0], [0, 1, 0], [4, 0, 0], [1, -5, 1]]
    # In differences `*` keeps the speed, in second differences the acceleration.
    ink, _ = first(tmp_path, document("<trace>7 5,'2 '3,*\"4,* *,!* *,*\"-1,* *</trace>"))
    steps = [[0, 0], [2, 3], [2, 7], [2, 11], [0, 15], [0, 14], [0, 13]]
    assert [point[:2] for point in ink] == steps


def test_traces_that_continue_are_joined_and_traces_in_the_air_are_left_out(tmp_path):
    body = (
        '<trace continuation="begin">10 20,13 24</trace>'
        '<trace continuation="end">12 30</trace><trace type="penUp">1 1,2 2</trace>'
        '<trace continuation="begin">22 28</trace><trace> </trace>'
    )
    assert first(tmp_path, document(body))[0] == [*INK[:3], [10, -2, 0]]
    body += '<trace continuation="middle">22 29</trace>'
    assert first(tmp_path, document(body))[0] == [*INK[:-1], [0, 1, 0]]


@pytest.mark.parametrize(
    ("annotations", "text"),
    [
        ('<annotation type="label">a</annotation><annotation type="truth">b</annotation>', "b"),
        ('<annotation type="normalizedLabel">c</annotation>', "c"),
        ('<annotation type="Truth">\n  d  &amp;\te </annotation>', "d & e"),
        ('<annotation type="age">9</annotation>', ""),
    ],
)
def test_the_text_is_the_preferred_annotation_of_a_file_or_group(tmp_path, annotations, text):
    assert first(tmp_path, document(truth="", extra=annotations)) == (INK, text)
    group = f"<traceGroup>{annotations}{TRACES}</traceGroup>"
    assert first(tmp_path, document(group, truth="")) == (INK, text)


@pytest.mark.parametrize("kind", ["writer", "writerID"])
def test_the_writer_is_that_of_the_group_or_else_of_the_file(tmp_path, kind):
    ann, bo = (f'<annotation type="{kind}">{name}</annotation>' for name in ("ann", "bo"))
    group = f"<traceGroup>{{}}{SAID.format('a')}{TRACES}</traceGroup>"
    content = document(group.format(ann) + group.format(""), truth="", extra=bo)
    dataset = prepared(tmp_path, several(content), level="group")
    assert [sample.writer for sample in in_order(dataset)[:2]] == ["ann", "bo"]


def test_outer_groups_are_samples_with_all_the_traces_that_they_hold_or_view(tmp_path):
    body = (
        '<trace xml:id="a">0 0,1 1</trace><trace xml:id="b">5 5,6 6,7 7</trace>'
        f"<traceGroup>{SAID.format('all')}<traceGroup>{SAID.format('x')}"
        '<traceView traceDataRef="#b"/></traceGroup><traceView traceDataRef="#a"/></traceGroup>'
        f"<traceGroup><traceGroup>{SAID.format('y')}<trace>1 2,3 4</trace></traceGroup>"
        "</traceGroup>"
        f'<traceGroup>{SAID.format("z")}<traceView traceDataRef="#c"/></traceGroup>'
        f'<traceGroup>{SAID.format("z")}<traceView traceRef="#a" from="1"/></traceGroup>'
    )
    dataset = prepared(tmp_path, several(document(body)), level="group")
    samples = [(sample.name, sample.text, len(sample.ink)) for sample in in_order(dataset)[:2]]
    assert samples == [("00#0000", "all", 5), ("00#0001", "y", 2)]
    assert "a view of a trace that is not there: 00#0002 ('c')" in dataset.report
    assert "a view of a part of a trace, which is not supported: 00#0003" in dataset.report
    whole = in_order(prepared(tmp_path))[0]
    assert len(whole.ink) == 7 and whole.text == "hello"


def test_texts_are_read_in_the_encoding_that_the_file_declares(tmp_path):
    for encoding in ("utf-16", "iso-8859-1", "windows-1256"):
        head = f'<?xml version="1.0" encoding="{encoding}"?>\n'
        truth = "الفكة" if encoding == "windows-1256" else "café"
        assert first(tmp_path, document(truth=truth, head=head).encode(encoding))[1] == truth


def test_an_encoding_that_is_given_goes_before_what_the_file_declares(tmp_path):
    content = document(truth="الفكة", head='<?xml version="1.0" encoding="ASCII"?>')
    files = several(content.encode("cp1256"))
    assert prepared(tmp_path, files, encoding="cp1256").used[0].text == "الفكة"
    with pytest.raises(DataError, match=r"00.inkml: not utf-8 text .*byte 0x"):
        prepared(tmp_path, encoding="utf-8")
    for name in ("klingon", "zip"):  # the latter is one of Python's that decodes no text
        with pytest.raises(ConfigFault, match=f'encoding = "{name}": the name of'):
            InkMLDataset(encoding=name)


@pytest.mark.parametrize(
    "text", [" two  spaces ", "<a> & 'b' \"c\"]]>", "tab\tand\r\nlines", "نَصّ 文 😀 ‌", "a\u2028b"]
)
def test_ink_and_text_that_are_written_are_read_unchanged(tmp_path, text):
    write_inkml(tmp_path / "one.inkml", np.array(INK, dtype=np.float32), text)
    (sample,) = read_ink(tmp_path / "one.inkml")
    assert sample.text == text and sample.ink.tolist() == INK and sample.ink.dtype == np.float32


@pytest.mark.parametrize("size", [0.5, 0.9, 0.999])
def test_the_whole_groups_of_a_file_that_was_cut_are_used(tmp_path, size):
    file = tmp_path / "cut.inkml"
    groups = [
        f'<traceGroup><annotation type="truth">n{n}</annotation><trace>0 0, {n} 9</trace>'
        "</traceGroup>"
        for n in range(20)
    ]
    content = f"<ink>{''.join(groups)}</ink>"
    file.write_text(content[: int(size * len(content))])
    parsed = parse(file, "group")
    whole = file.read_text().count("</traceGroup>")
    assert [sample.text for sample in parsed.samples] == [f"n{n}" for n in range(whole)] and whole
    assert str(*parsed.left_out) == (
        f"a file cut short, whose whole groups are used ({whole} groups before are used)"
    )
    with pytest.raises(Fault, match="broken XML"):
        parse(file, "file")
