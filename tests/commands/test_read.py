"""Ink files are read."""

import gzip
import re
import subprocess
import sys

import pytest
from PIL import Image

from commands.shared import search_options
from data_loader.synthetic.texts import language
from experiments import parser_of
from ink.formats.inkml.lines import write_inkml
from model import load
from model.recognition.language_model import CharacterLanguageModel
from tests.commands.networks import ALPHABET, READERS, ROOT, names, use
from utils.checks import UserError


@pytest.mark.parametrize("arch", READERS)
def test_ink_files_are_read_and_drawn(checkpoints, data, tmp_path, capsys, arch):
    (tmp_path / "ink").mkdir()
    for number in range(3):
        line = data.used[number]
        write_inkml(tmp_path / "ink" / f"{number}.inkml", line.ink, line.text)
    write_inkml(tmp_path / "3.inkml", data.used[3].ink)
    words = (tmp_path / "ink", "-r", checkpoints[arch], "--output", tmp_path / "new" / "page.png")
    use("read", *words, tmp_path / "3.inkml")  # paths may stand between options
    printed = capsys.readouterr().out.splitlines()
    reader = load(checkpoints[arch])
    for number, line in enumerate(data.used[:3]):
        read = reader.model.read([line.ink]).hypotheses[0]
        assert f"{number}.inkml\t{read}" in printed
    assert printed[-1].endswith("(4 of 4 lines)") and names(tmp_path / "new") == ["page.png"]
    assert Image.open(tmp_path / "new" / "page.png").width > 100


def test_read_refuses_files_of_notes_before_it_loads_a_network(checkpoints, tmp_path, capsys):
    (tmp_path / "a.xopp").write_bytes(gzip.compress(b"<xournal/>"))
    (tmp_path / "a.json").write_text('{"type": "excalidraw", "elements": []}')
    (tmp_path / "a.svg").write_text("<svg><path d='M1 1h3'/></svg>")
    for name in ("a.xopp", "a.json", "a.svg"):
        with pytest.raises(UserError, match=rf"/{name}: .*`python experiments\.py notes` reads"):
            use("read", tmp_path / name, "-r", checkpoints["CTCNetwork"])
    assert capsys.readouterr().out == ""


def test_only_the_text_is_printed(checkpoints, data, tmp_path, capsys):
    for number in range(2):
        write_inkml(tmp_path / f"{number}.inkml", data.used[number].ink, data.used[number].text)
    use("read", tmp_path, "--text", "-r", checkpoints["CTCNetwork"], "--output", tmp_path / "new")
    printed = capsys.readouterr()
    inks = [line.ink for line in data.used[:2]]
    assert printed.out.splitlines() == load(checkpoints["CTCNetwork"]).read_lines(inks)
    assert "CTCNetwork of" in printed.err and "0.inkml can hardly be read" in printed.err
    assert not (tmp_path / "new").exists()


def test_the_rest_is_read_where_some_paths_cannot_be(checkpoints, data, tmp_path, capsys):
    (tmp_path / "bad").mkdir()
    for name in ("a.npy", "bad/b.npy"):
        (tmp_path / name).write_text("no ink")
    write_inkml(tmp_path / "good.inkml", data.used[0].ink)
    words = ("read", "--text", "-r", checkpoints["CTCNetwork"])
    use(*words, tmp_path / "good.inkml")
    read = capsys.readouterr().out
    with pytest.raises(UserError, match=r"^\S*/a\.npy: no ink in a known format.*$"):
        use(*words, tmp_path / "a.npy", tmp_path / "good.inkml")
    assert capsys.readouterr().out == read
    paths = [tmp_path / name for name in ("good.inkml", "nowhere", "bad", "good.inkml")]
    with pytest.raises(UserError) as error:
        use(*words, *paths)
    assert capsys.readouterr().out == 2 * read
    first, *lines = str(error.value).splitlines()
    assert first == "not read: 2 faults"
    assert [line.strip().split(":")[0] for line in lines] == [*map(str, paths[1:3])]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("read", "nowhere.inkml"), "nowhere.inkml"),
        (("evaluate", "--beam", "2", "--language-model", "nowhere.txt"), "nowhere.txt"),
        (("evaluate", "sometimes"), "no split 'sometimes'"),
        (("write", "--text", "a"), "contains a CTCNetwork; a network that writes is needed"),
    ],
)
@pytest.mark.pages
def test_options_that_do_not_fit_a_reader_are_refused(checkpoints, tmp_path, words, message):
    with pytest.raises(UserError, match=re.escape(message)):
        use(*words, "-r", checkpoints["CTCNetwork"], "--output", tmp_path / "out")


def options_of(*words):
    return search_options.options_of(parser_of("read")[1].parse(["x", *map(str, words)]))


def test_a_language_model_takes_texts_in_normal_form(checkpoints, tmp_path, capsys):
    path, loaded = tmp_path / "text.txt", load(checkpoints["CTCNetwork"])
    path.write_text("cafe\u0301 and cafe\n", encoding="utf-8")  # the alphabet lacks the letter
    options = options_of("--beam", 2, "--language-model", path)
    model = options.search(loaded).language_model
    same = CharacterLanguageModel(["caf and cafe"], ALPHABET)
    for context in ((), (0,), (1, 2)):
        assert (model.log_probs(context) == same.log_probs(context)).all()
    assert "unknown to the network: 'é'" in capsys.readouterr().out
    path.write_text("é\nß é\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"text\.txt: it contains no text of characters"):
        options.search(loaded)


@pytest.fixture
def frequencies(tmp_path, monkeypatch):
    """A package in the place of wordfreq, which knows a few English words."""
    words = {"the": 0.05, "cat": 1e-4, "don't": 1e-3, "naïve": 1e-5, "1984": 1e-5, "rare": 1e-9}
    words |= {"o'clock": 1e-4}
    languages = {"en": words, "fr": {"le": 0.03, "naïve": 1e-4}, "da": {"på": 0.01}}
    code = f"""
def get_frequency_dict(code, size):
    if code == "da" and size == "large":
        raise LookupError("No wordlist 'large' available for language 'da'")
    return {languages}.get(code, {{}})
"""
    (tmp_path / "wordfreq.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wordfreq", raising=False)
    yield
    sys.modules.pop("wordfreq", None)


def test_a_line_is_read_with_the_words_of_its_language(checkpoints, frequencies):
    general = options_of("--language-model").search(load(checkpoints["CTCNetwork"]))
    english = general.by_text("The cat don't!")
    french = general.by_text("le Le")
    unsure = general.by_text("the le")
    assert unsure.language_model is general.language_model
    assert english.mark_cost == french.mark_cost == search_options.MARK_COST
    codes = (*ALPHABET.encode("the").tolist(), len(ALPHABET))

    def log_prob(search):
        steps = range(len(codes))
        return sum(search.language_model.log_probs(codes[:n])[codes[n]] for n in steps)

    assert log_prob(english) > log_prob(general) > log_prob(french)


def test_no_language_is_looked_for_where_a_decoder_reads_all_lines_alike(checkpoints, frequencies):
    searches = [
        options_of("--language-model").search(load(checkpoints[arch]))
        for arch in ("AttentionNetwork", "CTCNetwork")
    ]
    assert [search.by_text is None for search in searches] == [True, False]


def test_lines_in_several_languages_take_turns_without_new_language_models(
    checkpoints, frequencies, monkeypatch
):
    words = {"en": "the", "fr": "le", "de": "der", "es": "el", "nl": "een"}
    frequent_words = {code: {word: 0.03} for code, word in words.items()}
    monkeypatch.setattr(language, "frequent_words", lambda: frequent_words)
    general = options_of("--language-model").search(load(checkpoints["CTCNetwork"]))
    searches = [general.by_text(word) for word in words.values()]
    assert len({id(search.language_model) for search in searches}) == len(words)
    for word, search in zip(words.values(), searches, strict=True):
        assert general.by_text(word) is search


def test_words_are_likelier_when_they_are_frequent_or_listed(checkpoints, frequencies, tmp_path):
    (tmp_path / "names.txt").write_text("Vaux Hall\nO'Cat 7\n", encoding="utf-8")
    reader = load(checkpoints["CTCNetwork"])
    general, listed = (
        options_of(*words).search(reader).language_model
        for words in (["--language-model"], ["--words", tmp_path / "names.txt"])
    )

    def log_prob(model, text):
        codes = (*ALPHABET.encode(text).tolist(), len(ALPHABET))
        return sum(model.log_probs(codes[:n])[code] for n, code in enumerate(codes))

    for text, less in (("the cat", "the cta"), ("a don", "a dno"), ("a cat", "a rare")):
        assert log_prob(general, text) > log_prob(general, less) + 3
    for name in ("a Vaux", "a Hall", "O Cat"):  # and the words around apostrophes
        assert log_prob(listed, name) > log_prob(general, name) + 1
    # The list has o'clock, behind whose apostrophe no other word begins.
    assert log_prob(listed, "O'Cat") > log_prob(general, "O'Cat") + 20
    assert log_prob(listed, "the don") == pytest.approx(log_prob(general, "the don"), abs=0.5)


def test_words_are_those_of_the_languages_that_are_named(frequencies):
    counts = [
        language.word_counts(options_of("--language-model", *named).languages)
        for named in ([], ["en"], ["fr,en"])
    ]
    both, english, chosen = counts
    assert chosen.keys() == english.keys() | {"le"}
    assert both.keys() == chosen.keys() | {"på"} and both == language.word_counts()
    total = sum(language.WEIGHTS.values())  # of which each language has its share
    assert english["the"] == pytest.approx(0.05 * total * language.NUM_WORDS)
    assert chosen["le"] == pytest.approx(0.03 * total * language.NUM_WORDS * 0.1 / 0.5)


def test_a_language_without_a_large_list_has_its_small_one(frequencies):
    danish = language.word_counts(options_of("--language-model", "da").languages)
    assert danish["på"] == pytest.approx(0.01 * sum(language.WEIGHTS.values()) * language.NUM_WORDS)


def test_a_missing_package_of_words_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "wordfreq", None)
    monkeypatch.setattr(search_options, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs wordfreq: python -m pip install wordfreq"):
        options_of("--language-model")


def test_ink_is_read_with_the_language_model_that_is_asked_for(checkpoints, data, tmp_path, capsys):
    write_inkml(tmp_path / "a.inkml", data.used[0].ink)
    (tmp_path / "text.txt").write_text("zzz zzz\nzz zzzz\n")
    words = ("read", tmp_path / "a.inkml", "--text", "-r", checkpoints["CTCNetwork"])
    use(*words)
    greedy = capsys.readouterr().out
    use(*words, "--language-model", tmp_path / "text.txt", "--language-weight", 30)
    assert capsys.readouterr().out != greedy


def test_a_lack_of_memory_is_one_line_and_no_traceback():
    limited = f"ulimit -v 200000; exec {sys.executable} experiments.py read docs/sample-lines"
    done = subprocess.run(["sh", "-c", limited], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: not enough memory: ") and done.stderr.count("\n") == 1
