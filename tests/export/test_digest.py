"""The digest in an exported file: what changes it, what does not, and who looks at it."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tiny_model import SIZE, tiny

import zoo
from export import OnnxFileError, load_predictor, measure_latency, open_session, validate, write_bundle
from export.deliver.bundle.exported import ExportedFile
from export.digest import check_unchanged, graph_digest, seal
from export.errors import ChangedFileError
from export.metadata import DIGEST
from export.parity.parity_report import report_path
from export.runtime.engine import engine_here
from export.targets import get_target
from zoo.evaluation.predict import open_model
from zoo.files import sha256_of

IMAGES = {"image": np.random.default_rng(0).normal(size=(2, *SIZE)).astype(np.float32)}


def prop(model: onnx.ModelProto, key: str) -> onnx.StringStringEntryProto:
    return next(one for one in model.metadata_props if one.key == f"salu_zoo.{key}")


def weight(model: onnx.ModelProto, name: str = "conv.weight") -> onnx.TensorProto:
    return next(one for one in model.graph.initializer if one.name == name)


def one_step(model):
    values = onnx.numpy_helper.to_array(weight(model)).copy()
    values.flat[5] = np.nextafter(values.flat[5], np.float32(1))
    weight(model).raw_data = values.tobytes()


def replace(key: str, old: str, new: str):
    def change(model):
        found = prop(model, key)
        assert old in found.value
        found.value = found.value.replace(old, new)

    return change


def swap_inputs(model):
    node = next(node for node in model.graph.node if node.op_type == "Conv")
    node.input[0], node.input[1] = node.input[1], node.input[0]


def sparse(model):
    model.graph.sparse_initializer.add().dims.extend([1])


def outside(model):
    weight(model).data_location = TensorProto.EXTERNAL
    weight(model).external_data.add(key="location", value="elsewhere")


CHANGES = {
    "one weight by one rounding": one_step,
    "the shape of a weight": lambda model: weight(model).dims.reverse(),
    "the name of a weight": lambda model: setattr(weight(model), "name", "other"),
    "a weight that lies outside": outside,
    "a sparse weight": sparse,
    "the inputs of a node": swap_inputs,
    "the operator of a node": lambda model: setattr(model.graph.node[-1], "op_type", "MatMul"),
    "an attribute": lambda model: model.graph.node[0].attribute.add(name="x", type=2, i=1),
    "a node more": lambda model: model.graph.node.add(op_type="Relu", input=["image"], output=["unused"]),
    "a node less": lambda model: model.graph.node.pop(),
    "an output more": lambda model: model.graph.output.add(name=model.graph.node[0].output[0]),
    "a size of the input": lambda model: setattr(model.graph.input[0].type.tensor_type.shape.dim[1], "dim_value", 4),
    "the operator set": lambda model: setattr(model.opset_import[0], "version", 21),
    "the file format": lambda model: setattr(model, "ir_version", 11),
    "a function": lambda model: model.functions.add(name="f"),
    "labels": replace("labels", "ant", "bug"),
    "mean": replace("preprocess", "0.4", "0.5"),
    "standard deviation": replace("preprocess", "0.25", "0.2"),
    "interpolation": replace("preprocess", "bicubic", "bilinear"),
    "licence": lambda model: setattr(prop(model, "license"), "value", "MIT"),
    "target": replace("target", "portable", "web"),
    "precision": lambda model: model.metadata_props.add(key="salu_zoo.precision", value="float16"),
    "digest of the weights": replace("weights_sha256", "a", "b"),
}


@pytest.fixture
def model(exported) -> onnx.ModelProto:
    return onnx.load(exported.path)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_that_matters_changes_it(model, change):
    before = graph_digest(model)
    assert prop(model, "digest").value == before
    change(model)
    assert graph_digest(model) != before


def rename(model):
    model.producer_name, model.graph.name, model.doc_string, model.graph.doc_string = "a", "b", "c", "d"
    model.metadata_props.add(key="author", value="somebody")


def typed_numbers(model):
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(helper.make_tensor(tensor.name, tensor.data_type, tensor.dims, values.ravel().tolist()))


def other_order(model):
    for field in (model.graph.initializer, model.metadata_props):
        turned = list(field)[::-1]
        del field[:]
        field.extend(turned)


def forget_shapes(model):
    del model.graph.value_info[:]


@pytest.mark.parametrize("change", [rename, typed_numbers, other_order, forget_shapes], ids=lambda f: f.__name__)
def test_what_changes_no_result_does_not(model, change):
    before, content = graph_digest(model), model.SerializeToString()
    change(model)
    assert model.SerializeToString() != content
    assert graph_digest(model) == before


def test_the_order_in_which_fields_are_written_does_not(model):
    """Protobuf may write the fields of a message in any order; here each is written as a message of its own."""
    parts = []
    for field, value in model.ListFields():
        part = onnx.ModelProto()
        repeated = not isinstance(value, int | str | bytes) and not hasattr(value, "ListFields")
        if repeated:
            getattr(part, field.name).extend(value)
        elif hasattr(value, "ListFields"):
            getattr(part, field.name).CopyFrom(value)
        else:
            setattr(part, field.name, value)
        parts.insert(0, part.SerializeToString())
    turned = b"".join(parts)
    assert turned != model.SerializeToString()
    assert graph_digest(onnx.load_from_string(turned)) == graph_digest(model)


CHANGED = r"tiny\.onnx was changed since it was exported.*Export the model again"


@pytest.fixture
def changed(copy_of):
    path = copy_of()
    model = onnx.load(path)
    one_step(model)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    "use",
    [
        open_session,
        load_predictor,
        lambda path: validate(path, tiny()),
        lambda path: write_bundle(path, path.with_name("bundle")),
        lambda path: zoo.evaluate(path, "cifar10", device="cpu"),
        lambda path: open_model(str(path)).__enter__(),
        lambda path: engine_here(get_target("web"), "float32").open(path),
        lambda path: engine_here(get_target("gpu_cuda"), "float16").open(path),
    ],
    ids=["open_session", "load_predictor", "validate", "bundle", "evaluate", "predict", "web", "simulated"],
)
def test_a_changed_file_is_refused(changed, use):
    with pytest.raises(ChangedFileError, match=CHANGED):
        use(changed)
    assert not changed.with_name("bundle").exists()


def test_a_changed_file_is_neither_timed_nor_delivered_even_with_a_report_about_its_bytes(changed, spec):
    report = report_path(changed)
    report.write_text(json.dumps(json.loads(report.read_text()) | {"file_sha256": sha256_of(changed)}))
    for use in (lambda: measure_latency(changed, tiny(), input_spec=spec), lambda: ExportedFile.read(changed)):
        with pytest.raises(ChangedFileError, match=CHANGED):
            use()


def test_changed_bytes_are_refused(changed):
    with pytest.raises(ChangedFileError, match="The model was changed since it was exported"):
        open_session(changed.read_bytes())


def test_a_file_without_a_digest_runs_but_nothing_is_said_of_it(exported, copy_of, spec):
    """As a foreign file, or one of an earlier release: a session runs it, whatever trusts its record does not."""
    path = copy_of()
    model = onnx.load(path)
    model.metadata_props.remove(prop(model, "digest"))
    onnx.save(model, path)
    expected = open_session(exported.path, threads=1).run(None, IMAGES)[0]
    np.testing.assert_array_equal(open_session(path, threads=1).run(None, IMAGES)[0], expected)
    for use in (load_predictor, write_bundle, lambda path: validate(path, tiny(), input_spec=spec)):
        with pytest.raises(OnnxFileError, match="has no digest: it was exported by an earlier release"):
            use(path, path.with_name("bundle")) if use is write_bundle else use(path)


def test_only_our_files_are_sealed():
    foreign = helper.make_model(helper.make_graph([], "g", [], []))
    seal(foreign)
    assert not foreign.metadata_props
    check_unchanged(foreign.SerializeToString())


def test_sealing_again_is_the_same(model):
    before = model.SerializeToString()
    seal(model)
    assert [one.key for one in model.metadata_props].count(DIGEST) == 1
    assert graph_digest(model) == graph_digest(onnx.load_from_string(before))
