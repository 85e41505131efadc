"""An ONNX file that stnkit has exported: its names, its metadata, and copies that return more."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stnkit.errors import InputError, NotInstalledError
from stnkit.exporting.metadata import decoded

try:
    import onnx
    from google.protobuf.message import DecodeError
except ModuleNotFoundError as error:
    raise NotInstalledError(f"{error.name} is not installed: pip install 'stnkit[export]'") from error


class OnnxFile:
    """An ONNX file that stnkit has exported.

    Args:
        path: of the file.

    Attributes:
        metadata: the values of stnkit, by name without the prefix.
        outputs: names of the outputs.
        hidden_warped: names of the warped images that the graph computes and does not return.

    Raises:
        InputError: when the file cannot be read, is no ONNX, or stnkit has not written it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._model = onnx.load(path)
        except OSError as error:
            raise InputError(f"{path}: expected an ONNX file, got none: {error.strerror}") from error
        except DecodeError as error:
            raise InputError(f"{path}: expected an ONNX file, got another kind of file") from error
        entries = [(entry.key, entry.value) for entry in self._model.metadata_props]
        self.metadata: dict[str, Any] = decoded(entries)
        if not {"input", "outputs", "hidden"} <= self.metadata.keys():
            raise InputError(f"{path}: expected an ONNX file that stnkit exported, got one without its metadata")
        self.outputs = [output.name for output in self._model.graph.output]
        self.hidden_warped = [name for name in self.metadata["hidden"] if name.startswith("warped")]

    @property
    def is_half(self) -> bool:
        """True if images are float16."""
        return bool(self.metadata["input"]["dtype"] == "float16")

    def expose(self, names: Sequence[str], copy: Path) -> None:
        """Write a copy of the file in which named values inside of the graph are outputs too, which come last.

        Args:
            names: of the values.
            copy: path of the copy.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        inside = {value.name: value for value in model.graph.value_info}
        model.graph.output.extend(inside.pop(name) for name in names)
        del model.graph.value_info[:]
        model.graph.value_info.extend(inside.values())
        copy.write_bytes(model.SerializeToString())
