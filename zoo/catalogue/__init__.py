"""Facts about what there is, for `zoo list` and `zoo info`."""
