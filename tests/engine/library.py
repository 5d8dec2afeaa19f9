"""The engine by ctypes, as a program without torch calls it."""

import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    byref,
    c_char_p,
    c_float,
    c_int,
    c_int32,
    c_size_t,
    c_uint32,
    c_void_p,
)
from typing import ClassVar

import numpy as np

STATUSES = [
    "ok",
    "stopped",
    "no_memory",
    "bad_file",
    "bad_ink",
    "bad_text",
    "bad_argument",
    "too_large",
]
GROWING, DRAWN, DONE = range(3)


def structure(name, fields):
    """Return a structure of C: its fields are words of a name and a letter for the type."""
    types = dict(u=c_uint32, i=c_int32, f=c_float, s=c_char_p, S=POINTER(c_char_p))
    types |= dict(U=POINTER(c_uint32), F=POINTER(c_float), p=c_void_p)
    pairs = (field.split(":") for field in fields.split())
    return type(name, (Structure,), {"_fields_": [(key, types[kind]) for key, kind in pairs]})


POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("pen_up", "<i4")])
Info = structure(
    "Info",
    "role:s name:s licence:s alphabet:s styles:S style_biases:F num_styles:u replacements:S "
    "num_replacements:u longest:u bias:f hand_size:u draws_hands:i description_size:u",
)
Character = structure(
    "Character",
    "start:u end:u probability:f first_point:u last_point:u strokes:U num_strokes:u",
)
Word = structure(
    "Word",
    "text:s start:u end:u first_character:u num_characters:u probability:f is_doubtful:i "
    "strokes:U num_strokes:u alternatives:S num_alternatives:u",
)
Row = structure(
    "Row",
    "text:s alternatives:S num_alternatives:u words:p num_words:u characters:p num_characters:u "
    "is_drawing:i first_stroke:u num_strokes:u",
)
Page = structure("Page", "rows:p num_rows:u")
Rows = structure("Rows", "first_strokes:U num_rows:u")
Hand = structure("Hand", "vector:F size:u text:s points:p num_points:u x_height:f sx:f sy:f")
Style = structure("Style", "name:s hand:p seed:u bias:f")
Ink = structure(
    "Ink",
    "stage:i points:p num_points:u is_whole:i raw:F num_raw:u doubtful:U num_doubtful:u",
)


class Options(Structure):
    """The options of a work handle."""

    Progress = CFUNCTYPE(c_int, c_void_p, c_float)
    Allocate = CFUNCTYPE(c_void_p, c_void_p, c_size_t)
    Release = CFUNCTYPE(None, c_void_p, c_void_p)
    _fields_: ClassVar = [
        ("allocate", Allocate),
        ("release", Release),
        ("progress", Progress),
        ("context", c_void_p),
        ("max_points", c_uint32),
        ("max_strokes", c_uint32),
    ]


Drawn = CFUNCTYPE(c_int, c_void_p, POINTER(Ink))


class EngineError(Exception):
    """A status of the engine with its message."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def to_points(strokes):
    """Return strokes `(n, 2)` as points of C."""
    points = np.zeros(sum(len(stroke) for stroke in strokes), POINT)
    if len(strokes):
        both = np.concatenate([np.asarray(stroke, np.float64)[:, :2] for stroke in strokes])
        with np.errstate(over="ignore"):
            points["x"], points["y"] = both.T
        points["pen_up"][np.cumsum([len(stroke) for stroke in strokes]) - 1] = 1
    return points


def to_strokes(points):
    """Return points of C as strokes."""
    both = np.stack([points["x"], points["y"]], 1)
    return np.split(both, np.flatnonzero(points["pen_up"][:-1]) + 1)


def items(kind, pointer, count):
    """Return the structures of an array of C."""
    return list((kind * count).from_address(pointer)) if count else []


def texts(pointer, count):
    return [pointer[index].decode() for index in range(count)]


def array(pointer, count, kind=np.float32):
    return np.ctypeslib.as_array(pointer, (count,)).astype(kind) if count else np.zeros(0, kind)


class Work:
    """A work handle, whose calls return what Python can hold."""

    def __init__(self, library, **options):
        self.c, self.handle = library, c_void_p()
        library.hw_message.restype = library.hw_about.restype = c_void_p
        library.hw_about.restype = POINTER(Info)
        library.hw_message.restype = c_char_p
        for name in ("hw_free", "hw_close", "hw_end", "hw_end_line"):
            getattr(library, name).argtypes, getattr(library, name).restype = [c_void_p], None
        self.options = Options(**options)
        status = library.hw_begin(byref(self.options), byref(self.handle))
        if status:
            raise EngineError(STATUSES[status], "")

    def call(self, name, *arguments):
        status = getattr(self.c, name)(self.handle, *arguments)
        if status:
            raise EngineError(STATUSES[status], self.c.hw_message(self.handle).decode())

    def result(self, name, kind, convert, *arguments):
        """Call a function whose last argument is a result; return it, converted."""
        pointer = POINTER(kind)()
        self.call(name, *arguments, byref(pointer))
        if not pointer:
            return None
        try:
            return convert(pointer.contents)
        finally:
            self.c.hw_free(ctypes.cast(pointer, c_void_p))

    def open(self, content, title=None):
        network = c_void_p()
        title = title.encode() if title else None
        self.call("hw_open", title, content, c_size_t(len(content)), byref(network))
        return network

    def about(self, network):
        info = self.c.hw_about(network).contents
        styles = texts(info.styles, info.num_styles)
        return {
            **{name: getattr(info, name).decode() for name in ("role", "name", "alphabet")},
            **{name: getattr(info, name) for name in ("longest", "bias", "hand_size")},
            "biases": dict(
                zip(styles, array(info.style_biases, len(styles)).tolist(), strict=True)
            ),
        }

    def read_row(self, network, strokes):
        points = to_points(strokes)
        where = points.ctypes.data_as(c_void_p)
        return self.result("hw_read_row", Row, row_of, network, where, c_size_t(len(points)))

    def read_page(self, network, strokes):
        points = to_points(strokes)
        where, count = points.ctypes.data_as(c_void_p), c_size_t(len(points))

        def rows_of(page):
            return [row_of(row) for row in items(Row, page.rows, page.num_rows)]

        return self.result("hw_read_page", Page, rows_of, network, where, count)

    def find_rows(self, strokes):
        points = to_points(strokes)
        where, count = points.ctypes.data_as(c_void_p), c_size_t(len(points))

        def starts(rows):
            return array(rows.first_strokes, rows.num_rows, int).tolist()

        return self.result("hw_find_rows", Rows, starts, where, count)

    def write(
        self, network, text, *, name=None, hand=None, seed=0, bias=-1.0, reader=None, drawn=None
    ):
        style = Style(name and name.encode(), hand and ctypes.addressof(hand), seed, bias)
        callback = Drawn(lambda _, ink: int(bool(drawn and drawn(ink_of(ink.contents)))))
        arguments = (network, text.encode(), byref(style), reader, callback, None)
        return self.result("hw_write_line", Ink, ink_of, *arguments)

    def hand_of(self, network, style=None, seed=0):
        arguments = (network, style and style.encode(), c_uint32(seed))
        return self.result("hw_hand_of", Hand, hand_values, *arguments)

    def hand_of_lines(self, network, descriptor, lines):
        size = self.c.hw_about(descriptor).contents.description_size
        descriptions = np.zeros((len(lines), size), np.float32)
        for strokes, row in zip(lines, descriptions, strict=True):
            points = to_points(strokes)
            where, count = points.ctypes.data_as(c_void_p), c_size_t(len(points))
            self.call("hw_describe", descriptor, where, count, row.ctypes.data_as(c_void_p))
        arguments = (network, descriptions.ctypes.data_as(c_void_p), c_size_t(len(lines)))
        return self.result("hw_hand_of_lines", Hand, hand_values, *arguments), descriptions

    def hand_of_line(self, network, text, strokes):
        points = to_points(strokes)
        arguments = (network, text.encode(), points.ctypes.data_as(c_void_p), c_size_t(len(points)))
        return self.result("hw_hand_of_line", Hand, hand_values, *arguments)

    def neat(self, strokes, rows):
        """Make rows neater; a row has the first stroke, number of strokes, words (text, strokes)
        and whether it is a drawing."""
        points, kept = to_points(strokes), []

        def words_of(words):
            made = (Word * max(len(words), 1))()
            for word, (text, numbers) in zip(made, words, strict=False):
                kept.append((c_uint32 * max(len(numbers), 1))(*numbers))
                word.text, word.strokes = text.encode(), kept[-1]
                word.num_strokes = len(numbers)
            kept.append(made)
            return ctypes.addressof(made), len(words)

        made = (Row * max(len(rows), 1))()
        for row, (first, count, words, is_drawing) in zip(made, rows, strict=False):
            row.first_stroke = first
            row.num_strokes = count
            row.is_drawing = is_drawing
            row.words, row.num_words = words_of(words)
        neat = np.zeros_like(points)
        where, target = points.ctypes.data_as(c_void_p), neat.ctypes.data_as(c_void_p)
        self.call("hw_neat", where, c_size_t(len(points)), made, c_size_t(len(rows)), target)
        return to_strokes(neat)

    def close(self):
        self.c.hw_end(self.handle)


def hand_values(hand):
    values = dict(x_height=hand.x_height, stretch=(hand.sx, hand.sy))
    values["vector"] = array(hand.vector, hand.size)
    if hand.text is not None:
        values["text"] = hand.text.decode()
        values["strokes"] = to_strokes(points_at(hand.points, hand.num_points))
    return values


def points_at(pointer, count):
    content = ctypes.string_at(pointer, count * POINT.itemsize)
    return np.frombuffer(content, POINT)


def ink_of(ink):
    points = points_at(ink.points, ink.num_points) if ink.num_points else np.zeros(0, POINT)
    return dict(
        stage=ink.stage,
        strokes=to_strokes(points) if len(points) else [],
        is_whole=bool(ink.is_whole),
        raw=array(ink.raw, 3 * ink.num_raw).reshape(-1, 3),
        doubtful=array(ink.doubtful, 2 * ink.num_doubtful, int).reshape(-1, 2).tolist(),
    )


def row_of(row):
    words, characters = [], []
    for word in items(Word, row.words, row.num_words):
        words.append(
            dict(
                text=word.text.decode(),
                place=(word.start, word.end),
                characters=(word.first_character, word.num_characters),
                probability=word.probability,
                is_doubtful=bool(word.is_doubtful),
                strokes=array(word.strokes, word.num_strokes, int).tolist(),
                alternatives=texts(word.alternatives, word.num_alternatives),
            )
        )
    for character in items(Character, row.characters, row.num_characters):
        characters.append(
            dict(
                place=(character.start, character.end),
                probability=character.probability,
                points=(character.first_point, character.last_point),
                strokes=array(character.strokes, character.num_strokes, int).tolist(),
            )
        )
    return dict(
        text=row.text.decode(),
        alternatives=texts(row.alternatives, row.num_alternatives),
        words=words,
        characters=characters,
        is_drawing=bool(row.is_drawing),
        first=row.first_stroke,
        count=row.num_strokes,
    )
