"""Pose figures: the transformer's output compared with the known pose of every test image."""

from stnkit.experiments.pose.measure import pose_metrics
from stnkit.experiments.pose.undefined import POSE_KEYS

__all__ = ["POSE_KEYS", "pose_metrics"]
