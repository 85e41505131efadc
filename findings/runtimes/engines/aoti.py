"""AOTInductor: a shared library in a package."""

import torch
import torch._inductor.config
from nets import exported

TELLING = None


def load(folder, name):
    """The loaded package."""
    net, example, dynamic = exported(name)
    with torch.no_grad():
        program = torch.export.export(net, example, dynamic_shapes=dynamic)
        # The wrapper that calls the kernels takes most of the time of the compiler, and none of the run.
        with torch._inductor.config.patch({"aot_inductor.compile_wrapper_opt_level": "O0"}):
            path = torch._inductor.aoti_compile_and_package(program, package_path=str(folder / f"{name}.pt2"))
        loaded = torch._inductor.aoti_load_package(path)
    return lambda image: [output.numpy() for output in loaded(torch.from_numpy(image))]
