"""What the challenge allows: operators, types of numbers, sizes; and what TFLite calls them.

And the tables of the file, each with the number of its slots that are known: a later slot, or
another table, is not read, and the file is refused. So a schema that grows gives nobody a way
around the rules.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.tflite.operators import named

MOST_NUMBERS = 2**26  # in one tensor
OPERATORS = frozenset(named(challenge=True))
_TABLES = """
Model:8 OperatorCode:4 SubGraph:6 Tensor:9 Operator:14 Buffer:3 QuantizationParameters:7
SparsityParameters:3 DimensionMetadata:6 Int32Vector:1 Uint16Vector:1 Uint8Vector:1 Metadata:2
SignatureDef:5 TensorMap:2
Conv2DOptions:7 DepthwiseConv2DOptions:7 TransposeConvOptions:5 Pool2DOptions:6
FullyConnectedOptions:5 BatchMatMulOptions:3 SoftmaxOptions:1 ConcatenationOptions:2 AddOptions:2
SubOptions:2 MulOptions:1 DivOptions:1 L2NormOptions:1 ResizeBilinearOptions:4
ResizeNearestNeighborOptions:2 ReshapeOptions:1 SqueezeOptions:1 SpaceToDepthOptions:1
DepthToSpaceOptions:1 GatherOptions:2 ReducerOptions:1 SplitOptions:1 SplitVOptions:1
StridedSliceOptions:6 CastOptions:2 ShapeOptions:1 PackOptions:2 UnpackOptions:2 LeakyReluOptions:1
MirrorPadOptions:1 GeluOptions:1
AbsOptions AddNOptions BatchToSpaceNDOptions BroadcastToOptions CosOptions DensifyOptions
DequantizeOptions EqualOptions ExpOptions ExpandDimsOptions FillOptions FloorDivOptions
FloorModOptions GatherNdOptions GreaterEqualOptions GreaterOptions HardSwishOptions
LessEqualOptions LessOptions LogSoftmaxOptions LogicalAndOptions LogicalNotOptions
LogicalOrOptions MaximumMinimumOptions NegOptions NotEqualOptions PadOptions PadV2Options
PowOptions QuantizeOptions SelectOptions SelectV2Options SignOptions SliceOptions
SpaceToBatchNDOptions SquareOptions SquaredDifferenceOptions TileOptions TransposeOptions
ZerosLikeOptions
"""
TABLES = {name: int(slots or 0) for name, _, slots in (x.partition(":") for x in _TABLES.split())}
BITS = {
    getattr(schema.TensorType, name): bits
    for bits, names in {
        2: "INT2",
        4: "INT4",
        8: "INT8 UINT8 BOOL",
        16: "FLOAT16 INT16",
        32: "FLOAT32 INT32",
        64: "INT64",
    }.items()
    for name in names.split()
}
INPUTS = {
    schema.TensorType.FLOAT32: np.dtype("<f4"),
    schema.TensorType.UINT8: np.dtype("u1"),
    schema.TensorType.INT8: np.dtype("i1"),
}
OUTPUTS = {*INPUTS, schema.TensorType.INT16}
TYPE_NAMES = {v: k for k, v in vars(schema.TensorType).items() if isinstance(v, int)}
