"""The built-in distortions: `distortion=NAME` selects the file of that name."""
