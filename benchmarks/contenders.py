"""What a run knows of one contender in one case, and how it is written."""

import dataclasses
import itertools
import statistics
from fnmatch import fnmatch
from typing import Any

Json = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Contender:
    """A contender in a case, beside the base.

    Attributes:
        seconds: for all images of the case: the median of all calls.
        ratio: of its time to that of the base next to it, the median over turns; 1 for the base.
        lowest, highest: that ratio in single turns.
        fastest, slowest: seconds of single turns.
        microseconds: what a call may take, a target of its own.
        peak: bytes.
    """

    work: str
    case: str
    name: str
    base: str
    device: str
    seconds: float
    base_seconds: float
    ratio: float
    lowest: float
    highest: float
    fastest: float
    slowest: float
    peak: int
    images: int
    all_images: int
    difference: float | None
    differs: str | None
    least: float | None
    most: float | None
    slack_ms: float
    microseconds: float | None
    bytes_moved: int | None
    copy_bandwidth: float | None
    operators: list[Json]

    @property
    def wanted(self) -> str:
        """The target in words, empty where there is none."""
        if self.least is not None:
            return f"≥ {self.least:.3g}"
        if self.most is not None:
            return f"≤ {self.most:.3g}" + (f" or {self.slack_ms:g} ms more" if self.slack_ms else "")
        return f"≤ {self.microseconds:g} µs" if self.microseconds else ""

    @property
    def reached(self) -> str:
        """The figure that the target bounds: the ratio, or the time of a call."""
        return _time(self.seconds) if self.microseconds else f"{self.ratio:.2f}"

    @property
    def turns(self) -> str:
        """The range of what single turns reached."""
        if self.microseconds:
            return f"{_time(self.fastest)} to {_time(self.slowest)}"
        return f"{self.lowest:.2f} to {self.highest:.2f}"

    @property
    def holds(self) -> bool:
        """Whether the target is met."""
        return self.margin >= 1

    @property
    def margin(self) -> float:
        """How far the target is met: at least 1 where it is."""
        return self._margin_of(self.ratio, self.seconds)

    @property
    def is_open(self) -> bool:
        """Whether the target is met in some turns and in others not."""
        low, high = self._margin_of(self.lowest, self.fastest), self._margin_of(self.highest, self.slowest)
        return (low >= 1) != (high >= 1)

    @property
    def rival(self) -> str:
        """Who is faster or slower than whom: ratios with a least are those of others, with a most our own."""
        return self.name if self.microseconds else f"{self.name} / {self.base}"

    @property
    def profile(self) -> str:
        """Where the time of a call of ours goes, operator by operator."""
        large = [o for o in self.operators if o["share"] >= 0.01]
        return ", ".join(f"{o['operator'].removeprefix('aten::')} {o['share']:.0%}" for o in large)

    def is_due_to(self, cause: Json) -> bool:
        """Whether a cause is about this one: its patterns are for the work, the contender and the case."""
        patterns = {"work": self.work, "contender": self.name, "case": self.case}
        return all(fnmatch(value, cause.get(key, "*")) for key, value in patterns.items())

    def _margin_of(self, ratio: float, seconds: float) -> float:
        if self.microseconds:
            return self.microseconds / 1e6 / seconds
        if self.least is not None:
            return ratio / self.least
        if self.most is None:
            return 1.0
        return max(self.most, 1 + self.slack_ms / 1e3 / self.base_seconds) / ratio

    def cell(self) -> str:
        """Time, memory, ratio and whether the target is met."""
        parts = [_time(self.seconds), _bytes(self.peak)]
        if self.device == "cuda":
            parts.append(f"{self.all_images / self.seconds:,.0f} images/s")
            if self.bytes_moved and self.copy_bandwidth:
                parts.append(f"{self.bytes_moved / self.seconds / self.copy_bandwidth:.0%} of a copy")
        if self.images < self.all_images:
            parts.append(f"from {self.images} of {self.all_images:,} images")
        mark = (" ✓" if self.holds else " ✗") if self.wanted else ""
        if self.microseconds:
            parts[0] += mark
        elif self.name != self.base:
            ratio = f"{self.ratio:,.0f}" if self.ratio >= 100 else f"{self.ratio:.2f}"
            parts.insert(0, f"**{ratio}×**{mark}")
        return ", ".join(parts)


def contenders_of(case: Json) -> list[Contender]:
    """All that were measured in a case; none where the base was not."""
    measured = case["contenders"]
    if case["base"] not in measured:
        return []

    def overall(name: str) -> float:
        share = measured[name]["images"] / case["images"]
        return statistics.median(itertools.chain(*measured[name]["turns"])) / share

    base = overall(case["base"])
    made = []
    for name, facts in measured.items():
        share = facts["images"] / measured[case["base"]]["images"]
        medians = [statistics.median(turn) * case["images"] / facts["images"] for turn in facts["turns"]]
        pairs = zip(facts["turns"], facts["base_turns"], strict=False) if name != case["base"] else ()
        ratios = [statistics.median(theirs) / statistics.median(ours) / share for theirs, ours in pairs] or [1.0]
        made.append(
            Contender(
                work=case["work"],
                case=case["case"],
                name=name,
                base=case["base"],
                device=case["device"],
                seconds=overall(name),
                base_seconds=base,
                ratio=statistics.median(ratios),
                lowest=min(ratios),
                highest=max(ratios),
                fastest=min(medians),
                slowest=max(medians),
                peak=facts["peak"],
                images=facts["images"],
                all_images=case["images"],
                difference=facts["difference"],
                differs=facts["differs"],
                least=facts["least"],
                most=facts["most"],
                slack_ms=case["slack_ms"],
                microseconds=facts.get("microseconds"),
                bytes_moved=case["bytes_moved"],
                copy_bandwidth=case["copy_bandwidth"],
                operators=facts.get("profile", []),
            )
        )
    return made


def _time(seconds: float) -> str:
    if seconds < 1e-4:
        return f"{1e6 * seconds:.3g} µs"
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def _bytes(n: int) -> str:
    return f"{n / 2**30:.2f} GiB" if n >= 2**30 else f"{n / 2**20:.1f} MiB"
