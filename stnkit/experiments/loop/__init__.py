"""The training loop: components, Lightning task, callbacks and processes of one run."""
