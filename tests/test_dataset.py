"""A learner's own data: arrays, folders and files from outside, checked in words."""

import io
import json
import os
import struct
import sys
import zipfile
import zlib
from html import unescape

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import qlab
from qlab import cli, data, plots, train, widgets
from qlab.data import Split, outside
from qlab.data.outside import DatasetError
from qlab.plots import answer_panels
from qlab.trials import subjects
from qlab.widgets.kit.model_explorer import ModelExplorer


@pytest.fixture(scope="module")
def digits():
    """Handwritten digits, 8 x 8, grey; as scikit-learn has them, but in 0 to 1."""
    held = load_digits()
    return qlab.Dataset.from_arrays(held.images / 16, held.target, name="digits")


@pytest.fixture(scope="module")
def coloured(fashion):
    """Garments of three kinds, 32 x 32, in colour: other data, and real."""
    return garments_in_colour(fashion)


def garments_in_colour(fashion, n=600):
    some = np.flatnonzero(np.isin(fashion.validation.labels, (1, 7, 8)))[:n]
    images = np.zeros((n, 32, 32, 3), np.uint8)
    images[:, 2:30, 2:30] = fashion.validation.images[some] * np.array([1.0, 0.7, 0.4])
    words = np.array(["legs", "feet", "hands"])[
        np.searchsorted((1, 7, 8), fashion.validation.labels[some])
    ]
    return qlab.Dataset.from_arrays(images, words, name="wardrobe")


def arrays(n=40, shape=(6, 5), classes=4):
    images = np.random.default_rng(0).integers(0, 256, (n, *shape), np.uint8)
    return images, np.arange(n) % classes


# Arrays


def test_digits_become_bytes_and_splits_without_overlap(digits):
    assert digits.image_shape == (8, 8, 1)
    assert digits.class_names == tuple("0123456789")
    splits = digits.train, digits.validation, digits.test
    assert [len(x) for x in splits] == [1079, 359, 359]
    held = load_digits()
    rounded = np.rint(held.images / 16 * 255).astype(np.uint8)
    both = sorted(zip(map(bytes, rounded), held.target.tolist(), strict=True))
    found = [
        (image.tobytes(), int(y))
        for x in splits
        for image, y in zip(x.images, x.labels, strict=True)
    ]
    assert sorted(found) == both
    for split in splits:
        assert np.bincount(split.labels).min() > len(split) / 12
    assert digits.validation.images_are == "validation images of digits"
    assert "1,079 train, 359 validation and 359 test images of 8 x 8 x 1" in repr(digits)


def test_the_seed_alone_decides_the_draw():
    draws = [qlab.Dataset.from_arrays(*arrays(), seed=s).test.images for s in (0, 0, 1)]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_splits_that_are_given_stay_as_they_are():
    images, labels = arrays()
    data = qlab.Dataset(
        (images, labels), Split(images[:8], labels[:8]), (images[8:12], labels[8:12, None])
    )
    assert np.array_equal(data.validation.images[..., 0], images[:8])
    assert data.test.labels.tolist() == [0, 1, 2, 3]
    assert data.test.name == "test"
    images[:] = 0  # what was given may change
    assert data.train.images.any()
    with pytest.raises(ValueError, match="read-only"):
        data.train.images[:] = 0


@pytest.mark.parametrize(
    ("labels", "names", "found", "first"),
    [
        (np.arange(40) % 4 + 1, None, ("1", "2", "3", "4"), 0),
        (np.arange(40) % 4 + 1, [*"abcd"], tuple("abcd"), 0),
        (np.arange(40) % 4, [*"abcde"], tuple("abcde"), 0),
        (np.arange(40) % 2, {1: "a", 0: "z"}, ("z", "a"), 0),  # as json has it, too
        (np.arange(40) % 2, {"1": "a", "0": "z"}, ("z", "a"), 0),
        (np.arange(40) % 2, {"a": 1, "z": 0}, ("z", "a"), 0),  # Keras's class_indices
        (np.array(["z", "a"] * 20), {"a": 1, "z": 0}, ("z", "a"), 0),
        (np.arange(40) % 2 + 3, {4: "a", 3: "z", 9: "y"}, ("z", "a", "y"), 0),
        (np.arange(40) % 2 + 1, [b"a", b"b", b"c"], ("a", "b", "c"), 1),  # none has label 0
        (np.arange(40) % 2 * 20_000_000, None, ("0", "20000000"), 0),
        (np.arange(40) % 2 * 10**12, None, ("0", "1000000000000"), 0),
        (np.array(["z", "a"] * 20, object), None, ("a", "z"), 1),  # as pandas has it
        (np.array(["z", "a"] * 20, np.dtypes.StringDType()), None, ("a", "z"), 1),
        (np.array([3, 5] * 20, object), None, ("3", "5"), 0),
        (np.array([3, 5] * 20, np.uint64), None, ("3", "5"), 0),
        (np.arange(40) % 2 * 7, None, tuple("01234567"), 0),  # classes in between may be rare
        (np.arange(40) % 2 * 7 + 3, None, ("3", "10"), 0),
        (np.array(["z", "a"] * 20), None, ("a", "z"), 1),
        (np.array(["z", "a"] * 20), ("z", "a"), ("z", "a"), 0),
        (np.array(["a  z", "a"] * 20), ("a  z", "a"), ("a z", "a"), 0),
        (np.array([b"z", b"a"] * 20), None, ("a", "z"), 1),
        (np.array([0.0, 1.0] * 20), None, ("0", "1"), 0),
        (np.array([True, False] * 20), ("no", "yes"), ("no", "yes"), 1),
    ],
)
def test_labels_of_any_kind_are_counted_from_0(labels, names, found, first):
    images, _ = arrays()
    pair = images, labels
    data = qlab.Dataset(pair, pair, pair, class_names=names)
    assert data.class_names == found
    assert data.train.labels[0] == first
    assert data.train.labels.dtype == np.int64
    assert data.train.labels.max() < len(found)


IMAGES, LABELS = arrays()
WRONG = [
    ({"images": IMAGES * 1.0}, r"from 0 to 255.*does not guess.*images / 255 if 255 is white$"),
    ({"images": load_digits().images[:40]}, r"from 0 to 16.*images / 16 if 16 is white"),
    ({"images": load_digits().images[:40].astype(int)}, r"int64 from 0 to 16.*images / 16 if"),
    ({"images": load_digits().images[:40].astype(np.uint8)}, r"uint8 from 0 to 16.*images / 16"),
    (
        {"images": load_digits().images[:40] - 8},
        r"from -8 to 8.*\(images \+ 8\) / 16 if 8 is white",
    ),
    ({"images": IMAGES / 127.5 - 1}, r"from -1 to 1.*\(images \+ 1\) / 2 if 1 is white"),
    ({"images": np.where(IMAGES > 250, np.nan, 0.5)}, "NaN or infinity"),
    ({"images": IMAGES.astype(int) - 1}, "from -1 to 254"),
    ({"images": IMAGES.reshape(40, 30)}, r"shape \(40, 30\).*reshape"),
    ({"images": IMAGES[:0]}, "shape"),
    ({"images": np.zeros((40, 3, 6, 5), np.uint8)}, r"5 channels.*transpose\(0, 2, 3, 1\)"),
    ({"images": np.zeros((40, 6, 5, 2), np.uint8)}, "2 channels"),
    ({"images": IMAGES.astype(str)}, "images are <U"),
    ({"images": [None] * 40}, "no array of numbers.*hold NoneType"),
    (
        {"images": (IMAGES // 2 - 64).astype(np.int8)},
        r"\(images.astype\(float\) \+ 64\).*view\(np.uint8\)",
    ),
    ({"images": [IMAGES[0], IMAGES[0][:3]]}, "differ in shape"),
    (
        {"labels": LABELS[:39]},
        "40 images, and the train labels have shape .39,.*one label an image",
    ),
    ({"labels": np.eye(4)[LABELS]}, r"labels\.argmax\(1\)"),
    ({"labels": LABELS + 0.5}, "float64 and hold 0.5, which counts no class"),
    ({"labels": np.where(LABELS, LABELS, np.nan)}, "hold nan, which counts no class"),
    ({"labels": np.where(LABELS, LABELS, np.inf)}, "hold inf, which counts no class"),
    ({"labels": np.where(LABELS, LABELS, 1e30)}, r"hold 1e\+30, which counts no class"),
    ({"labels": LABELS.astype(np.uint64) - np.uint64(1)}, "hold 18446744073709551615, which"),
    ({"labels": np.array(["a", None] * 20)}, "they hold NoneType and str; make all.*missing"),
    ({"labels": ["a", np.nan] * 20}, "they hold float and str; make all.*missing"),
    ({"labels": np.array(["a", 1] * 20, object)}, "they hold int and str"),
    ({"labels": np.zeros(40, int)}, "of 1 class;"),
    ({"images": np.zeros((4000, 2, 2)), "labels": np.arange(4000) % 1001}, "1,001 classes"),
    ({"labels": np.array([0] * 37 + [1] * 3)}, "at least ten of each class"),
    ({"class_names": ["a", "b"]}, "2 class_names, a, b, and none.*labels 2, 3; give each its name"),
    ({"class_names": [*"abca"]}, "one name: a"),
    ({"class_names": {*"abcd"}}, "does not say which name.*list.*or a dict"),
    ({"class_names": "abcd"}, "does not say which name.*list.*or a dict"),
    ({"class_names": 4}, "class_names is 4, which does not say"),
    ({"class_names": np.array("abcd")}, "which does not say"),
    ({"class_names": ["a"]}, "there are names for 1 class;"),
    ({"class_names": {0: "a", 1: "b", 2: "c"}}, "none of them belongs to the labels 3"),
    ({"class_names": {"a": "b", "c": "d"}}, "gives each whole number one name"),
    ({"class_names": {"a": 0, "b": 0}}, "gives each whole number one name"),
    ({"seed": -1}, "seed must be a whole number, 0 or more; got -1"),
    ({"seed": "a"}, "seed must be a whole number, 0 or more; got 'a'"),
    ({"labels": np.array(["a", "b"] * 20), "class_names": ["a", "c"]}, "belongs to the labels b"),
    ({"test": (IMAGES[:4, :4], LABELS[:4])}, "test 4 x 5 x 1"),
    ({"test": IMAGES[:4]}, r"a pair \(images, labels\) or a split"),
    ({"test": (IMAGES[:2], ["a", "b"])}, "some labels are numbers and some are words"),
    ({"test": (IMAGES[:2], [0, 4])}, "train images lack: 4"),
]


@pytest.mark.parametrize(("changed", "words"), WRONG)
def test_what_cannot_be_used_is_refused_in_words(changed, words):
    with pytest.raises(ValueError, match=words):
        qlab.Dataset.from_arrays(**{"images": IMAGES, "labels": LABELS} | changed)


def test_a_label_that_no_image_has_is_told(capsys):
    pair = IMAGES, LABELS % 2 + 1
    qlab.Dataset(pair, pair, pair, class_names=["a", "b", "c"])
    assert "No image has the label 0, which is a by the class_names" in capsys.readouterr().err
    qlab.Dataset(pair, pair, pair, class_names={1: "a", 2: "b", 3: "c"}, name=None)
    assert capsys.readouterr().err == ""


def test_fashion_mnist_is_a_data_set(fashion):
    assert isinstance(fashion, qlab.Dataset)
    assert fashion.image_shape == (28, 28, 1)
    drawn = fashion.calibration_images(5, classes="Bag")
    assert np.array_equal(drawn, qlab.data.calibration_images(5, classes="Bag"))


def test_calibration_images_are_training_images(digits):
    assert len(digits.calibration_images()) == 1024
    few = digits.calibration_images(3, classes="7")
    trained = digits.train.images[digits.train.labels == 7]
    assert all(any(np.array_equal(x, y) for y in trained) for x in few)
    with pytest.raises(ValueError, match="only"):
        digits.calibration_images(2000)
    for wrong in ({"classes": 2.5}, {"classes": True}, {"seed": "a"}, {"n": 2.5}):
        with pytest.raises(ValueError, match=r"no class (2\.5|True)|must be a whole number"):
            digits.calibration_images(**wrong)
    with pytest.raises(ValueError, match="no class 'Bag'"):
        digits.calibration_images(1, classes="Bag")


# Folders


@pytest.fixture
def photos(tmp_path):
    """A folder of pictures of two classes, of several sizes and kinds."""
    random = np.random.default_rng(1)
    for i in range(24):
        folder = tmp_path / "photos" / ("cat" if i % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (20 + i, 30, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02}.{('png', 'jpg', 'bmp')[i % 3]}")
    return tmp_path / "photos"


def test_a_folder_of_folders_is_read(photos, capsys):
    data = qlab.Dataset.from_folder(str(photos), size=(12, 16), name="pets")
    assert data.class_names == ("cat", "dog")
    assert data.image_shape == (12, 16, 3)
    assert sum(map(len, (data.train, data.validation, data.test))) == 24
    assert capsys.readouterr() == ("", "")


def test_pixels_are_those_of_the_picture(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (10, 9, 7), np.uint8)
    for i, pixels in enumerate(grey):
        for name in "ab":
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    data = qlab.Dataset.from_folder(tmp_path)
    splits = data.train, data.validation, data.test
    found = sorted(x.tobytes() for split in splits for x in split.images)
    assert found == sorted(x.tobytes() for x in [*grey, *grey])
    assert qlab.Dataset.from_folder(tmp_path, colour=True).image_shape == (9, 7, 3)


def test_folders_of_splits_stay_splits(tmp_path):
    for which, n in (("train", 30), ("test", 4)):
        for i in range(n):
            folder = tmp_path / which / "ab"[i % 2]
            folder.mkdir(parents=True, exist_ok=True)
            Image.new("L", (5, 5), i + (100 if which == "test" else 0)).save(folder / f"{i}.png")
    data = qlab.Dataset.from_folder(tmp_path)
    assert [len(data.train), len(data.validation), len(data.test)] == [24, 6, 4]
    assert data.test.images.min() >= 100 > data.validation.images.max()
    (tmp_path / "cat").mkdir()
    with pytest.raises(DatasetError, match="next to the folders of splits there are others: cat"):
        qlab.Dataset.from_folder(tmp_path)


def test_transparent_rotated_and_deep_pictures_are_what_one_sees(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(folder / "clear.png")
    Image.fromarray(np.full((4, 4), 0x8000, np.uint16)).save(folder / "deep.png")
    turned = Image.new("RGB", (4, 6))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "turned.png", exif=exif)
    read = lambda name: outside._read_picture(folder / name, tmp_path, None, [])  # noqa: E731
    assert (read("clear.png") == 255).all()
    assert (read("deep.png") == 128).all()
    assert read("turned.png").shape == (4, 6, 3)


def bomb():
    """A PNG of a few bytes that says it has 30,000 x 30,000 pixels."""
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunk = lambda kind, data: (  # noqa: E731
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    )
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(bytes(1000))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_what_is_no_picture_is_left_out_and_listed(photos, tmp_path, capsys):
    cat, whole = photos / "cat", (photos / "cat" / "01.jpg").read_bytes()
    secret = tmp_path / "secret.png"
    Image.new("L", (9, 9)).save(secret)
    (cat / "away.png").symlink_to(secret)
    (cat / "nowhere.png").symlink_to(tmp_path / "nothing")
    (cat / "bomb.png").write_bytes(bomb())
    (cat / "cut.jpg").write_bytes(whole[:300])
    (cat / "empty.png").write_bytes(b"")
    (cat / "notes.txt").write_text("a cat")
    (cat / "drawing.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    (cat / ".DS_Store").write_text("hidden")
    (cat / "more").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(cat / "pipe.png")
    (photos / "linked").symlink_to(tmp_path)
    data = qlab.Dataset.from_folder(photos, size=(8, 8))
    assert data.class_names == ("cat", "dog")
    assert sum(map(len, (data.train, data.validation, data.test))) == 24
    said = capsys.readouterr().err
    for words in (
        "away.png is a link out of the folder; copy the picture instead",
        "nowhere.png is a link to nowhere",
        "bomb.png would unpack to far too many pixels; scale it down",
        "cut.jpg is damaged",
        "empty.png is empty",
        "notes.txt is no picture",
        "drawing.eps is no picture",
        "more is a folder in the folder of a class",
    ):
        assert words in said
    assert "pipe.png is no plain file" in said or not hasattr(os, "mkfifo")
    assert "DS_Store" not in said


def test_a_folder_that_cannot_be_used_says_what_to_do(photos, tmp_path):
    with pytest.raises(DatasetError, match=r"12 sizes|24 sizes.*size=\(32, 32\)"):
        qlab.Dataset.from_folder(photos)
    with pytest.raises(DatasetError, match="is no folder"):
        qlab.Dataset.from_folder(tmp_path / "nothing")
    with pytest.raises(DatasetError, match="no pictures in folders of classes"):
        qlab.Dataset.from_folder(photos / "cat")
    with pytest.raises(ValueError, match="give height and width"):
        qlab.Dataset.from_folder(photos, size=32)
    with pytest.raises(DatasetError, match=r"the folder is None; give its path, such as 'photos'"):
        qlab.Dataset.from_folder(None)
    with pytest.raises(ValueError, match=r"size is \(0, 8\); give height and width.*1,024 at most"):
        qlab.Dataset.from_folder(photos, size=(0, 8))
    (photos / "cat" / "notes.txt").write_text("a cat")
    (photos / "bird").mkdir()
    with pytest.raises(DatasetError, match="bird has no picture that can be read: remove it, or"):
        qlab.Dataset.from_folder(photos, size=np.int64([8, 8]))


def test_folders_of_classes_that_are_links_are_told_so(photos, tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "linked").mkdir(exist_ok=True)
        (tmp_path / "linked" / name).symlink_to(photos / name)
    with pytest.raises(DatasetError, match="of classes: cat is a link out of the folder; put"):
        qlab.Dataset.from_folder(tmp_path / "linked")


def test_test_pictures_without_folders_are_told_what_is_possible(photos, tmp_path, capsys):
    photos.rename(tmp_path / "train")
    (tmp_path / "test").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "test" / "1.png")
    with pytest.raises(DatasetError, match=r"train has a folder for each class, and test has none"):
        qlab.Dataset.from_folder(tmp_path, size=(8, 8))
    (tmp_path / "test" / "cat").mkdir()
    (tmp_path / "test" / "cat" / "1.png").write_text("no picture")
    with pytest.raises(DatasetError, match="folder test has no picture that can be read: test/cat"):
        qlab.Dataset.from_folder(tmp_path, size=(8, 8))
    assert len(qlab.Dataset.from_folder(tmp_path / "train", size=(8, 8)).train)


@pytest.mark.parametrize("bits", [12, 15, 16])
def test_pictures_of_fewer_than_16_bits_are_not_read_as_dark(tmp_path, bits):
    random = np.random.default_rng(0)
    for i in range(20):
        folder = tmp_path / "ab"[i % 2]
        folder.mkdir(exist_ok=True)
        pixels = random.integers(0, 2**bits, (40, 40), np.uint16)
        Image.fromarray(pixels).save(folder / f"{i}.png")
        Image.new("L", (40, 40), 255).save(folder / f"{i}-bright.png")
    if bits == 16:
        assert qlab.Dataset.from_folder(tmp_path).train.images.max() == 255
        return
    with pytest.raises(
        DatasetError, match=r"with 16 bits reach [0-9,]+ at most, of 65,535.*8 bits"
    ):
        qlab.Dataset.from_folder(tmp_path)


def test_too_many_pixels_altogether_are_refused(photos, monkeypatch):
    monkeypatch.setattr(outside, "MOST_BYTES", 1000)
    with pytest.raises(DatasetError, match="give a smaller size"):
        qlab.Dataset.from_folder(photos, size=(16, 16))


def test_a_slow_folder_shows_a_bar_and_a_quick_one_none(photos, monkeypatch, capsys):
    monkeypatch.setattr(outside, "SLOW", 0)
    qlab.Dataset.from_folder(photos, size=(8, 8))
    assert "reading pictures" in capsys.readouterr().err


# Files of arrays


@pytest.mark.parametrize(
    "names",
    [
        ("images", "labels", "test_images", "test_labels"),
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
    ],
)
def test_an_npz_is_read_under_the_usual_names(names, tmp_path):
    images, labels = arrays(60)
    given = images[:50], labels[:50], images[50:], labels[50:, None]
    np.savez_compressed(tmp_path / "mine.npz", **dict(zip(names, given, strict=True)))
    data = qlab.Dataset.from_npz(tmp_path / "mine.npz")
    assert data.name == "mine"
    assert [len(data.train), len(data.validation), len(data.test)] == [40, 10, 10]
    assert np.array_equal(data.test.images[..., 0], images[50:])


def test_an_npz_may_name_its_classes(tmp_path):
    images, labels = arrays()
    names = np.array(["north", "east", "south", "west"])
    np.savez(tmp_path / "x.npz", images=images, labels=labels, class_names=names)
    assert qlab.Dataset.from_npz(tmp_path / "x.npz").class_names == tuple(names.tolist())


def test_an_npz_is_read_whole_or_says_what_was_not(tmp_path, capsys):
    images, labels = arrays(60)
    train, test = {"X_train": images, "Y_train": labels}, {"x_test": images[:7]}
    names = np.array([b"north", b"east", b"south", b"west"])
    np.savez(tmp_path / "x.npz", **train, **test, Y_test=labels[:7], class_names=names, ids=labels)
    data = qlab.Dataset.from_npz(tmp_path / "x.npz")
    assert data.class_names == ("north", "east", "south", "west")
    assert np.array_equal(data.test.images[..., 0], images[:7])
    assert capsys.readouterr().err == "1 array was left out: ids.\n"
    np.savez(tmp_path / "x.npz", **train, **test)
    with pytest.raises(
        DatasetError, match="has x_test without y_test; write both, or none of them"
    ):
        qlab.Dataset.from_npz(tmp_path / "x.npz")
    with pytest.raises(DatasetError, match="the file is None; give its path"):
        qlab.Dataset.from_npz(None)


class Evil:
    def __reduce__(self):
        return sys.exit, (3,)


def npy(shape, dtype="|u1", body=b""):
    """A .npy whose head says what it likes."""
    file = io.BytesIO()
    head = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, head)
    return file.getvalue() + body


def test_hostile_npz_files_are_refused(tmp_path):
    images, _ = arrays()

    def refused(words, **members):
        path = tmp_path / "bad.npz"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as held:
            for name, content in members.items():
                held.writestr(f"{name}.npy", content)
        with pytest.raises(DatasetError, match=words):
            qlab.Dataset.from_npz(path)

    np.savez(tmp_path / "pickled.npz", images=images, labels=np.array([Evil()] * 40))
    with pytest.raises(DatasetError, match=r"labels in pickled\.npz is pickled Python"):
        qlab.Dataset.from_npz(tmp_path / "pickled.npz")
    good = npy((40,), body=bytes(40))
    refused("larger than it is", images=npy((10**6, 10**6)), labels=good)
    refused("larger than it is", images=npy((40, 6, 5), body=bytes(7)), labels=good)
    refused("damaged", images=b"nonsense", labels=good)
    refused("larger than it is", images=npy((10**12,), "<U0"), labels=good)
    refused("holds the arrays a, b; call them", a=good, b=good)
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(DatasetError, match="no file of arrays"):
        qlab.Dataset.from_npz(tmp_path / "text.npz")
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        qlab.Dataset.from_npz(tmp_path / "none.npz")


def test_damage_never_ends_in_a_trace(photos, tmp_path):
    """Three hundred damaged files of each kind: they are read, or refused in words."""
    random = np.random.default_rng(0)
    images, labels = arrays()
    np.savez_compressed(tmp_path / "x.npz", images=images, labels=labels)
    folder, refused = photos / "cat", 0
    whole = {x.suffix: x.read_bytes() for x in (tmp_path / "x.npz", *sorted(folder.iterdir()))}
    for i in range(300):
        for suffix, content in whole.items():
            damaged = np.frombuffer(content, np.uint8).copy()
            damaged[random.integers(0, len(content), 1 + i % 8)] = random.integers(0, 256)
            path = folder / f"damaged{suffix}"
            path.write_bytes(damaged.tobytes()[: -(i % 3) or None])
            try:
                if suffix == ".npz":
                    qlab.Dataset.from_npz(path)
                else:
                    outside._read_picture(path, photos, (8, 8), [])
            except (DatasetError, outside._LeftOut):
                refused += 1
    assert refused > 300


def test_an_npz_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    images, labels = arrays()
    np.savez_compressed(tmp_path / "x.npz", images=images * 0, labels=labels)
    monkeypatch.setattr(outside, "MOST_BYTES", 500)
    monkeypatch.setattr(outside, "_member", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(DatasetError, match="unpacks to"):
        qlab.Dataset.from_npz(tmp_path / "x.npz")


# What takes a data set


def network(shape, classes):
    layers = train.keras.layers
    return train.keras.Sequential(
        [
            layers.Input(shape),
            layers.Conv2D(8, 3, activation="relu", name="conv1"),
            layers.Conv2D(8, 3, activation="relu", name="conv2"),
            layers.Flatten(),
            layers.Dense(classes, name="logits"),
        ]
    )


@pytest.fixture(scope="module")
def reader(digits):
    """A Keras model that reads digits."""
    model = network((8, 8, 1), 10)
    history = train.fit(model, dataset=digits, epochs=6, learning_rate=0.01, progress=False)
    assert history["validation_accuracy"][-1] > 0.9
    return model


@pytest.fixture(scope="module")
def lite_reader(reader):
    return qlab.LiteModel.from_keras(reader)


@pytest.fixture(scope="module")
def dresser(coloured):
    """A file of three classes that takes 32 x 32 x 3."""
    model = network((32, 32, 3), 3)
    train.fit(model, dataset=coloured, epochs=1, progress=False)
    return qlab.LiteModel.from_keras(model)


def seen(explorer):
    """All that an explorer says: controls, picture, numbers, notes and tables."""
    parts = [explorer.picture.alt, explorer.readout.value, explorer.notes.value, explorer.question]
    controls = [x.description for card in explorer.cards.values() for x in card.children[:1]
                if hasattr(x, "description")]  # fmt: skip
    return unescape(" ".join([*parts, explorer.tables(), *controls]))


SOME_EXPLORERS = (
    "AnatomyExplorer",
    "CalibrationExplorer",
    "ClusteringExplorer",
    "FitExplorer",
    "FlipGallery",
    "OutlierExplorer",
    "PruningExplorer",
    "QuantizationExplorer",
    "SearchExplorer",
    "SensitivityExplorer",
    "SparsitySensitivityExplorer",
)


def test_the_list_of_explorers_is_whole():
    of_models = {
        name
        for name in widgets.__all__
        if isinstance(kind := getattr(widgets, name), type)
        and issubclass(kind, ModelExplorer)
        and name not in ("QatExplorer", "ModelExplorer")
    }
    assert of_models == set(SOME_EXPLORERS)


@pytest.mark.parametrize("name", SOME_EXPLORERS)
def test_every_explorer_takes_a_data_set(name, digits, lite_reader):
    explorer = getattr(widgets, name)(model=lite_reader, dataset=digits)
    assert explorer.model_names == ("your model",)  # the networks that ship know garments alone
    scored = digits.test if name == "SearchExplorer" else digits.validation
    assert explorer.subject.split is scored
    assert explorer.subject.float_measurement.accuracy > 0.9
    assert explorer.subject.class_names == digits.class_names
    said = seen(explorer)
    for garment in (*qlab.data.CLASS_NAMES, "garment", "Fashion"):
        assert garment not in said


def test_the_gallery_shows_pictures_in_colour(coloured, dresser):
    gallery = widgets.FlipGallery(model=dresser, dataset=coloured, weight_bits=2)
    assert gallery.class_names == ("feet", "hands", "legs")
    assert len(gallery.result.shown)
    of = coloured.class_names[coloured.validation.labels[gallery.result.shown[0]]]
    gallery.of_class = of
    assert set(coloured.validation.labels[gallery.result.shown]) == {coloured.class_names.index(of)}
    image = coloured.validation.images[:1]
    framed = answer_panels._framed(image[0], "black")[1:-1, 1:-1]
    assert np.allclose(framed[0, 0], image[0, 0, 0] / 255)
    assert np.ptp(framed, axis=2).max() > 0.1  # it has colours


def test_images_and_labels_of_any_kind_are_shown(coloured, dresser):
    chosen = coloured.validation
    explorer = widgets.FlipGallery(
        dresser, list(chosen.images), chosen.labels[:, None].tolist(), chosen.images[:16]
    )
    assert explorer.subject.labels.shape == (len(chosen),)
    with pytest.raises(ValueError, match="counts no class"):
        widgets.FlipGallery(dresser, chosen.images, chosen.labels + 0.5, chosen.images[:16])


def test_images_without_names_are_called_by_number(coloured, dresser):
    chosen = coloured.validation
    gallery = widgets.FlipGallery(
        dresser, chosen.images, chosen.labels, coloured.calibration_images(16), weight_bits=2
    )
    assert gallery.class_names == ("class 0", "class 1", "class 2")


def test_clustering_calibrates_nothing(coloured, dresser):
    chosen = coloured.validation
    explorer = widgets.ClusteringExplorer(dresser, chosen.images, chosen.labels)
    assert explorer.result.clusters.measurement.n == len(chosen)


def test_a_model_of_other_data_asks_for_it(digits, lite_reader, dresser, fashion):
    with pytest.raises(ValueError, match=r"images of 8 x 8 x 1 and tells 10 .*dataset=qlab"):
        widgets.QuantizationExplorer(lite_reader)
    with pytest.raises(ValueError, match=r"32 x 32 x 3 .* 3 classes.*digits has images of 8 x 8"):
        widgets.QuantizationExplorer(dresser, dataset=digits)
    with pytest.raises(ValueError, match="Give the model that was made for digits"):
        widgets.QuantizationExplorer(dataset=digits)
    with pytest.raises(ValueError, match="does not fit the data"):
        widgets.QuantizationExplorer("baseline", dataset=digits)
    with pytest.raises(TypeError, match=r"dataset is a tuple; give a qlab\.Dataset"):
        widgets.QuantizationExplorer(lite_reader, dataset=(1, 2))
    pair = digits.validation.images, digits.validation.labels
    with pytest.raises(ValueError, match="dataset="):
        widgets.QuantizationExplorer(lite_reader, *pair)
    inverted = 255 - fashion.test.images[:50]
    with pytest.raises(ValueError, match=r"not of Fashion-MNIST.*calibration_images="):
        widgets.QuantizationExplorer(None, inverted, fashion.test.labels[:50])


def test_a_model_without_data_says_on_what_it_is_scored():
    explorer = widgets.AnatomyExplorer(qlab.pretrained("distilled-20k-600-plain-seed0"))
    assert "scored on Fashion-MNIST, because no dataset= was given" in explorer.notes.value
    assert "dataset=" not in widgets.AnatomyExplorer().notes.value


def test_what_learned_fashion_alone_says_what_to_do_instead(digits):
    with pytest.raises(ValueError, match=r"know nothing of digits.*quantization_aware"):
        widgets.QatExplorer(dataset=digits)
    with pytest.raises(ValueError, match=r"know nothing of digits.*train\.distil"):
        widgets.DistillationExplorer(dataset=digits)


def test_the_test_images_and_the_board_are_those_of_the_data_set(digits, lite_reader):
    explorer = widgets.QuantizationExplorer(model=lite_reader, dataset=digits)
    measured = subjects.finished(subjects.asked(lite_reader, digits))
    assert measured.images_are == "test images of digits"
    assert np.array_equal(measured.labels, digits.test.labels)
    entry = explorer.download.keep()
    assert entry.images_are == "validation images of digits"
    assert entry.n == len(digits.validation)
    board = widgets.ParetoExplorer(dataset=digits)
    assert [x.name for x in board.result.entries] == [entry.name]
    [again] = board.measure().entries
    assert again.kind == "measured"
    assert again.accuracy == explorer.result.measurement.accuracy
    with pytest.raises(ValueError, match=r"cannot be scored.*as dataset="):
        qlab.pareto.keep(lite_reader, "mine")


def test_another_data_set_of_the_same_name_has_a_board_of_its_own(digits, lite_reader):
    twin = digits.validation.images[::-1].copy(), digits.validation.labels
    twin = qlab.Dataset(digits.train, twin, digits.test, name="digits")
    qlab.pareto.keep(lite_reader, "mine", dataset=digits)
    assert [x.name for x in qlab.pareto.entries(dataset=digits)] == ["mine"]
    assert qlab.pareto.entries(dataset=twin) == []
    kept = qlab.pareto.keep(lite_reader, "twin", dataset=twin)
    assert kept.accuracy < 0.5  # its labels belong to other images
    assert qlab.pareto.entries(dataset=digits) == []


def test_the_card_tells_of_the_data_set(tmp_path, digits, lite_reader):
    files = qlab.export.export(lite_reader, tmp_path, "reader", dataset=digits)
    text = files["reader-card.md"].read_text("utf-8")
    assert "359 test images of digits" in text
    assert "images of 8 x 8 x 1, 10 classes" in text
    for garment in ("Bag", "Shirt", "garment", "Fashion"):
        assert garment not in text
    provenance = json.loads(files["reader-provenance.json"].read_text("utf-8"))
    assert provenance["measured"]["reader.tflite"]["accuracy"]["dataset"] == "digits, test"


def test_own_data_needs_no_fashion_mnist(tmp_path, digits, lite_reader, monkeypatch):
    monkeypatch.setattr(data.fetching, "read", lambda *_: pytest.fail("it was asked for"))
    subjects.course_data.cache_clear()
    gallery = widgets.FlipGallery(lite_reader, dataset=digits, weight_bits=2)
    assert not gallery.error
    qlab.export.export(lite_reader, tmp_path, "reader", dataset=digits)


def test_the_command_line_exports_with_data(tmp_path, digits, lite_reader):
    arrays = {"images": digits.train.images, "labels": digits.train.labels}
    np.savez(tmp_path / "numbers.npz", **arrays)
    lite_reader.save(tmp_path / "reader.tflite")
    given = ["--to", str(tmp_path / "out"), "--data", str(tmp_path / "numbers.npz")]
    assert cli.main(["export", str(tmp_path / "reader.tflite"), *given]) == 0
    card = (tmp_path / "out" / "reader-card.md").read_text("utf-8")
    assert "test images of numbers" in card


def test_training_takes_a_data_set(digits, reader, coloured):
    copy = network((8, 8, 1), 10)
    train.distil(copy, reader, dataset=digits, epochs=1, temperature=1, alpha=0.5, progress=False)
    aware = train.quantization_aware(reader, 4, dataset=digits)
    history = train.fit(aware, dataset=digits, epochs=1, progress=False)
    assert history["validation_accuracy"][-1] > 0.8
    file = qlab.LiteModel(train.convert(reader, "int8", dataset=digits))
    split = digits.validation
    assert qlab.evaluate(file, split.images, split.labels).accuracy > 0.8
    with pytest.raises(ValueError, match="give dataset="):
        train.quantization_aware(reader, 4)
    with pytest.raises(ValueError, match="and not both"):
        train.fit(reader, split.images, split.labels, dataset=digits)
    with pytest.raises(ValueError, match="images and labels, or dataset="):
        train.fit(reader)
    with pytest.raises(ValueError, match="shape"):
        train.fit(reader, dataset=coloured)


def test_pruning_and_clustering_train_on_a_data_set(digits, reader):
    pruned = train.prune(reader, train.constant_sparsity(0.5))
    train.fit(pruned, dataset=digits, epochs=1, progress=False)
    clustered = train.cluster_weights(train.strip_pruning(pruned), 8)
    history = train.fit(clustered, dataset=digits, epochs=1, progress=False)
    assert history["validation_accuracy"][-1] > 0.5


def test_search_images_are_validation_images(digits):
    images, labels = qlab.search.search_images(dataset=digits)
    assert images is digits.validation.images or np.array_equal(images, digits.validation.images)
    assert len(labels) == 359


def test_names_that_look_like_formulas_or_are_many_are_drawn_as_they_are():
    names = [f"$x_{i}" + "$" * (i % 2) for i in range(1000)]
    ax = plots.style.new_axes()
    panel = answer_panels.FlipCountsPanel(ax, names, 5)
    panel.show(np.arange(1000) % 5, np.zeros(1000, int))
    ax.figure.canvas.draw()
    shown = [x.get_text().replace("\\", "") for x in ax.get_yticklabels()]
    assert shown == names[:: len(names) // len(shown) + 1] and len(shown) <= 24
