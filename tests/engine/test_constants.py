"""The constants of the engine are those of Python."""

import re

import pytest

from apps.notes import neat, word_shapes
from apps.pages import (
    letter_shapes,
    letter_strokes,
    page_options,
    proofreading,
    word_cutting,
)
from apps.web import flat_file
from ink import delayed_strokes, measures
from model.generation import hand_encoder, mixture, sampling, stepping
from model.recognition import beam, encoder, hand_descriptor, ink_features, ink_words
from tests.engine.conftest import ROOT

HOMES = {
    "features": {
        "MAX_POINTS": ink_features.MAX_FEATURE_POINTS,
        "DETAIL": ink_features._DETAIL,
        "FAR": ink_features._FAR,
        "LATE": delayed_strokes.MIN_LATE_DISTANCE,
        "MARK_ABOVE": delayed_strokes.MIN_MARK_HEIGHT,
        "MARK_WIDTH": delayed_strokes.MAX_MARK_WIDTH,
        "ACROSS": delayed_strokes.X_WEIGHT,
        "BEFORE": delayed_strokes.MIN_DISTANCE_BEFORE,
    },
    "ink": {
        "FLAT": measures.MAX_FLAT_SEGMENT_HEIGHT,
        "LEAST_WIDTH": measures.MIN_BASELINE_WIDTH,
        "MAX_SLANT": measures.MAX_SLANT,
        "TALL": word_cutting.MIN_TALL_RATIO,
        "MIDDLE_SIGNS": word_cutting.MIDDLE_SIGNS,
    },
    "line": {
        "TRIES": page_options.PageOptions.tries,
        "TRY_SEED_STRIDE": proofreading.TRY_SEED_STRIDE,
        "MIN_STEPS": sampling.MIN_STEPS,
        "STEPS_PER_CHARACTER": sampling.STEPS_PER_CHARACTER,
        "LINE_PRIOR": word_cutting.LINE_PRIOR,
        "TURN_PRIOR": word_cutting.TURN_PRIOR,
    },
    "decoding": {"PRUNING": beam.PRUNING},
    "flat_file": {"FORMAT": flat_file.FLAT_FILE_FORMAT},
    "neat": {
        **{
            name: getattr(word_shapes, name)
            for name in (
                *("MIN_SPAN", "BASELINE_PRIOR"),
                *("X_HEIGHT_PRIOR", "LEAN_PRIOR", "SLOPE_PRIOR"),
            )
        },
        "INNER": word_shapes.X_HEIGHT_QUANTILE,
        "REACH": word_shapes.MAX_CONTEXT_DISTANCE,
        "MAX_OFF": word_shapes.MAX_BASELINE_DISTANCE,
        "TALL": word_shapes.TALL_CHARACTERS,
        "DEEP": word_shapes.DEEP_CHARACTERS,
        **{
            name: getattr(neat, name)
            for name in (
                *("MAX_TURN", "MAX_SHEAR", "MAX_ROW_SLOPE", "MAX_SIZE_RATIO"),
                *("MIN_WORD_GAP", "MAX_WORD_GAP", "MIN_EVEN_GAP"),
            )
        },
        "SCALES": [*neat.WORD_SCALES],
        "WIDTHS": [neat.MIN_ROW_WIDTH, neat.MAX_ROW_WIDTH],
    },
    "reading": {
        "MAX_DOUBTED_PROBABILITY": ink_words.MAX_DOUBTED_PROBABILITY,
        "MIN_STROKE_FRACTION": ink_words.MIN_STROKE_FRACTION,
        "FRAMES": hand_descriptor.FRAMES,
    },
    "hands": {
        "PRIOR_WEIGHT": hand_encoder.PRIOR_WEIGHT,
        "DRAWN_WEIGHT": hand_encoder.DEFAULT_WEIGHT,
        "SPAN": hand_encoder.VECTOR_BOUND,
        "FRACTIONS": list(hand_encoder.FRACTION_BOUNDS),
    },
    "drawing": {
        "PERIOD": stepping.STEPS_PER_CALL,
        "BLOCK": sampling.BLOCK,
        "PEN_PIVOT": mixture.PEN_PIVOT,
        "REST": sampling.MAX_REST_OFFSET,
        "LONGEST_FINISH": sampling.MAX_FINISH_STEPS,
    },
    "repairs": {
        "SHARE": letter_strokes.MIN_POINT_FRACTION,
        "POINTS": letter_strokes.NUM_POINTS,
        "BAR_TILT": letter_shapes.BAR_TILT,
        "LEAST_BAR": letter_shapes.MIN_FIVE_BAR_WIDTH,
        "WAIST": letter_shapes.WAIST,
        "DOWN": letter_shapes.MIN_BELLY_DEPTH,
    },
    "text": {"ALIKE": [*proofreading.LOOKALIKES]},
}
"""By file the constants that Python has as well."""
ENUMERATED = {
    "WIDTH": ink_words.ALTERNATIVES.width,
    "MAX_ENDS": word_shapes.MAX_ENDS,
    "KERNEL": encoder.KERNEL,
    "STRIDE": encoder.STRIDE,
}
"""Constants of engine/internal.h that Python has as well."""
OF_THE_ENGINE = {
    "ink": {"MIN_DOWNSTROKE", "ROW_DROP", "ROW_RETURN"},  # which Python has within functions
    "line": {"HEIGHT_PRIOR", "CHUNK", "MAX_SURPLUS", "MAX_BIAS"},
    "flat_file": {"DIGEST_BYTES", "MAX_HEADER", "MAX_PARTS", "MAX_INTEGER"},
    "neat": {"MAX_DISTANCE"},
    "reading": {"MIN_PROBABILITY", "MAX_FRAMES"},
    "hands": {"RATIOS"},
    "drawing": {"SHIFT"},
}


@pytest.mark.parametrize("name", HOMES)
def test_a_constant_of_the_engine_is_that_of_python(name):
    source = (ROOT / "engine" / f"{name}.c").read_text()
    pairs = re.findall(r"^#define ([A-Z_]+) (.*?)(?: */\*.*)?$", source, re.MULTILINE)
    stated = {key: value.replace("{", "[").replace("}", "]") for key, value in pairs}
    own = OF_THE_ENGINE.get(name, set())
    assert {key: eval(value) for key, value in stated.items() if key not in own} == HOMES[name]
    assert stated.keys() >= own


@pytest.mark.parametrize("name", ENUMERATED)
def test_a_number_that_files_of_the_engine_share_is_that_of_python(name):
    source = (ROOT / "engine/internal.h").read_text()
    assert re.findall(rf"\b{name} = (\d+)", source) == [str(ENUMERATED[name])]
