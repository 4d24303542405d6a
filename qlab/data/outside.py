"""Pictures and arrays that come from outside, read without trusting them."""

from __future__ import annotations

import lzma
import stat
import sys
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
from tqdm import tqdm

from qlab.data.doors import DatasetError, require_path, require_two
from qlab.system.text import one_line, printable

MOST_BYTES = 2 * 2**30  # of all pictures, or of all arrays of a file
MOST_FILE_BYTES = 100 * 2**20  # of one picture
MOST_PIXELS = 50_000_000  # of one picture, before it is scaled
MOST_FILES = 1_000_000
HALF = 2**15  # of what 16 bits hold
LARGEST_SIDE = 1024
SLOW = 2  # seconds after which a progress bar is shown
LISTED = 10  # files left out that are named
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  # none that starts a program
SPLITS = {"train": ("train", "training"), "validation": ("validation", "valid", "val"),
          "test": ("test", "testing")}  # fmt: skip
KEYS = ("{}_images", "{}_labels"), ("x_{}", "y_{}")


class _LeftOut(Exception):
    pass


DAMAGES = (  # that zipfile may find
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)


def title(path):
    """What data from this path is called."""
    return Path(path).resolve().stem


# A folder


def read_folder(folder, size=None, colour=None, progress=True):
    """Images and labels by split, and the names of the classes; say which files were left out."""
    folder = _require_folder(folder)
    if size is not None:
        example = f"height and width, such as (32, 32), {LARGEST_SIDE:,} at most"
        size = require_two("size", size, example, LARGEST_SIDE)
    splits = _split_folders(folder)
    names = sorted({x.name for root in splits.values() for x in _folders(root)})
    files = [(which, names.index(path.parent.name), path) for which, path in _files(splits)]
    left_out = [found for root in splits.values() for found in _links_out(root)]
    if not files:
        why = _listed(left_out) or (
            "put the pictures of each class into a folder of its own, such as photos/cat/1.png and "
            "photos/dog/1.png"
        )
        raise DatasetError(f"{printable(folder)} has no pictures in folders of classes: {why}")
    if len(files) > MOST_FILES:
        raise DatasetError(f"there are {len(files):,} files; give a folder of {MOST_FILES:,}")
    rows, held, deep = {which: [] for which in splits}, 0, []
    bar = tqdm(files, "reading pictures", delay=SLOW, file=sys.stderr, leave=False,
               disable=not progress)  # fmt: skip
    for which, label, path in bar:
        try:
            pixels = _read_picture(path, folder, size, deep)
        except _LeftOut as why:
            place = path.relative_to(folder)
            left_out.append((place.parts[:-1], f"{printable(place)} {why}"))
            continue
        held += pixels.nbytes
        if held > MOST_BYTES:
            raise DatasetError(
                f"the pictures take more than {MOST_BYTES / 2**30:.0f} GB; give a smaller size, "
                "such as size=(64, 64), or fewer pictures"
            )
        rows[which].append((pixels, label))
    _require_bright(deep)
    say_left_out("file", left_out)
    return _stacked(rows, colour, left_out, names), names


def _require_folder(folder):
    folder = require_path(folder, "the folder")
    if not folder.is_dir():
        raise DatasetError(
            f"{printable(folder)} is no folder; give one that holds a folder for each class"
        )
    return folder.resolve()


def _split_folders(folder):
    """Where the pictures of each split are: folders of that name, or all in one."""
    inside = {x.name.lower(): x for x in _folders(folder)}
    found = {
        which: next((inside[x] for x in spelt if x in inside), None)
        for which, spelt in SPLITS.items()
    }
    if not found["train"] or not _folders(found["train"]):
        return {"train": folder}
    found = {which: x for which, x in found.items() if x}
    for root in found.values():
        if not _folders(root):
            why = _listed(list(_links_out(root))) or "so nobody can tell what its pictures show"
            raise DatasetError(
                f"{printable(found['train'].name)} has a folder for each class, and "
                f"{printable(root.name)} has none: {why}. Give the folder "
                f"{printable(found['train'])} alone, and some of its pictures are set aside"
            )
    if others := [x.name for x in inside.values() if x not in found.values()]:
        raise DatasetError(
            f"next to the folders of splits there are others: {', '.join(map(printable, others))}; "
            "move them away, or put each class into every split"
        )
    return found


def _folders(root):
    """Folders in a folder, without hidden ones; a link out of it is none."""
    inside = [x for x in root.iterdir() if not x.name.startswith(".") and x.is_dir()]
    return sorted(x for x in inside if x.resolve().is_relative_to(root.resolve()))


def _links_out(root):
    """Each folder of a class that is a link out of the folder, and what to say of it."""
    for x in sorted(root.iterdir()):
        if x.is_symlink() and x.is_dir() and not x.resolve().is_relative_to(root.resolve()):
            words = f"{printable(x.name)} is a link out of the folder; put the folder itself there"
            yield (x.name,), words


def _files(splits):
    """Everything in the folders of classes, hidden files aside, and of which split it is."""
    for which, root in splits.items():
        for of_class in _folders(root):
            yield from ((which, x) for x in sorted(of_class.iterdir()) if x.name[0] != ".")


def _read_picture(path, folder, size, deep):
    """One picture as RGB, uint8; `_LeftOut` says why it is none.

    Of one with 16 bits, `deep` gets the brightest value.
    """
    from PIL import Image, ImageOps

    _require_file(path, folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damage, which is an error where it matters
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise _LeftOut(f"has {image.width:,} x {image.height:,} pixels; scale it down")
                image = ImageOps.exif_transpose(_eight_bits(image, deep))
                image = _on_white(image)
                if size is not None:
                    image = ImageOps.fit(image, size[::-1], Image.Resampling.BILINEAR)
                return np.asarray(image, np.uint8)
    except _LeftOut:
        raise
    except Image.DecompressionBombError:
        raise _LeftOut("would unpack to far too many pixels; scale it down") from None
    except Image.UnidentifiedImageError:
        raise _LeftOut(f"is no picture that can be read ({', '.join(FORMATS)})") from None
    except Exception as error:  # Pillow's readers raise nearly anything on damaged files
        raise _LeftOut(f"is damaged ({one_line(error, 80) or type(error).__name__})") from None


def _require_file(path, folder):
    """Only a plain file inside the folder, of a size that a picture has."""
    try:
        inside, about = path.resolve().is_relative_to(folder), path.stat()
    except (OSError, RuntimeError):
        raise _LeftOut("is a link to nowhere, or cannot be read") from None
    if not inside:
        raise _LeftOut("is a link out of the folder; copy the picture instead")
    if stat.S_ISDIR(about.st_mode):
        raise _LeftOut("is a folder in the folder of a class; move its pictures up")
    if not stat.S_ISREG(about.st_mode):
        raise _LeftOut("is no plain file")
    if not 0 < about.st_size <= MOST_FILE_BYTES:
        raise _LeftOut("is empty" if not about.st_size else f"has {about.st_size:,} bytes")


def _eight_bits(image, deep):
    """A picture of 16 grey bits with its upper 8; Pillow alone would cut off what is above 255."""
    from PIL import Image

    if ";16" in str(image.tile) and image.mode.startswith("RGB"):  # Pillow has the upper 8 bits
        deep.append(257 * int(np.asarray(image).max()))
    if image.mode.startswith("I;16"):
        pixels = np.asarray(image)
        deep.append(int(pixels.max()))
        return Image.fromarray((pixels >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise _LeftOut("has 32 bits a pixel, and nobody knows which value is white; save it with 8")
    return image


def _require_bright(deep):
    """Raise if no picture of 16 bits is bright: they may count to another white."""
    if deep and 0 < max(deep) < HALF:
        raise DatasetError(
            f"the pictures with 16 bits reach {max(deep):,} at most, of {2 * HALF - 1:,}, and so "
            "would be dark: many cameras write 10, 12 or 14 bits in this way. Multiply their "
            "values so that white becomes 65,535, or save them with 8 bits"
        )


def _on_white(image):
    """A picture as RGB; what shines through is white."""
    from PIL import Image

    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def say_left_out(what, left_out):
    """Say on stderr what of a folder or a file is not used; of each there is (place, words)."""
    if left_out:
        n = len(left_out)
        were = f"1 {what} was" if n == 1 else f"{n:,} {what}s were"
        print(f"{were} left out: {_listed(left_out)}.", file=sys.stderr)


def _listed(left_out):
    more = f"; and {len(left_out) - LISTED:,} more" if len(left_out) > LISTED else ""
    return "; ".join(words for _, words in left_out[:LISTED]) + more


def _stacked(rows, colour, left_out, names):
    """Pictures of each split as one array, in grey if none has colour."""
    shapes = {pixels.shape[:2] for each in rows.values() for pixels, _ in each}
    if len(shapes) > 1:
        told = ", ".join(f"{h} x {w}" for h, w in sorted(shapes)[:5])
        raise DatasetError(
            f"the pictures have {len(shapes)} sizes (height x width: {told} ...); give one for "
            "all, such as size=(32, 32)"
        )
    seen = {label for each in rows.values() for _, label in each}
    empty = [name for i, name in enumerate(names) if i not in seen]
    if empty := empty + [which for which, each in rows.items() if not each]:
        why = _listed([x for x in left_out if empty[0] in x[0]])
        raise DatasetError(
            f"the folder {printable(empty[0])} has no picture that can be read: "
            f"{why or 'remove it, or put pictures into it'}"
        )
    arrays = {
        which: (np.stack([pixels for pixels, _ in each]), np.array([label for _, label in each]))
        for which, each in rows.items()
    }
    if colour is None:
        colour = any((x[..., :1] != x).any() for x, _ in arrays.values())
    if not colour:
        arrays = {which: (_grey(x), y) for which, (x, y) in arrays.items()}
    for images, _ in arrays.values():
        images.flags.writeable = False
    return arrays


def _grey(images):
    """Luma of RGB, as Pillow weighs it (ITU-R 601); grey pictures keep each value."""
    weights = np.array([299, 587, 114], np.uint32)
    grey = [((image @ weights + 500) // 1000).astype(np.uint8) for image in images]
    return np.stack(grey)[..., None]


# A file of arrays


def read_npz(path):
    """Images and labels by split, and names of classes or None; pickles and bombs are refused."""
    path = require_path(path, "the file")
    told = printable(path.name)
    try:
        with zipfile.ZipFile(path) as held:
            sizes = {x.filename.removesuffix(".npy"): x.file_size for x in held.infolist()}
            wanted, named = _wanted(sizes, told)
            used = [x for pair in wanted.values() for x in pair]
            _require_room({x: sizes[x] for x in used}, told, MOST_BYTES)
            _require_room({x: sizes[x] for x in named}, told, 2**20)
            read = {x: _member(held, x, sizes[x], told) for x in (*used, *named)}
    except OSError as error:
        raise DatasetError(f"{told} cannot be read: {error.strerror or error}") from None
    except DAMAGES as error:
        raise DatasetError(
            f"{told} is no file of arrays, or damaged ({one_line(error, 80)}); write it with "
            "np.savez(path, images=images, labels=labels)"
        ) from None
    say_left_out("array", [((), printable(x, 60)) for x in sizes if x not in read])
    arrays = {which: tuple(read[x] for x in pair) for which, pair in wanted.items()}
    return arrays, read[named[0]].ravel().tolist() if named else None


def _wanted(there, told):
    """Which arrays are the images and labels of which split, and which the names of classes."""
    known = {x.lower(): x for x in there}
    found = {}
    for which, spelt in SPLITS.items():
        pairs = [tuple(key.format(x) for key in keys) for keys in KEYS for x in spelt]
        pairs += [("images", "labels"), ("x", "y")] if which == "train" else []
        pair = max(pairs, key=lambda names: len({*names} & {*known}))
        lacking = [x for x in pair if x not in known]
        if len(lacking) == 1:
            raise DatasetError(
                f"{told} has {' or '.join({*pair} - {*lacking})} without {lacking[0]}; write both, "
                f"or none of them{', and some images are set aside' if which != 'train' else ''}"
            )
        found |= {} if lacking else {which: tuple(known[x] for x in pair)}
    if "train" not in found:
        raise DatasetError(
            f"{told} holds the arrays {printable(', '.join(sorted(there)), 200)}; call them images "
            "and labels, or train_images, train_labels, test_images and test_labels"
        )
    return found, [known[x] for x in ("class_names",) if x in known]


def _require_room(sizes, told, most):
    if sum(sizes.values()) > most:
        raise DatasetError(
            f"{told} unpacks to {sum(sizes.values()):,} bytes, more than {most:,}; write a smaller "
            "one, with pixels as uint8"
        )


def _member(held, name, size, told):
    """One array, after its head was compared with the room that the file has for it."""
    try:
        with held.open(f"{name}.npy") as file:
            version = np.lib.format.read_magic(file)
            head = {(1, 0): np.lib.format.read_array_header_1_0,
                    (2, 0): np.lib.format.read_array_header_2_0}[version]  # fmt: skip
            shape, _, dtype = head(file)
        if dtype.hasobject:
            raise DatasetError(
                f"{name} in {told} is pickled Python, which could run anything; write it anew as "
                "an array of numbers or words"
            )
        if int(np.prod([*map(int, shape), max(1, dtype.itemsize)], dtype=object)) > size:
            raise DatasetError(f"{name} in {told} says that it is larger than it is: it is damaged")
        with held.open(f"{name}.npy") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except (KeyError, ValueError, TypeError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{name} in {told} is damaged ({one_line(error, 80)})") from None
