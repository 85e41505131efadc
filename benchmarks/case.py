"""One case of a piece of work on one device: its inputs and contenders, and what is known of each before timing."""

import dataclasses
import itertools
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import memray
import torch
from torch import Tensor

from work import Call, UnavailableError, Work

# Calls between two looks at the clock on a GPU, where a single one would be all waiting.
GPU_CALLS = 10
# A norm below it counts as this one.
SMALLEST = 1e-12


@dataclasses.dataclass
class Ready:
    """A contender that has done its work twice.

    Args:
        call: what it does.
        seconds: how long the second time took.
        peak: the most bytes that it held at once, the first time, above those before; what it keeps is in it.
        outputs: of the second time, if they are to be compared.
        difference: relative norm of the outputs' difference to the base's.
    """

    call: Call
    seconds: float
    peak: int
    outputs: Tensor | None
    difference: float | None


class Case:
    """A case whose inputs and contenders are made when they are first asked for, and forgotten afterwards.

    Args:
        work: that it belongs to.
        name: of the case.
        device: cpu or cuda.
        turns: how often each contender has its turn.
    """

    def __init__(self, work: Work, name: str, device: str, turns: int) -> None:
        self.work, self.name, self.device = work, name, device
        self.turns = min(turns, work.turns or turns)
        self.calls = GPU_CALLS if device == "cuda" else work.calls
        # What each contender took in each turn, and the base next to it.
        self.seconds: dict[str, list[list[float]]] = {}
        self.beside: dict[str, list[list[float]]] = {}
        self.missing: dict[str, str] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        self._inputs: Any = None
        self._ready: dict[str, Ready] = {}

    @property
    def title(self) -> str:
        """Work, case and device, for people."""
        return f"{self.work.name} · {self.name}" + (" · GPU" if self.device == "cuda" else "")

    @property
    def rivals(self) -> list[str]:
        """All but the base, or the base itself where it is alone."""
        return [name for name in self.work.contenders if name != self.work.base] or [self.work.base]

    def ready(self, contender: str) -> Ready:
        """The contender, checked and warm.

        Raises:
            UnavailableError: when it is not installed, or cannot do this case.
            AssertionError: when its outputs are not the base's, or are, though it is said to compute something else.
        """
        if contender in self.missing:
            raise UnavailableError(self.missing[contender])
        if contender not in self._ready:
            try:
                self._ready[contender] = self._prepare(contender)
            except ModuleNotFoundError as error:
                self.missing[contender] = f"not installed ({error.name})"
            except UnavailableError as error:
                self.missing[contender] = str(error)
            except AssertionError as error:
                self.missing[contender] = str(error)
                raise
            except RuntimeError as error:  # of its own: kornia's solver fails for many points in some processes
                if contender == self.work.base:
                    raise
                self.missing[contender] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            if contender in self.missing:
                raise UnavailableError(self.missing[contender])
        return self._ready[contender]

    def other(self, beside: str) -> Ready:
        """The contender next to which one is measured, or the base where it is not there.

        Raises:
            UnavailableError: where it is not there, unless it is the first: the base is measured once all the same.
        """
        try:
            return self.ready(beside)
        except UnavailableError:
            if beside != self.rivals[0]:
                raise
            return self.ready(self.work.base)

    def record(self, contender: str, beside: str, benchmark: Any) -> None:
        """Keep what a turn of a contender took."""
        ready = self._ready[contender]
        # Of several iterations pytest-benchmark keeps the mean already.
        took = list(benchmark.stats.stats.data)
        self.seconds.setdefault(contender, []).append(took)
        if contender == self.work.base:
            self.beside.setdefault(beside, []).append(took)
        self.facts[contender] = {
            "images": ready.call.images or self.work.images(self.work.cases[self.name]),
            "peak": ready.peak,
            "difference": ready.difference,
        }

    def median(self, contender: str) -> float:
        """Seconds for all images of the case: the median of all calls."""
        share = self.facts[contender]["images"] / self.work.images(self.work.cases[self.name])
        return statistics.median(itertools.chain(*self.seconds[contender])) / share

    def ratio(self, contender: str) -> float:
        """The contender's time / that of the base: the median over turns."""
        share = self.facts[contender]["images"] / self.facts[self.work.base]["images"]
        turns = zip(self.seconds[contender], self.beside[contender], strict=False)
        return statistics.median(statistics.median(a) / statistics.median(b) for a, b in turns) / share

    def close(self) -> None:
        """Forget inputs and contenders, so that the next case has the memory."""
        for ready in self._ready.values():
            ready.call.close()
        self._ready.clear()
        self._inputs = None
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def _prepare(self, contender: str) -> Ready:
        if self._inputs is None:
            torch.manual_seed(0)
            self._inputs = self.work.inputs(self.work.cases[self.name], self.device)
        call = self.work.contenders[contender](self._inputs)
        peak = _peak_bytes(call, self.device)
        began = time.perf_counter()
        result = call.run()
        if self.device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - began
        outputs = call.outputs(result) if call.outputs else None
        return Ready(call, seconds, peak, outputs, self._difference(contender, outputs))

    def _difference(self, contender: str, outputs: Tensor | None) -> float | None:
        base = self._ready.get(self.work.base)
        if base is None or base.outputs is None or outputs is None:
            return None
        ours = base.outputs[: len(outputs)].double()
        # All zeros where everything is read outside.
        difference = float((ours - outputs.to(ours)).norm() / ours.norm().clamp_min(SMALLEST))
        equal = difference <= self.work.tolerance
        if contender in self.work.differs and not math.isfinite(difference):
            raise UnavailableError("its outputs are not finite")
        assert math.isfinite(difference), f"{self.title}: the outputs of {contender} are not finite"
        if contender in self.work.differs:
            assert not equal, f"{self.title}: {contender} is said to differ, but by {difference:.1e} it is equal"
        else:
            assert equal, f"{self.title}: the outputs of {contender} differ by {difference:.1e} of their norm"
        return difference


def _peak_bytes(call: Call, device: str) -> int:
    if device == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        call.run()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "allocations"
        with memray.Tracker(path):
            call.run()
        return int(memray.FileReader(path).metadata.peak_memory)
