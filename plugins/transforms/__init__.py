"""The built-in transforms: `transform=NAME` selects the file of that name."""
