"""Our example client against MLServer, another server of KServe's protocol: `mlserver` in PATH or in SALU_ZOO_MLSERVER.

Its environment needs onnxruntime; the model it serves is written down here, as its users write one.
"""

import json
import shutil

import pytest
from delivered import run_program
from PIL import Image
from real_servers import mlserver, program_named
from tiny_model import LABELS, SIZE

from export import load_predictor
from export.deliver.triton import write_triton_repository

pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="needs salu-zoo[serve]")
pytestmark = pytest.mark.slow

MODEL = """
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Exported(MLModel):
    async def load(self):
        self.session = onnxruntime.InferenceSession(self.settings.parameters.uri)
        return True

    async def predict(self, payload):
        feeds = {given.name: NumpyCodec.decode_input(given) for given in payload.inputs}
        (logits,) = self.session.run(["logits"], feeds)
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("logits", logits)])
"""
INPUTS = {
    "images": [{"name": "image", "datatype": "FP32", "shape": [-1, *SIZE]}],
    "texts": [
        {"name": name, "datatype": "INT64", "shape": [-1, -1]}
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ],
}


@pytest.fixture(scope="module")
def clients(exported, text_exported, tmp_path_factory):
    """The folders of a repository's example clients."""
    program_named("SALU_ZOO_MLSERVER", "mlserver")
    made = {"images": exported.path, "texts": text_exported.path}
    folder = tmp_path_factory.mktemp("repository")
    return {name: write_triton_repository(path, folder, name=name).path / "1" for name, path in made.items()}


@pytest.fixture(scope="module")
def server(clients, tmp_path_factory):
    folder, work = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("server")
    for name, place in clients.items():
        model = folder / name
        model.mkdir()
        shutil.copyfile(place / "model.onnx", model / "model.onnx")
        (model / f"served_{name}.py").write_text(MODEL, "utf-8")
        settings = {"name": name, "implementation": f"served_{name}.Exported", "inputs": INPUTS[name]}
        settings |= {"outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, -1]}]}
        settings |= {"parameters": {"uri": str(model / "model.onnx")}}
        (model / "model-settings.json").write_text(json.dumps(settings), "utf-8")
    with mlserver(folder, work) as running:
        yield running


def rows(server, clients, model, *given):
    done = run_program(clients[model] / "client/client.py", server.url, model, *given)
    assert done.returncode == 0, done.stderr
    return [line.split(":") for line in done.stdout.splitlines()]


def test_an_image(server, clients, exported, picture):
    alone = load_predictor(exported.path, threads=1)
    with Image.open(picture) as image:
        logits = alone(alone.preprocess(image)[None])[0]
    found = rows(server, clients, "images", picture)
    assert [row[2] for row in found] == [LABELS[i] for i in logits.argsort(descending=True)]
    assert float(found[0][0]) == pytest.approx(float(logits.max()), abs=2e-6)


def test_a_pair_of_texts(server, clients, text_exported):
    alone = load_predictor(text_exported.path, threads=1)
    logits = alone(alone.preprocess.encode([("a good film", "not fun")]))[0]
    found = rows(server, clients, "texts", "a good film", "not fun")
    assert float(found[0][0]) == pytest.approx(float(logits.max()), abs=2e-6)


def test_a_model_that_is_not_there(server, clients, picture):
    done = run_program(clients["images"] / "client/client.py", server.url, "nothing", picture)
    assert done.returncode == 1
    assert "answers 404" in done.stderr
    assert "Is the model there and ready" in done.stderr
