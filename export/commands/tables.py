"""Tables printed for an export and for a parity check."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from export.parity.parity_report import ParityReport
    from export.pipeline.export_model import ExportResult


def print_export(result: "ExportResult", written: dict[str, Any], as_json: bool) -> None:
    """Print the exported file, and what was written beside it; see `export.deliver.deliveries`."""
    from export.deliver.deliveries import delivery_rows
    from zoo.console.output import print_json
    from zoo.console.tables import print_facts

    if as_json:
        print_json(result.to_dict() | written)
        return
    rows = _export_rows(result.to_dict(), result.parity) + delivery_rows(written)
    print_facts(rows, f"{result.model} for {result.target}")


def _export_rows(result: dict[str, Any], report: "ParityReport") -> list[tuple[str, str]]:
    from export.quantize.options import accuracy_rows

    work = result["elementwise"]
    operators = ", ".join(f"{count} {name}" for name, count in list(result["nodes"].items())[:6])
    return [
        ("file", str(result["path"])),
        ("size", f"{result['size_bytes'] / 1e6:.1f} MB, opset {result['opset']}, IR version {result['ir_version']}"),
        ("nodes", f"{sum(result['nodes'].values())}: {operators}, ..."),
        ("elementwise", f"{work['nodes']} nodes move {work['bytes'] / 1e6:,.1f} MB at batch size 1"),
        *accuracy_rows(result["accuracy"]),
        *parity_rows(report),
        ("report", str(result["parity_path"])),
    ]


def parity_rows(report: "ParityReport") -> list[tuple[str, str]]:
    """The outcome of a parity check, as rows of a table."""
    return [
        ("parity", report.summary()),
        (report.kind, report.samples),
        (
            "against float64",
            report.float64
            or f"max rel {report.worst('max_rel_float64', report.kind):.1e}, "
            f"PyTorch's own {report.worst('own_rel_float64', report.kind):.1e}",
        ),
        ("ran on", f"{', '.join(report.providers)}; {report.engine}; {report.precision}"),
        *([("not proven there", report.not_run)] if report.not_run else []),
        *([("near 65,504", ", ".join(report.near_limit))] if report.near_limit else []),
    ]
