"""Remarks on a conversion: what was left, what it changed, what to beware of."""

from collections.abc import Sequence

from torch import Tensor, nn

from zoo.conversion.choose import Wish
from zoo.conversion.conversion_report import ConvertedSite, Left
from zoo.conversion.example import is_transformers, mask_owner
from zoo.conversion.probe import Trace
from zoo.conversion.replaceable import FUNCTIONS
from zoo.conversion.target import Target


def called_as_functions(trace: Trace, wish: Wish) -> list[Left]:
    """The functional activations, or norms, of the kinds asked for."""
    found = []
    for (path, name, kind), count in trace.functions.items():
        if kind in wish.kinds and (name in FUNCTIONS) != wish.target.replaces_norms:
            times = "once" if count == 1 else f"{count} times"
            reason = f"called as a function, {times} in a pass; only a module can be replaced"
            found.append(Left(path, f"{name}()", reason, "function"))
    return found


def compare(before: Sequence[Tensor], after: Sequence[Tensor]) -> tuple[float | None, float | None]:
    """The largest |after - before| and the largest |before| over the outputs; None where nothing can be compared."""
    pairs = list(zip(before, after, strict=False))
    if not pairs or len(before) != len(after) or any(b.is_meta or b.shape != a.shape for b, a in pairs):
        return None, None
    sized = [(b.double(), a.double()) for b, a in pairs if b.numel()]
    if not sized or not all(bool(x.isfinite().all()) for pair in sized for x in pair):
        return None, None
    return max(float((a - b).abs().max()) for b, a in sized), max(float(b.abs().max()) for b, _ in sized)


def parameter_count(model: nn.Module) -> int:
    """Numbers in all parameters; shared ones count once."""
    return sum(parameter.numel() for parameter in model.parameters())


def warnings_for(
    target: Target, sites: Sequence[ConvertedSite], difference: float | None, around: Sequence[Sequence[nn.Module]]
) -> list[str]:
    """Return the warnings to read before using the converted model, one sentence each.

    Args:
        target: what the sites became.
        sites: what was converted.
        difference: between the outputs; None if they were not compared.
        around: for each site the modules around it; empty for a model type of our own.
    """
    found = []
    changed = sum(not site.preserves for site in sites)
    if target.replaces_norms:
        found.append(
            f"{target.name} does not normalise: the outputs have nothing to do with those before; train the model"
        )
    elif changed:
        found.append(f"{changed} of {len(sites)} sites do not compute the same bits as before; see their `difference`")
    if not changed and difference:
        found.append(
            f"every site computes the same bits as before, yet the outputs differ by {difference:.3g}: something "
            "relies on an activation that works in place, or the model is not deterministic"
        )
    if target.mixes_samples:
        found.append(f"{target.name} uses the whole batch: a sample's output depends on the others in its batch")
    if target.mixes_positions and any(mask_owner(modules) for modules in around):
        found.append(
            f"{target.name} averages over all positions without the attention mask: padding, and in a decoder later "
            "tokens, will change results once it is trained"
        )
    if target.mixes_positions and any(isinstance(m, nn.TransformerEncoderLayer) for modules in around for m in modules):
        found.append(f"{target.name} averages over all positions: what src_key_padding_mask hides counts as well")
    if any(is_transformers(m) for modules in around for m in modules):
        found.append("save_pretrained does not record the conversion: keep this report, and load with zoo.conversion")
    shared = [site for site in sites if site.calls > 1]
    if shared:
        paths = ", ".join(f"{site.path} ({site.calls} calls)" for site in shared)
        found.append(f"called several times in a pass, so one {target.name} serves all these calls: {paths}")
    if difference is None:
        found.append("outputs were not compared: there was no example pass, or it gave values that are not finite")
    return found
