"""ExecuTorch with its portable kernels."""

import torch
from nets import exported

TELLING = r"Missing operator[^\n]*|kernel '[^']*' not found|Attempted to resize[^\n]*"


def load(folder, name):
    """The method of the program, lowered without a delegate."""
    from executorch.exir import to_edge_transform_and_lower
    from executorch.runtime import Runtime

    net, example, dynamic = exported(name)
    with torch.no_grad():
        program = torch.export.export(net, example, dynamic_shapes=dynamic)
        lowered = to_edge_transform_and_lower(program).to_executorch()
    path = folder / f"{name}.pte"
    path.write_bytes(lowered.buffer)
    method = Runtime.get().load_program(path).load_method("forward")
    return lambda image: [output.numpy().copy() for output in method.execute([torch.from_numpy(image)])]
