"""Contradictions inside a recipe, which single fields cannot show."""

from zoo.training.recipe import Recipe

# torch.compile gives up on a function after 8 versions; evaluation needs one, and two are kept in reserve.
_MAX_COMPILED_SIZES = 5


def check_recipe(recipe: Recipe) -> list[str]:
    """Return one sentence for each contradiction; an empty list means the recipe can be run."""
    checks = (_check_sizes, _check_augmentation, _check_schedule, _check_regularisation, _check_model)
    return [problem for check in checks for problem in check(recipe)]


def _check_sizes(recipe: Recipe) -> list[str]:
    batch, parts = recipe.data.batch_size, recipe.runtime.accumulation
    if batch % parts:
        return [f"data.batch_size: {batch} cannot be split into runtime.accumulation = {parts} equal parts."]
    mixes = recipe.regularisation.mixup > 0 or recipe.regularisation.cutmix > 0
    if mixes and (batch // parts) % 2:
        return [
            f"regularisation.mixup/cutmix: mixing pairs images inside a part of a batch, and the parts have "
            f"{batch // parts}. Use an even number, or set regularisation.mixup=0 and regularisation.cutmix=0."
        ]
    return []


def _check_augmentation(recipe: Recipe) -> list[str]:
    augmentation, problems = recipe.augmentation, []
    if recipe.data.loader == "tensor":
        if augmentation.policy != "none":
            problems.append(
                f"augmentation.policy: {augmentation.policy!r} works on single images; "
                'set data.loader="pil" or augmentation.policy="none".'
            )
        if augmentation.crop == "resized":
            problems.append('augmentation.crop: "resized" works on single images; set data.loader="pil".')
        if augmentation.size:
            problems.append('augmentation.size: batches keep the size of the images; set data.loader="pil".')
    for name in ("scale", "ratio"):
        low, high = getattr(augmentation, name)
        if not 0 < low <= high:
            problems.append(f"augmentation.{name}: [{low}, {high}] is not a range of positive numbers.")
    return problems


def _check_schedule(recipe: Recipe) -> list[str]:
    schedule, problems = recipe.schedule, []
    if schedule.warmup_epochs >= schedule.epochs:
        problems.append(
            f"schedule.warmup_epochs: {schedule.warmup_epochs} leaves nothing of schedule.epochs = {schedule.epochs}."
        )
    if schedule.min_lr > recipe.optimizer.lr:
        problems.append(f"schedule.min_lr: {schedule.min_lr} is above optimizer.lr = {recipe.optimizer.lr}.")
    ends = [until for until, _ in schedule.resolution]
    if ends != sorted(set(ends)) or any(size < 1 for _, size in schedule.resolution):
        problems.append(f"schedule.resolution: {list(schedule.resolution)} needs rising epochs and positive sizes.")
    if schedule.patience and recipe.runtime.eval_every != 1:
        problems.append("schedule.patience: counts epochs, so each must be measured: runtime.eval_every = 1.")
    if recipe.runtime.compile and len({size for _, size in schedule.resolution}) > _MAX_COMPILED_SIZES:
        problems.append(
            f"schedule.resolution: more than {_MAX_COMPILED_SIZES} sizes with runtime.compile, which compiles each."
        )
    return problems


def _check_regularisation(recipe: Recipe) -> list[str]:
    regularisation = recipe.regularisation
    if regularisation.weights == "ema" and regularisation.ema_decay == 0:
        return ['regularisation.weights: "ema" needs regularisation.ema_decay above 0.']
    return []


def _check_model(recipe: Recipe) -> list[str]:
    model, problems = recipe.model, []
    if not model.pretrained:
        if model.freeze != "none":
            problems.append('model.freeze: "backbone" needs model.pretrained = true; fresh weights are no backbone.')
        return problems
    own = {"norm": model.norm, "act": model.act, "args": model.args, "num_classes": model.num_classes}
    problems += [f"model.{name}: a pretrained model has its own; leave it out." for name, value in own.items() if value]
    return problems
