"""The plugin system."""
