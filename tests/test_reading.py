"""The reader: it reads what the schema's own code reads, and no file makes it read for long."""

import struct
import tracemalloc
from collections import Counter

import damage
import engine
import hostile
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import number_types

import qlab
from qlab import LiteModel, ModelError
from qlab.tflite import artefacts, litemodel, reading
from qlab.tflite.graph import pack
from qlab.tflite.reading import Damaged, Reader

SHIPPED = sorted(artefacts.folder().glob("*.tflite"))


def plain(thing):
    """An object tree as nested values that can be compared."""
    if isinstance(thing, np.ndarray):
        return thing.dtype, thing.tobytes()
    if isinstance(thing, list):
        return [plain(item) for item in thing]
    if hasattr(thing, "__dict__"):
        return type(thing), {name: plain(value) for name, value in vars(thing).items()}
    return type(thing), repr(thing)  # NaN differs from itself


def assert_read_as_by_the_schemas_own_code(data):
    theirs = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data))
    assert plain(Reader(data).model()) == plain(theirs)


# ---- it reads every file ------------------------------------------------------------------------
def test_shipped_files():
    assert len(SHIPPED) > 20
    for path in SHIPPED:
        assert_read_as_by_the_schemas_own_code(path.read_bytes())


def filled(kind, unions=None):
    """An object of the schema with something in every field."""
    made = getattr(schema, f"{kind.__name__}T")()
    for field in reading.fields(kind):
        setattr(made, field.name, something(field, made, unions or {}))
    return made


def something(field, made, unions):
    if field.form == "number" and field.name.endswith("Type") and field.name[:-4] in vars(made):
        return unions.get(field.name[:-4], 1)
    if field.form == "number":
        return True if field.of is number_types.BoolFlags else 3
    if field.form == "text":
        return field.name.encode()
    if field.form == "numbers":
        return np.array([1, 0, 1], number_types.to_numpy_type(field.of))
    if field.form == "union":
        name = reading.members(field.of)[getattr(made, f"{field.name}Type")]
        return filled(getattr(schema, name))
    return filled(field.of) if field.form == "table" else [filled(field.of) for _ in range(2)]


def test_every_part_of_the_schema():
    """Each field of each table, and each member of each union, written and read again."""
    model = filled(schema.Model)
    graph = model.subgraphs[0]
    for name in ("builtinOptions", "builtinOptions2"):
        for number in list(reading.members(name[0].upper() + name[1:]))[1:]:
            graph.operators.append(filled(schema.Operator, {name: number}))
    for details in (1, 2):
        held = filled(schema.QuantizationParameters, {"details": details})
        graph.tensors[details - 1].quantization = held
    for number in (1, 2, 3):
        both = {"arraySegments": number, "arrayIndices": number}
        graph.tensors[0].sparsity.dimMetadata.append(filled(schema.DimensionMetadata, both))
    data = pack(model)
    assert_read_as_by_the_schemas_own_code(data)
    assert Reader(data).model().subgraphs[0].operators[-1].builtinOptions2 is not None


def test_an_empty_file_of_the_schema():
    assert_read_as_by_the_schemas_own_code(pack(schema.ModelT()))


def test_a_union_of_a_later_schema_is_left_out():
    graph = qlab.pretrained("baseline").graph()
    graph.subgraphs[0].operators[0].builtinOptionsType = 250
    data = pack(graph)
    assert Reader(data).model().subgraphs[0].operators[0].builtinOptions is None
    assert_read_as_by_the_schemas_own_code(data)


def test_numbers_out_of_line_are_read():
    assert_read_as_by_the_schemas_own_code(hostile.out_of_line())


def test_what_a_thrifty_writer_stores_once_is_read():
    data = hostile.equal_tensors(100)
    assert_read_as_by_the_schemas_own_code(data)
    assert spent(data) > 2 * len(data)


def spent(data):
    reader = Reader(data)
    reader.model()
    return reader.share * len(data) - reader.bytes_left


def test_numbers_say_where_in_the_file_they_are():
    model = qlab.pretrained("baseline")
    for buffer in model.parsed.buffers:
        if buffer.data is not None:
            start = reading.place(buffer.data, model.data)
            assert model.data[start : start + len(buffer.data)] == buffer.data.tobytes()


# ---- no file makes it read for long -------------------------------------------------------------
@pytest.mark.parametrize(("times", "size"), [(200, 1_700), (20_000, 161_000)])
def test_many_pointers_to_one_place_are_refused_at_once(times, size):
    """The schema's own code takes a second for the small file, and hours for the large one."""
    data = hostile.one_tensor_many_times(times, graphs=times, numbers=1)
    assert len(data) < size
    reader = Reader(data)
    with pytest.raises(Damaged, match="its parts lie on top of each other"):
        reader.model()
    assert reader.most_tables - reader.tables_left < len(data)
    with pytest.raises(ModelError, match=r"bomb is damaged .* each other; save or download it"):
        LiteModel.from_bytes(data, "bomb")


def test_more_tables_than_are_sensible_are_refused(monkeypatch):
    monkeypatch.setattr(Reader, "most_tables", 77)
    data = qlab.pretrained("baseline").data
    with pytest.raises(ModelError, match="this model has more than 77 parts"):
        LiteModel.from_bytes(data)


def test_no_table_can_hold_itself():
    """So the reader goes down no further than the schema is deep, whatever a file says."""

    def depth(kind, above=()):
        assert kind not in above
        below = [0]
        for field in reading.fields(kind):
            if field.form == "union":
                held = [reading.Reader.member(None, field.of, n) for n in reading.members(field.of)]
                below += [depth(x, (*above, kind)) for x in held if x is not None]
            elif field.form in ("table", "tables"):
                below.append(depth(field.of, (*above, kind)))
        return 1 + max(below)

    assert depth(schema.Model) == 6  # Model, SubGraph, Tensor, SparsityParameters, levels, indices


@pytest.fixture(scope="module")
def described():
    """An honest file with a text in it."""
    graph = hostile.Graph()
    answer = graph.means()
    graph.model.description = b"in words"
    return graph.bytes(answer)


def patched(data, position, form, value):
    changed = bytearray(data)
    struct.pack_into(form, changed, position, value)
    return bytes(changed)


def places(data):
    """Where a file's root table, the vtable of that, the vector of its graphs and its text are."""
    table = schema.Model.GetRootAs(data)._tab
    vtable = table.Pos - struct.unpack_from("<i", data, table.Pos)[0]
    return table.Pos, vtable, table.Vector(table.Offset(8)) - 4, data.index(b"in words") - 4


def refused(data, words):
    reader = Reader(data)
    with pytest.raises(Damaged, match=words):
        reader.model()
    with pytest.raises(ModelError, match="damaged or truncated"):
        LiteModel.from_bytes(data)
    return reader.most_tables - reader.tables_left


@pytest.mark.parametrize("count", [2**32 - 1, 2**31, 2**20])
def test_a_vector_that_claims_to_be_longer_than_the_file(described, count):
    for place in places(described)[2:]:
        assert refused(patched(described, place, "<I", count), "outside of the file") < 40


@pytest.mark.parametrize("back", [-(2**31), 2**31 - 1, -100_000, 100_000, -4_000, 4_000])
def test_a_vtable_outside_of_the_file(described, back):
    refused(patched(described, places(described)[0], "<i", back), "outside of the file")


@pytest.mark.parametrize("size", [0, 2, 3])
def test_a_vtable_or_a_table_without_room(described, size):
    vtable = places(described)[1]
    refused(patched(described, vtable, "<H", size), "a table has no room")
    refused(patched(described, vtable + 2, "<H", size), "a table has no room")


def test_a_vtable_that_ends_within_a_slot(described):
    """The schema's own code reads what begins in it, so two readers would see two files."""
    vtable = places(described)[1]
    size = struct.unpack_from("<H", described, vtable)[0]
    refused(patched(described, vtable, "<H", size - 1), "a table has no room")


def test_a_table_beyond_the_end_and_a_field_outside_of_its_table(described):
    vtable = places(described)[1]
    refused(patched(described, vtable + 2, "<H", 65_535), "a table has no room")
    refused(patched(described, vtable + 4, "<H", 2), "a field is outside of its table")
    refused(patched(described, vtable + 4, "<H", 65_534), "a field is outside of its table")


def test_a_text_without_end(described):
    refused(patched(described, places(described)[3], "<I", 7), "a text does not end")


@pytest.mark.parametrize("offset", [0, 2**32 - 1, 2**32 - 8])
def test_a_reference_to_itself_or_back(described, offset):
    """Offsets have no sign: what would lead back leads out of the file."""
    graphs = places(described)[2]
    refused(patched(described, graphs + 4, "<I", offset), "a part is (missing|outside)")
    refused(patched(described, 0, "<I", offset), "a part is (missing|outside)")


def damaged_files():
    data = qlab.pretrained("baseline-int8").data
    yield from (data[:size] for size in [*range(600), *range(600, len(data), 997)])
    for seed in range(400):
        random = np.random.default_rng(seed)
        yield damage.chosen(random, damage.TO_BYTES)(random, data)


def test_a_damaged_file_is_refused_or_reads_as_by_the_schemas_own_code():
    outcomes = Counter()
    for data in damaged_files():
        try:
            Reader(data).model()
        except Damaged:
            outcomes["refused"] += 1
        else:
            assert_read_as_by_the_schemas_own_code(data)
            outcomes["read"] += 1
    assert min(outcomes["refused"], outcomes["read"]) > 100


# ---- nor to unpack for long ---------------------------------------------------------------------
def dense_levels(*sizes):
    where = schema.SparsityParametersT()
    where.traversalOrder, where.dimMetadata = np.arange(len(sizes), dtype=np.int32), []
    for size in sizes:
        level = schema.DimensionMetadataT()
        level.format, level.denseSize = schema.DimensionType.DENSE, size
        where.dimMetadata.append(level)
    return where


def sparse(graph, index, *shape):
    """Say of a constant that it stands for more."""
    tensor = graph.subgraphs[0].tensors[index]
    tensor.shape, tensor.sparsity = np.array(shape, np.int32), dense_levels(*shape)


@pytest.mark.parametrize(
    "shape", [(2**13, 2**13), (1, 2**26), (2**26, 1), (2**31 - 1,) * 8, (2**20, 2**20), (-1, -10)]
)
def test_a_few_bytes_that_stand_for_a_huge_tensor(shape):
    model = engine.edited(qlab.pretrained("baseline"), lambda graph: sparse(graph, 1, *shape))
    Reader(model.data).model()
    tracemalloc.start()
    with pytest.raises(ModelError, match="damaged"):
        LiteModel.from_bytes(model.data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * len(model.data)


def test_many_sparse_tensors_do_not_add_up_without_limit(monkeypatch):
    """Each of them alone is sound."""
    assert litemodel.MOST_UNPACKED == 2**26
    dense = engine.compressor("baseline").compress(qlab.Recipe(sparsity=0.9))
    model = qlab.sparse_encoding.sparse_file(dense)
    held = [x.sparsity is not None for x in model.parsed.subgraphs[0].tensors]
    assert sum(held) == 2
    monkeypatch.setattr(litemodel, "MOST_UNPACKED", 70_000)
    with pytest.raises(ModelError, match="leaves out zeros of more than 70,000 numbers"):
        LiteModel.from_bytes(model.data)


@pytest.mark.parametrize("shape", [(-32, -4), (-1,), (2**31 - 1,) * 65, (1,) * 65])
def test_a_constant_of_an_impossible_shape(shape):
    def change(graph):
        graph.subgraphs[0].tensors[1].shape = np.array(shape, np.int32)

    with pytest.raises(ModelError, match="does not have as many bytes as its shape says"):
        LiteModel.from_bytes(engine.edited(qlab.pretrained("baseline"), change).data)
