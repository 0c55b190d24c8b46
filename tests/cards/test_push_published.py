"""The cards of the repository, as they are: pushed, loaded back, and measured on real images."""

from pathlib import Path

import pytest

from zoo import evaluate
from zoo.publishing.publish import plan_push, push
from zoo.weights.create import create_model
from zoo.weights.identity import identity_of

from .test_create import holds

CARDS = Path(__file__).resolve().parents[2] / "model_cards"

pytestmark = [pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"), pytest.mark.slow]


@pytest.mark.parametrize("folder", sorted(path.parent for path in CARDS.glob("*/config.json")), ids=lambda f: f.name)
def test_every_published_card_there_and_back(owner, folder):
    """The cards of the repository, as they are."""
    done = push(plan_push(folder, f"org/{folder.name}", revision_tag="v1.0"))
    there, here = create_model(done.load, pretrained=True), create_model(folder)
    assert identity_of(there).tag.sha256 == identity_of(here).tag.sha256
    assert identity_of(there).tag.labels == identity_of(here).tag.labels
    assert holds(there, here.state_dict())
    assert plan_push(folder, f"org/{folder.name}", revision_tag="v1.0").is_done


def test_the_same_figures_here_and_from_the_hub(owner, repository):
    """100 real images: the card as it lies in the repository, and as anybody gets it."""
    folder = CARDS / "salunet_c18_cifar.cifar10"
    done = push(plan_push(folder, "org/c18", revision_tag="v1.0"))
    options = {"data": repository / "demo" / "cifar10_sample", "limit": 100, "workers": 0, "device": "cpu"}
    here, there = (evaluate(name, "cifar10", **options) for name in (folder, done.load))
    assert (there.top1, there.top5, there.loss) == (here.top1, here.top5, here.loss)
    assert there.n == 100
