"""Terminal output and shell completion that all commands share."""

# Entry points under which another distribution adds commands to `zoo`.
PLUGIN_GROUP = "zoo.commands"
