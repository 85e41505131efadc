"""MNN: the converter, then its session on the CPU."""

import _tools  # the converter itself: its console script `mnnconvert` installs a package that reports its use
import MNN.expr
import MNN.nn
import numpy as np

TELLING = r"These Op Not Support:[^\n]*|Don't support[^\n]*|[Oo]nly support[^\n]*"


def load(folder, name):
    """The converted model, in the form that computes shapes when it runs."""
    source, target = folder / f"{name}.onnx", folder / f"{name}.mnn"
    target.unlink(missing_ok=True)
    _tools.mnnconvert(["", "-f", "ONNX", "--modelFile", str(source), "--MNNModel", str(target), "--bizCode", "stnkit"])
    if not target.is_file():
        raise RuntimeError("not converted")
    runtime = MNN.nn.create_runtime_manager(({"numThread": 1, "precision": "high"},))
    module = MNN.nn.load_module_from_file(str(target), ["image"], ["logits", "warped"], runtime_manager=runtime)

    def run(image):
        given = MNN.expr.const(image, list(image.shape), MNN.expr.NCHW)
        return [np.array(MNN.expr.convert(output, MNN.expr.NCHW).read()) for output in module.forward([given])]

    return run
