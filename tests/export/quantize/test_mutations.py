"""Whatever is done to an exported file, `validate` says so: by the digest, and without it by numbers alone."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from made import make
from mutations import IN_INTEGERS, IN_THE_MODEL, IN_THE_RECORD, changed, drop_clip
from small_net import small

from export import ModelMismatchError, export, open_session, validate
from export.digest import load_to_change, seal
from export.errors import ChangedFileError, ExportError
from export.inputs.random_weights import stir
from export.inputs.source import read_source
from export.parity.collect import collect

MOVED = 1e-4
"""What moves a logit by more must be found without the digest."""

TARGETS = ("portable", "edge_cpu", "edge_int8")
TABLE = [
    (target, row)
    for target in TARGETS
    for row in (
        *(IN_INTEGERS if target == "edge_int8" else IN_THE_MODEL),
        *(("drop a Clip",) if target == "portable" else ()),
        *IN_THE_RECORD,
    )
]


@pytest.fixture(scope="module")
def model():
    """`small()` with scalars that differ: where a equals b, to swap them changes nothing."""
    return stir(small())


@pytest.fixture(scope="module")
def files(model, small_spec, pictures, own_cache, tmp_path_factory):
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SALU_ZOO_CACHE", str(own_cache))
        for target in TARGETS:
            extra = {"calibration": pictures[:32], "budget": 100.0} if target == "edge_int8" else {}
            path = tmp_path_factory.mktemp(target) / "file.onnx"
            made[target] = export(model, path, target=target, input_spec=small_spec, threads=1, **extra).path
    return made


@pytest.fixture(scope="module")
def answers(small_spec):
    """The logits of a file on the images of this package and on extremes."""
    probes = collect(small_spec, None, 64).probes

    def run(proto):
        bare = load_to_change(proto.SerializeToString())
        session = open_session(bare.SerializeToString(), threads=1, arranged=False)
        return np.concatenate([session.run(None, {"image": p.feeds["image"].numpy()})[0] for p in probes])

    return run


def wrong_file(model, file: Path, target: str, row: str, spec) -> onnx.ModelProto:
    """A file with the record of `file`, changed as the row says."""
    proto = onnx.load(file)
    if row in IN_THE_RECORD:
        IN_THE_RECORD[row](proto)
    elif target == "edge_int8":
        IN_INTEGERS[row](proto)
    elif row == "drop a Clip":
        drop_clip(proto)
    else:
        other = make(read_source(changed(model, IN_THE_MODEL[row]), input_spec=spec), target)
        proto.graph.CopyFrom(other.graph)
    return proto


@pytest.mark.slow
@pytest.mark.parametrize(("target", "row"), TABLE)
def test_a_wrong_file_is_refused(target, row, model, files, answers, small_spec, tmp_path):
    proto = wrong_file(model, files[target], target, row, small_spec)
    path = tmp_path / "wrong.onnx"
    onnx.save(proto, path)
    with pytest.raises(ChangedFileError, match="changed since it was exported"):
        validate(path, model, input_spec=small_spec, threads=1)

    moved = float(np.nan_to_num(np.abs(answers(proto) - answers(onnx.load(files[target]))), nan=np.inf).max())
    seal(proto)
    onnx.save(proto, path)
    assert (moved > 0) == (row not in IN_THE_RECORD)
    if moved > MOVED or row in ("mean", "standard deviation", "interpolation", "labels", "licence"):
        assert not passes(path, model, small_spec)


def passes(path: Path, model, spec) -> bool:
    try:
        return validate(path, model, input_spec=spec, threads=1).passed
    except (ModelMismatchError, ExportError):
        return False


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_the_files_themselves_pass_on_their_own_and_on_other_images(target, model, files, small_spec, pictures):
    assert validate(files[target], model, input_spec=small_spec, threads=1).passed
    report = validate(files[target], model, input_spec=small_spec, samples=pictures, threads=1)
    assert report.passed, report.failures()
