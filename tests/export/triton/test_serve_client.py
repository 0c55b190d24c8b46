"""The example client against a small server of KServe's protocol, version 2, without any extension of Triton's.

The requests are checked against the protocol's text, and the answers are in its form: metadata of a model, and outputs
whose data are one row of numbers (images) or nested as the shape says (texts). Real servers: `test_real_*`.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from delivered import run_program
from google.protobuf import text_format
from PIL import Image

from export import load_predictor
from export.deliver.triton import write_triton_repository
from export.runtime.session import run_session

schema = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="needs salu-zoo[serve]")

KINDS = {"FP32": np.float32, "INT64": np.int64}


class Server(ThreadingHTTPServer):
    """Serves the first version of each model of a repository, one request at a time."""

    def __init__(self, repository):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repository, self.requests = repository, []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self._answer(self._metadata)

    def do_POST(self):
        assert self.headers["Content-Type"] == "application/json"
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)
        self._answer(lambda config, model: self._infer(config, model, body))

    def _metadata(self, config, model):
        def port(one):
            kind = schema.DataType.Name(one.data_type).removeprefix("TYPE_")
            return {"name": one.name, "datatype": kind, "shape": [-1, *one.dims]}

        ports = {"inputs": [port(one) for one in config.input], "outputs": [port(one) for one in config.output]}
        return {"name": model.name, "versions": ["1"], "platform": "onnx_onnxv1"} | ports

    def _answer(self, make):
        version, _, name, *rest = self.path.split("/")[1:]
        if name == "strange":
            return self._send(200, {"state": "OK"})
        model = self.server.repository / name
        if version != "v2" or rest not in ([], ["infer"], ["versions", "1"], ["versions", "1", "infer"]):
            return self._send(404, {"error": f"Unknown path: '{self.path}'"})
        if not model.is_dir():
            return self._send(404, {"error": f"Request for unknown model: '{model.name}' is not found"})
        config = text_format.Parse((model / "config.pbtxt").read_text("utf-8"), schema.ModelConfig())
        return self._send(200, make(config, model))

    def _send(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _infer(self, config, model, body):
        assert set(body) <= {"id", "parameters", "inputs", "outputs"}
        predictor = load_predictor(model / "1/model.onnx", threads=1)
        feeds = {}
        for wanted, given in zip(config.input, body["inputs"], strict=True):
            assert set(given) == {"name", "shape", "datatype", "data"}
            assert given["name"] == wanted.name
            assert f"TYPE_{given['datatype']}" == schema.DataType.Name(wanted.data_type)
            assert len(given["shape"]) == 1 + len(wanted.dims)
            assert all(size in (-1, found) for size, found in zip(wanted.dims, given["shape"][1:], strict=True))
            feeds[given["name"]] = np.array(given["data"], KINDS[given["datatype"]]).reshape(given["shape"])
        assert body["outputs"] == [{"name": config.output[0].name}]
        logits = run_session(predictor.session, feeds)[0]
        output = {"name": config.output[0].name, "datatype": "FP32", "shape": list(logits.shape)}
        data = logits.tolist() if model.name == "texts" else logits.ravel().tolist()
        return {"model_name": model.name, "outputs": [output | {"data": data}]}


@pytest.fixture(scope="module")
def server(exported, text_exported, tmp_path_factory):
    repository = tmp_path_factory.mktemp("models")
    write_triton_repository(exported.path, repository, name="images")
    write_triton_repository(text_exported.path, repository, name="texts")
    with Server(repository) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(server, model, *given, name=None):
    program = server.repository / model / "1/client/client.py"
    return run_program(program, server.url, name or model, *given)


def test_image(server, exported, picture):
    done = ask(server, "images", picture)
    assert done.returncode == 0, done.stderr
    predictor = load_predictor(exported.path, threads=1)
    with Image.open(picture) as image:
        prepared = predictor.preprocess(image)
    (sent,) = server.requests[-1]["inputs"]
    assert sent["shape"] == [1, 3, 8, 8]
    np.testing.assert_array_equal(np.float32(sent["data"]).reshape(3, 8, 8), prepared.numpy())
    logits = predictor(prepared[None])[0]
    rows = [line.split(":") for line in done.stdout.splitlines()]
    assert [int(row[1]) for row in rows] == logits.argsort(descending=True).tolist()
    assert [row[2] for row in rows] == [predictor.labels[int(row[1])] for row in rows]


def test_pair_of_texts(server, text_exported):
    done = ask(server, "texts", "a good film", "not fun")
    assert done.returncode == 0, done.stderr
    predictor = load_predictor(text_exported.path, threads=1)
    batch = predictor.preprocess.encode([("a good film", "not fun")])
    for sent in server.requests[-1]["inputs"]:
        assert [sent["data"]] == batch[sent["name"]].tolist()
    assert int(done.stdout.splitlines()[0].split(":")[1]) == int(predictor(batch)[0].argmax())


def test_unknown_model_and_no_server(server, picture):
    done = ask(server, "images", picture, name="nothing")
    assert done.returncode == 1
    assert "answers 404" in done.stderr
    assert "'nothing' is not found" in done.stderr
    program = server.repository / "images/1/client/client.py"
    done = run_program(program, f"{server.url}/v1", "images", picture)  # as a server that is too old answers
    assert (done.returncode, "does the server speak KServe's protocol, version 2?" in done.stderr) == (1, True)
    done = run_program(program, server.url, "strange", picture)
    assert (done.returncode, "does not answer as KServe's protocol" in done.stderr) == (1, True)
    done = run_program(program, "http://127.0.0.1:1", "images", picture)
    assert done.returncode == 1
    assert "No answer from http://127.0.0.1:1/v2/models/images:" in done.stderr
    assert "python client.py" in run_program(program).stderr
