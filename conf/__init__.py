"""The application's configuration: train.yaml and its groups. Components register their own groups."""
