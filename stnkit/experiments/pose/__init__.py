"""Does θ mean what we hope? What the transformer makes of the known pose of every test image."""

from stnkit.experiments.pose.measure import pose_metrics

__all__ = ["pose_metrics"]
