"""One module for each runtime: `load(folder, name)`."""
