"""Triton itself over repositories of ours, asked by its own client over HTTP and gRPC.

The server is `tritonserver` in PATH or in SALU_ZOO_TRITON, such as that in the wheel nvidia-pytriton.
"""

import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import numpy as np
import onnx
import pytest
import torch
from delivered import retargeted, run_program
from PIL import Image
from real_servers import program_named, triton
from tiny_model import LABELS, SIZE, own_activations, tiny

from export import InputSpec, export, load_predictor
from export.deliver.triton import ServeSettings, write_triton_repository
from zoo.data.photo import open_photo

pytest.importorskip("tritonclient.grpc", reason="needs salu-zoo[serve]")
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.slow

KINDS = ("images", "operators", "integers", "texts")
# Of the largest logit: float32 in another order; and what 8 bits cost, which the export measured on these images.
MAX_REL = {"images": 1e-5, "operators": 1e-5, "integers": 0.15, "texts": 1e-5}
CLIENTS, SECONDS = 8, 5
DELAY_US = 300_000


def noise(count, seed=0):
    return torch.randn(count, *SIZE, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def models(request, with_operators, spec, tmp_path_factory):
    """A file of each kind, and the network that it was exported from."""
    program_named("SALU_ZOO_TRITON", "tritonserver")
    network, given = own_activations(), noise(48)
    with torch.inference_mode():
        labelled = given, network(given).argmax(1)
    integers = export(
        network,
        tmp_path_factory.mktemp("integers") / "x.onnx",
        **{"target": "edge_int8", "input_spec": spec, "threads": 1},
        **{"calibration": given[:32], "evaluation": labelled, "budget": 20.0},
    )
    return {
        "images": (request.getfixturevalue("exported").path, tiny().eval()),
        "operators": (with_operators.path, network),
        "integers": (integers.path, network),
        "texts": (request.getfixturevalue("text_exported").path, request.getfixturevalue("text_given").eval()),
    }


@pytest.fixture(scope="module")
def repository(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for kind, (file, _) in models.items():
        settings = ServeSettings(backend="python", threads=1, max_batch_size=16, encoded_images=kind == "images")
        write_triton_repository(file, folder, name=kind, settings=settings)
    patient = ServeSettings(backend="python", threads=1, max_queue_delay_us=DELAY_US)
    write_triton_repository(models["images"][0], folder, name="patient", settings=patient)
    several = ServeSettings(backend="python", threads=1, instances=2)
    write_triton_repository(models["images"][0], folder, name="several", settings=several)
    return folder


@pytest.fixture(scope="module")
def server(checkout, repository, tmp_path_factory):
    with triton(repository, tmp_path_factory.mktemp("server"), checkout) as running:
        yield running


@pytest.fixture(scope="module")
def checkout(pytestconfig):
    return pytestconfig.rootpath


@pytest.fixture(params=["http", "grpc"])
def protocol(request):
    return request.param


class Asking:
    """One client of Triton's own, over one of its protocols."""

    def __init__(self, server, protocol):
        try:
            self.library = import_module(f"tritonclient.{protocol}")
        except RuntimeError as error:
            pytest.skip(f"needs tritonclient[{protocol}]: {error}")
        self.client = self.library.InferenceServerClient(getattr(server, protocol))

    def inputs(self, feeds):
        made = []
        for name, value in feeds.items():
            kind = {"float32": "FP32", "int64": "INT64", "uint8": "UINT8"}[value.dtype.name]
            made.append(self.library.InferInput(name, list(value.shape), kind))
            made[-1].set_data_from_numpy(value)
        return made

    def __call__(self, model, feeds, **options):
        return self.client.infer(model, self.inputs(feeds), **options).as_numpy("logits")


@pytest.fixture
def ask(server, protocol):
    return Asking(server, protocol)


def sample(models, kind, seed=0):
    """Inputs, and PyTorch's answer."""
    file, network = models[kind]
    if kind == "texts":
        texts = [["a good film", "not fun"], ["dull", "a film"], ["fun, fun, fun"]][seed % 3]
        batch = dict(load_predictor(file, threads=1).preprocess.encode(texts))
    else:
        batch = {"image": noise(1 + seed % 4, seed)}
    with torch.inference_mode():
        out = network(**batch) if kind == "texts" else network(batch["image"])
    expected = getattr(out, "logits", out).numpy()
    return {name: value.numpy() for name, value in batch.items()}, expected


def check(found, expected, kind):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= MAX_REL[kind] * np.abs(expected).max()


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_pytorchs(ask, models, kind):
    for seed in range(4):
        feeds, expected = sample(models, kind, seed)
        check(ask(kind, feeds), expected, kind)


def test_metadata_and_labels(ask, protocol):
    options = {"as_json": True} if protocol == "grpc" else {}
    found = ask.client.get_model_metadata("images", **options)
    ports = {port["name"]: (port["datatype"], [int(n) for n in port["shape"]]) for port in found["inputs"]}
    assert ports == {"image": ("FP32", [-1, *SIZE]), "encoded": ("UINT8", [-1, -1])}
    assert (found["platform"], found["versions"]) == ("python", ["1"])
    asked = ask.library.InferRequestedOutput("logits", class_count=len(LABELS))
    rows = [row.decode().split(":") for row in ask("images", {"image": noise(1).numpy()}, outputs=[asked]).ravel()]
    assert [row[2] for row in rows] == [LABELS[int(row[1])] for row in rows]
    assert {row[2] for row in rows} == set(LABELS)


def test_an_image_as_the_bytes_of_its_file(ask, models, picture):
    alone = load_predictor(models["images"][0], threads=1)
    expected = alone(alone.preprocess(open_photo(picture).image)[None]).numpy()
    found = ask("images", {"encoded": np.fromfile(picture, np.uint8)[None]})
    np.testing.assert_array_equal(found, expected)


def bomb():
    """The head of a PNG of 900 million pixels."""
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0), b"IDAT")
    parts = (struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks)
    return np.frombuffer(b"\x89PNG\r\n\x1a\n" + b"".join(parts), np.uint8)[None]


@pytest.mark.parametrize(
    ("model", "feeds", "said"),
    [
        ("images", lambda: {"image": np.zeros((17, *SIZE), np.float32)}, "batch-size must be <= 16"),
        ("images", lambda: {"image": np.zeros((1, 3, 9, 8), np.float32)}, "unexpected shape for input 'image'"),
        ("images", lambda: {"image": np.zeros((1, *SIZE), np.int64)}, "data-type"),
        ("images", lambda: {"encoded": np.frombuffer(b"no image", np.uint8)[None]}, "no image that Pillow can read"),
        ("images", lambda: {"encoded": bomb()}, "more than 89,478,485 pixels"),
        ("nothing", lambda: {"image": np.zeros((1, *SIZE), np.float32)}, "unknown model"),
        ("texts", lambda: dict.fromkeys(("input_ids", "token_type_ids"), np.zeros((1, 3), np.int64)), "attention_mask"),
        (
            "texts",
            lambda: dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), np.zeros((1, 3), np.int64)),
            "attention_mask is 0 for every token",
        ),
    ],
    ids=["batch", "shape", "type", "no image", "bomb", "unknown", "input missing", "empty text"],
)
def test_what_is_refused(ask, model, feeds, said):
    with pytest.raises(InferenceServerException, match=said):
        ask(model, feeds())


def test_requests_of_several_clients_run_together(server, models):
    """Within a third of a second eight requests arrive: they run as fewer batches, and each gets its own answer."""
    ask = Asking(server, "grpc")

    def counts():
        found = ask.client.get_inference_statistics("patient", as_json=True)["model_stats"][0]
        return [int(found.get(name, 0)) for name in ("inference_count", "execution_count")]

    before = counts()
    given = [sample(models, "images", 4 * seed) for seed in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        found = list(pool.map(lambda one: ask("patient", one[0]), given))
    for answer, (_, expected) in zip(found, given, strict=True):
        check(answer, expected, "images")
    done, runs = np.subtract(counts(), before)
    assert done == CLIENTS
    assert runs < CLIENTS / 2


@pytest.mark.parametrize("model", ["images", "several", "operators", "integers", "texts"])
def test_eight_clients_for_some_seconds(server, models, model):
    """Half of them over HTTP, half over gRPC; every answer is that of the sample which was sent."""
    kind = "images" if model == "several" else model
    given = [sample(models, kind, seed) for seed in range(CLIENTS)]
    clients = [Asking(server, "http" if number % 2 else "grpc") for number in range(CLIENTS)]
    end = time.monotonic() + SECONDS
    wrong, counts = [], [0] * CLIENTS

    def work(number):
        while time.monotonic() < end:
            place = (number + counts[number]) % CLIENTS
            feeds, expected = given[place]
            try:
                check(clients[number](model, feeds), expected, kind)
            except (AssertionError, InferenceServerException) as error:
                wrong.append(error)
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]
    assert min(counts) > 2


def test_an_added_version_is_picked_up(server, repository, models, tmp_path):
    ask = Asking(server, "grpc")
    other = tiny(seed=1).eval()
    made = load_predictor(models["images"][0], threads=1)
    spec = InputSpec(*SIZE, preprocess=made.preprocess, labels=made.labels)
    file = export(other, tmp_path / "other.onnx", input_spec=spec, threads=1).path
    settings = ServeSettings(backend="python", threads=1, versions=2)
    write_triton_repository(models["images"][0], repository, name="growing", settings=settings)
    await_version(ask, "growing", "1")
    assert write_triton_repository(file, repository, name="growing", settings=settings).version == 2
    await_version(ask, "growing", "2")
    given = noise(2)
    with torch.inference_mode():
        for version, network in (("1", models["images"][1]), ("2", other)):
            check(ask("growing", {"image": given.numpy()}, model_version=version), network(given).numpy(), "images")
        check(ask("growing", {"image": given.numpy()}), other(given).numpy(), "images")


def await_version(ask, model, version):
    end = time.monotonic() + 120
    while not ask.client.is_model_ready(model, version):
        assert time.monotonic() < end, f"{model} in version {version} is not served"
        time.sleep(0.5)


def test_the_example_client(server, repository, models, picture):
    found = run_program(repository / "images/1/client/client.py", server.url, "images", picture)
    assert found.returncode == 0, found.stderr
    alone = load_predictor(models["images"][0], threads=1)
    with Image.open(picture) as image:
        order = alone(alone.preprocess(image)[None])[0].argsort(descending=True)
    assert [line.split(":")[2] for line in found.stdout.splitlines()] == [LABELS[i] for i in order]
    found = run_program(repository / "texts/1/client/client.py", server.url, "texts", "a good film", "not fun")
    assert found.returncode == 0, found.stderr
    found = run_program(repository / "images/1/client/client.py", server.url, "nothing", picture)
    assert found.returncode == 1
    assert "nothing" in found.stderr


def test_a_file_that_was_changed_is_not_loaded(server, repository, models, tmp_path):
    """The server says why, and serves the others."""
    ask = Asking(server, "grpc")
    copy = retargeted(models["images"][0], tmp_path, "portable")
    hidden = write_triton_repository(copy, tmp_path / "aside", name="changed", settings=ServeSettings(backend="python"))
    file = hidden.path / "1/model.onnx"
    model = onnx.load(file)
    model.graph.initializer[0].raw_data = bytes(len(model.graph.initializer[0].raw_data))
    onnx.save(model, file)
    hidden.path.rename(repository / "changed")
    end = time.monotonic() + 60
    while "changed since it was exported" not in server.log.read_text("utf-8"):
        assert time.monotonic() < end, server.log.read_text("utf-8")[-3000:]
        time.sleep(0.5)
    assert not ask.client.is_model_ready("changed")
    assert ask.client.is_model_ready("images")
    assert server.log.read_text("utf-8").count('"loading: images:1"') == 1  # nothing else made it load anew
