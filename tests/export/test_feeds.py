"""Inputs given by mistake: the error names what the file takes and what it got, wherever it is run."""

import numpy as np
import pytest
from tiny_model import SIZE

from export import open_session
from export.deliver.bundle import write_bundle
from export.edge.errors import EdgeError
from export.edge.folder import Folder
from export.errors import InputError
from export.runtime.binding import BoundSession
from export.runtime.openvino_session import OpenVinoSession, installed
from export.runtime.session import run_session

IMAGES = np.random.default_rng(0).normal(size=(2, *SIZE)).astype(np.float32)
TAKES = r"The file takes image: float32 \(batch, 3, 8, 8\) in NCHW order; got "
MISTAKES = {
    "no image": ({"image": IMAGES[:0]}, r"image: float32 \(0, 3, 8, 8\)\. image is empty: give at least one"),
    "channels last": ({"image": IMAGES.transpose(0, 2, 3, 1)}, r"\(2, 8, 8, 3\)\. .*lie last.*transpose\(0, 3, 1, 2\)"),
    "half": ({"image": IMAGES.astype(np.float16)}, r'image: float16 .*Convert it: image.astype\("float32"\)'),
    "double": ({"image": IMAGES.astype(np.float64)}, r'image: float64 .*Convert it: image.astype\("float32"\)'),
    "raw pixels": ({"image": np.zeros((2, *SIZE), np.uint8)}, "image: uint8 .*Scale and normalise image"),
    "another size": ({"image": np.zeros((2, 3, 9, 8), np.float32)}, r"\(2, 3, 9, 8\)\. Use the preprocessing"),
    "no batch": ({"image": IMAGES[0]}, r"image: float32 \(3, 8, 8\)\. Use the preprocessing"),
    "another name": ({"picture": IMAGES}, r"picture: float32 \(2, 3, 8, 8\)\. Name the inputs so"),
    "nothing": ({}, "nothing"),
}
mistakes = pytest.mark.parametrize(("feeds", "said"), MISTAKES.values(), ids=MISTAKES)


@pytest.fixture(scope="module")
def runs(exported, tmp_path_factory):
    """Everything that runs a file of images."""
    folder = tmp_path_factory.mktemp("bundle") / "tiny"
    write_bundle(exported.path, folder)
    session = open_session(exported.path, threads=1)
    found = {
        "session": lambda feeds: session.run(None, feeds),
        "run_session": lambda feeds: run_session(session, feeds),
        "binding": BoundSession(exported.path, 2, device="cpu", threads=1).run,
        "bundle": Folder.read(folder).open(1),
    }
    if installed():
        session_of_openvino = OpenVinoSession(exported.path, threads=1)
        found["openvino"] = lambda feeds: session_of_openvino.run(None, feeds)
    return found


@mistakes
def test_images(runs, feeds, said):
    for name, run in runs.items():
        takes = TAKES.replace("batch", "any") if name == "openvino" else TAKES
        with pytest.raises(EdgeError if name == "bundle" else InputError, match=takes + ".*" + said):
            run(feeds)


def test_what_fits_runs_everywhere(runs):
    logits = [np.asarray(run({"image": IMAGES})).reshape(2, -1) for run in runs.values()]
    for other in logits[1:]:
        np.testing.assert_allclose(other, logits[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"attention_mask": np.ones((2, 4), np.int64)}, "All inputs need the same tokens"),
        ({"attention_mask": np.ones((2, 5), np.float32)}, r'attention_mask.astype\("int64"\)'),
        ({"input_ids": np.ones((0, 5), np.int64)}, "input_ids is empty"),
        ({"input_ids": np.ones(5, np.int64)}, r"input_ids: int64 \(5\)"),
    ],
)
def test_texts(text_exported, change, said):
    session = open_session(text_exported.path, threads=1)
    feeds = {name: np.ones((2, 5), np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
    assert session.run(None, feeds)[0].shape[0] == 2
    with pytest.raises(InputError, match=r"takes input_ids: int64 \(batch, tokens\), attention_mask: int64.*" + said):
        session.run(None, feeds | change)
