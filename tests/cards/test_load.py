"""A weights file into a module: every way it can be wrong gets its own words."""

import hashlib

import pytest
import torch
from safetensors.torch import load_file, save_file

from zoo.errors import WeightsCorruptError, WeightsMismatchError, WeightsNotFoundError
from zoo.files import sha256_of
from zoo.models import build_model
from zoo.weights.load import load_weights, read_weights, save_weights

from .cases import MODEL


@pytest.fixture
def file(tmp_path, state):
    path = tmp_path / "model.safetensors"
    save_weights(path, state)
    return path


def test_round_trip_through_float16(file, state):
    model = build_model(MODEL, num_classes=3)
    load_weights(model, read_weights(file, sha256_of(file)), "file")
    for name, value in model.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, state[name]), name


def test_only_matrices_are_rounded(tmp_path, state):
    state["norm.b"] = torch.tensor(1.0 + 2**-20)
    save_weights(tmp_path / "w.safetensors", state)
    stored = load_file(tmp_path / "w.safetensors")
    assert stored["norm.b"] == state["norm.b"]
    assert {value.dtype for value in stored.values() if value.ndim > 1} == {torch.float16}


def test_the_same_weights_give_the_same_file(tmp_path, state):
    first = save_weights(tmp_path / "a.safetensors", state)
    assert first == save_weights(tmp_path / "b.safetensors", dict(reversed(state.items())))
    assert first == hashlib.sha256((tmp_path / "a.safetensors").read_bytes()).hexdigest()


def test_the_file_is_readable_by_others(file, tmp_path):
    (tmp_path / "plain").write_text("")
    assert file.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_missing_file(tmp_path):
    with pytest.raises(WeightsNotFoundError, match=r"nothing\.safetensors"):
        read_weights(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_truncated_file(file, keep):
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(WeightsCorruptError, match="truncated"):
        read_weights(file)


def test_file_of_another_format(tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsCorruptError, match="zoo adopt"):
        read_weights(tmp_path / "w.safetensors")


def test_one_flipped_bit_changes_the_hash(file):
    pinned = sha256_of(file)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(WeightsMismatchError) as caught:
        read_weights(file, pinned)
    assert pinned in str(caught.value)
    assert sha256_of(file) in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_named(tmp_path, state, value):
    state["head.weight"][1, 2] = value
    state["norm.a"] = torch.tensor(value)
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(WeightsMismatchError, match=r"in 2 of \d+ tensors: .*head\.weight"):
        read_weights(tmp_path / "w.safetensors")
    with pytest.raises(WeightsMismatchError, match=r"norm\.a"):
        save_weights(tmp_path / "new.safetensors", state)
    assert not (tmp_path / "new.safetensors").exists()


def test_overflow_of_float16_is_refused(tmp_path, state):
    state["head.weight"][0, 0] = 1e6
    with pytest.raises(WeightsMismatchError, match=r"stored as float16.*head\.weight"):
        save_weights(tmp_path / "w.safetensors", state)
    save_weights(tmp_path / "w.safetensors", state, "bfloat16")


def test_every_name_that_does_not_fit_is_listed_with_both_sides(state):
    model = build_model(MODEL, num_classes=3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state["head.weight"] = torch.zeros(5, 8)
    state["old.bias"] = torch.zeros(4)
    del state["norm.a"]
    state["head.bias"] = torch.zeros(3, dtype=torch.int64)
    with pytest.raises(WeightsMismatchError) as caught:
        load_weights(model, state, "weights.safetensors")
    text = str(caught.value)
    assert text.startswith("weights.safetensors does not fit CifarTransformer: 4 of ")
    assert "head.weight: file has (5, 8), model needs (3, 8)" in text
    assert "norm.a: file has nothing, model needs (1,)" in text
    assert "old.bias: file has (4,), model has nothing of that name" in text
    assert "head.bias: file has torch.int64, model needs torch.float32" in text
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
