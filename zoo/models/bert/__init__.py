"""The transformers model type `fles_bert`. Importing this package makes transformers' Auto classes know it.

import zoo.models.bert
from transformers import AutoModelForSequenceClassification
model = AutoModelForSequenceClassification.from_pretrained("folder")
"""

import transformers
from transformers import AutoConfig, AutoModel, AutoTokenizer, BertTokenizer

from zoo.models.bert import modeling
from zoo.models.bert.configuration import FlesBertConfig
from zoo.models.bert.modeling import (
    FlesBertForMaskedLM,
    FlesBertForMultipleChoice,
    FlesBertForQuestionAnswering,
    FlesBertForSequenceClassification,
    FlesBertForTokenClassification,
    FlesBertModel,
)

__all__ = [
    "FlesBertConfig",
    "FlesBertForMaskedLM",
    "FlesBertForMultipleChoice",
    "FlesBertForQuestionAnswering",
    "FlesBertForSequenceClassification",
    "FlesBertForTokenClassification",
    "FlesBertModel",
]

AutoConfig.register(FlesBertConfig.model_type, FlesBertConfig, exist_ok=True)
AutoModel.register(FlesBertConfig, FlesBertModel, exist_ok=True)
AutoTokenizer.register(FlesBertConfig, BertTokenizer, exist_ok=True)
for _name in (name for name in __all__ if "For" in name):
    _auto = getattr(transformers, f"AutoModel{_name.removeprefix('FlesBert')}")
    _auto.register(FlesBertConfig, getattr(modeling, _name), exist_ok=True)
