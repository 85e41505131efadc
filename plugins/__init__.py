"""The built-in plugins of stnkit: a folder is a kind, a file in it is a name."""
