"""`zoo push`: a card to the Hugging Face Hub."""

from typing import TYPE_CHECKING, Annotated

import typer

from zoo.console.completion import tags

if TYPE_CHECKING:
    from zoo.publishing.publish_plan import Pushed, PushPlan

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
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    from zoo.console.output import console_err, print_json
    from zoo.publishing.publish import plan_push, push

    if not console_err.is_terminal:
        disable_progress_bars()  # they would fill a log file

    plan = plan_push(card, repo, private=private, revision_tag=revision_tag, message=message, delete_extra=delete_extra)
    if not json_output:
        _print_files(plan)
        _print(_planned(plan))
    done = push(plan, pin) if execute else None
    if not json_output:
        _print(_dry(plan) if done is None else _done(plan, done))
        return
    report = {"executed": execute, "plan": plan.to_dict()}
    print_json(report if done is None else {**report, "done": vars(done)})


def _print(lines: list[str]) -> None:
    from zoo.console.output import console_out

    console_out.print("\n".join(lines), soft_wrap=True)


def _print_files(plan: "PushPlan") -> None:
    from zoo.console.tables import Column, print_table

    columns: list[Column | str] = ["state", Column("bytes", figures=True), Column("sha256", optional=True), "file"]
    rows = [(file.state, f"{file.size_bytes:,}", file.sha256[:12], file.name) for file in plan.files]
    print_table(columns, rows, f"{plan.card} to {plan.repo} on {plan.endpoint}")


def _planned(plan: "PushPlan") -> list[str]:
    there = "to be made" if plan.head is None else f"exists, main is at {plan.head[:12]}"
    lines = [f"Repository: {there}, {'private' if plan.private else 'public'}"]
    lines += [f"Commit: {plan.message if plan.changes or plan.deletions else '(none: nothing differs)'}"]
    lines += [f"Tag: {plan.revision_tag or '(none)'}"]
    if plan.extra:
        fate = "will be deleted" if plan.deletions else "stay (--delete-extra removes them)"
        lines += [f"There and not in the card, {fate}: {', '.join(plan.extra)}"]
    return [*lines, f"In the folder and not published: {', '.join(plan.left_out)}"] if plan.left_out else lines


def _dry(plan: "PushPlan") -> list[str]:
    from huggingface_hub import get_token

    from zoo.hub.hub_errors import LOGIN

    size = sum(file.size_bytes for file in plan.changes)
    parts = [f"upload {len(plan.changes)} of {len(plan.files)} files ({size:,} bytes)"] if plan.changes else []
    parts += [f"delete {', '.join(plan.deletions)}"] if plan.deletions else []
    parts += [f"make the tag {plan.tag_to_make}"] if plan.tag_to_make else []
    text = f"Dry run, nothing was changed. To {' and '.join(parts)}, add --execute."
    lines = ["Everything is there already: there is nothing to upload." if plan.is_done else text]
    return lines if get_token() else [*lines, f"There is no token yet: {LOGIN}."]


def _done(plan: "PushPlan", done: "Pushed") -> list[str]:
    what = [f"uploaded {', '.join(done.uploaded)}"] if done.uploaded else []
    what += [f"deleted {', '.join(done.deleted)}"] if done.deleted else []
    what += [f"tagged {plan.revision_tag}"] if plan.tag_to_make else []
    lines = [f"Done: {'; '.join(what)}." if what else "Everything was there already: nothing was uploaded."]
    lines += [f"Look at it: {done.url}", f'Load it: zoo.create_model("{done.load}", pretrained=True)']
    return [*lines, f"{done.pinned} now names this commit."] if done.pinned else lines
