"""ONNX Runtime sessions, made one way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fervid.errors import ContractError
from fervid.models.store import ModelFile

if TYPE_CHECKING:
    import onnxruntime


def create_session(model: ModelFile, *, threads: int | None = None) -> onnxruntime.InferenceSession:
    """A CPU session; running it is thread-safe.

    Args:
        model: the file.
        threads: within one run; None lets the runtime choose (one per core).

    Raises:
        ContractError: the bytes are no ONNX model that the runtime can load.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors alone; they are raised too
    if threads is not None:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    # Spinning threads win a little latency and cost whole cores while a film decodes beside them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(model.data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's exceptions share no public base class
        reason = str(error).splitlines()[0][:200]
        raise ContractError(f"{model.name} is no usable ONNX model ({reason})", advice="Export it again.") from None


def read_metadata(session: onnxruntime.InferenceSession) -> dict[str, str]:
    """The custom metadata of the model file."""
    metadata: Any = session.get_modelmeta().custom_metadata_map
    return dict(metadata)
