"""Gzip at one level: what it weighs, that the screen names it, and that nobody else compresses."""

import gzip
import zlib

import pytest

import qlab
from qlab.challenge import league_words
from qlab.tflite.gzipping import GZIP_LEVEL, GZIPPED, deflate_size, gzip_size
from qlab.trials.fronts import COSTS
from qlab.widgets.kit import readout
from tests.test_arrows import MODULES, imports


@pytest.mark.parametrize("name", ["baseline", "chain-int4-seed0", "pruned-95-seed0"])
def test_a_size_is_what_gzip_makes_at_the_level_that_is_named(name):
    data = qlab.pretrained(name).data
    at = {level: len(gzip.compress(data, level, mtime=0)) for level in (6, 9)}
    assert qlab.pretrained(name).gzip_bytes == gzip_size(data) == at[6] > at[9]
    assert (GZIP_LEVEL, GZIPPED) == (6, "gzipped at level 6")


@pytest.mark.parametrize("data", [b"a", b"abc" * 999, bytes(range(256)) * 300])
def test_the_stream_alone_is_deflate_without_gzips_frame(data):
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    assert deflate_size(data) == len(packer.compress(data) + packer.flush())
    assert deflate_size(b"") == 0


def users(modules):
    """Modules that import Python's gzip or zlib."""
    names = {
        name: {target.split(".")[0] for target, _ in imports(modules[name])} for name in modules
    }
    return {name for name in modules if names[name] & {"gzip", "zlib"}}


def test_one_module_compresses():
    readers = {"qlab.data.idx", "qlab.data.outside"}  # they unpack what comes from elsewhere
    judge = "qlab.course.museum.exhibits"  # a learner may weigh with any packer
    assert users(MODULES) == {"qlab.tflite.gzipping", judge} | readers
    assert not any(".compress" in MODULES[reader] for reader in readers)


@pytest.mark.parametrize(
    "source",
    ["import gzip", "def f(data):\n    import zlib\n    return zlib.compress(data)",
     "from gzip import compress as small"],
)  # fmt: skip
def test_a_module_that_compresses_by_itself_is_seen(source):
    assert users({"qlab.trials.new": source}) == {"qlab.trials.new"}


def test_the_level_stands_where_a_size_is_explained():
    assert f"this file, {GZIPPED}" in readout.sizes(qlab.Sizes(4, 3, 2, 1))
    assert GZIPPED in COSTS["gzip_bytes"]
    assert GZIPPED in league_words("0.90")
