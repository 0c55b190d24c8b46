"""The kernels compile for a GPU that is not there, with the arguments of real launches, and load 16 bytes at a time."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from zoo.kernels import backend
from zoo.kernels import positive_mean as positive_mean_op
from zoo.kernels.custom_ops import operator
from zoo.kernels.positive_mean import positive_mean
from zoo.kernels.triton import tiles

from .cases import NAMES, arranged, fles_inputs, inputs
from .conftest import forget

HOPPER = ("cuda", 90, 32)
KINDS = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16", torch.uint8: "u8"}


class Recorder:
    """Stands in for a kernel: compiles it for the arguments it is launched with, and keeps the PTX."""

    def __init__(self, kernel: Any, found: dict[str, str]) -> None:
        self.kernel, self.found = kernel, found

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        return self.compile

    def compile(self, *args: object, **flags: Any) -> None:
        from triton import compile as compile_kernel
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource

        names = self.kernel.arg_names
        options = {name: flags.pop(name) for name in list(flags) if name not in names}
        signature, constants, aligned = {}, {}, {}
        given = {**dict(zip(names, args, strict=False)), **flags}
        for i, name in enumerate(names):
            value: Any = given[name]
            if isinstance(value, Tensor):
                signature[name] = f"*{KINDS[value.dtype]}"
            elif value is None or name in flags or value == 1:
                signature[name], constants[(i,)] = "constexpr", value
                continue
            else:
                signature[name] = "i32" if value < 2**31 else "i64"
            if (value.data_ptr() if isinstance(value, Tensor) else value) % 16 == 0:
                aligned[(i,)] = [["tt.divisibility", 16]]
        source = ASTSource(self.kernel, signature, constants, aligned)
        made = compile_kernel(source, target=GPUTarget(*HOPPER), options=options)
        assert made.asm["cubin"]
        self.found[self.kernel.__name__] = made.asm["ptx"]


@pytest.fixture
def compiled(monkeypatch, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The PTX of every kernel launched in the test, by the kernel's name; nothing is computed."""
    nvidia = pytest.importorskip("triton.backends.nvidia", reason="this Triton has no compiler for NVIDIA GPUs")
    if not (Path(nvidia.__file__).parent / "bin" / "ptxas").exists():
        pytest.skip("Triton comes without ptxas here")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(tiles, "LARGE", 1)  # the pieces of large tensors
    monkeypatch.setattr(tiles, "PROGRAMS", 2)
    for module in (backend, positive_mean_op):
        monkeypatch.setattr(module, "on_triton", lambda x: True)
    forget()
    found: dict[str, str] = {}
    for launches in ("pointwise", "gate", "mean"):
        module = backend.load_triton(launches)
        for name in [name for name in vars(module) if name.endswith("_kernel")]:
            monkeypatch.setattr(module, name, Recorder(getattr(module, name), found))
    yield found
    forget()


def accesses(ptx: str, kind: str) -> list[str]:
    """The loads or stores of global memory that move more than the scalars do: those of 4 words."""
    return re.findall(rf"\b{kind}\.global\S*\.v4\.b32", ptx)


def launch(name: str, dtype: torch.dtype, layout: str = "contiguous") -> None:
    found = inputs(name, (8, 16, 32, 8), dtype)
    found[0] = arranged(found[0], layout).requires_grad_()
    y = operator(name)(*found)
    torch.autograd.grad(y, found, torch.empty_like(y))


def test_one_operator(compiled: dict[str, str]) -> None:
    launch("salu", torch.bfloat16)
    assert set(compiled) == {"forward_kernel", "backward_kernel", "finish_kernel"}
    # One 16-byte load of x forward, x and the gradient backward, in a loop over the blocks.
    assert len(accesses(compiled["forward_kernel"], "ld")) == 1
    assert len(accesses(compiled["backward_kernel"], "ld")) == 2
    for kernel in ("forward_kernel", "backward_kernel"):
        assert len(accesses(compiled[kernel], "st")) == 1
        assert not re.search(r"\b(atom|red)\.", compiled[kernel])
        assert ".local" not in compiled[kernel]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_every_operator(name: str, dtype: torch.dtype, compiled: dict[str, str]) -> None:
    launch(name, dtype)
    words = 2 if dtype == torch.float32 else 1
    tensors = 2 if "add" in name else 1
    assert len(accesses(compiled["forward_kernel"], "ld")) == words * tensors
    assert len(accesses(compiled["backward_kernel"], "ld")) == words * (tensors + 1)
    assert len(accesses(compiled["backward_kernel"], "st")) == words * tensors
    assert not any(re.search(r"\b(atom|red)\.", ptx) for ptx in compiled.values())


@pytest.mark.slow
def test_strided_input(compiled: dict[str, str]) -> None:
    launch("salu_add_salu_swalu", torch.float16, "stepped")
    assert set(compiled) == {"forward_kernel", "backward_kernel", "finish_kernel"}


@pytest.mark.slow
def test_more_elements_than_32_bits_count(compiled: dict[str, str]) -> None:
    """A tensor of the right size that has no memory; the kernels are compiled and not run."""
    pointwise = backend.load_triton("pointwise")
    x = torch.empty(1, dtype=torch.float16).expand(2**31 + 16)
    flags = {"STABILISE": True, "SKIP": 0, "GATE": 0, "WIDE": True, "BLOCK": 2048, "enable_fp_fusion": True}
    for strided in (False, True):
        numbers = x.numel(), 4, 1, 1, 2**31 + 16, 0, 0, 0, 2
        scalars = torch.tensor(1.0), torch.tensor(1.0), *[None] * 4
        pointwise.forward_kernel[(1,)](x, None, x, *scalars, *numbers, STRIDED=strided, **flags)
        assert compiled["forward_kernel"]


@pytest.mark.slow
@pytest.mark.parametrize("channels_last", [False, True])
def test_fles(channels_last: bool, compiled: dict[str, str]) -> None:
    x, v, h = fles_inputs((2, 64, 32, 32), (2, 64, 1, 1), torch.bfloat16)
    x = x.detach().to(memory_format=torch.channels_last if channels_last else torch.contiguous_format).requires_grad_()
    y = operator("fles")(x, v, h)
    torch.autograd.grad(y, (x, v, h), torch.empty_like(y))
    torch.autograd.grad(positive_mean(x, 1), x, torch.zeros(2, 64))
    torch.autograd.grad(positive_mean(x, 1, torch.ones(2, 32, 32)), x, torch.zeros(2, 64))
    assert set(compiled) == {"gate_kernel", "gate_backward_kernel", "mean_kernel", "mean_backward_kernel"}
    for kernel, loads in {"gate_kernel": 1, "gate_backward_kernel": 2, "mean_kernel": 1}.items():
        assert len(accesses(compiled[kernel], "ld")) >= loads
