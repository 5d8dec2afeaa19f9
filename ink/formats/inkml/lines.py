"""Lines of ink as InkML: reads samples from traces, groups and views; writes lines."""

from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal
from xml.etree.ElementTree import Element

import numpy as np

from ink.formats.checks import check_text, count_missing, join_strokes
from ink.formats.files import read_file
from ink.formats.inkml.traces import (
    XML_NAMESPACE,
    TraceFormat,
    annotation_lines,
    channels_of,
    document,
    element_id,
    formats,
    is_drawn,
    trace_text,
)
from ink.formats.xml import cut_tree, root_tag
from ink.geometry import check_ink, strokes
from ink.sample import Fault, Parsed, Sample
from utils.files import write_text

TRUTHS = ("truth", "label", "normalizedLabel", "transcription")
"""Types of annotations that hold a transcription, the preferred first; letter case is ignored."""
WRITERS = ("writer", "writerID")
"""Types of annotations that name the writer, the preferred first; letter case is ignored."""
_CHANNELS = "".join(f'<channel name="{name}" type="decimal"/>' for name in "XY")
_CONTEXT = f'<context xml:id="line"><traceFormat>{_CHANNELS}</traceFormat></context>'


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is InkML."""
    return root_tag(head) == "ink"


def parse(
    path: Path,
    level: Literal["file", "group", "annotated"] = "annotated",
    encoding: str | None = None,
) -> Parsed:
    """Return the samples of a file.

    Args:
        path: the file.
        level: see `InkMLDataset`; "annotated" means "group" if the file has several groups,
            one with a transcription, and none itself, and otherwise "file". A truncated file has
            only its complete groups.
        encoding: the file's encoding; None takes the declared encoding.
    """
    content = read_file(path)
    try:
        # For text that is already decoded, the parser ignores the declared encoding.
        text = content if encoding is None else content.decode(encoding)
        root, unfinished, cut = cut_tree(text, "ink")
    except UnicodeError as error:
        raise Fault(f"not {encoding} text", str(error)) from None
    forms = formats(root)
    annotated = [*_annotated(root)]
    text = _annotation(root, TRUTHS)
    writer = _annotation(root, WRITERS)
    if level == "annotated":
        is_divided = len({*annotated, *root.findall("traceGroup")}) > 1
        has_annotated_groups = len(annotated) > 0 and is_divided
        level = "group" if has_annotated_groups and not text else "file"
    if cut and level == "file":
        raise cut
    groups = [group for group in annotated if group not in unfinished]
    if level == "file":
        top_groups = root.findall("traceGroup")
        if not text and len(top_groups) == 1:
            text = _annotation(top_groups[0], TRUTHS)
        # Views are skipped, since they only repeat traces of the file.
        return Parsed([_sample([*root.iter("trace")], text, writer, forms)])
    if not groups:
        raise cut or Fault("no traceGroup with a transcription")
    trace_by_id = {element_id(trace): trace for trace in root.iter("trace")}
    parsed = Parsed()
    for number, group in enumerate(groups):
        name = f"{number:04}"
        with parsed.attempt(name):
            traces = [*_traces(group, trace_by_id)]
            text = _annotation(group, TRUTHS)
            group_writer = _annotation(group, WRITERS) or writer
            sample = _sample(traces, text, group_writer, forms)
            parsed.samples.append(sample.renamed(name))
    if cut:
        used = f"{len(parsed.samples):,} groups before are used"
        parsed.left_out.append(Fault("a file cut short, whose whole groups are used", used))
    return parsed


def _sample(
    traces: list[Element], text: str, writer: str, forms: dict[Element, TraceFormat]
) -> Sample:
    """Return the sample of traces."""
    check_text(text)  # but not `clean_text`: a text that we wrote is read unchanged
    ink, missing_counts = _ink(traces, forms)
    return Sample(ink, text, writer=writer, missing=missing_counts)


def _annotation(element: Element, kinds: Sequence[str]) -> str:
    """Return an element's annotation of the first type in `kinds` that the element has, or ""."""
    texts: dict[str, str] = {}
    for annotation in element.findall("annotation"):
        text = "".join(annotation.itertext())
        if annotation.get(f"{XML_NAMESPACE}space") != "preserve":
            text = " ".join(text.split())
        texts.setdefault(annotation.get("type", "").lower(), text)
    return next((texts[kind.lower()] for kind in kinds if kind.lower() in texts), "")


def _annotated(root: Element) -> Iterator[Element]:
    """Yield the outermost groups that have a transcription."""
    stack = [*reversed(root)]
    while stack:
        element = stack.pop()
        # A view that contains views is a group.
        if element.tag in ("traceGroup", "traceView") and _annotation(element, TRUTHS):
            yield element
        elif element.tag != "annotation":  # Groups nested in it would be read at each level.
            stack += reversed(element)


def _traces(group: Element, trace_by_id: dict[str, Element]) -> Iterator[Element]:
    """Yield the traces of a group, and the traces to which its views refer."""
    for element in group.iter():
        name = element.get("traceDataRef", element.get("traceRef", "")).removeprefix("#")
        if element.tag == "trace":
            yield element
        elif element.tag == "traceView" and name:
            if "from" in element.attrib or "to" in element.attrib:
                raise Fault("a view of a part of a trace, which is not supported")
            if name not in trace_by_id:
                raise Fault("a view of a trace that is not there", repr(name[:40]))
            yield trace_by_id[name]


def _ink(
    traces: list[Element], forms: dict[Element, TraceFormat]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the ink `(points, 3)` of traces, and the counts of points that are missing before each
    point (None without times)."""
    # A trace within another trace, or within a context, has no format and is left out.
    drawn = [trace for trace in traces if trace in forms and is_drawn(trace)]
    first_unit = next((forms[trace].unit for trace in drawn), None)
    parts = []
    times = []
    for number, trace in enumerate(drawn, 1):
        form = forms[trace]
        channels = channels_of(trace, form, f"trace {number}")
        points = np.stack([channels["X"], channels["Y"]], axis=1)
        scale = form.unit / first_unit if form.unit and first_unit else 1
        with np.errstate(over="ignore"):  # `join_strokes` refuses the point.
            parts.append(points * scale)
        times.append(channels.get("T"))
    stops = np.cumsum([len(part) for part in parts])
    ink = join_strokes(parts)
    missing_counts = None
    timed = [time for time in times if time is not None]
    is_within_stroke = ink[:-1, 2] == 0  # for the step after each point
    if len(timed) == len(times) and is_within_stroke.any():
        clock = np.concatenate(timed)
        period = float(np.median(np.diff(clock)[is_within_stroke]))
        missing_counts = count_missing(clock, ink[:, 2], period) if period > 0 else None
    for trace, start, stop in zip(drawn, [0, *stops], stops, strict=False):
        continuation = trace.get("continuation", "")
        if continuation in ("middle", "end") and start:
            ink[start - 1, 2] = 0  # the trace before goes on
        ink[stop - 1, 2] = continuation not in ("begin", "middle")
    return ink, missing_counts


def write_inkml(path: str | PathLike[str], ink: np.ndarray, text: str = "") -> None:
    """Write ink and its transcription as an InkML file; `read_ink` reads the same offsets from it,
    up to the rounding of positions.

    A last stroke without an end becomes a trace to be continued.

    Args:
        path: the file.
        ink: `(points, 3)`; the first offset is lost.
        text: the transcription; "" for none.

    Raises:
        DataError: if the ink is not valid, or the text contains a character that XML forbids.
    """
    write_text(path, document(f"  {line}" for line in [_CONTEXT, *_line(ink, text)]))


def lines_to_inkml(lines: Iterable[tuple[np.ndarray, str, str]]) -> str:
    """Return lines of ink, each with its transcription and the person who wrote it, as one InkML;
    each line is a traceGroup. See `write_inkml`."""
    content = [f"  {_CONTEXT}"]
    for ink, text, writer in lines:
        inside = [*annotation_lines("writer", writer), *_line(ink, text)]
        content += ["  <traceGroup>", *(f"    {line}" for line in inside), "  </traceGroup>"]
    return document(content)


def _line(ink: np.ndarray, text: str) -> list[str]:
    """Return the annotation of a line of ink, and its traces."""
    ink = np.array(check_ink(ink), dtype=np.float32)
    ink[0, :2] = 0
    lines = annotation_lines("truth", text)
    for stroke in strokes(ink):
        lines.append(f'<trace contextRef="#line">{trace_text(stroke)}</trace>')
    if ink[-1, 2] <= 0.5:
        lines[-1] = lines[-1].replace(">", ' continuation="begin">', 1)  # in the opening tag
    return lines
