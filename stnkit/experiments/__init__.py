"""What training adds to the core: networks, data, distortions, the Lightning task and the record of a run."""
