"""The same two strokes as a file of each format, made for tests by hand."""

import io
import json

import numpy as np

STROKES = [[(10, 20), (13, 24), (12, 30)], [(22, 28), (22, 29)]]
INK = [[0, 0, 0], [3, 4, 0], [-1, 6, 1], [10, -2, 0], [0, 1, 1]]
"""Of all formats, in which y may grow upwards."""


def iam(strokes=STROKES):
    """Return the XML of a line of IAM-OnDB, of points `(x, y)` or `(x, y, time)`."""
    timed = [[(*point, "1.5")[:3] for point in stroke] for stroke in strokes]
    body = "".join(
        '<Stroke colour="black" start_time="1" end_time="2">\n'
        + "".join(f'  <Point x="{x}" y="{y}" time="{time}"/>\n' for x, y, time in stroke)
        + "</Stroke>\n"
        for stroke in timed
    )
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<WhiteboardCaptureSession>'
        '<WhiteboardDescription><DiagonallyOppositeCoords x="6512" y="1376"/>'
        f"</WhiteboardDescription>\n<StrokeSet>\n{body}</StrokeSet></WhiteboardCaptureSession>\n"
    ).encode()


def iam_text(*texts):
    """Return the file of a form's texts."""
    return ("OCR:\n\nnot this\n\nCSR:\n\n" + "\n".join(texts) + "\n").encode()


def iam_name(form, line=None):
    """Return the name of a line's file, or of the file of a form's texts."""
    place = f"{form[:3]}/{form[:7]}/{form}"
    return f"ascii/{place}.txt" if line is None else f"lineStrokes/{place}-{line:02}.xml"


def iam_files(forms):
    """Return IAM-OnDB's files by name, of `{form: (task file, [(a line's XML, text), ...])}`."""
    files = {}
    for form, (task, lines) in forms.items():
        files |= {iam_name(form, n): content for n, (content, _) in enumerate(lines, 1)}
        files[iam_name(form)] = iam_text(*(text for _, text in lines))
        if task:
            files[f"{task}.txt"] = files.get(f"{task}.txt", b"") + f" {form}\n".encode()
    return files


def channels(letters):
    """Return the declaration of InkML's channels."""
    declared = "".join(f'<channel name="{letter}"/>' for letter in letters)
    return f"<traceFormat>{declared}</traceFormat>"


def inkml(strokes=STROKES, text="hello", formats=()):
    """Return an InkML file, with a declaration of `channels` for each of `formats`."""
    head = "".join(map(channels, formats))
    said = f'<annotation type="truth">{text}</annotation>' if text else ""
    traces = "".join(
        f"<trace>{', '.join(' '.join(map(str, point)) for point in stroke)}</trace>"
        for stroke in strokes
    )
    return f'<ink xmlns="http://www.w3.org/2003/InkML">{head}{said}{traces}</ink>'.encode()


def rows(strokes=STROKES):
    """Return offsets and ends of strokes, `(points, 3)`."""
    points = np.concatenate([np.array(stroke, dtype=np.float32) for stroke in strokes])
    ends = np.cumsum([len(stroke) for stroke in strokes]) - 1
    table = np.zeros((len(points), 3), dtype=np.float32)
    table[:, :2] = np.diff(points, axis=0, prepend=0)
    table[ends, 2] = 1
    return table


def arrays(lines=(STROKES,)):
    """Return a file of stroke arrays: (end of stroke, dx, dy), y growing upwards.

    An array among the lines is taken as it is.
    """
    array = np.empty(len(lines), dtype=object)
    for number, line in enumerate(lines):
        upwards = np.float32([1, 1, -1])
        array[number] = line if isinstance(line, np.ndarray) else rows(line)[:, [2, 0, 1]] * upwards
    return saved(array)


def saved(array):
    """Return the file of an array."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def mnist(strokes=STROKES):
    """Return the input data of a digit."""
    table = rows(strokes).astype(int).tolist()
    lines = [f"{dx} {dy} {end} {int(n == len(table) - 1)}" for n, (dx, dy, end) in enumerate(table)]
    return ("\n".join(lines) + "\n").encode()


def target(digit, rows=5):
    """Return the target data of a digit: its class, and the next row."""
    classes = " ".join(str(int(n == digit)) for n in range(10))
    return f"{classes} 0 0 0 0\n".encode() * rows


def unipen(labels=("7",), strokes=STROKES):
    """Return a UNIPEN file with a segment for each label; y grows upwards."""
    pieces = "".join(
        ".PEN_DOWN\n" + "".join(f"{x} {-y}\n" for x, y in stroke) + ".PEN_UP\n"
        for stroke in strokes
    )
    last = len(strokes) - 1
    return "".join(
        f'.SEGMENT DIGIT {n * (last + 1)}-{n * (last + 1) + last} ? "{label}"\n{pieces}'
        for n, label in enumerate(labels)
    ).encode()


def own(lines=(("hello", STROKES),)):
    """Return lines of your own, each a text and lists or arrays of points."""
    values = [
        {"text": text, "strokes": [np.asarray(stroke).tolist() for stroke in strokes]}
        for text, strokes in lines
    ]
    return json.dumps(values).encode()
