"""Start of fine-tuning: a pretrained transformers BERT, put into the zoo's text model."""

from typing import TYPE_CHECKING, Any

from zoo.activations.fles import GELU_STEEPNESS
from zoo.errors import ConfigurationError, WeightsCorruptError, WeightsMismatchError, WeightsNotFoundError
from zoo.models.text_models import TEXT_MODELS, build_text_model, classifier, gate_of_variant
from zoo.training.texts.finetuning_recipe import TextModel

if TYPE_CHECKING:
    from torch import nn

# What follows from how the encoder was trained, and not from the model's name.
_KEPT = ("vocab_size", "max_position_embeddings", "type_vocab_size", "pad_token_id", "layer_norm_eps")
FLES = "fles_bert"
_FLES_FIELDS = ("fles_hidden", "fles_start", "fles_steepness")
# κ_ho at the start for an encoder that was trained with the activation of this name.
_STEEPNESS = {
    **dict.fromkeys(("gelu", "gelu_new", "gelu_pytorch_tanh", "quick_gelu"), GELU_STEEPNESS),
    **dict.fromkeys(("silu", "swish"), 1.0),
}


def start_model(recipe: TextModel, num_outputs: int, attention: str) -> "nn.Module":
    """The classifier to fine-tune: the pretrained encoder's weights, a fresh classifier, a fresh FleS.

    An encoder with FleS brings its own. Otherwise FleS starts as the activation the encoder was trained with: exactly
    for SiLU, nearly (κ_ho = 1.702) for GELU. An encoder that was stored without its pooler gets a fresh one.

    Args:
        recipe: names the model and the start.
        num_outputs: width of the classifier.
        attention: transformers' `attn_implementation`.

    Raises:
        UnknownNameError: no such text model.
        ConfigurationError: the start has another size, or an activation FleS cannot start from.
        WeightsNotFoundError: there is nothing to load at the start; weights are read from safetensors only.
        WeightsCorruptError: its weights cannot be read.
        WeightsMismatchError: the start lacks weights of the encoder.
    """
    spec = TEXT_MODELS.get(recipe.name)
    fields = dict(recipe.args)
    if not recipe.start:
        fresh = build_text_model(recipe.name, num_classes=num_outputs, act=recipe.act, **fields)
        fresh.set_attn_implementation(attention)  # type: ignore[operator]
        return fresh
    config = _config(recipe.start)
    _check_size(recipe, spec.config, config)
    if config.model_type == FLES and recipe.act != (gate := gate_of_variant(config.fles_variant)):
        raise ConfigurationError(
            f"model.act: {recipe.start!r} has the gate {gate!r}, which it was trained with; asked for "
            f"{recipe.act!r}. Set model.act={gate}."
        )
    if config.model_type == FLES:
        fields |= {key: getattr(config, key) for key in _FLES_FIELDS}
    elif recipe.act.startswith("fles") and not fields.keys() & {"fles_start", "fles_steepness"}:
        fields |= {"fles_start": "identity", "fles_steepness": _steepness(recipe, config)}
    kept = {key: getattr(config, key) for key in _KEPT}
    model = classifier(recipe.act, {**spec.config, **kept, "num_labels": num_outputs, **fields}, recipe.name)
    model.set_attn_implementation(attention)  # type: ignore[operator]
    _fill(model, recipe.start)
    model.text_spec = spec  # type: ignore[assignment]
    return model


def _config(start: str) -> Any:
    from transformers import AutoConfig

    import zoo.models.bert  # noqa: F401 - makes fles_bert known to transformers

    try:
        return AutoConfig.from_pretrained(start, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise _nothing(start, error) from error


def _nothing(start: str, error: Exception) -> WeightsNotFoundError:
    return WeightsNotFoundError(
        f"model.start: nothing to load at {start!r}: {str(error).splitlines()[0]} Give a folder or a Hub repository of "
        "a transformers BERT (--start)."
    )


def _check_size(recipe: TextModel, wanted: Any, config: Any) -> None:
    sizes = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
    wrong = [
        f"{name} {getattr(config, name, None)} instead of {wanted.get(name, usual)}"
        for name, usual in sizes.items()
        if getattr(config, name, None) != wanted.get(name, usual)
    ]
    if wrong or config.model_type not in ("bert", FLES):
        raise ConfigurationError(
            f"model.start: {recipe.start!r} is a {config.model_type} that does not fit {recipe.name}: "
            f"{', '.join(wrong) or 'another architecture'}. Choose another --start or model.name."
        )


def _steepness(recipe: TextModel, config: Any) -> float:
    if config.hidden_act not in _STEEPNESS:
        raise ConfigurationError(
            f"model.start: {recipe.start!r} was trained with {config.hidden_act!r}, which FleS does not start from. "
            "Set a start of your own: --set model.args.fles_start=paper."
        )
    return _STEEPNESS[config.hidden_act]


def _fill(model: "nn.Module", start: str) -> None:
    """Copy the encoder's weights by name; whatever else the start holds (heads) is left aside."""
    from safetensors import SafetensorError
    from transformers import AutoModel

    options = {"dtype": "float32", "use_safetensors": True, "trust_remote_code": False, "output_loading_info": True}
    try:
        encoder, loaded = AutoModel.from_pretrained(start, **options)
    except SafetensorError as error:
        raise WeightsCorruptError(
            f"model.start: cannot read the weights at {start!r}: {error}. Fetch them again."
        ) from error
    except (OSError, ValueError) as error:
        raise _nothing(start, error) from error
    # transformers fills what the file lacks with random numbers.
    missing = sorted(name for name in loaded["missing_keys"] if not name.startswith("pooler."))
    found = model.bert.load_state_dict(encoder.state_dict(), strict=False)  # type: ignore[union-attr, operator]
    gates = () if encoder.config.model_type == FLES else (".intermediate_act_fn.",)  # those of a plain BERT are fresh
    missing += [name for name in found.missing_keys if not any(part in name for part in gates)]
    if missing or found.unexpected_keys:
        raise WeightsMismatchError(
            f"model.start: the weights at {start!r} do not fit: missing {missing[:5]}, unexpected "
            f"{found.unexpected_keys[:5]}. Choose another --start or model.name."
        )
