"""A reader learns in a process of its own: how far it is, what comes of it, and how it ends."""

import os
import signal
import time
from functools import partial

import pytest

from apps.notes.learning import Learning
from apps.notes.page_text import PageText
from apps.notes.reading_cache import Library
from apps.notes.viewing import Viewer
from tests.apps.notes.learning import go, learn
from tests.ink.formats.note_files import xopp
from utils.checks import UserError

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def learning(tmp_path):
    begun = Learning(partial(learn, tmp_path), tmp_path / "learned.pth")
    yield begun
    begun.stop()


def wait(learning, text):
    """Wait for a text of a learning that begins so."""
    while not (state := learning.state())["text"].startswith(text):
        assert state["isUnderWay"], state
        time.sleep(0.02)
    return state


def is_running(folder):
    """Whether the process of a learning runs."""
    try:
        os.kill(int((folder / "pid").read_text()), 0)
    except ProcessLookupError:
        return False
    return True


def test_a_learning_says_how_far_it_is_and_what_came_of_it(learning, tmp_path):
    assert learning.state() == {"isUnderWay": False, "text": "", "hasLearned": False}
    learning.begin()
    assert wait(learning, "learning: 10%")["isUnderWay"]
    with pytest.raises(UserError, match="learning already"):
        learning.begin()
    with pytest.raises(UserError, match="stop this first"):
        learning.forget()
    go(tmp_path, "weights")
    assert wait(learning, "taken") == {"isUnderWay": False, "text": "taken", "hasLearned": True}
    learning.forget()
    assert not learning.state()["hasLearned"]
    with pytest.raises(UserError, match="no reader has learned"):
        learning.forget()


@pytest.mark.parametrize(
    ("text", "said"),
    [("too few", "not learned: 3 corrected rows"), ("fault", "not learned: ValueError: a number")],
)
def test_what_prevents_a_learning_is_said_and_it_can_begin_again(learning, tmp_path, text, said):
    (tmp_path / "learned.pth").write_text("before")
    go(tmp_path, text)
    learning.begin()
    assert wait(learning, said)["hasLearned"]
    assert (tmp_path / "learned.pth").read_text() == "before"
    go(tmp_path, "weights")
    learning.begin()
    wait(learning, "taken")


def test_a_learning_is_stopped_and_one_that_was_killed_is_told(learning, tmp_path):
    learning.begin()
    wait(learning, "learning: 10%")
    while not (tmp_path / "pid").exists():
        time.sleep(0.02)
    learning.stop()
    assert learning.state()["text"] == "stopped" and not is_running(tmp_path)
    (tmp_path / "pid").unlink()
    learning.begin()
    while not (tmp_path / "pid").exists():
        time.sleep(0.02)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert not wait(learning, "not learned: the process ended (-9)")["isUnderWay"]
    assert not (tmp_path / "learned.pth").exists()


def test_notes_are_read_again_when_a_reader_has_learned_and_when_it_is_forgotten(
    learning, tmp_path
):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.xopp").write_bytes(xopp())
    read = []

    def make_library():
        name = "learned" if learning.file.exists() else "first"

        def read_page(_):
            read.append(name)
            if name == "first" and len(read) == 1:
                raise ValueError("no memory")
            return PageText(())

        return Library(read_page, name, tmp_path / "library")

    viewer = Viewer(tmp_path / "notes", make_library, learning=learning)
    viewer.scan()
    assert viewer.state()["numFaults"] == 1
    go(tmp_path, "weights")
    assert viewer.learn()["learning"]["isUnderWay"]
    wait(learning, "taken")
    version = viewer.state()["version"]
    viewer.scan()
    viewer.scan()
    assert read == ["first", "learned"] and not viewer.state()["numFaults"]
    assert viewer.state()["version"] > version
    assert not viewer.forget()["learning"]["hasLearned"]
    viewer.scan()
    viewer.scan()
    assert read == ["first", "learned", "first"]  # What could not be read is tried again.
    learning.begin()
    viewer.close()
    assert viewer.state()["learning"]["text"] == "stopped"
    with pytest.raises(UserError, match="cannot learn"):
        Viewer(tmp_path / "notes", make_library).learn()
