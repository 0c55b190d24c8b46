"""The pictures of a card, each drawn from a part of results.json and stamped with a hash of that part."""

from zoo.pretrained.pictures.card_pictures import FILES, KINDS, Picture, pictures_of
from zoo.pretrained.pictures.curve import plot_curve
from zoo.pretrained.pictures.stamp import check_stamp, draw_stamped

__all__ = ["FILES", "KINDS", "Picture", "check_stamp", "draw_stamped", "pictures_of", "plot_curve"]
