"""From a name to a module with weights: tags, where they lie, how they are loaded, whose they are."""
