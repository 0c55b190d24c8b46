"""A Triton repository: versions, what is refused, and that nothing stays half-written."""

import errno
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from delivered import retargeted
from google.protobuf import text_format
from tiny_model import tiny
from torch import nn

from export import export
from export.deliver.bundle.new_folder import listing
from export.deliver.triton import ServeSettings, write_triton_repository
from export.errors import ExportError
from zoo.errors import ConfigurationError, OutputError

schema = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="needs salu-zoo[serve]")


def config_of(model):
    """config.pbtxt, read by the schema itself."""
    return text_format.Parse((model / "config.pbtxt").read_text("utf-8"), schema.ModelConfig())


@pytest.fixture
def other(exported, tmp_path):
    """The same model with other weights, as far as its bytes tell."""
    return retargeted(exported.path, tmp_path / "other", "portable", weights_sha256="1" * 64)


def test_layout(exported, tmp_path):
    served = write_triton_repository(exported.path, tmp_path / "models")
    assert (served.path, served.version, served.added) == (tmp_path / "models" / "Tiny", 1, True)
    found = listing(served.path)
    assert {name for name in found if "/client/" not in name} == {
        *("config.pbtxt", "labels.txt", "1/model.onnx", "1/model.onnx.parity.json"),
    }
    assert found["1/model.onnx"] == exported.file_sha256
    assert config_of(served.path).name == "Tiny"
    beside = {"client.py", "edge/images.py", "preprocess.json", "labels.txt"}
    assert {f"1/client/{name}" for name in beside} <= set(found)


def test_triton_finds_nothing_but_versions_among_the_folders(exported, text_exported, with_operators, tmp_path):
    for given in (exported, text_exported, with_operators):
        model = write_triton_repository(given.path, tmp_path, name=given.path.parent.name).path
        folders = {path.name for path in model.iterdir() if path.is_dir()}
        assert folders - {"warmup"} == {"1"}  # of any other Triton says at each load that it is no version


def test_texts_bring_their_tokenizer_and_a_mask_of_ones(text_exported, text_given, tmp_path):
    model = write_triton_repository(text_exported.path, tmp_path).path
    assert (model / "1/client/tokenizer.json").read_text("utf-8") == text_given.text_preprocess.tokenizer
    config = config_of(model)
    mask = config.model_warmup[0].inputs["attention_mask"]
    stored = np.fromfile(model / "warmup" / mask.input_data_file, "<i8")
    assert (len(stored), set(stored.tolist())) == (mask.dims[0], {1})


def test_operators_lie_where_the_server_looks(with_operators, tmp_path):
    here = write_triton_repository(with_operators.path, tmp_path, name="here").path
    library = config_of(here).model_operations.op_library_filename[0]
    assert Path(library).is_file()
    assert Path(library).is_relative_to(here)
    there = write_triton_repository(
        with_operators.path, tmp_path, name="there", settings=ServeSettings(root="/models/")
    ).path
    named = config_of(there).model_operations.op_library_filename[0]
    assert named == f"/models/there/{Path(library).relative_to(here).as_posix()}"


def test_a_library_that_somebody_put_there(with_operators, tmp_path):
    """A server loads it for all versions, so no further one is added beside a library that was not compiled here."""
    model = write_triton_repository(with_operators.path, tmp_path, name="own").path
    library = next(model.glob("*.so"))
    for change in (lambda: library.write_bytes(b"planted"), library.unlink):
        change()
        with pytest.raises(OutputError, match=r"operators \(the library .* is neither brought .* nor compiled here\)"):
            write_triton_repository(with_operators.path, tmp_path, name="own", version=2)
    assert not (model / "2").exists()


def test_versions(exported, other, tmp_path):
    repository = tmp_path / "models"
    model = write_triton_repository(exported.path, repository).path
    second = write_triton_repository(other, repository, settings=ServeSettings(versions=2))
    assert (second.version, second.added) == (2, True)
    again = write_triton_repository(exported.path, repository)
    assert (again.version, again.added) == (1, False)
    assert write_triton_repository(exported.path, repository, version=7).added
    digests = {int(p.name): listing(p)["model.onnx"] for p in model.iterdir() if p.name.isdecimal()}
    assert digests == {1: exported.file_sha256, 2: listing(other.parent)[other.name], 7: exported.file_sha256}
    stored = config_of(model).parameters
    for number, digest in digests.items():
        assert stored[f"salu_zoo.file_sha256.{number}"].string_value == digest
    assert write_triton_repository(other, repository).version == 2


def test_version_with_other_content(exported, other, tmp_path):
    repository = tmp_path / "models"
    write_triton_repository(exported.path, repository)
    before = listing(repository)
    with pytest.raises(OutputError, match=r"1 holds another file .*Leave the version out"):
        write_triton_repository(other, repository, version=1)
    assert listing(repository) == before


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"labels": json.dumps(["a", "b", "c", "d"])}, "labels"),
        ({"target": "openvino"}, "optimization, salu_zoo.target"),
        ({"precision": "tf32", "target": "gpu_cuda"}, "optimization, salu_zoo.precision, salu_zoo.target"),
    ],
)
def test_another_model_of_the_same_name(exported, tmp_path, change, named):
    repository = tmp_path / "models"
    write_triton_repository(exported.path, repository)
    before = listing(repository)
    file = retargeted(exported.path, tmp_path / "changed", change.pop("target", "portable"), **change)
    with pytest.raises(OutputError, match=f"is another model than .*: its {named} differ"):
        write_triton_repository(file, repository)
    assert listing(repository) == before


def test_a_folder_that_is_no_model(exported, tmp_path):
    (tmp_path / "Tiny").mkdir()
    (tmp_path / "Tiny" / "notes.txt").write_text("mine", "utf-8")
    with pytest.raises(OutputError, match="is no model of a Triton repository"):
        write_triton_repository(exported.path, tmp_path)
    (tmp_path / "Tiny" / "config.pbtxt").write_text("backend: onnx { }", "utf-8")
    with pytest.raises(OutputError, match="is no configuration for Triton"):
        write_triton_repository(exported.path, tmp_path)
    assert set(listing(tmp_path)) == {"Tiny/notes.txt", "Tiny/config.pbtxt"}


@pytest.mark.parametrize(("name", "version"), [("a/b", None), ("..", None), ("", 0), ("x", 0), ("a b", 1)])
def test_names_and_versions_that_triton_does_not_take(exported, tmp_path, name, version):
    with pytest.raises(ConfigurationError, match="Triton serves no model"):
        write_triton_repository(exported.path, tmp_path, name=name or None, version=version)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("at", ["model.onnx", "config.pbtxt"])
def test_full_disk(exported, other, tmp_path, monkeypatch, at):
    """Neither a new model nor a new version is left half-written."""
    repository = tmp_path / "models"
    whole_bytes, whole_text = Path.write_bytes, Path.write_text

    def full(write):
        def attempt(self, *args, **kwargs):
            if at.partition(".")[0] in self.name and self.name.endswith(at.partition(".")[2]):
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(self, *args, **kwargs)

        return attempt

    for added in (False, True):
        if added:
            write_triton_repository(exported.path, repository)
        before = listing(tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", full(whole_bytes))
            patch.setattr(Path, "write_text", full(whole_text))
            with pytest.raises(OutputError, match="No space left on device"):
                write_triton_repository(other, repository)
        assert listing(tmp_path) == before


def test_writers_at_the_same_time(exported, tmp_path):
    """Every file gets a version of its own, and the configuration names them all."""
    files = [retargeted(exported.path, tmp_path / str(i), "portable", weights_sha256=str(i) * 64) for i in range(6)]
    repository = tmp_path / "models"
    with ThreadPoolExecutor(6) as pool:
        served = list(pool.map(lambda file: write_triton_repository(file, repository), files))
    assert sorted(result.version for result in served) == [1, 2, 3, 4, 5, 6]
    model = served[0].path
    stored = config_of(model).parameters
    for file, result in zip(files, served, strict=True):
        digest = listing(file.parent)[file.name]
        assert listing(model / str(result.version))["model.onnx"] == digest
        assert stored[f"salu_zoo.file_sha256.{result.version}"].string_value == digest
    assert not [path.name for path in [*model.iterdir(), *repository.iterdir()] if path.name.startswith(".")]


def test_without_the_schema(exported, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tritonclient.grpc.model_config_pb2", None)
    with pytest.raises(ExportError, match=r"pip install 'salu-zoo\[serve\]'"):
        write_triton_repository(exported.path, tmp_path / "models")
    assert not list(tmp_path.iterdir())


class Centred(nn.Module):
    """The mistake of normalising over the batch, which a server's batches would make everybody's."""

    def __init__(self):
        super().__init__()
        self.network = tiny()

    def forward(self, x):
        logits = self.network(x)
        return logits - logits.mean(0, keepdim=True) / 2


def test_images_that_depend_on_each_other_are_not_batched(spec, tmp_path):
    file = export(Centred(), tmp_path / "x.onnx", input_spec=spec, threads=1).path
    with pytest.raises(ExportError, match=r"takes statistics over its batch: .*max_batch_size=1"):
        write_triton_repository(file, tmp_path / "models")
    assert not (tmp_path / "models").exists()
    served = write_triton_repository(file, tmp_path / "models", settings=ServeSettings(max_batch_size=1))
    config = config_of(served.path)
    assert (config.max_batch_size, config.HasField("dynamic_batching")) == (1, False)
