"""The configuration of every kind of model for every target, in Triton's own schema."""

import hashlib
import json
from dataclasses import replace

import pytest
from delivered import retargeted
from tiny_model import LABELS

from export.deliver.bundle.exported import ExportedFile
from export.deliver.triton.config import model_config
from export.deliver.triton.schema import from_text, to_text
from export.deliver.triton.settings import ServeSettings
from export.errors import ExportError
from export.targets import TARGETS, list_targets
from zoo.errors import ConfigurationError, OutputError

schema = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="needs salu-zoo[serve]")

CASES = [(name, precision) for name in list_targets() for precision in TARGETS.get(name).precisions]


@pytest.fixture(scope="session")
def files(exported, text_exported, with_operators):
    """One file of each kind."""
    results = {"images": exported, "texts": text_exported, "operators": with_operators}
    return {kind: ExportedFile.read(result.path) for kind, result in results.items()}


def as_for(file, target, precision="float32"):
    return replace(file, metadata=replace(file.metadata, target=target, precision=precision))


def parsed(file, settings=None, library=""):
    text = to_text(model_config(file, "some.name", {1: file.sha256}, library, settings or ServeSettings()))
    return from_text(text, "config.pbtxt")


@pytest.mark.parametrize("kind", ["images", "texts", "operators"])
@pytest.mark.parametrize(("target", "precision"), CASES, ids=lambda value: str(value))
def test_every_kind_for_every_target(kind, target, precision, files):
    file = as_for(files[kind], target, precision)
    if (target, precision) == ("openvino", "bfloat16"):
        with pytest.raises(ExportError, match="Triton cannot tell OpenVINO to compute in bfloat16"):
            parsed(file)
        return
    found = parsed(file, library="/models/some.name/operators/lib.so" if kind == "operators" else "")
    assert (found["name"], found["backend"], found["max_batch_size"]) == ("some.name", "onnxruntime", 32)
    gpu = target.startswith("gpu")
    assert found["instance_group"] == [{"count": 1, "kind": "KIND_GPU" if gpu else "KIND_CPU"}]
    accelerators = found.get("optimization", {}).get("execution_accelerators", {})
    assert set(accelerators) == (
        {"gpu_execution_accelerator"} if gpu else {"cpu_execution_accelerator"} & set(accelerators)
    )
    assert ("model_operations" in found) == (kind == "operators")


def test_images(files):
    found = parsed(files["images"], ServeSettings(threads=3, instances=2, max_queue_delay_us=0, versions=2))
    assert found["input"] == [{"name": "image", "data_type": "TYPE_FP32", "dims": ["3", "8", "8"]}]
    logits = {"name": "logits", "data_type": "TYPE_FP32", "dims": [str(len(LABELS))], "label_filename": "labels.txt"}
    assert found["output"] == [logits]
    assert found["version_policy"] == {"latest": {"num_versions": 2}}
    assert found["parameters"]["intra_op_thread_count"] == {"string_value": "3"}
    assert found["parameters"]["salu_zoo.file_sha256.1"] == {"string_value": files["images"].sha256}
    stored = json.loads(found["parameters"]["salu_zoo.preprocess"]["string_value"])
    assert stored == files["images"].metadata.preprocess
    assert found["dynamic_batching"] == {}
    assert [(w["batch_size"], w["inputs"]["image"]["zero_data"]) for w in found["model_warmup"]] == [(1, True)]


def test_texts(files):
    found = parsed(files["texts"])
    ports = [(port["name"], port["data_type"], port["dims"]) for port in found["input"]]
    assert ports == [(name, "TYPE_INT64", ["-1"]) for name in ("input_ids", "attention_mask", "token_type_ids")]
    warmup = found["model_warmup"][0]["inputs"]
    assert warmup["attention_mask"]["input_data_file"] == "attention_mask_ones"
    assert {tuple(entry["dims"]) for entry in warmup.values()} == {("16",)}
    stored = files["texts"].metadata.preprocess["tokenizer"]
    assert "tokenizer" not in json.loads(found["parameters"]["salu_zoo.preprocess"]["string_value"])
    digest = found["parameters"]["salu_zoo.tokenizer_sha256"]["string_value"]
    assert digest == hashlib.sha256(stored.encode()).hexdigest()


@pytest.mark.parametrize(
    ("target", "precision", "expected"),
    [
        ("gpu_cuda", "float32", [{"name": "cuda", "parameters": {"use_tf32": "0"}}]),
        ("gpu_cuda", "tf32", [{"name": "cuda", "parameters": {"use_tf32": "1"}}]),
        (
            "gpu_tensorrt",
            "float16",
            [
                {
                    "name": "tensorrt",
                    "parameters": {
                        "precision_mode": "FP16",
                        "trt_engine_cache_enable": "1",
                        "trt_engine_cache_path": "/engines",
                    },
                },
                {"name": "cuda", "parameters": {"use_tf32": "0"}},
            ],
        ),
    ],
)
def test_accelerators(files, target, precision, expected):
    found = parsed(as_for(files["images"], target, precision), ServeSettings(engine_cache="/engines"))
    assert found["optimization"]["execution_accelerators"]["gpu_execution_accelerator"] == expected
    assert [entry["batch_size"] for entry in found["model_warmup"]] == [1, 32]


def test_openvino_is_an_accelerator_of_the_cpu(files):
    found = parsed(as_for(files["images"], "openvino"))
    assert found["optimization"]["execution_accelerators"] == {"cpu_execution_accelerator": [{"name": "openvino"}]}


def test_python_backend(files):
    found = parsed(files["operators"], ServeSettings(backend="python", threads=2, encoded_images=True))
    assert (found["backend"], found["default_model_filename"]) == ("python", "model.py")
    assert "model_operations" not in found
    assert found["parameters"]["intra_op_thread_count"] == {"string_value": "2"}
    image, encoded = found["input"]
    assert (image["name"], image["optional"]) == ("image", True)
    assert encoded == {
        **{"name": "encoded", "data_type": "TYPE_UINT8", "dims": ["-1"]},
        **{"allow_ragged_batch": True, "optional": True},
    }
    for target, precision in (("openvino", "bfloat16"), ("gpu_cuda", "bfloat16"), ("gpu_tensorrt", "float16")):
        found = parsed(as_for(files["images"], target, precision), ServeSettings(backend="python"))
        assert "optimization" not in found
        assert found["instance_group"][0]["kind"] == ("KIND_CPU" if target == "openvino" else "KIND_GPU")


@pytest.mark.parametrize("backend", ["onnxruntime", "python"])
def test_another_device_than_the_targets(files, backend):
    moved = {("portable", "gpu"): "KIND_GPU", ("gpu_cuda", "cpu"): "KIND_CPU", ("gpu_tensorrt", "cpu"): "KIND_CPU"}
    for (target, device), kind in moved.items():
        precision = TARGETS.get(target).precisions[0]
        found = parsed(
            as_for(files["images"], target, precision), ServeSettings(backend=backend, device=device, warmup=False)
        )
        assert found["instance_group"][0]["kind"] == kind
        on_cuda = [{"name": "cuda", "parameters": {"use_tf32": "0"}}]
        expected = {"gpu_execution_accelerator": on_cuda} if (backend, device) == ("onnxruntime", "gpu") else None
        assert found.get("optimization", {}).get("execution_accelerators") == expected
    for target in ("openvino", "edge_cpu"):
        with pytest.raises(ExportError, match=f"A file for {target} runs on the CPU only"):
            parsed(as_for(files["images"], target), ServeSettings(backend=backend, device="gpu"))
    with pytest.raises(ExportError, match="CPU provider has no bfloat16"):
        parsed(as_for(files["images"], "gpu_cuda", "bfloat16"), ServeSettings(backend=backend, device="cpu"))


def test_file_of_another_release(exported, tmp_path):
    with pytest.raises(ExportError, match="Unknown export target 'later'"):
        parsed(ExportedFile.read(retargeted(exported.path, tmp_path, "later")))


def test_nothing_gets_past_the_schema():
    with pytest.raises(ExportError, match=r"does not know this configuration: .*max_batchsize"):
        to_text({"name": "x", "max_batchsize": 3})
    with pytest.raises(ExportError, match="does not know this configuration"):
        to_text({"instance_group": [{"kind": "KIND_TPU"}]})
    with pytest.raises(OutputError, match="x is no configuration for Triton"):
        from_text("name: 3", "x")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"max_batch_size": 0}, "max_batch_size is"),
        ({"instances": 1.5}, "instances is"),
        ({"threads": -1}, "threads is"),
        ({"root": "models"}, "root is"),
        ({"engine_cache": "."}, "engine_cache is"),
        ({"backend": "tensorrt"}, "backend is 'tensorrt'; give one of onnxruntime, python"),
        ({"device": "tpu"}, "device is 'tpu'; give one of cpu, gpu"),
        ({"encoded_images": True}, "the backend onnxruntime has no use for encoded_images"),
        ({"backend": "python", "root": "/models"}, "the backend python has no use for root"),
    ],
    ids=str,
)
def test_settings_out_of_range(wrong, said):
    with pytest.raises(ConfigurationError, match=f"Serving: {said}"):
        ServeSettings(**wrong)
