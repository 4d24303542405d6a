"""The part of the TFLite schema that the challenge reads, as data."""

from typing import NamedTuple

from ai_edge_litert import schema_py_generated as schema


class Field(NamedTuple):
    """A slot of a table."""

    name: str
    form: str
    """``number``, ``text``, ``numbers``, ``table``, ``tables`` or ``union``."""
    of: str
    """The NumPy code of the number, or the name of the table or union."""


def _field(text):
    name, kind = text.split(":")
    inner = kind.strip("[]<>")
    if kind == "text":
        return Field(name, "text", "u1")
    if kind.startswith("<"):
        return Field(name, "union", inner)
    form = "table" if inner[0].isupper() else "number"
    return Field(name, f"{form}s" if kind.startswith("[") else form, inner)


def _tables(**texts):
    return {name: tuple(map(_field, text.split())) for name, text in texts.items()}


TABLES = _tables(
    Model="version:u4 operator_codes:[OperatorCode] subgraphs:[SubGraph] description:text"
    " buffers:[Buffer] metadata_buffer:[i4] metadata:[Metadata] signature_defs:[SignatureDef]",
    OperatorCode="deprecated_builtin_code:i1 custom_code:text version:i4 builtin_code:i4",
    SubGraph="tensors:[Tensor] inputs:[i4] outputs:[i4] operators:[Operator] name:text"
    " debug_metadata_index:i4",
    Tensor="shape:[i4] type:i1 buffer:u4 name:text quantization:QuantizationParameters"
    " is_variable:u1 sparsity:SparsityParameters shape_signature:[i4] has_rank:u1",
    Operator="opcode_index:u4 inputs:[i4] outputs:[i4] builtin_options_type:u1"
    " builtin_options:<BuiltinOptions> custom_options:[u1] custom_options_format:i1"
    " mutating_variable_inputs:[u1] intermediates:[i4] large_custom_options_offset:u8"
    " large_custom_options_size:u8 builtin_options_2_type:u1 builtin_options_2:<BuiltinOptions2>"
    " debug_metadata_index:i4",
    Buffer="data:[u1] offset:u8 size:u8",
    QuantizationParameters="min:[f4] max:[f4] scale:[f4] zero_point:[i8] details_type:u1"
    " details:<QuantizationDetails> quantized_dimension:i4",
    SparsityParameters="traversal_order:[i4] block_map:[i4] dim_metadata:[DimensionMetadata]",
    DimensionMetadata="format:i1 dense_size:i4 array_segments_type:u1"
    " array_segments:<SparseIndexVector> array_indices_type:u1 array_indices:<SparseIndexVector>",
    Int32Vector="values:[i4]",
    Uint16Vector="values:[u2]",
    Uint8Vector="values:[u1]",
    Metadata="name:text buffer:u4",
    SignatureDef="inputs:[TensorMap] outputs:[TensorMap] signature_key:text _:text"
    " subgraph_index:u4",
    TensorMap="name:text tensor_index:u4",
)
_WITHOUT_FIELDS = """
AbsOptions AddNOptions BatchToSpaceNDOptions BroadcastToOptions CosOptions DensifyOptions
DequantizeOptions EqualOptions ExpOptions ExpandDimsOptions FillOptions FloorDivOptions
FloorModOptions GatherNdOptions GreaterEqualOptions GreaterOptions HardSwishOptions
LessEqualOptions LessOptions LogSoftmaxOptions LogicalAndOptions LogicalNotOptions
LogicalOrOptions MaximumMinimumOptions NegOptions NotEqualOptions PadOptions PadV2Options
PowOptions QuantizeOptions SelectOptions SelectV2Options SignOptions SliceOptions
SpaceToBatchNDOptions SquareOptions SquaredDifferenceOptions TileOptions TransposeOptions
ZerosLikeOptions
"""
OPTIONS = _tables(
    Conv2DOptions="padding:i1 stride_w:i4 stride_h:i4 fused_activation_function:i1"
    " dilation_w_factor:i4 dilation_h_factor:i4 quantized_bias_type:i1",
    DepthwiseConv2DOptions="padding:i1 stride_w:i4 stride_h:i4 depth_multiplier:i4"
    " fused_activation_function:i1 dilation_w_factor:i4 dilation_h_factor:i4",
    TransposeConvOptions="padding:i1 stride_w:i4 stride_h:i4 fused_activation_function:i1"
    " quantized_bias_type:i1",
    Pool2DOptions="padding:i1 stride_w:i4 stride_h:i4 filter_width:i4 filter_height:i4"
    " fused_activation_function:i1",
    FullyConnectedOptions="fused_activation_function:i1 weights_format:i1 keep_num_dims:u1"
    " asymmetric_quantize_inputs:u1 quantized_bias_type:i1",
    BatchMatMulOptions="adj_x:u1 adj_y:u1 asymmetric_quantize_inputs:u1",
    SoftmaxOptions="beta:f4",
    ConcatenationOptions="axis:i4 fused_activation_function:i1",
    AddOptions="fused_activation_function:i1 pot_scale_int16:u1",
    SubOptions="fused_activation_function:i1 pot_scale_int16:u1",
    MulOptions="fused_activation_function:i1",
    DivOptions="fused_activation_function:i1",
    L2NormOptions="fused_activation_function:i1",
    ResizeBilinearOptions="_:i4 _:i4 align_corners:u1 half_pixel_centers:u1",
    ResizeNearestNeighborOptions="align_corners:u1 half_pixel_centers:u1",
    ReshapeOptions="new_shape:[i4]",
    SqueezeOptions="squeeze_dims:[i4]",
    SpaceToDepthOptions="block_size:i4",
    DepthToSpaceOptions="block_size:i4",
    GatherOptions="axis:i4 batch_dims:i4",
    ReducerOptions="keep_dims:u1",
    SplitOptions="num_splits:i4",
    SplitVOptions="num_splits:i4",
    StridedSliceOptions="begin_mask:i4 end_mask:i4 ellipsis_mask:i4 new_axis_mask:i4"
    " shrink_axis_mask:i4 offset:u1",
    CastOptions="in_data_type:i1 out_data_type:i1",
    ShapeOptions="out_type:i1",
    PackOptions="values_count:i4 axis:i4",
    UnpackOptions="num:i4 axis:i4",
    LeakyReluOptions="alpha:f4",
    MirrorPadOptions="mode:i1",
    GeluOptions="approximate:u1",
    **dict.fromkeys(_WITHOUT_FIELDS.split(), ""),
)
TABLES |= OPTIONS
UNIONS = {
    "BuiltinOptions": {getattr(schema.BuiltinOptions, name): name for name in OPTIONS},
    "BuiltinOptions2": {},
    "QuantizationDetails": {},
    "SparseIndexVector": {
        getattr(schema.SparseIndexVector, name): name
        for name in ("Int32Vector", "Uint16Vector", "Uint8Vector")
    },
}


def union_member(union, number):
    """What the schema calls a member of a union."""
    names = {value: name for name, value in vars(getattr(schema, union)).items()}
    return names.get(number, f"{union} of number {number}")
