"""Files: paths that users pass, locks, files that are written whole, and arrays in files."""
