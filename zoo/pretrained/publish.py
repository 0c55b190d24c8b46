"""A card's folder to a repository of the Hub: planned and checked first, then put there in one commit."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from zoo._files import write_together
from zoo.errors import ConfigurationError, PublishError
from zoo.pretrained import publish_hub
from zoo.pretrained.fetch import HUB_PREFIX
from zoo.pretrained.publish_check import card_files, check_publishable, find_card, pinned_config
from zoo.pretrained.publish_hub import Remote
from zoo.pretrained.publish_plan import Pushed, PushPlan
from zoo.pretrained.readme import README_FILE, render_tag
from zoo.pretrained.tag import CONFIG_FILE


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
        PublishError: the card is not fit; or the tag is taken, the repository is not private, the token is refused.
        ZooError: as `create_model` for a card whose weights are not what it says.
    """
    _check_names(repo, revision_tag)
    folder = find_card(card)
    tag = check_publishable(folder)
    files, left_out = card_files(folder, tag, repo)
    remote, unseen = _seen(repo)
    if remote is not None and private and not remote.private:
        raise PublishError(
            f"{repo} exists and is public, so --private cannot be had by pushing. Hide it in its settings on the Hub "
            "first, or leave out --private, or take another repository."
        )
    text = message or f"{'Publish' if remote is None else 'Update'} {tag.name}"
    api = publish_hub.open_api()
    plan = PushPlan(
        tag, folder, repo, str(api.endpoint), private, text, revision_tag, delete_extra, files, left_out, remote, unseen
    )
    _check_tag(plan)
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
    api = publish_hub.open_api()
    publish_hub.check_token(api, plan.repo)
    if plan.unseen:
        raise PublishError(plan.unseen)
    repo, remote = plan.repo, plan.remote
    head = remote.head if remote else publish_hub.create(api, repo, plan.private)
    if plan.to_commit:
        head = publish_hub.commit(api, repo, plan.folder, (plan.changes, plan.deletions), plan.message, head)
        _check_arrived(plan, publish_hub.look(api, repo, head))
    if plan.tag_to_make:
        publish_hub.tag(api, repo, plan.tag_to_make, head)
    written = None
    if pin:
        written = _pin(plan, head)
    return Pushed(
        commit=head,
        url=f"{plan.endpoint}/{repo}/tree/{plan.revision_tag or head}",
        load=f"{HUB_PREFIX}{repo}@{plan.revision_tag or head}",
        uploaded=tuple(file.name for file in plan.changes),
        deleted=plan.deletions,
        created=remote is None,
        pinned=written,
    )


def _pin(plan: PushPlan, commit: str) -> Path:
    """Name repository and commit in config.json, and in the README.md that goes with it."""
    tag, folder = replace(plan.tag, repo=plan.repo, revision=commit), plan.folder
    texts = {
        CONFIG_FILE: pinned_config(folder, plan.repo, commit),
        README_FILE: render_tag(tag, (folder / tag.file).stat().st_size),
    }
    write_together({folder / name: _filling(text) for name, text in texts.items()})
    return folder / CONFIG_FILE


def _filling(text: str) -> Callable[[Path], object]:
    return lambda file: file.write_text(text, encoding="utf-8")


def _seen(repo: str) -> tuple[Remote | None, str]:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return None, f"Offline, as HF_HUB_OFFLINE says: {repo} was not looked at. Unset HF_HUB_OFFLINE to publish."
    try:
        return publish_hub.look(publish_hub.open_api(), repo), ""
    except publish_hub.Unreachable as error:
        return None, str(error)


def _check_names(repo: str, revision_tag: str | None) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise ConfigurationError(f"--repo {repo!r} is no name the Hub takes: {error}") from error
    if "/" not in repo:
        raise ConfigurationError(f"--repo {repo!r} names no owner. Write ORG/NAME, or USER/NAME.")
    if revision_tag is None:
        return
    plain = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", revision_tag) and ".." not in revision_tag
    if not plain or revision_tag == "main" or re.fullmatch("[0-9a-f]{7,40}", revision_tag):
        raise ConfigurationError(
            f"--revision-tag {revision_tag!r}: take letters, digits, dots, _ and -, such as v1.0, and no name of a "
            "branch or commit."
        )


def _check_tag(plan: PushPlan) -> None:
    taken = plan.remote.tags.get(plan.revision_tag or "") if plan.remote else None
    if plan.remote and taken and (plan.to_commit or taken != plan.remote.head):
        raise PublishError(
            f"The tag {plan.revision_tag} of {plan.repo} is commit {taken} already, and people may rely on it, so it "
            "is not moved. Take another tag."
        )


def _check_arrived(plan: PushPlan, now: Remote | None) -> None:
    missing = [file.name for file in plan.files if now is None or now.state(file) != "same"]
    if missing:
        raise PublishError(
            f"The Hub made a commit of {plan.repo} that does not hold what was uploaded: {', '.join(missing)}. Push "
            "again; until then do not use it."
        )
