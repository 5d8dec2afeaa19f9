"""Recorded lines are continued."""

import numpy as np
import pytest

from data_loader import EmbeddedDataset
from model.generation import writing
from tests.commands.networks import DATA, of_colour, save, use
from utils.checks import UserError
from utils.page.pen import INK, PRIMER


@pytest.mark.parametrize("options", [{}, {"head": "regression"}, {"arch": "SynthesisNetwork"}])
def test_recorded_lines_are_continued(tmp_path, capsys, monkeypatch, options):
    path = save(tmp_path / "runs/mine/one/c.pth", name="mine", **options)
    calls = []
    real = writing.sample

    def watching(network, seeds, texts, sampling, **given):
        lines = real(network, seeds, texts, sampling, **given)
        calls.append((seeds, texts, sampling, given, lines))
        return lines

    monkeypatch.setattr(writing, "sample", watching)
    words = ("continue", "-r", path, "valid", "--primer-points", 15, "--steps", 30)
    words += ("--output", tmp_path / "out")
    use(*words, "--num-samples", 3, "--seed", 2)
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["mine-continued.png"]
    source = EmbeddedDataset(**DATA)
    source.prepare()
    recorded = {source.text(n): source.ink(n) for n in source.indices("valid").tolist()}
    assert [seeds for seeds, *_ in calls] == [[2], [3], [4]]
    found = set()
    for _, texts, sampling, given, (line,) in calls:
        ink, text = given["primer"]
        assert len(ink) == 15 and text == "" and sampling.max_steps == 30
        own = [t for t, whole in recorded.items() if np.array_equal(whole[:15], ink)]
        assert len(own) == 1 and texts == (own if options.get("arch") else None)
        assert line.primed == 15 and np.array_equal(line.ink[:15], ink)
        found.update(own)
    assert len(found) == 3  # no line twice
    picture = tmp_path / "out" / "mine-continued.png"
    assert of_colour(picture, PRIMER) > 50 and of_colour(picture, INK) > 50
    printed = capsys.readouterr().out
    assert "points after the first 15" in printed and f"{picture}  (3 lines)" in printed
    before = [given["primer"][0] for *_, given, _ in calls]
    use(*words, "--num-samples", 3, "--seed", 2)  # the seed chooses the lines
    again = [given["primer"][0] for *_, given, _ in calls[3:]]
    assert all(np.array_equal(one, other) for one, other in zip(before, again, strict=True))


def test_what_cannot_be_continued_is_named(tmp_path):
    path = save(tmp_path / "a/one/c.pth")
    words = ("continue", "-r", path, "--output", tmp_path / "out")
    with pytest.raises(UserError, match="has 5 lines of more than 1 points, 6 are needed"):
        use(*words, "valid", "--primer-points", 1)
    with pytest.raises(UserError, match="no split 'dev': there are train, valid, test"):
        use(*words, "dev")
    with pytest.raises(UserError) as told:
        use(*words, "--show", "density")
    assert "--show belongs to write; `continue --help`" in str(told.value)


def test_the_lines_can_go_into_a_file(tmp_path):
    path = save(tmp_path / "a/one/c.pth")
    words = ("--num-samples", 1, "--primer-points", 9, "--steps", 9)
    use("continue", "-r", path, *words, "--output", tmp_path / "lines.png")
    assert of_colour(tmp_path / "lines.png", PRIMER) > 10
