"""The application's configuration: train.yaml and its groups. Components bring their own."""
