"""What is counted as elementwise work, and what it moves."""

import onnx_ir as ir
from passes.graphs import Builder

from export.cost import elementwise_cost


def test_reads_and_writes_are_counted_at_batch_size_one():
    build = Builder((7, 4, 5, 5))
    build.x.shape = ir.Shape(["batch", 4, 5, 5])
    scaled = build.standard("Mul", build.x, build.weight(4, 1, 1))  # reads and writes one map; weights do not count
    added = build.standard("Add", scaled, build.x)  # two in, one out
    pooled = build.standard("GlobalAveragePool", build.ours("Salu", added, 1.0, 1.0), shape=("batch", 4, 1, 1))
    cost = elementwise_cost(build.model(pooled).graph)
    assert cost.nodes == 3
    assert cost.bytes == (2 + 3 + 2) * 4 * 25 * 4


def test_tokens_count_as_128_and_shapes_as_nothing():
    build = Builder((1, 1))
    build.x.shape = ir.Shape(["batch", "tokens"])
    shape = build.standard("Add", build.weight(3), build.weight(3), shape=(3,))
    cost = elementwise_cost(build.model(build.standard("Neg", build.x), shape).graph)
    assert (cost.nodes, cost.bytes) == (1, 2 * 128 * 4)
