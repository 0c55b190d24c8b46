"""`make_gate` builds every gate by its name, and says what is wrong where it cannot."""

import pytest
import torch
from torch import nn

from zoo.activations import FleS, activation_spec, list_gates, make_gate
from zoo.activations.gates import gate_spec
from zoo.errors import ConfigurationError, UnknownNameError

MAPS = ["frelu"]
PLAIN = ["relu", "gelu", "silu", "mish", "swalu", "galu", "pserf", "smu", "smu_1", "star_relu"]


@pytest.mark.parametrize("name", list_gates())
def test_every_gate_on_maps_and_on_tokens(name: str) -> None:
    gate = make_gate(name, 6, 1)
    assert activation_spec(gate) is gate_spec(name)
    x = torch.randn(2, 6, 4, 4)
    y = gate(x)
    assert y.shape == x.shape
    assert y.isfinite().all()
    assert gate.training
    if name not in MAPS:
        assert make_gate(name, 6)(x.movedim(1, -1)).shape == (2, 4, 4, 6)


@pytest.mark.parametrize("name", list_gates())
def test_every_call_makes_its_own_parameters(name: str) -> None:
    one, two = make_gate(name, 6, 1), make_gate(name, 6, 1)
    assert not {id(p) for p in one.parameters()} & {id(p) for p in two.parameters()}


@pytest.mark.parametrize("name", PLAIN)
def test_the_width_is_needed_only_where_it_is_used(name: str) -> None:
    x = torch.randn(3, 5)
    torch.testing.assert_close(make_gate(name)(x), make_gate(name, 5)(x))


@pytest.mark.parametrize("name", sorted({*list_gates()} - {*PLAIN}))
def test_a_missing_width_is_named(name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"make_gate\('{name}'\): .*give num_features"):
        make_gate(name, channel_axis=1)


def test_arguments_reach_the_constructor() -> None:
    gate = make_gate("fles", 8, 1, start="identity", steepness=1.702, hidden=4)
    assert isinstance(gate, FleS)
    assert (gate.hidden, gate.steepness, gate.variant, gate.channel_axis) == (4, 1.702, "fles", 1)
    assert make_gate("fles_dg", 8).variant == "dg"
    assert make_gate("relu", inplace=True).inplace
    assert isinstance(make_gate("prelu", 8), nn.PReLU)


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown gate 'fels'. Nearest: .*fles"):
        make_gate("fels", 8)
    with pytest.raises(UnknownNameError, match="Unknown gate 'layernorm'"):
        make_gate("layernorm", 8)
    with pytest.raises(UnknownNameError, match="Unknown gate 'salu'"):
        make_gate("salu", 8)
    with pytest.raises(ConfigurationError, match=r"'frelu' looks at neighbouring pixels.*channel_axis=1"):
        make_gate("frelu", 8)
    with pytest.raises(ConfigurationError, match=r"make_gate\('fles_pn', variant=\.\.\.\): the name fixes variant"):
        make_gate("fles_pn", 8, variant="dg")
    with pytest.raises(ConfigurationError, match=r"make_gate\('gelu'\): .*unexpected keyword argument 'beta'"):
        make_gate("gelu", beta=2)
    with pytest.raises(ConfigurationError, match="number of channels"):
        make_gate("acon_c", -2)
