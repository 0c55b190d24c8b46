"""Training of image classifiers: data, augmentation, loop, checkpoints."""
