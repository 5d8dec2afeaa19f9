"""The same two strokes as a file of each format, made for tests by hand."""

import io
import json

import numpy as np

STROKES = [[(10, 20), (13, 24), (12, 30)], [(22, 28), (22, 29)]]
INK = [[0, 0, 0], [3, 4, 0], [-1, 6, 1], [10, -2, 0], [0, 1, 1]]
"""Of all formats, in which y may grow upwards."""


def iam(strokes=STROKES):
    """Return a line's XML."""
    body = "".join(
        "<Stroke>" + "".join(f'<Point x="{x}" y="{y}" time="1.5"/>\n' for x, y in s) + "</Stroke>"
        for s in strokes
    )
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<WhiteboardCaptureSession><StrokeSet>'
        f"{body}</StrokeSet></WhiteboardCaptureSession>\n"
    ).encode()


def inkml(strokes=STROKES, text="hello"):
    """Return an InkML file."""
    said = f'<annotation type="truth">{text}</annotation>' if text else ""
    traces = "".join(
        f"<trace>{', '.join(' '.join(map(str, point)) for point in stroke)}</trace>"
        for stroke in strokes
    )
    return f'<ink xmlns="http://www.w3.org/2003/InkML">{said}{traces}</ink>'.encode()


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
    one_hot = " ".join(str(int(n == digit)) for n in range(10))
    return f"{one_hot} 0 0 0 0\n".encode() * rows


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
    """Return lines of your own."""
    return json.dumps([{"text": text, "strokes": strokes} for text, strokes in lines]).encode()
