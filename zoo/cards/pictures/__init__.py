"""The pictures of a card, each drawn from a part of results.json and stamped with a hash of that part."""

from zoo.cards.pictures.card_pictures import FILES, KINDS, Picture, pictures_of
from zoo.cards.pictures.curve import plot_curve
from zoo.cards.pictures.stamp import check_stamp, draw_stamped

__all__ = ["FILES", "KINDS", "Picture", "check_stamp", "draw_stamped", "pictures_of", "plot_curve"]
