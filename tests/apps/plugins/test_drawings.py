"""The ink of a drawing is in JavaScript what it is in Python."""

import json
import subprocess

import numpy as np

from ink.formats import read_pages
from tests.apps.plugins.conftest import PLUGINS
from tests.apps.web.conftest import needs_node

SCRIPT = """import {readFileSync} from "node:fs";
import {strokesOf} from "./drawings.js";
console.log(JSON.stringify(strokesOf(JSON.parse(readFileSync(0)).elements)));"""


@needs_node
def test_strokes_are_those_of_pens_turned_as_they_are(tmp_path):
    points = [[0, 0], [30, 10], [-20, 50]]
    pen = {"type": "freedraw", "x": 100, "y": 40, "points": points, "strokeWidth": 1}
    elements = [
        *({**pen, "angle": angle} for angle in (0, 0.5, 4)),
        *({**pen, **other} for other in ({"isDeleted": True}, {"opacity": 74}, {"type": "line"})),
        {**pen, "points": [[0, 0]]},
    ]
    content = json.dumps({"type": "excalidraw", "elements": elements})
    (tmp_path / "a.excalidraw").write_text(content)
    (page,) = read_pages(tmp_path / "a.excalidraw")
    words = ["node", "--input-type=module", "-e", SCRIPT]
    done = subprocess.run(words, input=content, capture_output=True, text=True, cwd=PLUGINS)
    assert not done.stderr, done.stderr
    pens = [stroke.points for stroke in page.strokes if stroke.tool == "pen"]
    shift = np.array([100, 40]) - pens[0][0]  # a page begins at its ink
    for stroke, expected in zip(json.loads(done.stdout), pens, strict=True):
        np.testing.assert_allclose(stroke, expected + shift)
