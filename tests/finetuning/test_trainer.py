"""Weight decay in transformers' Trainer: FleS's vectors are spared, by their names and by ours; its matrices decay."""

import pytest
from transformers import Trainer, TrainingArguments

from zoo.activations import parameter_specs
from zoo.models.text_models import build_text_model
from zoo.training.texts.trainer import FlesTrainer


@pytest.mark.parametrize(("kind", "act"), [(FlesTrainer, "fles"), (Trainer, "fles"), (Trainer, "fles_adas")])
def test_the_trainer_decays_no_vector_of_fles(kind, act, tiny_row, tmp_path):
    model = build_text_model(tiny_row, act=act)
    trainer = kind(model, TrainingArguments(str(tmp_path), use_cpu=True, report_to="none", weight_decay=0.1))
    decayed, specs = set(trainer.get_decay_parameter_names(model)), parameter_specs(model)
    vectors = {name for name, spec in specs.items() if not spec.weight_decay}
    assert len(vectors) == 2 * (6 if act == "fles" else 8)  # layers, and vectors of each FleS
    assert model.no_weight_decay() == vectors
    assert not vectors & decayed
    assert set(specs) - vectors <= decayed
    assert {"classifier.weight", "bert.pooler.dense.weight"} <= decayed
    moved, kept = trainer.create_optimizer().param_groups
    assert (moved["weight_decay"], kept["weight_decay"]) == (0.1, 0.0)
    assert vectors <= {name for name, p in model.named_parameters() if any(p is one for one in kept["params"])}
