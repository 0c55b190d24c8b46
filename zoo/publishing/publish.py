"""A card's folder to a repository of the Hub: planned and checked first, then put there in one commit."""

import re
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path

from zoo.card_folders import card_folder
from zoo.cards.readme.render import check_card
from zoo.data.tokenize import TOKENIZER_CONFIG, TOKENIZER_FILE
from zoo.errors import ConfigurationError, PublishError, WeightsCorruptError, WeightsMismatchError
from zoo.files import write_together
from zoo.hub.fetch import fetch
from zoo.hub.hub_errors import LOGIN, asking
from zoo.hub.hub_names import HUB_PREFIX
from zoo.publishing.publish_plan import Pushed, PushPlan, card_files, pinned_texts
from zoo.weights.create import create_model, open_card
from zoo.weights.tag import CONFIG_FILE, PretrainedTag, read_tag

PICKLES = {".pth", ".pt", ".bin", ".ckpt", ".pkl", ".pickle"}
# Git's own, made by the Hub: no file of ours, and not to be deleted.
_HOUSEKEEPING = (".gitattributes", ".gitignore")
_asking = partial(asking, PublishError)


def plan_push(
    card: str | Path,
    repo: str,
    *,
    private: bool = False,
    revision_tag: str | None = None,
    message: str | None = None,
    delete_extra: bool = False,
) -> PushPlan:
    """Check a card, and compare it with what is on the Hub. Nothing is changed anywhere.

    Args:
        card: `MODEL.TAG`, or the path of a card's folder.
        repo: where to, ORG/NAME; it need not exist.
        private: make the repository so that only its owners see it.
        revision_tag: a name for the commit, such as v1.0, to pin it by.
        message: of the commit.
        delete_extra: remove files from the repository that are not of the card.

    Raises:
        ConfigurationError: the repository or the tag has a name the Hub does not take.
        PublishError: the card is not fit; the tag is taken; the repository is public or holds another model; the Hub
            refuses or cannot be reached.
        ZooError: as `create_model` for a card whose weights are not what it says.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    _check_names(card, repo, revision_tag)
    tag, folder, _ = open_card(card)
    folder = folder or card_folder(tag.name)
    _check_publishable(folder, tag)
    info, tagged = None, None
    with _asking(f"look at {repo}", " The card is fit to be published; nothing was changed."):
        try:
            info = HfApi().model_info(repo, files_metadata=True, timeout=30)
            tagged = HfApi().model_info(repo, revision=revision_tag, timeout=30).sha if revision_tag else None
        except (RepositoryNotFoundError, RevisionNotFoundError):
            pass  # to be made
    hashes = {file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id for file in (info and info.siblings) or ()}
    files, left_out = card_files(folder, repo, hashes)
    extra = tuple(sorted(set(hashes) - {file.name for file in files} - set(_HOUSEKEEPING)))
    plan = PushPlan(
        card=tag.name,
        folder=folder,
        repo=repo,
        endpoint=constants.ENDPOINT,
        private=bool(info.private) if info else private,
        head=info.sha if info else None,
        message=message or f"{'Update' if info else 'Publish'} {tag.name}",
        revision_tag=revision_tag,
        tag_to_make=None if tagged else revision_tag,
        files=files,
        left_out=left_out,
        extra=extra,
        deletions=extra if delete_extra else (),
    )
    _check_place(plan, private, tagged)
    return plan


def push(plan: PushPlan, pin: bool = False) -> Pushed:
    """Do what was planned: the repository if there is none, one commit with all that differs, then the tag.

    Args:
        plan: of `plan_push`, just made.
        pin: write repository and commit into the card's own config.json and README.md, so that installed copies, which
            have the cards without the weights, fetch them from there.

    Raises:
        PublishError: no token; the Hub refuses, cannot be reached, or has changed since the plan was made. It says
            what is there then.
        OutputError: config.json cannot be written.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token

    repo, head, api = plan.repo, plan.head, HfApi()
    if not get_token():
        raise PublishError(
            f"Publishing to {repo} on {plan.endpoint} needs a token with write access; there is none. First {LOGIN}."
        )
    if head is None:
        with _asking(f"create {repo}", " Nothing was published."):
            api.create_repo(repo, private=plan.private)
    if plan.changes or plan.deletions:
        added = [CommitOperationAdd(file.name, file.source) for file in plan.changes]
        deleted = [CommitOperationDelete(name) for name in plan.deletions]
        # Also true where the answer to a commit was lost, and nobody here knows whether it was made.
        whole = " A commit is made whole or not at all: push again, and what is there already is left."
        with _asking(f"upload to {repo}", whole):
            made = api.create_commit(repo, [*added, *deleted], commit_message=plan.message, parent_commit=head)
            head = made.oid
    if plan.tag_to_make:
        missing = " The files are published; only the tag is missing."
        with _asking(f"tag {head} of {repo} as {plan.tag_to_make}", missing):
            api.create_tag(repo, tag=plan.tag_to_make, revision=head)
    if pin:
        texts = pinned_texts(plan.folder, repo, head)
        write_together({plan.folder / name: _filling(text) for name, text in texts.items()})
    return Pushed(
        commit=str(head),
        url=f"{plan.endpoint}/{repo}/tree/{plan.revision_tag or head}",
        load=f"{HUB_PREFIX}{repo}@{plan.revision_tag or head}",
        uploaded=tuple(file.name for file in plan.changes),
        deleted=plan.deletions,
        created=plan.head is None,
        pinned=str(plan.folder / CONFIG_FILE) if pin else None,
    )


def _filling(text: str) -> Callable[[Path], object]:
    return lambda file: file.write_text(text, encoding="utf-8")


def _check_names(card: str | Path, repo: str, revision_tag: str | None) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    if str(card).startswith(HUB_PREFIX):
        raise ConfigurationError(f"{card} is on the Hub already. Give MODEL.TAG, or the path of a card's folder.")
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise ConfigurationError(f"--repo {repo!r} is no name the Hub takes: {error}") from error
    if "/" not in repo:
        raise ConfigurationError(f"--repo {repo!r} names no owner. Write ORG/NAME, or USER/NAME.")
    plain = re.fullmatch(r"(?!main$|[0-9a-f]{7,40}$|.*\.\.)[A-Za-z0-9][A-Za-z0-9._+-]*", revision_tag or "v1.0")
    if revision_tag == "" or not plain:
        raise ConfigurationError(
            f"--revision-tag {revision_tag!r}: take letters, digits, dots, _ and -, such as v1.0, and no name of a "
            "branch or commit."
        )


def _check_publishable(folder: Path, tag: PretrainedTag) -> None:
    """Load the card as a user will, and compare its text with its results."""
    if not tag.results.get("evaluations"):
        place = shlex.quote(str(folder))
        raise PublishError(
            f"{tag.name} has no measured results, so its card would promise nothing. Measure it with "
            f"zoo evaluate {place} --output FILE.json, then zoo card {place} --evaluation FILE.json."
        )
    wanted = (tag.file, *((TOKENIZER_FILE, TOKENIZER_CONFIG) if tag.is_text else ()))
    if missing := [name for name in wanted if not (folder / name).is_file()]:
        raise PublishError(
            f"{folder} lacks {', '.join(missing)}, so it is not the whole card. Publish from a source checkout, or "
            "from the folder that `zoo adopt` wrote."
        )
    if pickles := [path.name for path in folder.iterdir() if path.suffix in PICKLES]:
        raise PublishError(f"{pickles[0]} is a pickle, which runs code when it is read. Move it out of {folder}.")
    create_model(folder, pretrained=True)
    check_card(folder)


def _check_place(plan: PushPlan, private: bool, tagged: str | None) -> None:
    """Refuse a repository that is public, has the tag elsewhere, or holds another model."""
    if private and not plan.private:
        raise PublishError(
            f"{plan.repo} exists and is public, so --private cannot be had by pushing. Hide it in its settings on the "
            "Hub first, or leave out --private, or take another repository."
        )
    if tagged and (plan.changes or plan.deletions or tagged != plan.head):
        raise PublishError(
            f"The tag {plan.revision_tag} of {plan.repo} is commit {tagged} already, and people may rely on it, so it "
            "is not moved. Take another tag."
        )
    if CONFIG_FILE in {file.name for file in plan.files if file.state == "changed"}:
        try:
            held = read_tag(fetch(plan.repo, CONFIG_FILE, plan.head).parent).name
        except (WeightsCorruptError, WeightsMismatchError):
            held = "another kind of model"
        if held != plan.card:
            raise PublishError(
                f"{plan.repo} holds {held}, which {plan.card} would replace. Take another repository; or, if that is "
                f"what you want, delete its {CONFIG_FILE} there first."
            )
