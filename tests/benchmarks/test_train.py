import json
from itertools import cycle

import pytest
import torch
from torch.nn import functional as F

from zoo.benchmarks import training_speed
from zoo.benchmarks.step import Learner, StepSetting
from zoo.benchmarks.training_memory import StepMemory
from zoo.benchmarks.training_speed import MODELS, _setting, bench_train
from zoo.errors import ConfigurationError, DivergedError, UnknownNameError

NAME = "salunet_c18_cifar"
TINY = {"device": "cpu", "size": 8, "batch_size": 4, "precision": "float32", "runs": 1, "warmup": 1}
CPU = torch.device("cpu")


@pytest.fixture
def built(monkeypatch):
    """The learners made, and for each step: whose, whether compiled, and which implementation."""
    learners, steps = [], []

    class Noted(Learner):
        def __init__(self, *given):
            learners.append(given)
            super().__init__(*given)

        def step(self, call, which):
            steps.append(("twin" if self is self.second else "own", call is not self.network, which))
            return torch.zeros(())

        @property
        def second(self):
            return self if not self.bounded else None

    monkeypatch.setattr(training_speed, "Learner", Noted)
    monkeypatch.setattr(torch, "compile", lambda module, **options: lambda x: module(x))
    return learners, steps


@pytest.fixture
def seconds(monkeypatch):
    """own eager 1 s, twin eager 2 s, own plain 3 s, own compiled 4 s, twin compiled 5 s."""

    def stopwatch(device):
        given = cycle([1.0, 2.0, 3.0, 4.0, 5.0])

        def run(work):
            work()
            return next(given)

        return run

    monkeypatch.setattr(training_speed, "synchronised", stopwatch)


def test_the_sides_take_turns_and_are_divided_by_their_twin(built, seconds):
    result = bench_train([NAME], **TINY | {"runs": 2})
    learners, steps = built
    turn = [
        ("own", False, "auto"),
        ("twin", False, "auto"),
        ("own", False, "plain"),
        ("own", True, "auto"),
        ("twin", True, "auto"),
    ]
    assert steps == turn * 3
    assert [(name, changes) for name, changes, _, _ in learners] == [
        (NAME, {}),
        (NAME, {"norm": "batchnorm", "act": "relu"}),
    ]
    assert [(row.mode, row.ratio.median) for row in result.rows] == [("eager", 0.5), ("plain", 1.5), ("compiled", 0.8)]
    assert [row.times.median_ms for row in result.rows] == [1000, 3000, 4000]
    assert [row.twin_times.median_ms for row in result.rows] == [2000, 2000, 5000]
    assert {row.twin for row in result.rows} == {"batchnorm + relu"}
    assert result.rows[0].setting == StepSetting(batch_size=4, size=8, precision="float32", channels_last=True)


@pytest.mark.parametrize(("mode", "modes"), [("eager", ["eager", "plain"]), ("compiled", ["compiled"])])
def test_one_mode_alone(built, mode, modes):
    result = bench_train([NAME], mode=mode, **TINY)
    assert [row.mode for row in result.rows] == modes
    assert {compiled for _, compiled, _ in built[1]} == {mode == "compiled"}


def test_memory_is_asked_for_each_way_once(built, monkeypatch):
    asked = []

    def memory(subject):
        asked.append(subject)
        return StepMemory(saved_bytes=len(asked), peak_bytes=10 * len(asked))

    monkeypatch.setattr(training_speed, "step_memory", memory)
    result = bench_train([NAME], mode="eager", memory=True, **TINY)
    assert [(subject.which, subject.changes, subject.compiled) for subject in asked] == [
        ("auto", {}, False),
        ("auto", {"norm": "batchnorm", "act": "relu"}, False),
        ("plain", {}, False),
    ]
    assert all(subject.setting == result.rows[0].setting and subject.model == NAME for subject in asked)
    assert [(row.memory.saved_bytes, row.twin_memory.saved_bytes) for row in result.rows] == [(1, 2), (3, 2)]


def test_real_steps_and_json():
    result = bench_train([NAME], mode="eager", **TINY)
    stored = json.loads(json.dumps(result.to_dict()))
    assert [row["mode"] for row in stored["rows"]] == ["eager", "plain"]
    first = stored["rows"][0]
    assert first["times"]["median_ms"] / first["twin_times"]["median_ms"] == pytest.approx(first["ratio"]["median"])
    assert first["memory"] is None
    assert stored["machine"]["device"] == "cpu"


def learner(**changes):
    return Learner(NAME, {}, StepSetting(batch_size=4, size=8, **changes), CPU)


def test_a_step_is_one_of_sgd_with_momentum():
    """Two steps against the same by hand; the scalars of SALU stay positive."""
    ours, other = learner(), learner()
    state = {name: p.detach().clone() for name, p in other.network.named_parameters()}
    moments = {name: torch.zeros_like(p) for name, p in state.items()}
    decayed = {id(p) for group in ours.optimizer.param_groups if group["weight_decay"] for p in group["params"]}
    names = {id(p): name for name, p in ours.network.named_parameters()}
    decay = {name: 5e-4 if key in decayed else 0.0 for key, name in names.items()}
    for _ in range(2):
        other.network.load_state_dict(state, strict=False)
        loss = F.cross_entropy(other.network(other.images), other.labels)
        grads = torch.autograd.grad(loss, [*other.network.parameters()])
        for (name, p), grad in zip(other.network.named_parameters(), grads, strict=True):
            moments[name] = 0.9 * moments[name] + grad + decay[name] * p.detach()
            state[name] = p.detach() - 1e-4 * moments[name]
        assert torch.allclose(ours.step(ours.network, "plain"), loss)
    for name, parameter in ours.network.named_parameters():
        assert torch.allclose(parameter, state[name], atol=1e-7), name
    assert all(parameter.grad is None for parameter in ours.network.parameters()), "no gradient between two steps"
    assert decay["conv1.weight"] == 5e-4
    assert ours.bounded
    ours.bounded[0].data.neg_()
    ours.step(ours.network, "plain")
    assert ours.bounded[0].item() > 0


def test_batch_weights_and_layout_are_the_setting_s():
    before = torch.get_rng_state()
    first, second = learner(channels_last=True), learner(channels_last=True)
    assert torch.equal(torch.get_rng_state(), before), "the caller's random numbers go on as they were"
    assert torch.equal(first.images, second.images)
    assert first.images.shape == (4, 3, 8, 8)
    assert first.images.is_contiguous(memory_format=torch.channels_last)
    assert first.network.layer1[0].conv1.weight.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(a, b) for a, b in zip(first.network.parameters(), second.network.parameters(), strict=True))
    assert len(set(first.labels.tolist())) > 1


def test_what_is_held_between_steps():
    own = learner()
    weights = sum(p.numel() for p in own.network.parameters())
    own.step(own.network, "plain")
    held = sum(tensor.numel() for tensor in own.held())
    assert held == 2 * weights + 4 * 3 * 8 * 8 + 4, "weights, momentum, images and labels; SaluNet has no buffers"


def test_autocast_is_on_where_it_is_asked_for():
    own, seen = learner(precision="bfloat16"), []
    own.network.conv1.register_forward_hook(lambda module, given, output: seen.append(output.dtype))
    assert own.step(own.network, "plain").dtype == torch.float32
    assert seen == [torch.bfloat16]


def test_attention_is_plain_on_a_cpu():
    own = Learner("salunet_t_cifar", {}, StepSetting(batch_size=2, size=32), CPU)
    attention = [module for module in own.network.modules() if hasattr(module, "fused_attn")]
    assert attention
    assert not any(module.fused_attn for module in attention)


def test_times_with_nan_are_refused():
    own = learner()
    own.check("it")
    own.network.conv1.weight.data.fill_(torch.nan)
    with pytest.raises(DivergedError, match="it: the loss is nan"):
        own.check("it")


def test_usual_settings():
    assert MODELS == ("salunet_c18_cifar", "salunet_c50", "salunet_t_cifar")
    gpu = torch.device("cuda")
    assert [_setting(name, CPU, None, None) for name in MODELS] == [(128, 32), (16, 224), (128, 32)]
    assert [_setting(name, gpu, None, None) for name in MODELS] == [(128, 32), (128, 224), (128, 32)]
    assert _setting("salunet_c50", CPU, 3, 64) == (3, 64)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"models": ["salunet_c19"]}, UnknownNameError, "Unknown model 'salunet_c19'"),
        ({"models": [NAME, "fles_minilm_l6"]}, ConfigurationError, "fles_minilm_l6 takes texts"),
        ({"mode": "eagr"}, ConfigurationError, "mode='eagr' .*Nearest: eager"),
        ({"precision": "float8"}, ConfigurationError, "precision='float8' .*Nearest: float"),
    ],
)
def test_wrong_arguments_are_named_before_anything_is_built(built, given, error, message):
    with pytest.raises(error, match=message):
        bench_train(**{"models": [NAME], **TINY, **given})
    assert built == ([], [])


@pytest.mark.slow
def test_the_real_compiler():
    result = bench_train([NAME], mode="both", memory=True, **TINY)
    assert [row.mode for row in result.rows] == ["eager", "plain", "compiled"]
    assert all(row.memory.saved_bytes > 0 for row in result.rows)


@pytest.mark.gpu
def test_on_a_gpu():
    result = bench_train([NAME], **TINY | {"device": "cuda", "precision": "bfloat16"}, memory=True)
    assert all(row.memory.peak_bytes > row.memory.saved_bytes > 0 for row in result.rows)
