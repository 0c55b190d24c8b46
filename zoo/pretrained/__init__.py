"""The weights: what is published, where it lies, how it gets into a model, and how foreign weights become ours.

`locate` and `adopt` are functions in modules of the same name: import them from there.
"""

from zoo.pretrained.card import refresh_card, write_card
from zoo.pretrained.create import create_model
from zoo.pretrained.locate import list_pretrained, resolve
from zoo.pretrained.pictures import plot_curve
from zoo.pretrained.publish import plan_push, push
from zoo.pretrained.readme import check_card, render_card
from zoo.pretrained.runs import training_record
from zoo.pretrained.tag import PretrainedTag, read_tag

__all__ = [
    "PretrainedTag",
    "check_card",
    "create_model",
    "list_pretrained",
    "plan_push",
    "plot_curve",
    "push",
    "read_tag",
    "refresh_card",
    "render_card",
    "resolve",
    "training_record",
    "write_card",
]
