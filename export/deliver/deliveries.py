"""The folders `zoo export` writes beside the file: for a machine without PyTorch, for Triton, and for a browser."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.native import Platform


@dataclass(frozen=True)
class Deliveries:
    """Folders to write once the file is there.

    Args:
        bundle: a folder for `export.deliver.bundle.write_bundle`, or None.
        serve: a repository for `export.deliver.triton.write_triton_repository`, or None.
        serving: settings for `serve`, by their names in `ServeSettings`; those that are None are its defaults.
        page: a folder for `export.deliver.web.write_page`, or None.
        target: of the file, which a page is particular about.
        platforms: names of those whose operators the bundle holds; none for this machine's.
    """

    bundle: Path | None = None
    serve: Path | None = None
    serving: Mapping[str, Any] = field(default_factory=dict)
    page: Path | None = None
    target: str = "portable"
    platforms: tuple[str, ...] = ()

    def check(self) -> None:
        """Fail before minutes of work, not after them.

        Raises:
            OutputError: a folder cannot be written.
            ExportError: Triton's schema is not installed, or a page cannot be made: another target, no runtime for it.
            NativeError: there are no operators for a platform.
            ConfigurationError: an unknown platform, or platforms without a bundle or for a target without operators of
                ours; `serving` without `serve`, or a setting that is none.
        """
        if self.bundle is not None or self.serve is not None:
            from export.deliver.bundle.new_folder import check_folder
            from export.edge.manifest import RECORD

            for folder, holding in ((self.bundle, RECORD), (self.serve, "")):
                if folder is not None:
                    check_folder(folder, holding)
        if self.serve is not None:
            from export.deliver.triton.schema import need_schema

            need_schema()
        if self.page is not None:
            from export.deliver.web.browser_page import check_page

            check_page(self.page, self.target)
        self._settings()
        if self._platforms():
            from export.native import library_for

            for platform in self._platforms():
                library_for(platform)

    def write(self, file: Path) -> dict[str, Any]:
        """Write them from an exported file; what was written, ready for JSON.

        Raises:
            ZooError: as `write_bundle`, `write_triton_repository` and `write_page`.
        """
        written: dict[str, Any] = {}
        if self.bundle is not None:
            from export.deliver.bundle.bundle_writer import write_bundle

            written["bundle"] = str(write_bundle(file, self.bundle, self._platforms()))
        if self.serve is not None:
            from export.deliver.triton.repository import write_triton_repository

            served = write_triton_repository(file, self.serve, settings=self._settings())
            written["served"] = asdict(served) | {"path": str(served.path)}
        if self.page is not None:
            from export.deliver.web.browser_page import write_page

            written["page"] = write_page(file, self.page).to_dict()
        return written

    def _platforms(self) -> "list[Platform]":
        from export.edge.operators import TARGETS
        from zoo.errors import ConfigurationError
        from zoo.native import PLATFORMS

        if unknown := [name for name in self.platforms if name not in PLATFORMS]:
            raise ConfigurationError(f"--for {unknown[0]}: no such platform. There are {', '.join(PLATFORMS)}.")
        if self.platforms and self.bundle is None:
            raise ConfigurationError("--for says which machines the folder of --bundle is for; give both.")
        if self.platforms and self.target not in TARGETS:
            raise ConfigurationError(
                f"--for chooses compiled operators, which a file for {self.target} does not have: it runs wherever its "
                f"engine does. Leave out --for, or take --target {' or '.join(TARGETS)}."
            )
        return [PLATFORMS[name] for name in dict.fromkeys(self.platforms)]

    def _settings(self) -> Any:
        from export.deliver.triton.settings import ServeSettings
        from zoo.errors import ConfigurationError

        given = {name: value for name, value in self.serving.items() if value is not None}
        if given and self.serve is None:
            names = ", ".join(given)
            raise ConfigurationError(f"Settings of --serve ({names}) without its folder: give both.")
        return ServeSettings(**given)


def delivery_rows(written: dict[str, Any]) -> list[tuple[str, str]]:
    """Format the result of `Deliveries.write` as rows of a table."""
    rows = [("bundle", f"{written['bundle']}: python run.py")] if "bundle" in written else []
    if "served" in written:
        served = written["served"]
        state = "added" if served["added"] else "was there already"
        rows.append(("Triton", f"{served['path']}, version {served['version']} {state}"))
    if "page" in written:
        page = written["page"]
        size = f"{page['files']} files, {page['size_bytes'] / 1e6:.1f} MB"
        rows.append(("page", f"{page['folder']}, {size}: python -m http.server -d {page['folder']}"))
    return rows
