"""Reading an ONNX file that may be damaged or hostile, before any runtime sees it."""

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from darter.errors import ModelFileError
from darter.net.budget import enough_memory
from darter.net.collector import collector_at_rest
from darter.net.onnx import schema
from darter.net.onnx.wire import without_weights

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto

LARGEST = 2**31 - 1  # protobuf's own limit; larger models keep their weights in external files


@dataclass(frozen=True)
class ModelFile:
    """A model file as read.

    proto: the parsed message, without the values of large initializers; of `schema`, whose classes
        have the fields of the package onnx that darter reads.
    raw: these values, by number of the initializer: views of the mapped file.
    external: whether weights lie in other files.

    The file is mapped, not copied: replace it by renaming another over it (as darter does), never
    by writing into it while it is in use.
    """

    path: Path
    mapped: memoryview
    proto: "ModelProto"
    raw: Mapping[int, memoryview]
    external: bool

    @property
    def content(self) -> bytes:
        """A copy of the whole file."""
        return bytes(self.mapped)

    def release(self) -> None:
        """Let go of the memory that holds the file's pages; they are read again when needed."""
        if isinstance(self.mapped.obj, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            self.mapped.obj.madvise(mmap.MADV_DONTNEED)


def read_model(path: Path | str) -> ModelFile:
    """Read and parse a model file. ModelFileError says what is wrong with it.

    Weights in external files are not read, but each must lie inside the model's own folder.
    """
    with enough_memory("this model file"), collector_at_rest():
        return _read(Path(path))


def _read(path: Path) -> ModelFile:
    mapped = _mapped(path)
    rest, raw = without_weights(mapped)
    proto = _parsed(schema.ModelProto, path, rest, mapped)
    external = False
    for tensor in _tensors(proto):
        if tensor.data_location == tensor.EXTERNAL or tensor.external_data:
            _check_external(path, tensor)
            external = True
    return ModelFile(path, mapped, proto, raw, external)


def model_in_memory(proto: "ModelProto", name: str) -> ModelFile:
    """A message that was never a file, as if it had been read from `name`."""
    content = proto.SerializeToString()
    return ModelFile(Path(name), memoryview(content), proto, {}, external=False)


def read_whole(path: Path | str) -> "ModelProto":
    """The message with all weights, checked as by `read_model`."""
    from onnx import ModelProto

    model = read_model(path)
    return _parsed(ModelProto, model.path, model.content, model.mapped)


def _parsed(
    kind: type["ModelProto"], path: Path, message: bytes, content: memoryview
) -> "ModelProto":
    from google.protobuf.message import DecodeError

    try:
        proto = kind.FromString(message)
    except DecodeError as error:
        raise ModelFileError(f"{path}: {_what_instead(content)}") from error
    if not proto.HasField("graph") or not proto.graph.node:
        raise ModelFileError(f"{path}: {_what_instead(content, 'holds no graph')}")
    if not all(isinstance(text, str) for text in _texts(proto)):
        raise ModelFileError(f"{path}: {_what_instead(content, 'a name in it is not UTF-8')}")
    return proto


def _mapped(path: Path) -> memoryview:
    try:
        if not path.is_file():
            what = "is a folder, not a model file" if path.is_dir() else "no such model file"
            raise ModelFileError(f"{path}: {what}")
        if path.stat().st_size > LARGEST:
            raise ModelFileError(f"{path}: larger than 2 GB, which no ONNX file can be")
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise ModelFileError(f"{path}: the file is empty")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror or error}") from error


def _what_instead(mapped: memoryview, otherwise: str = "damaged or cut short") -> str:
    content = bytes(mapped[:8])
    if content.startswith(b"PK"):
        return "is a zip archive (a PyTorch or Keras file?), not ONNX; export the model to ONNX"
    if content.startswith((b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF")):
        return "is a picture, not an ONNX model; the model comes first: darter predict MODEL IMAGE"
    if content.startswith((b"\x80", b"\x89HDF")):
        return "is a pickle or HDF5 file, not ONNX; export the model to ONNX"
    return f"not a usable ONNX model: {otherwise}"


def _texts(proto: "ModelProto") -> Iterator[str]:
    """The texts that darter reads; protobuf gives bytes where one is not UTF-8."""
    graph = proto.graph
    for entry in proto.metadata_props:
        yield from (entry.key, entry.value)
    for named in (*graph.input, *graph.output, *graph.initializer):
        yield named.name
    for function in proto.functions:
        yield from (function.name, function.domain, *function.input, *function.output)
        yield from (*function.attribute, *(entry.name for entry in function.attribute_proto))
    bodies = (function.node for function in proto.functions)
    for node in (*graph.node, *(node for body in bodies for node in body)):
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        for entry in node.attribute:
            yield from (entry.name, entry.ref_attr_name)
    for tensor in _tensors(proto):
        for place in tensor.external_data:
            yield from (place.key, place.value, tensor.name)


def _tensors(proto: "ModelProto") -> Iterator["TensorProto"]:
    """Every tensor in the file: initializers, constants and those of nested graphs."""
    graphs: list[GraphProto] = [proto.graph]
    nodes = [node for function in proto.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            nodes.extend(graph.node)
            continue
        for attribute in nodes.pop().attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            graphs.extend((attribute.g, *attribute.graphs))


def _check_external(model: Path, tensor: "TensorProto") -> None:
    """The file that holds a tensor's values must be a plain file inside the model's folder."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    folder = model.parent.resolve()
    where = f"{model}: weights {tensor.name[:60]!r} are said to lie in {location[:200]!r}"
    if not location or "\0" in location:
        raise ModelFileError(f"{where}, which is no file name")
    try:
        file = (folder / location).resolve()
        if not file.is_relative_to(folder):
            raise ModelFileError(f"{where}, outside the model's folder; it may be hostile")
        if not file.is_file():
            raise ModelFileError(f"{where}, but there is no such file; copy it next to the model")
    except (OSError, RuntimeError, ValueError) as error:  # too long, a loop of links, ...
        reason = getattr(error, "strerror", None) or error
        raise ModelFileError(f"{where}, which is no usable file name: {reason}") from None
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", 0))
    except ValueError as error:
        raise ModelFileError(f"{where}, at a place that is no number: {error}") from error
    if offset < 0 or length < 0 or offset + length > file.stat().st_size:
        raise ModelFileError(f"{where}, which is too short; it was cut or is of another model")
