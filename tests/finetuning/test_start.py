"""A pretrained BERT put into the zoo's model: the same outputs where FleS can be the same."""

import pytest
import torch
from transformers import AutoModel

from zoo.activations import FleS
from zoo.activations.fles_start import inverse_softplus
from zoo.errors import ConfigurationError, WeightsCorruptError, WeightsMismatchError, WeightsNotFoundError
from zoo.training.texts.finetuning_recipe import TextModel
from zoo.training.texts.start import start_model

from .conftest import save_start

IDS = torch.tensor([[2, 4, 5, 6, 3], [2, 7, 3, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def hidden(model, **kwargs):
    with torch.no_grad():
        return model.eval()(input_ids=IDS, attention_mask=MASK, **kwargs).last_hidden_state[MASK.bool()]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_from_silu_nothing_changes(tmp_path, tiny_row, attention):
    place = save_start(tmp_path, hidden_act="silu")
    model = start_model(TextModel(name=tiny_row, start=str(place)), 2, attention)
    plain = AutoModel.from_pretrained(place, attn_implementation=attention)
    assert torch.equal(hidden(model.bert), hidden(plain))


def test_from_gelu_little_changes(start, tiny_row):
    model = start_model(TextModel(name=tiny_row, start=str(start)), 2, "eager")
    acts = [module for module in model.modules() if isinstance(module, FleS)]
    assert len(acts) == 2
    assert all((act.horizontal_bias == inverse_softplus(1.702)).all() for act in acts)
    plain = AutoModel.from_pretrained(start)
    difference = (hidden(model.bert) - hidden(plain)).abs().max()
    assert 0 < difference < 0.02


@pytest.mark.parametrize("act", ["gelu", "silu", "fles_dg", "fles_pn"])
def test_every_act_gets_the_encoders_weights(start, tiny_row, act):
    model = start_model(TextModel(name=tiny_row, act=act, start=str(start)), 3, "eager")
    weights = AutoModel.from_pretrained(start).state_dict()
    own = model.bert.state_dict()
    assert all(torch.equal(own[name], value) for name, value in weights.items())
    assert model(input_ids=IDS, attention_mask=MASK).logits.shape == (2, 3)


def test_what_does_not_fit_is_refused(tmp_path, tiny_row):
    with pytest.raises(ConfigurationError, match="hidden_size 16 instead of 32"):
        start_model(TextModel(name=tiny_row, start=str(save_start(tmp_path / "a", hidden_size=16))), 2, "eager")
    with pytest.raises(ConfigurationError, match="'relu', which FleS does not start from"):
        start_model(TextModel(name=tiny_row, start=str(save_start(tmp_path / "b", hidden_act="relu"))), 2, "eager")
    with pytest.raises(WeightsNotFoundError, match="nothing to load"):
        start_model(TextModel(name=tiny_row, start=str(tmp_path / "nowhere")), 2, "eager")


def rewrite(place, keep):
    """Leave only the tensors in the start's weights whose names pass `keep`."""
    from safetensors.torch import load_file, save_file

    file = place / "model.safetensors"
    save_file({name: value for name, value in load_file(file).items() if keep(name)}, file, {"format": "pt"})


def begin(place, tiny_row, seed=0):
    torch.manual_seed(seed)
    return start_model(TextModel(name=tiny_row, start=str(place)), 2, "eager")


def test_missing_weights_are_not_drawn_at_random(tmp_path, tiny_row):
    place = save_start(tmp_path)
    rewrite(place, lambda name: "layer.1.output" not in name)
    with pytest.raises(WeightsMismatchError, match=r"missing \['encoder.layer.1.output"):
        begin(place, tiny_row)


def test_a_missing_pooler_is_fresh(tmp_path, tiny_row):
    place = save_start(tmp_path)
    rewrite(place, lambda name: "pooler" not in name)
    one, other = (begin(place, tiny_row, seed).state_dict() for seed in (0, 1))
    differ = {name for name in one if not torch.equal(one[name], other[name])}
    assert "bert.pooler.dense.weight" in differ
    assert not any(name.startswith(("bert.embeddings", "bert.encoder.layer.0.attention")) for name in differ)


def test_unreadable_weights_are_named(tmp_path, tiny_row):
    place = save_start(tmp_path)
    (place / "model.safetensors").write_bytes(b"short")
    with pytest.raises(WeightsCorruptError, match=r"model.start: cannot read"):
        begin(place, tiny_row)
    (place / "model.safetensors").unlink()
    torch.save({}, place / "pytorch_model.bin")
    with pytest.raises(WeightsNotFoundError, match=r"model.start: nothing to load.*model.safetensors.*--start"):
        begin(place, tiny_row)


def test_what_the_encoder_was_trained_with_is_kept(tmp_path, tiny_row):
    place = save_start(tmp_path, layer_norm_eps=1e-3, pad_token_id=3)
    config = begin(place, tiny_row).config
    assert (config.layer_norm_eps, config.pad_token_id, config.max_position_embeddings) == (1e-3, 3, 40)
