"""Speed and memory of training: operators against a plain copy of memory, whole steps against a model's twin."""
