"""A trained network as ONNX, for use, and as safetensors, for training on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aurigrid.errors import MissingExtraError
from aurigrid.model.table import Array

OPSET = 17
_IR_VERSION = 8


def to_onnx(
    weights: Sequence[tuple[Array, Array]], centre: Array, scale: Array, mean: Array, spread: Array, *, bound: float = 5.0
) -> bytes:  # fmt: skip
    """The network of `aurigrid.learn.mlp` as an ONNX file: features (k, n) float32 in, scores (k, 1) float32 out."""
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise MissingExtraError("onnx", "learn", "export") from error
    held: list[Any] = []
    nodes: list[Any] = []

    def constant(name: str, value: Array) -> str:
        held.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    def node(kind: str, *inputs: str, out: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    z = node("Sub", "features", constant("centre", centre), out="moved")
    z = node("Div", z, constant("scale", scale), out="scaled")
    z = node("Asinh", z, out="bent")
    z = node("Sub", z, constant("mean", mean), out="centred")
    z = node("Div", z, constant("spread", spread), out="even")
    z = node("Clip", z, constant("least", np.array(-bound)), constant("most", np.array(bound)), out="z")
    for k, (w, b) in enumerate(weights):
        last = k == len(weights) - 1
        z = node("Gemm", z, constant(f"w{k}", w), constant(f"b{k}", b), out="score" if last else f"sum{k}", transB=1)
        z = z if last else node("Relu", z, out=f"layer{k}")
    told = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["pairs", len(scale)])
    said = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["pairs", 1])
    graph = helper.make_graph(nodes, "pairs", [told], [said], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="aurigrid")
    model.ir_version = _IR_VERSION
    return bytes(model.SerializeToString())


def to_safetensors(
    weights: Sequence[tuple[Array, Array]], centre: Array, scale: Array, mean: Array, spread: Array
) -> bytes:  # fmt: skip
    """Weights and scaling as a safetensors file."""
    try:
        from safetensors.numpy import save
    except ImportError as error:
        raise MissingExtraError("safetensors", "learn", "export") from error
    tensors = {"centre": centre, "scale": scale, "mean": mean, "spread": spread}
    for k, (w, b) in enumerate(weights):
        tensors |= {f"{k}.weight": w, f"{k}.bias": b}
    return bytes(save({name: np.ascontiguousarray(t, np.float32) for name, t in tensors.items()}))
