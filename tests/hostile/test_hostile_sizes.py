"""Small files that stand for much: deep JSON and TOML, sizes, patterns, functions and tensors without end."""

import hashlib
import json
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save

from export.edge.errors import EdgeError
from export.edge.folder import Folder
from export.errors import OnnxFileError
from export.runtime.session import open_session
from hostile.made_folder import PREPROCESS, make_folder
from zoo import cli
from zoo.adoption.rename import check_plain, rename_state, unwrap
from zoo.conversion import convert
from zoo.data.preprocess import Preprocess
from zoo.documents import LARGEST, LARGEST_TOML, json_in, json_of, toml_of
from zoo.errors import ConfigurationError, WeightsCorruptError, WeightsMismatchError
from zoo.names import open_model
from zoo.records import LONGEST
from zoo.weights.load import read_weights
from zoo.weights.tag import PretrainedTag

DEEP = b"[" * 100_000 + b"]" * 100_000
DEEP_TOML = ["a = " + "[" * 30_000, "[" + ".".join("a" * 20_000) + "]\nb = 1", ".".join("a" * 500_000) + " = 1"]
ARGUMENTS = ["--model", "salunet_c18_cifar", "--tag", "x", "--output", "new"]
ON_DATA = ["--dataset", "cifar10", "--data", "data"]


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that must fail says."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    told = capsys.readouterr()
    assert stopped.value.code == 1, told.err
    assert "Nobody foresaw" not in told.err
    assert len(told.err) < 2000
    return told.err


COMMANDS: dict[str, tuple[list[str], list[str]]] = {
    "a card": (["card/config.json"], ["evaluate", "./card", *ON_DATA]),
    "a run's summary": (
        ["run/summary.json", "run/log.jsonl", "run/model.safetensors"],
        ["evaluate", "./run", *ON_DATA],
    ),
    "a converted folder": (["c/conversion.json", "c/model.safetensors"], ["evaluate", "./c", *ON_DATA]),
    "a recipe of a run": (["recipe.json"], ["train", "recipe.json"]),
    "labels to adopt": (["l.json"], ["adopt", "c.pth", "--labels", "l.json", *ARGUMENTS]),
    "rules to adopt": (["l.json"], ["adopt", "c.pth", "--rename", "l.json", *ARGUMENTS]),
    "preprocessing to adopt": (["l.json"], ["adopt", "c.pth", "--preprocess", "l.json", *ARGUMENTS]),
    "labels of a file": (["l.json"], ["evaluate", "f.onnx", "--labels", "l.json", *ON_DATA]),
    "preprocessing of a file": (["l.json"], ["evaluate", "f.onnx", "--preprocess", "l.json", *ON_DATA]),
    "a class map": (["l.json"], ["evaluate", "f.onnx", "--classes", "l.json", *ON_DATA]),
    "runs to compare": (["run/summary.json"], ["compare", "run", "run"]),
}


@pytest.mark.parametrize(("files", "arguments"), COMMANDS.values(), ids=COMMANDS)
def test_deep_json(
    files: list[str],
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("c.pth", *files):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(DEEP)
    said = run(arguments, capsys)
    assert files[0] in said
    assert "recursion limit" in said


def test_a_log_that_is_deep_and_a_summary_that_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in (("summary.json", b"{}"), ("log.jsonl", DEEP + b"\n"), ("model.safetensors", b"")):
        (tmp_path / name).write_bytes(content)
    assert "The files of the run in . are damaged" in run(["adopt", "."], capsys)
    assert "KeyError: 'data'" in run(["evaluate", ".", *ON_DATA], capsys)


@pytest.mark.parametrize("text", DEEP_TOML, ids=["arrays", "a table", "a key"])
def test_deep_toml(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "recipe.toml").write_text(text)
    said = run(["train", str(tmp_path / "recipe.toml")], capsys)
    assert "nested deeper than 200 levels" in said or f"{LARGEST_TOML:,} are the most" in said
    assert "recipe.toml" in said
    assert "nested deeper" in run(["train", "c18_cifar10", "--set", "schedule.epochs=" + "[" * 5000], capsys)


def test_what_is_no_file_or_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(ValueError, match=f"more than {LARGEST:,} bytes"):
        json_in(tmp_path / "large.json")
    with pytest.raises(OSError, match="no regular file"):
        json_in("/dev/zero")
    assert json_of("[" * 150 + "]" * 150) != []
    assert toml_of("a.b = [[1]]") == {"a": {"b": [[1]]}}


BAD_SIZES: dict[str, dict[str, Any]] = {
    "input_size": {"input_size": [3, 10**9, 10**9]},
    "channels": {"input_size": [10**9, 4, 4]},
    "crop_pct": {"crop_pct": 1e-9},
    "crop_pct of squares": {"crop_pct": 1e-200, "crop_mode": "squash"},
    "std": {"std": [1e-320] * 3},
    "mean": {"mean": [1e300] * 3},
    "mean of": {"mean": [0.5] * 100_000},
}


@pytest.mark.parametrize("change", BAD_SIZES.values(), ids=BAD_SIZES)
def test_preprocessing(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(change))) as refused:
        Preprocess.from_dict(PREPROCESS | change)
    assert len(str(refused.value)) < 400


BAD_FIELDS: dict[str, Any] = {
    "model_args": {"img_size": 8192},
    "labels": ["a" * (LONGEST + 1)],
    "num_classes": 10**9,
    "file": "a" * 10**6 + ".safetensors",
    "model": "a" * 10**6,
    "source": "a" * 10**6,
    "preprocess": PREPROCESS | {"input_size": [3, 2048, 2048]},
}


@pytest.mark.parametrize("name", BAD_FIELDS)
def test_fields_of_a_card(name: str) -> None:
    fields = {**dict.fromkeys(PretrainedTag.__dataclass_fields__), "model": "m", "tag": "x", "num_classes": 1}
    fields |= {"labels": [], "model_args": {}, "preprocess": PREPROCESS, "sha256": "0" * 64, "file": "m.safetensors"}
    fields |= {"dataset": "", "license": "mit", "source": "", "default": False}
    fields.pop("results")
    assert PretrainedTag.from_dict(fields).labels == ()
    with pytest.raises(WeightsMismatchError, match=f"{name} is ") as refused:
        PretrainedTag.from_dict(fields | {name: BAD_FIELDS[name]})
    assert len(str(refused.value)) < 1000


def test_a_rule_that_takes_years() -> None:
    state = {"a" * 60 + "b": torch.zeros(1)}
    with pytest.raises(ConfigurationError, match=r"is still at the name 'aaa.* after 1 s. Write it"):
        rename_state(state, {}, {r"^(?:a|a|b|ab)*(?:a|a)*$(?<=c)": "x"})
    assert rename_state(state, {}, {r"^(a+)b": r"\1c"}).renamed == {"a" * 60 + "b": "a" * 60 + "c"}


def test_checkpoints_that_hold_themselves() -> None:
    for key in ("state_dict", "model"):
        around: dict[str, Any] = {}
        around[key] = around
        with pytest.raises(WeightsMismatchError, match=f"No state dict found.*{key} and so on"):
            unwrap(around)
    with pytest.raises(WeightsMismatchError, match="a key that is tuple"):
        unwrap({("a",): torch.zeros(1)})


TENSORS: dict[str, Callable[[], torch.Tensor]] = {
    "stores 4 bytes for its 549,755,813,888 values": lambda: torch.zeros(1).expand(2**30, 512),
    "layout torch.sparse_coo": lambda: torch.eye(3).to_sparse(),
    "layout torch.sparse_csr": lambda: torch.eye(3).to_sparse_csr(),
    "meta device": lambda: torch.zeros(2**40, device="meta"),
}


@pytest.mark.parametrize("said", TENSORS)
@pytest.mark.filterwarnings("ignore:.*[Ss]parse")
def test_tensors_that_are_more_or_less_than_their_bytes(
    said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"fc.weight": TENSORS[said]()}, tmp_path / "c.pth")
    told = run(["adopt", str(tmp_path / "c.pth"), *ARGUMENTS[:-1], str(tmp_path / "new")], capsys)
    assert said in " ".join(told.split())
    assert not (tmp_path / "new").exists()


def test_tensors_of_which_a_part_is_kept() -> None:
    check_plain("a slice", torch.zeros(4, 4)[1:, ::2])
    check_plain("transposed", torch.zeros(4, 3).t())


def test_an_archive_that_grows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"fc.weight": torch.zeros(1024, 1024)}, tmp_path / "whole.pth")
    with (
        zipfile.ZipFile(tmp_path / "whole.pth") as whole,
        zipfile.ZipFile(tmp_path / "c.pth", "w", zipfile.ZIP_DEFLATED) as small,
    ):
        for name in whole.namelist():
            small.writestr(name, whole.read(name))
    assert (tmp_path / "c.pth").stat().st_size < 100_000
    assert "unpacks to 4,19" in run(["adopt", str(tmp_path / "c.pth"), *ARGUMENTS[:-1], str(tmp_path / "new")], capsys)


def test_bfloat16_under_the_name_of_float16(tmp_path: Path) -> None:
    weights = torch.randn(64, 64, generator=torch.Generator().manual_seed(0)) / 8
    right, wrong = (save({"weight": weights.to(kind)}) for kind in (torch.float16, torch.bfloat16))
    (tmp_path / "right.safetensors").write_bytes(right)
    (tmp_path / "wrong.safetensors").write_bytes(wrong.replace(b'"BF16"', b'"F16" '))
    assert read_weights(tmp_path / "right.safetensors")["weight"].shape == (64, 64)
    with pytest.raises(WeightsMismatchError, match=r"all 4,096 values of 'weight' lie between 0.25 and 2"):
        read_weights(tmp_path / "wrong.safetensors")


def doubling(times: int, last: str = "Relu") -> bytes:
    """A classifier through functions that each call the next one twice; the last one calls `last`."""
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("d", 1)]

    def function(name: str, calls: list[str]) -> onnx.FunctionProto:
        ends = ["x", *(f"y{n}" for n in range(1, len(calls))), "z"]
        nodes = [
            helper.make_node(called, [ends[n]], [ends[n + 1]], domain="d" if called.startswith("f") else "")
            for n, called in enumerate(calls)
        ]
        return helper.make_function("d", name, ["x"], ["z"], nodes, opsets)

    functions = [function(f"f{n}", [f"f{n + 1}"] * 2) for n in range(times)] + [function(f"f{times}", [last])]
    nodes = [
        helper.make_node("f0", ["x"], ["a"], domain="d"),
        helper.make_node("GlobalAveragePool", ["a"], ["m"]),
        helper.make_node("Flatten", ["m"], ["logits"]),
    ]
    x, y = (helper.make_tensor_value_info(*end) for end in
            (("x", TensorProto.FLOAT, ["n", 3, 4, 4]), ("logits", TensorProto.FLOAT, ["n", 3])))  # fmt: skip
    graph = helper.make_graph(nodes, "doubling", [x], [y])
    return bytes(helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=10).SerializeToString())


def test_functions_that_double() -> None:
    with pytest.raises(OnnxFileError, match="has more than 1,000,000 nodes"):
        open_session(doubling(28))
    for last in ("f0", "f3"):
        with pytest.raises(OnnxFileError, match="call each other without end"):
            open_session(doubling(3, last))
    with pytest.raises(OnnxFileError, match="call each other without end"):
        open_session(doubling(20_000))
    answer = open_session(doubling(3), threads=1).run(None, {"x": np.ones((1, 3, 4, 4), np.float32)})[0]
    assert answer.tolist() == [[1, 1, 1]]


def test_functions_in_a_folder(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="holds functions, which no export writes"):
        Folder.read(make_folder(tmp_path / "doubling", model=doubling(28))).open(1)
    assert Folder.read(make_folder(tmp_path / "plain")).open(1)


def test_a_label_of_a_folder_is_a_line(tmp_path: Path) -> None:
    def with_long_label(folder: Path, record: dict[str, Any]) -> None:
        from hostile.made_folder import put

        put(folder, record, "labels.txt", b"a" * 10**6)

    with pytest.raises(EdgeError, match="are not what an export writes"):
        Folder.read(make_folder(tmp_path / "folder", with_long_label))


_PEAK = """
import resource, sys
sys.path.insert(0, "tests")
from hostile import test_hostile_sizes as cases
from export.digest import check_unchanged
from zoo.documents import json_of, toml_of

def refused(call, *given):
    try:
        call(*given)
    except Exception as error:
        assert isinstance(error, (ValueError, cases.OnnxFileError, cases.WeightsMismatchError)), repr(error)
        return
    raise AssertionError(call)

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
refused(json_of, b"[" * 1_000_000)
refused(json_of, b'{"a":' * 200_000)
for text in cases.DEEP_TOML:
    refused(toml_of, text)
refused(check_unchanged, cases.doubling(28))
refused(check_unchanged, cases.doubling(5_000))
refused(cases.check_plain, "w", cases.torch.zeros(1).expand(2**30, 512))
assert len(json_of("[" + "[]," * 300_000 + "[]]")) == 300_001
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(before, peak)
assert peak < 1_000_000 and peak - before < 200_000, (before, peak)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is counted in KiB on Linux only")
def test_memory_of_refusing(repository: Path) -> None:
    """No file here has 1 MB; refusing them all takes less than 200 MB more, and less than 1 GB with every library."""
    limit = (4 * 10**9 * 8, resource.RLIM_INFINITY)
    done = subprocess.run(
        [sys.executable, "-c", _PEAK], cwd=repository, capture_output=True, text=True, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


HUGE_TIMM = {"architecture": "resnet18", "num_classes": 2_000_000, "pretrained_cfg": {}}
HUGE_VIT = {
    "architectures": ["ViTForImageClassification"], "model_type": "vit", "hidden_size": 16_384, "num_hidden_layers": 8,
    "intermediate_size": 16_384, "num_attention_heads": 2, "image_size": 32, "patch_size": 8,
}  # fmt: skip
HUGE_BASE = {"kind": "timm", "name": "resnet18", "arguments": {"num_classes": 2_000_000}}
DESCRIBED: dict[str, dict[str, Any]] = {
    "timm": {"config.json": HUGE_TIMM},
    "transformers": {"config.json": HUGE_VIT},
    "a run": {
        "log.jsonl": {},
        "summary.json": {
            "base": HUGE_BASE, "recipe": {"model": {}},
            "data": {"labels": [], "num_classes": 2, "dataset": "x", "preprocess": PREPROCESS},
        },
    },
    "converted": {"conversion.json": {"base": HUGE_BASE, "sha256": ""}},
}  # fmt: skip


@pytest.mark.parametrize("kind", DESCRIBED)
def test_a_description_that_no_file_fills_takes_no_memory(kind, tmp_path, monkeypatch):
    """Networks are built without storage first; one of two million classes takes 4 GB otherwise."""
    content = save({"a": torch.zeros(1)}, {"format": "pt"})
    (tmp_path / "model.safetensors").write_bytes(content)
    for name, value in DESCRIBED[kind].items():
        if "sha256" in value:
            small = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.SiLU())
            report = {**convert(small, example=torch.zeros(2, 3, 4, 4))[1].to_dict(), "sites": []}
            value = {**value, "sha256": hashlib.sha256(content).hexdigest(), "report": report}
        (tmp_path / name).write_text(json.dumps(value) + "\n")
    made: list[torch.device] = []
    told = torch.nn.Linear.__init__

    def watch(layer: torch.nn.Linear, *given: Any, **named: Any) -> None:
        told(layer, *given, **named)
        made.append(layer.weight.device)

    monkeypatch.setattr(torch.nn.Linear, "__init__", watch)
    with pytest.raises(WeightsMismatchError, match="holds 1 numbers, and the network that its folder describes has"):
        open_model(tmp_path)
    assert {device.type for device in made} == {"meta"}


def test_json_of_a_value_is_unchanged(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, None, True, "ü\n", float("inf")], "b": {"c": -(2**70)}}
    (tmp_path / "v.json").write_text(json.dumps(value))
    assert json_in(tmp_path / "v.json") == value
    (tmp_path / "w.safetensors").write_bytes(DEEP)
    with pytest.raises(WeightsCorruptError, match="not a readable safetensors file"):
        read_weights(tmp_path / "w.safetensors")
