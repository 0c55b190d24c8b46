"""What is made of requests in the Python backend, its module written down here; `test_real_triton` has the real one."""

import io
import json
import sys
from types import SimpleNamespace

import onnx
import pytest
import torch
from google.protobuf import json_format, text_format
from PIL import Image

from export import load_predictor
from export.deliver.triton import ServeSettings, write_triton_repository
from export.errors import ChangedFileError, ExportError, ProviderError
from export.runtime.served_model import ServedModel
from zoo.data.photo import open_photo

schema = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="needs salu-zoo[serve]")


class RefusalError(Exception):
    """TritonError: a message and a code."""

    INTERNAL, INVALID_ARG = "internal", "invalid"

    def __init__(self, message, code):
        super().__init__(message, code)


@pytest.fixture
def triton(monkeypatch):
    """The backend's module; requests are dictionaries of tensors, an answer is its tensor or its error."""
    module = SimpleNamespace(
        Tensor=SimpleNamespace(from_dlpack=lambda name, tensor: {name: tensor}),
        TritonError=RefusalError,
        InferenceResponse=lambda tensors=None, error=None: error or tensors[0]["logits"],
        get_input_tensor_by_name=lambda request, name: request.get(name),
    )
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", module)
    return module


def started(file, repository, kind="CPU", **settings):
    """The model that Triton would start for a file."""
    chosen = ServeSettings(backend="python", threads=1, **settings)
    model = write_triton_repository(file, repository, settings=chosen).path
    config = text_format.Parse((model / "config.pbtxt").read_text("utf-8"), schema.ModelConfig())
    served = ServedModel()
    stored = json_format.MessageToJson(config, preserving_proto_field_name=True)
    place = {"model_repository": str(model), "model_version": "1", "model_config": stored}
    served.initialize(place | {"model_instance_kind": kind, "model_instance_device_id": "0"})
    return served


@pytest.fixture
def images(triton, exported, tmp_path):
    return started(exported.path, tmp_path / "models", encoded_images=True)


def noise(count, seed=0):
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def as_bytes(content):
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)[None]


def test_requests_run_together_and_each_gets_its_own(images, exported, picture, monkeypatch):
    alone = load_predictor(exported.path, threads=1)
    batches = [noise(2), noise(1, 1), noise(5, 2)]
    calls = []
    whole = type(alone).__call__
    monkeypatch.setattr(type(alone), "__call__", lambda self, batch: calls.append(len(batch)) or whole(self, batch))
    encoded = {"encoded": as_bytes(picture.read_bytes())}
    answers = images.execute([*({"image": batch} for batch in batches), encoded])
    assert calls == [9]
    batches.append(alone.preprocess(open_photo(picture).image)[None])
    for batch, answer in zip(batches, answers, strict=True):
        torch.testing.assert_close(answer, whole(alone, batch), rtol=0, atol=1e-6)


def test_what_is_wrong_with_one_request_is_said_to_that_one(images, picture):
    png = picture.read_bytes()
    wrong = {
        "Give one of the inputs image and encoded; got image and encoded": {
            "image": noise(1),
            "encoded": as_bytes(png),
        },
        "Give one of the inputs image and encoded; got none": {},
        "takes one image in each request": {"encoded": as_bytes(png).repeat(2, 1)},
        "The image is no image that Pillow can read": {"encoded": as_bytes(b"GIF, but not really")},
        "The image cannot be decoded": {"encoded": as_bytes(png[:200])},
        "takes torch.float32": {"image": noise(1)[..., 1:]},
    }
    sound = {"encoded": as_bytes(png)}
    first, *answers, last = images.execute([sound, *wrong.values(), sound])
    assert first.equal(last)
    for words, answer in zip(wrong, answers, strict=True):
        message, code = answer.args
        assert words in message
        assert code == "invalid"
    stream = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(stream, "PNG")
    (bomb,) = images.execute([{"encoded": as_bytes(stream.getvalue())}])
    assert "more than 89,478,485 pixels" in bomb.args[0]


def test_texts(triton, text_exported, tmp_path):
    served = started(text_exported.path, tmp_path)
    alone = load_predictor(text_exported.path, threads=1)
    batches = [dict(alone.preprocess.encode(texts)) for texts in (["a good film"], ["not a film"], ["bad"])]
    batches.append(batches[0] | {"input_ids": batches[0]["input_ids"] + 10_000_000})
    *answers, refused = served.execute(batches)
    for batch, answer in zip(batches, answers, strict=False):
        torch.testing.assert_close(answer, alone(batch), rtol=0, atol=1e-6)
    assert "takes input_ids from 0 to" in refused.args[0]
    with pytest.raises(ExportError, match="encoded_images is of images"):
        started(text_exported.path, tmp_path / "other", encoded_images=True)


def test_an_engine_that_gives_up_is_the_servers_fault(images, monkeypatch):
    def give_up(*_):
        raise ExportError("no memory")

    monkeypatch.setattr("export.runtime.opened.OpenFile.run", give_up)
    (answer,) = images.execute([{"image": noise(1)}])
    assert answer.args == ("no memory", "internal")


def test_own_operators_without_a_library_in_the_repository(triton, with_operators, tmp_path):
    served = started(with_operators.path, tmp_path)
    assert not list(tmp_path.rglob("*.so"))
    (answer,) = served.execute([{"image": noise(3)}])
    assert answer.equal(load_predictor(with_operators.path, threads=1)(noise(3)))
    with pytest.raises(ExportError, match="runs on the CPU only"):
        started(with_operators.path, tmp_path / "other", device="gpu")


def test_a_device_that_is_not_there_and_a_triton_of_old(triton, exported, tmp_path, monkeypatch):
    if not torch.cuda.is_available():
        with pytest.raises(ProviderError):
            started(exported.path, tmp_path / "a", kind="GPU", device="gpu")
    monkeypatch.setattr(triton, "TritonError", Exception)
    with pytest.raises(ExportError, match=r"too old for salu-zoo.*2\.38"):
        started(exported.path, tmp_path / "b")


def test_a_file_that_was_changed_is_not_served(triton, exported, tmp_path):
    started(exported.path, tmp_path)
    file = tmp_path / "Tiny/1/model.onnx"
    model = onnx.load(file)
    model.graph.initializer[0].raw_data = bytes(len(model.graph.initializer[0].raw_data))
    onnx.save(model, file)
    served, stored = ServedModel(), json.dumps({"parameters": {}})
    place = {"model_repository": str(tmp_path / "Tiny"), "model_version": "1", "model_config": stored}
    with pytest.raises(ChangedFileError):
        served.initialize(place | {"model_instance_kind": "CPU", "model_instance_device_id": "0"})
