"""The transformers model type `fles_bert`. Importing this package makes transformers' Auto classes know it.

import zoo.models.bert
from transformers import AutoModelForSequenceClassification
model = AutoModelForSequenceClassification.from_pretrained("folder")
"""

from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer, BertTokenizer

from zoo.models.bert.configuration import FlesBertConfig
from zoo.models.bert.modeling import FlesBertForSequenceClassification, FlesBertModel

__all__ = ["FlesBertConfig", "FlesBertForSequenceClassification", "FlesBertModel"]

AutoConfig.register(FlesBertConfig.model_type, FlesBertConfig, exist_ok=True)
AutoModel.register(FlesBertConfig, FlesBertModel, exist_ok=True)
AutoModelForSequenceClassification.register(FlesBertConfig, FlesBertForSequenceClassification, exist_ok=True)
AutoTokenizer.register(FlesBertConfig, BertTokenizer, exist_ok=True)
