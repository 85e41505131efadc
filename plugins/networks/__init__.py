"""The built-in networks: `network=NAME` selects the file of that name."""
