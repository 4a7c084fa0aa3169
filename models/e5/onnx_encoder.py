"""The encoder as an ONNX graph of 8-bit matrix products; activations are quantised while the graph runs.

The graph encodes one text at a time. A text's activations are quantised by their own range, so its vector does not
depend on the texts that are embedded at the same time, and no time is spent on padding.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from llm4tag.models.e5.weights import Blocks, E5Weights, Floats32

_LEVELS = 63
"""Weights have seven bits, as processors without VNNI add two products in 16 bits, where eight bits overflow."""
_OPSET = 18
_IR = 9
_MICROSOFT = "com.microsoft"


def encoder(weights: E5Weights) -> bytes:
    """Return the serialised graph of BERT with mean pooling.

    Its input ``embedded`` has the shape (1, tokens, width), its output ``mean`` the shape (1, width).
    """
    graph = _Graph(weights.epsilon)
    width, inner = weights.width, weights.inner
    flow = graph.node(
        "LayerNormalization",
        ["embedded", *graph.constants("norm", weights.vector("emb.ln.w"), weights.vector("emb.ln.b"))],
        axis=-1,
        epsilon=weights.epsilon,
    )
    for layer in range(weights.layers):
        name = f"l{layer}"
        joint = np.concatenate([weights.matrix(f"{name}.{part}.w", width) for part in "qkv"])
        bias = np.concatenate([weights.vector(f"{name}.{part}.b") for part in "qkv"])
        parts = graph.split(graph.product(flow, f"{name}.qkv", joint, bias), 3)
        attended = graph.node("MultiHeadAttention", parts, domain=_MICROSOFT, num_heads=weights.heads)
        output = graph.product(
            attended, f"{name}.ao", weights.matrix(f"{name}.ao.w", width), weights.vector(f"{name}.ao.b")
        )
        flow = graph.add_and_normalise(output, flow, weights, f"{name}.aln")
        wide = graph.product(flow, f"{name}.fi", weights.matrix(f"{name}.fi.w", width), None)
        biased = graph.constants(f"{name}.fi.bias", weights.vector(f"{name}.fi.b"))
        wide = graph.node("BiasGelu", [wide, *biased], domain=_MICROSOFT)
        narrow = graph.product_in_blocks(
            wide, f"{name}.fo", weights.blocks(f"{name}.fo.w", inner), weights.vector(f"{name}.fo.b")
        )
        flow = graph.add_and_normalise(narrow, flow, weights, f"{name}.oln")
    axes = graph.constants("tokens", np.array([1], dtype=np.int64))
    graph.node("ReduceMean", [flow, *axes], outputs=["mean"], keepdims=0)
    return graph.serialised(width)


class _Graph:
    """Collects the nodes and constants of a graph."""

    def __init__(self, epsilon: float) -> None:
        import onnx

        self._onnx = onnx
        self._epsilon = epsilon
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def node(
        self,
        kind: str,
        inputs: Sequence[str],
        domain: str = "",
        outputs: Sequence[str] = (),
        **attributes: Any,
    ) -> str:
        """Add a node; return its first output."""
        outputs = list(outputs) or [f"{kind}.{len(self._nodes)}"]
        self._nodes.append(self._onnx.helper.make_node(kind, inputs, outputs, domain=domain, **attributes))
        return outputs[0]

    def split(self, value: str, count: int) -> list[str]:
        """Split a value into equal parts along its last dimension; return their names."""
        parts = [f"{value}.{number}" for number in range(count)]
        self.node("Split", [value], outputs=parts, axis=-1, num_outputs=count)
        return parts

    def constants(self, name: str, *arrays: Any) -> list[str]:
        """Add constants; return their names."""
        names = [f"{name}.{number}" for number in range(len(arrays))]
        for each, array in zip(names, arrays, strict=True):
            self._constants.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(array), each))
        return names

    def product(self, value: str, name: str, matrix: Floats32, bias: Floats32 | None) -> str:
        """Multiply by the transposed matrix, quantised with one scale for each row; return the product's name."""
        scales = np.abs(matrix).max(axis=1) / _LEVELS
        levels = np.rint(matrix / np.maximum(scales, 1e-12)[:, None]).astype(np.int8)
        matrix_name, scale_name = self.constants(name, levels.T, scales.astype(np.float32))
        biased = [] if bias is None else self.constants(f"{name}.bias", bias)
        inputs = [value, matrix_name, scale_name, "", *biased]
        return self.node("DynamicQuantizeMatMul", inputs, domain=_MICROSOFT)

    def product_in_blocks(self, value: str, name: str, blocks: Blocks, bias: Floats32) -> str:
        """Multiply by the transposed matrix with the file's own weights, one scale for 32 weights or activations.

        This is slower, but the activation function leaves outliers, for which one scale a row is too coarse: with
        it recall@50 on short sentences fell from .868 to .837 (ESCO dev).
        """
        rows, count, half = blocks.halves.shape
        names = self.constants(name, blocks.halves, blocks.scales)
        size = {"N": rows, "K": count * half * 2, "bits": 4, "block_size": half * 2, "accuracy_level": 4}
        product = self.node("MatMulNBits", [value, *names], domain=_MICROSOFT, **size)
        return self.node("Add", [product, *self.constants(f"{name}.bias", bias)])

    def add_and_normalise(self, value: str, skipped: str, weights: E5Weights, name: str) -> str:
        """Add the skipped connection and normalise; return the result's name."""
        norm = self.constants(name, weights.vector(f"{name}.w"), weights.vector(f"{name}.b"))
        return self.node(
            "SkipLayerNormalization", [value, skipped, *norm], domain=_MICROSOFT, epsilon=self._epsilon
        )

    def serialised(self, width: int) -> bytes:
        """Return the graph as bytes."""
        helper, kind = self._onnx.helper, self._onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self._nodes,
            "e5",
            [helper.make_tensor_value_info("embedded", kind, [1, "tokens", width])],
            [helper.make_tensor_value_info("mean", kind, [1, width])],
            self._constants,
        )
        versions = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=versions, ir_version=_IR)
        return bytes(model.SerializeToString())
