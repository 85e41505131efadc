"""The built-in samplers: `sampler=NAME` selects the file of that name."""
