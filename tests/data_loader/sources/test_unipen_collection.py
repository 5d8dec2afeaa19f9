import numpy as np
import pytest

from base.base_dataset import Preparing
from data_loader import UnipenDataset
from ink.formats.unipen.collection import untokenised
from ink.reading import read_ink
from tests.data_loader.archives import pack, put
from tests.loaded import in_order
from utils.checks import ConfigFault, DataError


def ink(*strokes, up=""):
    """Return components: strokes of whole numbers, and what is recorded after each."""
    rows = ["".join(f"{x} {y}\n" for x, y in stroke) for stroke in strokes]
    return "".join(f".PEN_DOWN\n{row}.PEN_UP\n{up}" for row in rows)


def word(x, y=0):
    """Return the two strokes of a word that is 20 wide, and 10 high over `y`."""
    return [(x, y), (x + 4, y + 10), (x + 8, y)], [(x + 12, y + 10), (x + 16, y), (x + 20, y + 10)]


DOC = (
    ".COMMENT between\n .PEN_DOWN and .PEN_UP the pen is down\n.COORD X Y\n"
    ".X_POINTS_PER_INCH 100\n.Y_POINTS_PER_INCH 200\n"
)
ROW = ink(*word(0), *word(40), *word(80), up="1 1\n")  # downs at 0, 2, 4, ...
LIST = ink(*word(0, 90), *word(0, 60), *word(0, 30))
FILES = {
    "include/apa/a.doc": DOC,
    "include/apa/nested.doc": ".INCLUDE apa/a.doc\n.WRITER_ID Ann Smith\n",
    "include/apa/row.dat": ".INCLUDE apa/nested.doc\n" + ROW,
    "include/apb/list.dat": ".WRITER_ID Ann Smith\n" + LIST,
    "include/art/row.dat": ".WRITER_ID Bo\n" + ROW,
    "data/8/apa/row.dat": '.INCLUDE apa/row.dat\n.SEGMENT TEXT 0-7 ? "a \\"bee\\""\n',
    "data/7/apa/row.dat": (
        '.INCLUDE apa/row.dat\n.SEGMENT WORD 0-3 ? "a"\n.SEGMENT WORD 4-7 OK "bee"\n'
        '.SEGMENT WORD 8-11 BAD "cow"\n.SEGMENT WORD 8-10:1,8 ? "c\\@ow"\n'
    ),
    "data/1c/apa/row.dat": '.INCLUDE apa/row.dat\n.SEGMENT CHARACTER 0-2 ? "a"\n',
    "data/8/apb/list.dat": '.INCLUDE apb/list.dat\n.SEGMENT TEXT 0-5 ? "one two six"\n',
    "data/8/art/row.dat": '.INCLUDE art/row.dat\n.SEGMENT TEXT 0-7 ? "to be !"\n',
}
NAMES = [
    "7/apa/row.dat:00003",
    "8/apa/row.dat:00000",
    *(f"8/apb/list.dat:00000[{n}]" for n in range(3)),
    "8/art/row.dat:00000",
]


def dataset(root, **options):
    return UnipenDataset(root=str(root), cache=str(root.parent / "cache"), **options).load()


def packed(root, mode, files=FILES, top="unipen/"):
    files = {"README.md": "", **files}  # and what is of no category
    contents = {f"{top}{name}": content.encode() for name, content in files.items()}
    return pack(root / f"u.t{mode}", contents, f"w:{mode}")


def test_ink_is_used_once_where_it_is_longest_whatever_holds_the_collection(tmp_path):
    loaded = dataset(put(tmp_path / "tree", FILES), held_out=["art"])
    samples = in_order(loaded)
    assert [sample.name for sample in samples] == NAMES
    assert [sample.text for sample in samples] == ["cow", 'a "bee"', "one", "two", "six", "to be!"]
    # A writer of one name is one person within a family of contributors.
    assert [sample.writer for sample in samples] == ["ap:Ann Smith"] * 5 + ["art:Bo"]
    assert loaded.split("test")[-1].name == samples[5].name
    assert "1 left out: a segment that is marked as bad: 7/apa/row.dat:00002" in loaded.report
    assert "3 left out: ink that a longer sample has" in loaded.report
    for archive in (packed(tmp_path, "gz"), packed(tmp_path, "xz", top="./")):
        other = dataset(archive, held_out=["art"])
        assert [sample.name for sample in in_order(other)] == NAMES
        pairs = zip(samples, in_order(other), strict=True)
        assert all(np.array_equal(sample.ink, same.ink) for sample, same in pairs)
        for place in (archive, tmp_path / "tree"):
            assert sorted(s.name for s in read_ink(place)) == [f"{place.name}:{n}" for n in NAMES]


def test_two_processes_prepare_the_same_data_as_a_single_process(tmp_path):
    archive, digests = packed(tmp_path, "gz"), []
    for workers in (1, 2):
        cache = tmp_path / str(workers)
        UnipenDataset(root=str(archive), cache=str(cache)).prepare(Preparing(workers=workers))
        (folder,) = cache.glob("Unipen*-*/")
        digests.append((folder / "index.json").read_bytes())
    assert digests[0] == digests[1]


def test_components_without_points_are_not_counted_and_those_in_the_air_are(tmp_path):
    loaded = dataset(put(tmp_path / "tree", FILES))
    # x has half of the points per inch; what is written is what the pen wrote when it was down.
    ink = in_order(loaded)[1].ink
    assert ink[:4].tolist() == [[0, 0, 0], [8, -10, 0], [8, 10, 1], [8, -10, 0]]
    assert len(ink) == 12 and ink[:, 2].sum() == 4
    # Points 0 and 1 of component 10, and component 8 after it.
    assert in_order(loaded)[0].ink[:, 2].tolist() == [0, 0, 1, 0, 1, 0, 0, 1]


def test_a_pen_without_pressure_hovers(tmp_path):
    points = "".join(f"{x} {x % 3} {p}\n" for x, p in enumerate([0, 5, 6, 0, 0, 7, 8, 9]))
    content = f'.COORD X Y P\n.SEGMENT WORD 0 ? "hi"\n.PEN_DOWN\n{points}.PEN_UP\n'
    (sample,) = read_ink(put(tmp_path, {"w.dat": content}) / "w.dat")
    assert sample.ink[:, 2].tolist() == [0, 1, 0, 0, 1]


def test_samples_are_chosen_by_category_and_contributor(tmp_path):
    root = put(tmp_path / "tree", FILES)
    words = dataset(root, categories=["7", "8"])
    assert [sample.text for sample in in_order(words)[:2]] == ["a", "bee"]
    ann = dataset(root, contributors=["apa", "apb"])
    assert {sample.group for sample in ann.used} == {"apa", "apb"}
    assert "by contributor: apa 2, apb 3, art 1" in dataset(root).report
    with pytest.raises(ConfigFault, match="one of apa, apb, art"):
        dataset(root, held_out=["arr"])


def test_labels_of_tokens_lose_the_blanks_that_nobody_wrote():
    texts = {"What a trick !": "What a trick!", "( 4 5 6 ) 7 8 9 - 0": "(456)789-0"}
    texts |= {"Mr. Smith , Jr .": "Mr. Smith, Jr.", "see [ 4 ] now": "see [4] now"}
    texts |= {"A B C": "A B C"}
    assert {label: untokenised(label) for label in texts} == texts


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("apa/none.doc", "a file that cannot be read"),
        ("../../secret", "an .INCLUDE that leads out of the collection"),
        ("/etc/hostname", "an .INCLUDE that leads out of the collection"),
    ],
)
def test_a_file_whose_include_cannot_be_read_is_left_out(tmp_path, name, reason):
    put(tmp_path, {"secret": ROW})
    files = FILES | {"data/8/apa/row.dat": f".INCLUDE {name}\n{FILES['data/8/apa/row.dat']}"}
    loaded = dataset(put(tmp_path / "tree", files))
    assert f"1 left out: {reason}: apa/row.dat" in loaded.report
    assert in_order(loaded)[0].name == "8/apb/list.dat:00000[0]"


def test_files_that_include_each_other_are_opened_once(tmp_path):
    files = FILES | {"include/apa/a.doc": DOC + ".INCLUDE apa/row.dat\n.INCLUDE apa/a.doc\n"}
    assert len(dataset(put(tmp_path / "cycle", files)).used) == 6


def test_an_archive_of_something_else_is_refused(tmp_path):
    with pytest.raises(DataError, match="no folder data/ of a UNIPEN collection in it"):
        dataset(packed(tmp_path, "gz", {"a.txt": "hello"}))


def test_a_folder_that_holds_an_archive_means_that_archive(tmp_path):
    root = put(tmp_path / "downloaded", {"below/README": "hello"})
    archive = packed(root, "xz")
    loaded = dataset(root, held_out=["art"])
    assert [sample.name for sample in in_order(loaded)] == NAMES
    assert loaded.report.startswith(f"UNIPEN in {archive}: 6 samples")
    assert "by contributor: apa 2, apb 3, art 1" in loaded.report
    packed(root, "gz")
    with pytest.raises(DataError, match=r"u\.tgz: one of several archives; give the path"):
        dataset(root)
