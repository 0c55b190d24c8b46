"""The CUDA operators: compiled where nvcc is, their formulas run on the CPU, and their kernels where a GPU is."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from native_cases import Case, formula, make_cases
from native_driver import FLOAT_NAMES, run_driver
from native_models import model, node

from export.native import OPERATORS
from export.native.compile_operators import SOURCES, operator_sources
from zoo.native.compiler import compile_objects

CUDA = SOURCES.parent / "cuda"
# One rounding to float16 of the result; below its normal range an absolute step of 2⁻²⁴.
HALF_RELATIVE, HALF_ABSOLUTE = 2.0**-11 * 1.01, 2.0**-24


def nvcc(sources: list[Path], output: Path, *flags: str) -> Path:
    program = shutil.which("nvcc")
    if program is None:
        pytest.skip("nvcc is not installed")
    command = [program, "-std=c++17", "-O2", "-I", SOURCES, *flags, *sources, "-o", output]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr, done.stderr
    return output


@pytest.fixture
def gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU here")


@pytest.fixture(scope="session")
def driver(tmp_path_factory) -> Path:
    here = Path(__file__)
    sources = [here.with_name("cuda_driver.cu"), CUDA / "kernels.cu", SOURCES / "parameters.cpp"]
    return nvcc(sources, tmp_path_factory.mktemp("cuda") / "driver")


def half_cases(count: int) -> list[Case]:
    """Inputs that float16 holds exactly, results to one rounding of float16."""
    rng, cases = np.random.default_rng(5), []
    for name in FLOAT_NAMES[:5]:  # the pointwise ones
        for case in make_cases(name, count, seed=2):
            inputs = [(rng.standard_normal(x.shape) * 20).astype(np.float16).astype(np.float32) for x in case.inputs]
            y, _ = formula(name, case.attributes, *inputs)
            keep = np.abs(y) < 6e4
            inputs = [np.where(keep, x, 0).astype(np.float32) for x in inputs]
            y, size = formula(name, case.attributes, *inputs)
            bound = HALF_RELATIVE * np.abs(y) + 5e-7 * size + HALF_ABSOLUTE
            cases.append(Case(name, case.attributes, inputs, y, bound))
    return cases


def float_cases(count: int) -> list[Case]:
    return [case for name in FLOAT_NAMES for case in make_cases(name, count, seed=2)]


@pytest.mark.slow
def test_formulas_on_the_cpu(driver):
    run_driver([str(driver), "host", "float"], float_cases(1000))
    run_driver([str(driver), "host", "half"], half_cases(200))


@pytest.mark.slow
@pytest.mark.gpu
def test_kernels_on_a_gpu(gpu, driver):
    run_driver([str(driver), "device", "float"], float_cases(1000))
    run_driver([str(driver), "device", "half"], half_cases(1000))


@pytest.fixture(scope="session")
def cuda_library(tmp_path_factory, compiler) -> Path:
    """The operators for the CPU and for CUDA in one library."""
    folder = tmp_path_factory.mktemp("cuda")
    objects = compile_objects(operator_sources(), compiler, folder, ("-DSALU_ZOO_CUDA",))
    flags = ("-shared", "-Xcompiler", "-fPIC,-fvisibility=hidden", "-Xlinker", "-znodelete")
    return nvcc([*CUDA.glob("*.cu"), *objects], folder / "libsalu_zoo_cuda.so", *flags)


def session_with(library: Path, name: str, case: Case, provider: str):
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(str(library))
    if provider != "CPUExecutionProvider":  # else a node that cannot run there would move without a word
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    names = list(OPERATORS[name].inputs)
    kinds = dict.fromkeys(names, OPERATORS[name].element)
    content = model([node(name, names, "Y", case.attributes)], kinds, {"Y": OPERATORS[name].element})
    session = onnxruntime.InferenceSession(content, options, providers=[provider])  # noqa: TID251
    assert session.get_providers()[0] == provider
    return session


def check_operator(library: Path, name: str, provider: str) -> None:
    for case in make_cases(name, 20, seed=3):
        session = session_with(library, name, case, provider)
        case.check(session.run(None, dict(zip(OPERATORS[name].inputs, case.inputs, strict=True)))[0])


@pytest.mark.slow
def test_one_library_for_both_providers(cuda_library):
    """An operator on float32 and float16, for the CPU and for CUDA, under one name: without a GPU the CPU's runs."""
    for name in OPERATORS:
        check_operator(cuda_library, name, "CPUExecutionProvider")


@pytest.mark.slow
@pytest.mark.gpu
@pytest.mark.parametrize("name", FLOAT_NAMES)
def test_operators_of_the_cuda_provider(gpu, cuda_library, name):
    """ONNX Runtime's own CUDA provider runs the operators on device memory."""
    check_operator(cuda_library, name, "CUDAExecutionProvider")
