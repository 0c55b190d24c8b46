"""The largest value of each node, found inside the graph."""

import numpy as np
import onnx
import torch
from tiny_model import SIZE

from export.digest import load_to_change
from export.parity.range_probe import largest_values, near_largest
from export.runtime.session import open_session, run_session

IMAGES = torch.randn(2, *SIZE, generator=torch.Generator().manual_seed(0))


def test_sizes_are_those_of_the_values(exported):
    found = largest_values(exported.path.read_bytes(), {"image": IMAGES}, threads=1)
    proto = load_to_change(exported.path.read_bytes())
    names = {node.output[0]: node.name for node in proto.graph.node}
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name != "logits")
    session = open_session(proto.SerializeToString(), optimize=False, threads=1)
    values = run_session(session, {"image": IMAGES.numpy()}, list(names))
    assert set(found) == set(names.values())
    for name, value in zip(names.values(), values, strict=True):
        np.testing.assert_allclose(found[name], np.abs(value).max(), rtol=1e-5)


def test_near_is_a_quarter_and_masks_are_left_out():
    sizes = {"far": 16000.0, "near": 17000.0, "beyond": 1e6, "infinite": float("inf"), "mask": 3.4e38}
    assert near_largest(sizes) == ("beyond 1e+06", "near 1.7e+04")
