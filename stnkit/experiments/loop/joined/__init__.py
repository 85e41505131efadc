"""One run in the processes that torchrun or srun has started, also on several machines."""
