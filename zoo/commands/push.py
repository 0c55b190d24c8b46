"""`zoo push`: a card to the Hugging Face Hub."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.commands._names import tags

if TYPE_CHECKING:
    from zoo.pretrained.publish_plan import Pushed, PushPlan

Card = Annotated[
    str,
    typer.Argument(
        metavar="MODEL.TAG|FOLDER", help="A card of `zoo list weights`, or the path of one.", autocompletion=tags
    ),
]
Repo = Annotated[
    str, typer.Option("--repo", metavar="ORG/NAME", help="Where to on the Hub; it is made if there is none.")
]
Execute = Annotated[bool, typer.Option("--execute", help="Upload. Without it nothing is changed: a dry run.")]
Private = Annotated[bool, typer.Option("--private", help="Make the repository visible to its owners only.")]
RevisionTag = Annotated[
    str | None, typer.Option("--revision-tag", metavar="TAG", help="A name to pin this version by, such as v1.0.")
]
Message = Annotated[str | None, typer.Option("--message", "-m", help="Of the commit. Default: Publish MODEL.TAG.")]
DeleteExtra = Annotated[
    bool, typer.Option("--delete-extra", help="Delete files of the repository that are not of the card.")
]
Pin = Annotated[
    bool, typer.Option("--pin", help="Then write repository and commit into the card here, for installed copies.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the plan, or what was done, as JSON.")]

_WHOLE_HASH_COLUMNS = 125


def register(app: typer.Typer) -> None:
    """Add `push` to the command line."""
    app.command("push")(push_card)


def push_card(
    card: Card,
    repo: Repo,
    execute: Execute = False,
    private: Private = False,
    revision_tag: RevisionTag = None,
    message: Message = None,
    delete_extra: DeleteExtra = False,
    pin: Pin = False,
    json_output: AsJson = False,
) -> None:
    """Publish a card on the Hugging Face Hub: weights, configuration, results and README, in one commit.

    The card is checked first: it loads, its weights are the ones it pins, it has results, and its README says them.
    Then it is compared with what is on the Hub. A dry run ends there; --execute uploads.
    """
    from zoo.commands._output import print_json
    from zoo.pretrained.publish import plan_push, push

    options = {"private": private, "revision_tag": revision_tag, "message": message, "delete_extra": delete_extra}
    plan = plan_push(card, repo, **options)  # type: ignore[arg-type]
    if not json_output:
        _print_plan(plan)
    if not execute:
        print_json({"executed": False, "plan": plan.to_dict()}) if json_output else _print_dry(plan)
        return
    with _bars():
        done = push(plan, pin)
    if json_output:
        print_json({"executed": True, "plan": plan.to_dict(), "done": done.to_dict()})
    else:
        _print_done(plan, done)


@contextmanager
def _bars() -> Iterator[None]:
    """huggingface_hub's progress bars in a terminal, and none in a log file."""
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    from zoo.commands._output import console_err

    silence = not console_err.is_terminal and not are_progress_bars_disabled()
    if silence:
        disable_progress_bars()
    try:
        yield
    finally:
        if silence:
            enable_progress_bars()


def _print_plan(plan: "PushPlan") -> None:
    from rich import box
    from rich.table import Table

    from zoo.commands._output import console_out

    table = Table(title=f"{plan.tag.name} to {plan.repo}", title_justify="left", box=box.SIMPLE_HEAD)
    for column, justify in (("file", "left"), ("bytes", "right"), ("kept as", "left"), ("on the Hub", "left")):
        table.add_column(column, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("sha256", no_wrap=True)
    digits = 64 if console_out.width >= _WHOLE_HASH_COLUMNS else 12  # all of them: --json
    for file in plan.files:
        kept = "LFS" if plan.is_large(file) else "git"
        state = "unknown" if plan.unseen else plan.state(file)
        table.add_row(file.name, f"{file.size:,}", kept, state, file.sha256[:digits])
    console_out.print(table)
    for line in _facts(plan):
        console_out.print(line, highlight=False, markup=False, soft_wrap=True)


def _facts(plan: "PushPlan") -> list[str]:
    if plan.unseen:
        where = f"{plan.endpoint}, not looked at"
    elif plan.remote is None:
        where = f"{plan.endpoint}, to be made, {'private' if plan.private else 'public'}"
    else:
        seen = "private" if plan.remote.private else "public"
        where = f"{plan.endpoint}, exists, {seen}, main is at {plan.remote.head[:12]}"
    commit = plan.message if plan.to_commit else "(none: nothing differs)"
    lines = [f"Repository: {where}", f"Commit: {commit}", f"Tag: {plan.revision_tag or '(none)'}"]
    if plan.extra:
        fate = "will be deleted" if plan.delete_extra else "stay (--delete-extra removes them)"
        lines.append(f"There and not in the card, {fate}: {', '.join(plan.extra)}")
    if plan.left_out:
        lines.append(f"In the folder and not published: {', '.join(plan.left_out)}")
    return lines


def _print_dry(plan: "PushPlan") -> None:
    from huggingface_hub import get_token

    from zoo.commands._output import console_out
    from zoo.pretrained.hub_errors import LOGIN

    if plan.unseen:
        text = f"{plan.unseen}\nDry run: the card is fit to be published; nothing was changed."
    elif plan.is_done:
        text = "Everything is there already: there is nothing to upload."
    else:
        text = f"Dry run, nothing was changed. To {_intent(plan)}, add --execute."
    if get_token() is None:
        text += f"\nThere is no token yet: {LOGIN}."
    console_out.print(text, highlight=False, markup=False, soft_wrap=True)


def _intent(plan: "PushPlan") -> str:
    size = sum(file.size for file in plan.changes)
    parts = [f"upload {len(plan.changes)} of {len(plan.files)} files ({size:,} bytes)"] if plan.changes else []
    parts += [f"delete {', '.join(plan.deletions)}"] if plan.deletions else []
    return " and ".join([*parts, *([f"make the tag {plan.revision_tag}"] if plan.tag_to_make else [])])


def _print_done(plan: "PushPlan", done: "Pushed") -> None:
    from zoo.commands._output import console_out

    if plan.is_done:
        lines = ["Everything was there already: nothing was uploaded."]
    else:
        what = [f"uploaded {', '.join(done.uploaded)}"] if done.uploaded else []
        what += [f"deleted {', '.join(done.deleted)}"] if done.deleted else []
        what += [f"tagged {plan.revision_tag}"] if plan.tag_to_make else []
        lines = [f"Done: {'; '.join(what)}."]
    lines += [f"Look at it: {done.url}", f'Load it: zoo.create_model("{done.load}", pretrained=True)']
    if done.pinned:
        lines.append(f"{done.pinned} now names this commit.")
    for line in lines:
        console_out.print(line, highlight=False, markup=False, soft_wrap=True)
