"""Pose figures: the transformer's output compared with the known pose of every test image."""

from stnkit.experiments.pose.measure import pose_metrics

__all__ = ["pose_metrics"]
