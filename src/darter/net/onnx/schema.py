"""ONNX's messages as far as darter reads them, declared to the protobuf library.

The package onnx has the same classes, with all of its fields, and takes longer to import than a
small net takes to run; it loads where a file is written or a shape inferred. What is not declared
here stays in a message as it was read. A test holds each line to the package.

Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from typing import TYPE_CHECKING, Any

MESSAGES = {
    "ModelProto": """
        int64 ir_version = 1; repeated OperatorSetIdProto opset_import = 8;
        string producer_name = 2; string producer_version = 3; GraphProto graph = 7;
        repeated StringStringEntryProto metadata_props = 14;
        repeated FunctionProto functions = 25;""",
    "GraphProto": """
        repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5;
        repeated SparseTensorProto sparse_initializer = 15;
        repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12;
        repeated ValueInfoProto value_info = 13;""",
    "NodeProto": """
        repeated string input = 1; repeated string output = 2; string name = 3;
        string op_type = 4; string domain = 7; repeated AttributeProto attribute = 5;""",
    "FunctionProto": """
        string name = 1; repeated string input = 4; repeated string output = 5;
        repeated string attribute = 6; repeated AttributeProto attribute_proto = 11;
        repeated NodeProto node = 7; repeated OperatorSetIdProto opset_import = 9;
        string domain = 10;""",
    "AttributeProto": """
        string name = 1; string ref_attr_name = 21; AttributeType type = 20;
        float f = 2; int64 i = 3; bytes s = 4; TensorProto t = 5; GraphProto g = 6;
        SparseTensorProto sparse_tensor = 22; repeated float floats = 7; repeated int64 ints = 8;
        repeated bytes strings = 9; repeated TensorProto tensors = 10;
        repeated GraphProto graphs = 11; repeated SparseTensorProto sparse_tensors = 23;""",
    "TensorProto": """
        repeated int64 dims = 1; int32 data_type = 2; packed float float_data = 4;
        packed int32 int32_data = 5; repeated bytes string_data = 6; packed int64 int64_data = 7;
        string name = 8; bytes raw_data = 9; packed double double_data = 10;
        packed uint64 uint64_data = 11; repeated StringStringEntryProto external_data = 13;
        DataLocation data_location = 14;""",
    "SparseTensorProto": """
        TensorProto values = 1; TensorProto indices = 2; repeated int64 dims = 3;""",
    "ValueInfoProto": "string name = 1; TypeProto type = 2;",
    "TypeProto": """
        Tensor tensor_type = 1; Other sequence_type = 4; Other map_type = 5;
        Other opaque_type = 7; Other sparse_tensor_type = 8; Other optional_type = 9;""",
    "Tensor": "int32 elem_type = 1; TensorShapeProto shape = 2;",
    "Other": "",
    "TensorShapeProto": "repeated Dimension dim = 1;",
    "Dimension": "int64 dim_value = 1; string dim_param = 2;",
    "OperatorSetIdProto": "string domain = 1; int64 version = 2;",
    "StringStringEntryProto": "string key = 1; string value = 2;",
}
ONE_OF = ("TypeProto", "Dimension")  # of whose fields a message has one at most
ENUMS = {
    "AttributeType": """
        UNDEFINED FLOAT INT STRING TENSOR GRAPH FLOATS INTS STRINGS TENSORS GRAPHS SPARSE_TENSOR
        SPARSE_TENSORS TYPE_PROTO TYPE_PROTOS""",
    "DataLocation": "DEFAULT EXTERNAL",
    "DataType": """
        UNDEFINED FLOAT UINT8 INT8 UINT16 INT16 INT32 INT64 STRING BOOL FLOAT16 DOUBLE UINT32
        UINT64 COMPLEX64 COMPLEX128 BFLOAT16 FLOAT8E4M3FN FLOAT8E4M3FNUZ FLOAT8E5M2
        FLOAT8E5M2FNUZ UINT4 INT4 FLOAT4E2M1 FLOAT8E8M0""",
}
ENUMS_OF = {"AttributeProto": ("AttributeType",), "TensorProto": ("DataLocation", "DataType")}


def _declared() -> Any:
    """The description of these messages, as protobuf's compiler would write it."""
    from google.protobuf import descriptor_pb2

    file = descriptor_pb2.FileDescriptorProto(name="darter/onnx.proto", package="onnx")
    owner = {enum: message for message, enums in ENUMS_OF.items() for enum in enums}
    for message, fields in MESSAGES.items():
        made = file.message_type.add(name=message)
        if message in ONE_OF:
            made.oneof_decl.add(name="value")
        for enum in ENUMS_OF.get(message, ()):
            values = made.enum_type.add(name=enum).value
            for place, value in enumerate(ENUMS[enum].split()):
                values.add(name=value, number=place)
        for line in fields.split(";")[:-1]:
            *label, kind, name, _, number = line.split()
            field = made.field.add(name=name, number=int(number))
            field.label = field.LABEL_REPEATED if label else field.LABEL_OPTIONAL
            if label == ["packed"]:
                field.options.packed = True
            if message in ONE_OF:
                field.oneof_index = 0
            if kind in MESSAGES:
                field.type, field.type_name = field.TYPE_MESSAGE, f".onnx.{kind}"
            elif kind in owner:
                field.type, field.type_name = field.TYPE_ENUM, f".onnx.{owner[kind]}.{kind}"
            else:
                field.type = getattr(field, f"TYPE_{kind.upper()}")
    return file


if TYPE_CHECKING:
    from onnx import AttributeProto, ModelProto, TensorProto
else:
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass

    _pool = DescriptorPool()  # of its own: the package onnx declares the same names
    _pool.AddSerializedFile(_declared().SerializeToString())
    AttributeProto, ModelProto, TensorProto = (
        GetMessageClass(_pool.FindMessageTypeByName(f"onnx.{name}"))
        for name in ("AttributeProto", "ModelProto", "TensorProto")
    )

__all__ = ["AttributeProto", "ModelProto", "TensorProto"]
