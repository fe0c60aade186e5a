"""A detector's recipe: TOML in, frozen dataclasses out, every key and range checked."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from fervid.errors import ConfigError
from fervid.training.tables import ExportConfig, build_dataclass, check_name, check_pair, check_range, read_toml

TASK: Final = "detection"
"""What a detector's recipe says as its ``task``."""


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The shape of the network in :mod:`.network`.

    Attributes:
        stem: channels at half the input's resolution.
        fine: channels at a quarter.
        middle: channels at an eighth.
        coarse: channels below, and of the pyramid.
        depths: residual blocks: dense at a quarter, dense at an eighth, separable at an eighth, a sixteenth, a 32nd.
        landmark_depth: separable residual blocks, for each stride, that the points alone have.
    """

    stem: int = 8
    fine: int = 24
    middle: int = 48
    coarse: int = 64
    depths: tuple[int, int, int, int, int] = (1, 1, 1, 3, 2)
    landmark_depth: int = 0

    def __post_init__(self) -> None:
        for name in ("stem", "fine", "middle", "coarse"):
            check_range(f"network.{name}", getattr(self, name), 1, 1024)
        for depth in self.depths:
            check_range("network.depths", depth, 0, 20)
        check_range("network.landmark_depth", self.landmark_depth, 0, 20)


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """AdamW (arXiv:1711.05101); the rate rises linearly in the warm-up and falls along a half cosine to zero.

    Attributes:
        epochs: how many.
        scenes: composed for each epoch, see :mod:`.scenes`.
        size: side of a scene, px, a multiple of 32.
        batch_size: scenes in a step.
        learning_rate: the highest.
        weight_decay: of convolutions; norms and biases are not decayed.
        warmup_epochs: in which the rate rises.
        ema: share of the average of all weights so far that stays at each step; the average is what is exported.
        validate_every: epochs from one validation to the next; the last epoch is always validated.
    """

    epochs: int = 60
    scenes: int = 6400
    size: int = 320
    batch_size: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    warmup_epochs: float = 1.0
    ema: float = 0.999
    validate_every: int = 4

    def __post_init__(self) -> None:
        check_range("schedule.epochs", self.epochs, 1, 100_000)
        check_range("schedule.batch_size", self.batch_size, 2, 4096)
        check_range("schedule.scenes", self.scenes, self.batch_size, 10_000_000)
        check_range("schedule.size", self.size, 64, 2048)
        if self.size % 32:
            raise ConfigError(f"schedule.size is {self.size}", advice="Give a multiple of 32.")
        check_range("schedule.learning_rate", self.learning_rate, 1e-9, 10)
        check_range("schedule.weight_decay", self.weight_decay, 0, 10)
        check_range("schedule.warmup_epochs", self.warmup_epochs, 0, self.epochs)
        check_range("schedule.ema", self.ema, 0, 1)
        check_range("schedule.validate_every", self.validate_every, 1, 100_000)


@dataclass(frozen=True, slots=True)
class SceneConfig:
    """How training pictures are composed, see :mod:`.scenes`. Shares and probabilities are 0–1.

    Attributes:
        grid: probabilities of scenes of one tile, of 2×2 and of 3×3 tiles.
        people: share of the tiles that show people; what is left of 1 after ``heads`` is background.
        heads: share of the tiles that show one head.
        zoom: share of the tiles with people whose scale is chosen for the height of a face; the others are shown
            about as large as they are.
        face_height: of the face that a zoomed tile is scaled for, px.
        largest_zoom: the most by which a picture with people is enlarged.
        background_zoom: scale of the pictures without a face.
        pasted: probability of pasting heads into a scene.
        pasted_most: the most that are pasted.
        pasted_height: of a pasted face, px.
        decoys: probability of pasting ovals that are no faces, blended as heads are: otherwise a soft edge around
            something round is half a face.
        rotated: share of the tiles and pasted heads that are turned.
        rotation: by how much at most, degrees.
        smallest: lower faces are neither positive nor negative, px.
    """

    grid: tuple[float, float, float] = (0.35, 0.5, 0.15)
    people: float = 0.65
    heads: float = 0.12
    zoom: float = 0.55
    face_height: tuple[float, float] = (8.0, 110.0)
    largest_zoom: float = 3.0
    background_zoom: tuple[float, float] = (0.5, 2.0)
    pasted: float = 0.45
    pasted_most: int = 4
    pasted_height: tuple[float, float] = (12.0, 180.0)
    decoys: float = 0.0
    rotated: float = 0.3
    rotation: float = 30.0
    smallest: float = 7.0

    def __post_init__(self) -> None:
        for name in ("people", "heads", "zoom", "pasted", "decoys", "rotated"):
            check_range(f"scenes.{name}", getattr(self, name), 0, 1)
        check_range("scenes.people and heads together", self.people + self.heads, 0, 1)
        for share in self.grid:
            check_range("scenes.grid", share, 0, 1)
        check_range("the sum of scenes.grid", sum(self.grid), 0.999, 1.001)
        check_pair("scenes.face_height", self.face_height, 4, 2000)
        check_pair("scenes.pasted_height", self.pasted_height, 4, 2000)
        check_range("scenes.largest_zoom", self.largest_zoom, 0.5, 20)
        check_pair("scenes.background_zoom", self.background_zoom, 0.05, 20)
        check_range("scenes.pasted_most", self.pasted_most, 1, 100)
        check_range("scenes.rotation", self.rotation, 0, 180)
        check_range("scenes.smallest", self.smallest, 1, 100)


@dataclass(frozen=True, slots=True)
class LightConfig:
    """What light, camera and file do to a scene, see :mod:`.light`. Each share is of the scenes.

    Attributes:
        grey: share without colour.
        tint: largest change of a colour channel's gain, as a share.
        gamma: the exponent lies between 1 − gamma and its inverse.
        contrast: largest change of contrast, as a share.
        brightness: largest change of all levels, as a share of the range.
        blur: share that is blurred.
        noise: share with noise.
        jpeg: share that passes through JPEG.
        occluded: share of the faces of which a part is covered.
    """

    grey: float = 0.2
    tint: float = 0.12
    gamma: float = 0.4
    contrast: float = 0.35
    brightness: float = 0.15
    blur: float = 0.12
    noise: float = 0.12
    jpeg: float = 0.2
    occluded: float = 0.08

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            check_range(f"light.{f.name}", getattr(self, f.name), 0, 1 if f.name not in ("gamma", "contrast") else 0.95)


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Weights of the loss's parts, see :mod:`.losses`.

    Attributes:
        objectness: of the cross-entropy of all cells.
        quality: of that of the assigned cells' class.
        box: of the boxes' EIoU loss.
        landmarks: of the points' distances.
        focus: exponent of the error that an objectness is off by, which its cross-entropy is multiplied with: above 0,
            what is nearly right counts less (arXiv:1708.02002).
    """

    objectness: float = 1.0
    quality: float = 1.0
    box: float = 5.0
    landmarks: float = 2.0
    focus: float = 0.0

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            check_range(f"loss.{f.name}", getattr(self, f.name), 0, 1000)


@dataclass(frozen=True, slots=True)
class DetectionConfig:
    """One recipe of a face detector.

    Attributes:
        task: ``detection``.
        name: of the run's folder and of the exported model.
        seed: of the initial weights and of all randomness in training.
        version: of the exported weights.
        initial_weights: ``weights.pt`` of another run, or its folder, to start from instead of chance; of several,
            their mean. A relative path begins where ``fervid train`` is started.
    """

    task: str
    name: str
    seed: int = 0
    version: str = "1"
    initial_weights: tuple[str, ...] = ()
    network: NetworkConfig = field(default_factory=NetworkConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    scenes: SceneConfig = field(default_factory=SceneConfig)
    light: LightConfig = field(default_factory=LightConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    export: ExportConfig = field(default_factory=ExportConfig)

    def __post_init__(self) -> None:
        if self.task != TASK:
            raise ConfigError(f"task is {self.task!r}", advice=f'A detector\'s recipe says task = "{TASK}".')
        check_range("seed", self.seed, 0, 2**40)
        check_name(self.name)

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Read a recipe.

        Raises:
            ConfigError: no such file, not TOML, an unknown key, a wrong type or a value out of range.
        """
        return cls.from_dict(read_toml(path))

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> Self:
        """Build a recipe from nested tables, as TOML gives them. Raises ConfigError like :meth:`from_toml`."""
        config: Self = build_dataclass(cls, table)
        return config

    def to_dict(self) -> dict[str, Any]:
        """Nested plain tables that :meth:`from_dict` reads back."""
        return dataclasses.asdict(self)
