"""The built-in localizers: `localizer=NAME` selects the file of that name."""
