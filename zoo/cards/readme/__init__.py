"""The text of a card's README.md: rendered from what is stored, by one template, and never edited by hand."""

from zoo.cards.readme.render import README_FILE, check_card, render_card, render_tag

__all__ = ["README_FILE", "check_card", "render_card", "render_tag"]
