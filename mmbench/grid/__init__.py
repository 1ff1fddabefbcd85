"""Find plugins, name cells, host a plugin, run many, store results."""
