"""The built-in datasets: `dataset=NAME` selects the file of that name."""
