"""Each rewrite keeps the graph's outputs and does what it says; where it must not act, it does not."""

import numpy as np
import pytest

from export.operators.nodes import values_of
from export.passes.fold_input_scale import FoldInputScale
from export.passes.fold_output_scale import FoldOutputScale
from export.passes.fold_pair_scale import FoldPairScale
from export.passes.fuse_pair import FusePair
from export.passes.merge_salu import MergeSalu
from export.passes.write_out import WriteOut

from .graphs import Builder, before_and_after, names


def chain(*operators: tuple) -> object:
    def build():
        made = Builder()
        value = made.x
        for name, *values in operators:
            value = made.ours(name, value, *values)
        return made.model(value)

    return build


def test_salu_of_salu_is_one():
    model, modified = before_and_after(chain(("Salu", 1.5, 0.4), ("Salu", 0.6, 0.9), ("Salu", 2.0, 0.1)), MergeSalu())
    assert modified
    assert names(model) == ["Salu"]
    assert values_of(model.graph[0])[0] == pytest.approx(1.5 * 0.6 * 2.0)


def test_a_gate_is_not_merged():
    model, modified = before_and_after(chain(("Salu", 1.5, 0.4), ("Swalu", 0.6, 0.9)), MergeSalu())
    assert (names(model), modified) == (["Salu", "Swalu"], False)


def test_salu_and_swalu_become_a_pair():
    model, modified = before_and_after(chain(("Salu", 1.5, 0.4), ("Swalu", 0.6, 0.9)), FusePair())
    assert (names(model), modified) == (["SaluSwalu"], True)
    assert values_of(model.graph[0]) == pytest.approx((1.5, 0.4, 0.6, 0.9))


@pytest.mark.parametrize("last", ["Galu", "Salu"])
def test_only_a_swalu_makes_a_pair(last):
    model, modified = before_and_after(chain(("Salu", 1.5, 0.4), (last, 0.6, 0.9)), FusePair())
    assert (names(model), modified) == (["Salu", last], False)


@pytest.mark.parametrize(("change", "last"), [(MergeSalu(), "Salu"), (FusePair(), "Swalu")])
@pytest.mark.parametrize("returned", [False, True])
def test_a_salu_that_others_read_stays(change, last, returned):
    def build():
        made = Builder()
        inner = made.ours("Salu", made.x, 1.5, 0.4)
        outer = made.ours(last, inner, 0.6, 0.9)
        return made.model(outer, inner) if returned else made.model(made.standard("Add", inner, outer))

    model, modified = before_and_after(build, change)
    assert not modified
    assert names(model)[:2] == ["Salu", last]


def layer(kind: str, made: Builder, x):
    if kind == "Conv":
        return made.standard("Conv", x, made.weight(4, 6, 3, 3), made.weight(4), shape=(2, 4, 3, 3))
    if kind == "Conv without bias":
        return made.standard("Conv", x, made.weight(4, 6, 3, 3), shape=(2, 4, 3, 3))
    if kind == "Gemm":
        flat = made.standard("Flatten", x, shape=(2, 150))
        return made.standard("Gemm", flat, made.weight(150, 4), made.weight(4), shape=(2, 4), alpha=0.5, beta=2.0)
    product = made.standard("MatMul", x, made.weight(5, 4), shape=(2, 6, 5, 4))
    return made.standard("Add", product, made.weight(4)) if kind == "MatMul and Add" else product


@pytest.mark.parametrize("kind", ["Conv", "Conv without bias", "Gemm", "MatMul", "MatMul and Add"])
@pytest.mark.parametrize("operator", [("Salu", 3.0, 0.2), ("SaluSwalu", 3.0, 0.2, 0.6, 0.9)])
def test_the_input_scale_goes_into_the_weights(kind, operator):
    def build():
        made = Builder()
        name, *values = operator
        return made.model(made.ours(name, layer(kind, made, made.x), *values))

    model, modified = before_and_after(build, FoldInputScale())
    a, b, *rest = values_of(model.graph[-1])
    assert modified
    assert a * b == pytest.approx(1)
    assert a / b == pytest.approx(3.0 / 0.2)
    assert rest == pytest.approx(list(operator[3:]))


def test_no_input_scale_goes_into_a_gate_or_shared_weights():
    def gate():
        made = Builder()
        return made.model(made.ours("Swalu", layer("Conv", made, made.x), 3.0, 0.2))

    def shared():
        made = Builder((2, 4, 5, 5))
        kernel = made.weight(4, 4, 1, 1)
        first = made.ours("Salu", made.standard("Conv", made.x, kernel), 3.0, 0.2)
        return made.model(made.ours("Salu", made.standard("Conv", first, kernel), 3.0, 0.2))

    def residual():
        made = Builder((2, 6, 5, 5))
        product = made.standard("MatMul", made.x, made.weight(5, 5))
        return made.model(made.ours("Salu", made.standard("Add", product, made.x), 3.0, 0.2))

    for build in (gate, shared, residual):
        before = names(build())
        model, modified = before_and_after(build, FoldInputScale())
        assert (names(model), modified) == (before, False)


@pytest.mark.parametrize("kind", ["Conv", "Conv without bias", "MatMul", "MatMul and Add"])
def test_the_height_goes_into_the_weights(kind):
    def build():
        made = Builder()
        h = made.ours("Salu", made.x, 3.0, 0.2)
        return made.model(layer(kind, made, h), layer(kind, made, h))

    model, modified = before_and_after(build, FoldOutputScale())
    a, b = values_of(model.graph[0])
    assert modified
    assert a == pytest.approx(b)
    assert a * b == pytest.approx(3.0 * 0.2)


def test_no_height_goes_where_somebody_else_reads():
    def added():
        made = Builder((2, 6, 5, 5))
        h = made.ours("Salu", made.x, 3.0, 0.2)
        return made.model(made.standard("Add", h, made.standard("MatMul", h, made.weight(5, 5))))

    def second_input():
        made = Builder((2, 6, 5, 5))
        return made.model(made.standard("MatMul", made.x, made.ours("Salu", made.x, 3.0, 0.2)))

    for build in (added, second_input, chain(("Salu", 3.0, 0.2))):
        model, modified = before_and_after(build, FoldOutputScale())
        assert (values_of(next(n for n in model.graph if n.op_type == "Salu")), modified) == (
            pytest.approx((3.0, 0.2)),
            False,
        )


def test_weights_are_rounded_once():
    made = Builder()
    model = made.model(made.ours("Salu", layer("Conv", made, made.x), 3.0, 0.2))
    before = [value.const_value.numpy().copy() for value in made.weights]
    FoldInputScale()(model)
    for old, value in zip(before, made.weights, strict=True):
        exact = (old.astype(np.float64) * np.sqrt(3.0 * 0.2)).astype(np.float32)
        np.testing.assert_array_equal(value.const_value.numpy(), exact)


@pytest.mark.parametrize("kind", ["Conv", "Conv without bias", "MatMul"])
def test_the_height_of_a_pair_goes_into_the_weights_behind_it(kind):
    def build():
        made = Builder()
        return made.model(layer(kind, made, made.ours("SaluSwalu", made.x, 3.0, 0.2, 0.6, 0.9)))

    model, modified = before_and_after(build, FoldPairScale())
    assert modified
    a, b, c, d = values_of(model.graph[0])
    assert a * b == pytest.approx(3.0 * 0.2)
    assert 4 * (b / c + a * d) / (a * c) * b / a == pytest.approx(1)
    written = build()
    FoldPairScale()(written)
    WriteOut()(written)
    assert names(written).count("Mul") == 2  # the square and the product of the two factors


def test_a_pair_that_others_than_layers_read_stays():
    def build():
        made = Builder()
        pair = made.ours("SaluSwalu", made.x, 3.0, 0.2, 0.6, 0.9)
        return made.model(made.standard("Add", pair, layer("Conv without bias", made, pair)))

    assert not FoldPairScale()(build()).modified
