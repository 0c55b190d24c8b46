"""Which calls get a fused kernel, which the definition, and what is said where a kernel is demanded in vain."""

import importlib
import subprocess

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode

from zoo.activations import fles, kernel, salu, salu_add_swalu
from zoo.activations.channel_means import positive_mean
from zoo.errors import ConfigurationError
from zoo.kernels import selection
from zoo.kernels.custom_ops import operator
from zoo.kernels.selection import KernelWarning, find, unavailable

LARGE = selection.WORTH_ON_CPU


@pytest.fixture(autouse=True)
def with_kernels(monkeypatch) -> None:
    """What is chosen does not depend on whether this machine has a compiler; nothing here is computed by a kernel."""
    monkeypatch.setattr(selection, "_cpu", lambda: None)


def salu_inputs(n: int = LARGE, **kwargs: object) -> tuple[Tensor, Tensor, Tensor]:
    return torch.zeros(n, **kwargs), torch.tensor(1.0), torch.tensor(1.0)


def test_a_large_tensor_gets_the_kernel_and_a_small_one_the_definition() -> None:
    assert find("salu", salu_inputs(), required=False) is operator("salu")
    assert find("salu", salu_inputs(LARGE - 1), required=False) is None
    assert find("salu", salu_inputs(2), required=True) is operator("salu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_dtypes_with_a_kernel(dtype: torch.dtype) -> None:
    assert find("swalu", salu_inputs(dtype=dtype), required=False) is operator("swalu")


class Mine(Tensor):
    pass


class Watching(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


def column() -> tuple[Tensor, Tensor, Tensor]:
    return torch.zeros(LARGE // 4, 4), torch.ones(4), torch.tensor(1.0)


MISFITS = {
    "x is torch.float64": lambda: salu_inputs(dtype=torch.float64),
    "the tensors are on meta": lambda: tuple(t.to("meta") for t in salu_inputs()),
    "the tensors are on cpu, meta": lambda: (salu_inputs()[0].to("meta"), *salu_inputs()[1:]),
    "a tensor is of a subclass": lambda: (salu_inputs()[0].as_subclass(Mine), *salu_inputs()[1:]),
    "a coefficient is no scalar": column,
}


def test_a_coefficient_of_one_element_is_a_scalar() -> None:
    x, *_ = salu_inputs()
    for shape in ((), (1,), (1,) * x.ndim):
        assert find("salu", (x, torch.ones(shape), torch.ones(())), required=False) is operator("salu")


@pytest.mark.parametrize("reason", MISFITS)
def test_what_does_not_fit_gets_the_definition_or_a_reason(reason: str) -> None:
    inputs = MISFITS[reason]()
    assert find("salu", inputs, required=False) is None
    with pytest.raises(ConfigurationError, match=rf'salu\(kernel="fused"\): .*{reason}.* Use kernel="auto"\.'):
        find("salu", inputs, required=True)


def test_a_shortcut_of_another_shape_does_not_fit() -> None:
    x, a, b = salu_inputs()
    assert find("salu_add_swalu", (x, a, b, x, a, b), required=False) is operator("salu_add_swalu")
    for skip in (x[:1], x.half()):
        assert find("salu_add_swalu", (x, a, b, skip, a, b), required=False) is None
    with pytest.raises(ConfigurationError, match="the shortcut has another shape or dtype"):
        salu_add_swalu(x, 1.0, 1.0, x[:1], 1.0, 1.0, kernel="fused")


def test_transforms_and_watchers_see_the_definition() -> None:
    inputs = salu_inputs()
    chosen: list[object] = []
    torch.func.vmap(lambda x: [chosen.append(find("salu", (x, *inputs[1:]), required=False)), x][1])(inputs[0])
    with forward_ad.dual_level():
        chosen.append(find("salu", inputs, required=False))
    with Watching():
        chosen.append(find("salu", inputs, required=False))
    assert chosen == [None, None, None]
    assert find("salu", inputs, required=False) is not None


def test_fles_keeps_every_bit_of_silu_unless_it_is_trained() -> None:
    x, one = torch.randn(LARGE // 4, 4), torch.ones(4)
    assert find("fles", (x, one, one), required=False) is None
    assert find("fles", (x.requires_grad_(), one, one), required=False) is operator("fles")
    with torch.no_grad():
        assert find("fles", (x, one, one), required=False) is None
        assert find("fles", (x, one, one), required=True) is operator("fles")


def test_coefficients_of_fles_along_three_axes_do_not_fit() -> None:
    x, one = torch.randn(LARGE // 8, 4, 2, requires_grad=True), torch.ones(1)
    assert find("fles", (x, one, one), required=False) is operator("fles")
    assert find("fles", (x, torch.ones_like(x), one), required=False) is None


def test_plain_asks_for_no_kernel(monkeypatch) -> None:
    monkeypatch.setattr(selection, "find", lambda *args, **kwargs: pytest.fail("asked for a kernel"))
    x = torch.zeros(LARGE)
    salu(x, 1.0, 1.0, kernel="plain")
    with kernel("plain"):
        salu(x, 1.0, 1.0)
        fles(x, 1.0, 1.0)
        positive_mean(x.view(4, -1), 1, LARGE // 4)


def test_a_machine_that_cannot_compile_says_so_once_and_computes(monkeypatch) -> None:
    monkeypatch.setattr(selection, "_cpu", lambda: "no C++ compiler was found")
    selection._warn_once.cache_clear()
    x = torch.randn(LARGE)
    with pytest.warns(KernelWarning, match=r"not used: no C\+\+ compiler was found.*kernel\(\"plain\"\) silences this"):
        first = salu(x, 1.0, 1.0)
    torch.testing.assert_close(salu(x, 1.0, 1.0), first, rtol=0, atol=0)  # and no second warning, which would raise
    with pytest.raises(ConfigurationError, match="no fused kernel fits, no C"):
        salu(x, 1.0, 1.0, kernel="fused")
    selection._warn_once.cache_clear()


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'triton'", name="triton"),
        RuntimeError("Failed to find C compiler"),
        PermissionError(13, "Permission denied", "/.triton"),
        subprocess.CalledProcessError(1, ["cc", "main.c"]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_triton_that_does_not_start_is_a_reason(error: Exception, monkeypatch) -> None:
    """Its launcher is compiled C, kept in a folder: what the CPU's kernels may lack, it may lack too."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(importlib, "import_module", fail)
    selection._triton.cache_clear()
    selection._warn_once.cache_clear()
    with pytest.warns(KernelWarning, match="Triton does not run here"):
        reason = unavailable("cuda", True)
    assert unavailable("cuda", True) == reason  # and no second warning, which would raise
    assert {"triton": "not installed"}.get(getattr(error, "name", ""), str(error).rstrip(".")) in str(reason)
    selection._triton.cache_clear()
    selection._warn_once.cache_clear()
