"""Bound inputs and outputs: the same answers as a session gives, for one shape, without new memory."""

import numpy as np
import pytest
import torch
from tiny_model import SIZE

from export import ProviderError, open_session
from export.errors import InputError
from export.runtime.binding import BoundSession, _providers
from export.runtime.providers import CPU, CUDA
from zoo.errors import ConfigurationError, ShapeError

IMAGES = np.random.default_rng(0).normal(size=(3, *SIZE)).astype(np.float32)


def test_answers_are_those_of_a_session(exported):
    bound, plain = BoundSession(exported.path, 3, device="cpu", threads=1), open_session(exported.path, threads=1)
    for images in (IMAGES, -IMAGES, IMAGES[::-1]):
        np.testing.assert_array_equal(bound.run({"image": images})[0], plain.run(None, {"image": images})[0])


def test_buffers_stay_and_results_are_copies(exported):
    bound = BoundSession(exported.path, 3, device="cpu", threads=1)
    places = [value.data_ptr() for value in (*bound._inputs.values(), *bound._outputs.values())]
    first = bound.run({"image": IMAGES})[0]
    kept = first.copy()
    second = bound.run({"image": -IMAGES})[0]
    np.testing.assert_array_equal(first, kept)
    assert np.abs(first - second).max() > 0
    bound.replay()
    np.testing.assert_array_equal(bound.outputs()[0], second)
    assert [value.data_ptr() for value in (*bound._inputs.values(), *bound._outputs.values())] == places


def test_texts(text_exported):
    bound = BoundSession(text_exported.path, 2, tokens=5, device="cpu", threads=1)
    feeds = {name: np.ones((2, 5), np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
    expected = open_session(text_exported.path, threads=1).run(None, feeds)[0]
    np.testing.assert_array_equal(bound.run(feeds)[0], expected)
    with pytest.raises(ConfigurationError, match="give `tokens`"):
        BoundSession(text_exported.path, 2, device="cpu")


def test_other_input_is_refused(exported):
    bound = BoundSession(exported.path, 3, device="cpu", threads=1)
    with pytest.raises(ShapeError, match=r"bound to \(3, 3, 8, 8\) and got \(2, 3, 8, 8\)"):
        bound.run({"image": IMAGES[:2]})
    with pytest.raises(InputError, match=r"takes image: float32 .*; got image: float64 "):
        bound.run({"image": IMAGES.astype(np.float64)})
    with pytest.raises(InputError, match=r"takes image: .*; got picture: "):
        bound.run({"picture": IMAGES})


@pytest.mark.parametrize(("device", "graph"), [("mps", False), ("cpu", True)])
def test_places_that_cannot_be(exported, device, graph):
    with pytest.raises(ConfigurationError, match="only CUDA has graphs"):
        BoundSession(exported.path, device=device, cuda_graph=graph)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_cuda(exported):
    with pytest.raises(ProviderError, match="CUDAExecutionProvider"):
        BoundSession(exported.path)


def test_options_of_a_graph(exported):
    assert _providers(exported.path, "cpu", 0, False) == [(CPU, {})]
    assert _providers(exported.path, "cuda", 1, True) == [
        (CUDA, {"device_id": "1", "enable_cuda_graph": "1"}),
        (CPU, {}),
    ]


@pytest.mark.gpu
@pytest.mark.parametrize("graph", [False, True])
def test_on_a_gpu(exported, graph):
    bound = BoundSession(exported.path, 3, cuda_graph=graph)
    expected = open_session(exported.path).run(None, {"image": IMAGES})[0]
    for _ in range(3):
        np.testing.assert_allclose(bound.run({"image": IMAGES})[0], expected, rtol=0, atol=1e-5)
    assert np.abs(bound.run({"image": -IMAGES})[0] - expected).max() > 1e-3
