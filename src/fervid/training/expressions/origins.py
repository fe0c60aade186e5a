"""What a recipe's network begins from, instead of chance: where it lies, what it is called, what it learned from."""

from __future__ import annotations

import os
from pathlib import Path

from fervid.errors import ConfigError, ModelError, UnknownModelError
from fervid.models.runtime import create_session, read_metadata
from fervid.models.spec import ModelSpec
from fervid.models.store import ModelFile, list_bundled, load_model
from fervid.training.checkpoint import WEIGHTS_FILE, find_run


def find_initial_weights(path: str) -> ModelFile | None:
    """The exported file that a run begins with; None where that is another run's ``weights.pt``.

    Args:
        path: folder of a run, its ``weights.pt``, an ``.onnx`` file, or an installed model by its name, with ``@`` and
            the digest that results carry (``base@c146a9b8aab6``) where it must be that very one.

    Raises:
        ConfigError: there is no such file.
        ModelError: it is damaged.
    """
    name, _, digest = path.partition("@")
    plain = not {os.sep, "/"} & set(path) and Path(path).suffix not in (".pt", ".onnx")
    named = plain and not (Path(path) / WEIGHTS_FILE).is_file()
    if not named and not path.endswith(".onnx"):
        find_run(path)
        return None
    try:
        file = load_model(name if named else path)
    except UnknownModelError as error:
        known = ", ".join(model.name for model in list_bundled() if model.kind == "expression")
        raise ConfigError(
            f"the initial weights {path} are not there ({error.message})",
            advice=f"Give the folder of a run, its weights.pt, an .onnx file, or one of {known}.",
        ) from None
    if digest and named and file.identity != path:
        raise ConfigError(
            f"the model {name} that is installed is {file.identity}, not {path}",
            advice="Install the version of fervid that has it, or give the path of its .onnx file.",
        )
    return file


def name_origin(path: str) -> str:
    """What initial weights are called: all runs keep theirs in a file of one name, so their folder says whose."""
    file = Path(path)
    return (file.parent.name if file.name == WEIGHTS_FILE else "") or file.name


def find_training_data(path: str) -> str | None:
    """What the network of an exported file learned from, in the words of its spec.

    None of a run's weights, which have no spec, and of a file that is gone: a run that has begun needs it no more.

    Args:
        path: as :func:`find_initial_weights` takes it.
    """
    try:
        file = find_initial_weights(path)
        if file is None:
            return None
        return ModelSpec.from_metadata(read_metadata(create_session(file)), file.name).training_data
    except (ConfigError, ModelError):
        return None
