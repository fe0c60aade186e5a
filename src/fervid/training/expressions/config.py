"""A training recipe: TOML in, frozen dataclasses out, every key and range checked."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from fervid.errors import ConfigError
from fervid.training import tables
from fervid.training.tables import build_dataclass, check_name, check_pair, check_range, read_toml

PADDINGS: Final = ("border", "reflection", "zeros")
"""What may lie beyond the edge of a face's picture, by torch's names."""

RESAMPLING: Final = ("bilinear", "bicubic")
"""How grey levels between a face's pixels are found, by torch's names."""

SHORTCUTS: Final = ("average", "max")
"""How a shortcut can halve the plane."""


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The shape of the squeeze-and-excitation ResNet in :mod:`.network`.

    Attributes:
        stem: channels of the first convolution.
        stem_kernel: its side, odd.
        stem_strides: of the stem's two convolutions, 1 or 2. A plane that is halved at once costs a quarter.
        widths: channels of each stage; every stage but the first halves the plane.
        depths: residual blocks of each stage.
        shortcut: how the shortcut of a block that halves the plane does so: by the ``average`` or the ``max`` of four.
        squeeze: channels per hidden unit of the channel attention.
        attention: of each stage, whether its blocks have channel attention; empty when all have.
        dropout: share of the features that are dropped before the heads.
        drop_path: share of the passes that skip the last block; it rises linearly from none at the first.
    """

    stem: int = 24
    widths: tuple[int, ...] = (48, 96, 192, 256)
    depths: tuple[int, ...] = (2, 2, 2, 1)
    squeeze: int = 8
    dropout: float = 0.2
    drop_path: float = 0.05
    stem_kernel: int = 3
    stem_strides: tuple[int, int] = (1, 2)
    shortcut: str = "average"
    attention: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.depths) or not self.widths:
            raise ConfigError(
                f"network has {len(self.widths)} widths and {len(self.depths)} depths",
                advice="Give one width and one depth per stage.",
            )
        if self.attention and len(self.attention) != len(self.widths):
            raise ConfigError(
                f"network has {len(self.widths)} widths and {len(self.attention)} values of attention",
                advice="Give one per stage, or none.",
            )
        if self.shortcut not in SHORTCUTS:
            raise ConfigError(f"network.shortcut is {self.shortcut!r}", advice=f"Use one of: {', '.join(SHORTCUTS)}.")
        if self.stem_kernel not in range(1, 12, 2):
            raise ConfigError(f"network.stem_kernel is {self.stem_kernel}", advice="Use an odd number up to 11.")
        for stride in self.stem_strides:
            check_range("network.stem_strides", stride, 1, 2)
        check_range("network.stem", self.stem, 1, 4096)
        for width in self.widths:
            check_range("network.widths", width, 1, 4096)
        for depth in self.depths:
            check_range("network.depths", depth, 1, 100)
        check_range("network.squeeze", self.squeeze, 1, 4096)
        check_range("network.dropout", self.dropout, 0, 0.95)
        check_range("network.drop_path", self.drop_path, 0, 0.95)


@dataclass(frozen=True, slots=True)
class StageConfig:
    """A run of epochs at one input size (progressive resizing: small first is fast and regularises).

    Attributes:
        epochs: how many.
        size: input side, px.
        restart: rate at which a new cosine starts with this stage (warm restarts, arXiv:1608.03983); 0 goes on along
            the present one.
    """

    epochs: int
    size: int
    restart: float = 0.0

    def __post_init__(self) -> None:
        check_range("schedule.stages.epochs", self.epochs, 1, 10_000)
        check_range("schedule.stages.size", self.size, 16, 224)
        check_range("schedule.stages.restart", self.restart, 0, 100)


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """SGD with Nesterov momentum.

    The rate rises linearly in the warm-up and falls along a half cosine to zero; each stage with a ``restart`` begins
    another cosine.

    Attributes:
        stages: runs of epochs at one input size.
        batch_size: faces in a step.
        learning_rate: the highest.
        momentum: of SGD, Nesterov's.
        weight_decay: of convolutions and matrices; norms and biases are not decayed.
        warmup_epochs: in which the rate rises.
        ema: share of the average of all weights so far that stays at each step; the average is what is exported.
        sam_radius: how far the gradient is taken uphill (arXiv:2010.01412); a step then costs twice. 0 turns it off.
        compile: let ``torch.compile`` fuse the network; needs a C++ compiler, and minutes for each input size.
    """

    stages: tuple[StageConfig, ...] = (StageConfig(30, 44),)
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup_epochs: float = 1.0
    ema: float = 0.998
    sam_radius: float = 0.0
    compile: bool = False

    def __post_init__(self) -> None:
        if not self.stages:
            raise ConfigError("schedule.stages is empty", advice="Give at least one {epochs, size}.")
        check_range("schedule.batch_size", self.batch_size, 2, 65_536)
        check_range("schedule.learning_rate", self.learning_rate, 1e-9, 100)
        check_range("schedule.momentum", self.momentum, 0, 0.9999)
        check_range("schedule.weight_decay", self.weight_decay, 0, 1)
        check_range("schedule.warmup_epochs", self.warmup_epochs, 0, self.epochs)
        check_range("schedule.ema", self.ema, 0, 1)
        check_range("schedule.sam_radius", self.sam_radius, 0, 10)
        if self.stages and self.stages[0].restart:
            raise ConfigError(
                f"schedule.stages.restart of the first stage is {self.stages[0].restart:g}: nothing came before it",
                advice="Set schedule.learning_rate.",
            )

    @property
    def epochs(self) -> int:
        """Epochs of all stages together."""
        return sum(stage.epochs for stage in self.stages)

    def cycle_at(self, epoch: float) -> tuple[int, int, float]:
        """First epoch, end and highest rate of the cosine that ``epoch`` lies in."""
        start, rate, stop = 0, self.learning_rate, 0
        for stage in self.stages:
            if stage.restart and stop:
                if epoch < stop:
                    break
                start, rate = stop, stage.restart
            stop += stage.epochs
        return start, stop, rate

    def size_at(self, epoch: int) -> int:
        """Input side in px during ``epoch`` (from 0)."""
        for stage in self.stages:
            if epoch < stage.epochs:
                return stage.size
            epoch -= stage.epochs
        return self.stages[-1].size


@dataclass(frozen=True, slots=True)
class CameraConfig:
    """How poor a camera may be; see :mod:`.degradation`. Each share is of the faces; 0 turns it off.

    Attributes:
        blur: share that is blurred.
        blur_sigma: of the Gaussian, in 1/48 of the face's side.
        motion: share that moves along a line while the shutter is open.
        motion_px: how far, in px of a face of 48.
        shrink: share that has passed through fewer pixels.
        shrink_side: how many along each side, whole numbers; those of the input at most.
        noise: share with noise.
        noise_std: standard deviation of the grey levels, as a share of their range.
        jpeg: share that has passed through JPEG, when it was small.
        jpeg_quality: libjpeg's, whole numbers.
    """

    blur: float = 0.0
    blur_sigma: tuple[float, float] = (0.4, 1.6)
    motion: float = 0.0
    motion_px: tuple[float, float] = (3.0, 12.0)
    shrink: float = 0.0
    shrink_side: tuple[int, int] = (14, 40)
    noise: float = 0.0
    noise_std: tuple[float, float] = (0.01, 0.06)
    jpeg: float = 0.0
    jpeg_quality: tuple[int, int] = (25, 90)

    def __post_init__(self) -> None:
        for name in ("blur", "motion", "shrink", "noise", "jpeg"):
            check_range(f"augmentation.camera.{name}", getattr(self, name), 0, 1)
        check_pair("augmentation.camera.blur_sigma", self.blur_sigma, 0, 24)
        check_pair("augmentation.camera.motion_px", self.motion_px, 0, 24)
        check_pair("augmentation.camera.shrink_side", self.shrink_side, 4, 224)
        check_pair("augmentation.camera.noise_std", self.noise_std, 0, 1)
        check_pair("augmentation.camera.jpeg_quality", self.jpeg_quality, 1, 100)


@dataclass(frozen=True, slots=True)
class AugmentationConfig:
    """How far a face may be changed; see :mod:`.augmentation`. Mirroring, half of the time, is always on.

    Attributes:
        scale: share of the face's side that is shown, lowest and highest.
        shift: farthest move along either axis, in sides.
        rotation: largest turn either way, degrees.
        brightness: largest change of all grey levels, as a share of the range.
        contrast: largest change of their spread about the face's mean, as a share.
        gamma: the exponent lies between 1 − gamma and its inverse.
        erase: share of the faces that lose a rectangle.
        erase_side: its shortest and longest side, in sides of the face.
        wide: share of the faces that are cut more widely than ``scale`` says, as by a careless detector.
        wide_scale: the share of the face's side that is shown of them.
        random_crop: share of the faces that are only moved, by whole pixels, at the scale that they have. So they are
            as sharp as the faces that the finished network reads (Touvron et al. 2019, arXiv:1906.06423, on what a
            difference between training and reading costs).
        resampling: of the others: ``bilinear``, which blurs, or ``bicubic``.
        padding: what lies beyond the picture's edge: ``border``, which repeats it, ``reflection`` or ``zeros``.
        exposure: share of the faces in bad light.
        exposure_gamma: their further exponent, or its inverse.
        glasses: share of the faces with glasses drawn on, see :mod:`.occluders`.
        mask: with a mask.
        hand: with a hand. The three together are at most 1; no face has two of them.
        camera: what a poor camera adds.
        mixup: α of the Beta distribution that says how much of each face is another's (arXiv:1710.09412); 0 mixes none.
    """

    scale: tuple[float, float] = (0.8, 1.05)
    shift: float = 0.08
    rotation: float = 14.0
    brightness: float = 0.15
    contrast: float = 0.3
    gamma: float = 0.25
    erase: float = 0.25
    erase_side: tuple[float, float] = (0.1, 0.4)
    wide: float = 0.0
    wide_scale: tuple[float, float] = (1.05, 1.35)
    random_crop: float = 0.0
    resampling: str = "bilinear"
    padding: str = "border"
    exposure: float = 0.0
    exposure_gamma: tuple[float, float] = (1.5, 3.0)
    glasses: float = 0.0
    mask: float = 0.0
    hand: float = 0.0
    camera: CameraConfig = field(default_factory=CameraConfig)
    mixup: float = 0.0

    def __post_init__(self) -> None:
        check_pair("augmentation.scale", self.scale, 0.1, 10)
        check_range("augmentation.shift", self.shift, 0, 1)
        check_range("augmentation.rotation", self.rotation, 0, 180)
        check_range("augmentation.brightness", self.brightness, 0, 1)
        check_range("augmentation.contrast", self.contrast, 0, 0.95)
        check_range("augmentation.gamma", self.gamma, 0, 0.95)
        check_range("augmentation.erase", self.erase, 0, 1)
        check_pair("augmentation.erase_side", self.erase_side, 0, 1)
        for name in ("wide", "random_crop", "exposure", "glasses", "mask", "hand"):
            check_range(f"augmentation.{name}", getattr(self, name), 0, 1)
        check_pair("augmentation.wide_scale", self.wide_scale, 0.1, 10)
        check_pair("augmentation.exposure_gamma", self.exposure_gamma, 1, 20)
        if self.resampling not in RESAMPLING:
            raise ConfigError(f"augmentation.resampling is {self.resampling!r}", advice=f"Use {', '.join(RESAMPLING)}.")
        if self.padding not in PADDINGS:
            raise ConfigError(f"augmentation.padding is {self.padding!r}", advice=f"Use {', '.join(PADDINGS)}.")
        check_range("augmentation's glasses, mask and hand together", self.glasses + self.mask + self.hand, 0, 1)
        check_range("augmentation.mixup", self.mixup, 0, 10)


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Cross-entropy of the label head plus that of the votes head, times its weight.

    Attributes:
        label_smoothing: share of the label head's target that is spread over all labels (arXiv:1512.00567).
        label_share: share of its target that is FER2013's label; the rest is how people voted (Barsoum et al. 2016,
            arXiv:1608.01041).
        votes_weight: of the votes head; 0 leaves it untrained.
    """

    label_smoothing: float = 0.1
    votes_weight: float = 1.0
    label_share: float = 1.0

    def __post_init__(self) -> None:
        check_range("loss.label_smoothing", self.label_smoothing, 0, 0.9)
        check_range("loss.votes_weight", self.votes_weight, 0, 100)
        check_range("loss.label_share", self.label_share, 0, 1)


@dataclass(frozen=True, slots=True)
class DistillationConfig:
    """Learning from teachers' predictions too (Hinton et al. 2015, arXiv:1503.02531); see :mod:`.teachers`.

    Attributes:
        teachers: their folders, as made by ``runs/keep_teacher.py``; a relative path begins where ``fervid train`` is
            started, which for this project's recipes is its root. Several teach the mean of their probabilities; none
            turns distillation off.
        temperature: by which teachers' and student's logits are divided before they are compared.
        weight: share of the loss that is the distance to the teachers; labels and votes have the rest.
    """

    teachers: tuple[str, ...] = ()
    temperature: float = 4.0
    weight: float = 0.8

    def __post_init__(self) -> None:
        if not all(self.teachers):
            raise ConfigError("distillation.teachers has an empty path", advice="Give folders, or an empty list.")
        check_range("distillation.temperature", self.temperature, 0.1, 100)
        check_range("distillation.weight", self.weight, 0, 1)


@dataclass(frozen=True, slots=True)
class InputConfig:
    """What the finished network sees: the central ``crop`` of the face's square, at ``size`` px."""

    size: int = 44
    crop: float = 44 / 48

    def __post_init__(self) -> None:
        check_range("input.size", self.size, 16, 224)
        check_range("input.crop", self.crop, 0.25, 2)


@dataclass(frozen=True, slots=True)
class ExportConfig(tables.ExportConfig):
    """The file that the trained network becomes; :func:`.export.export_onnx` takes each of these.

    Attributes:
        precision: how it stores its weights.
        licence: of its weights, see :class:`.tables.ExportConfig`.
        mirror: it reads each face and its mirror image, in twice the time, and answers with the mean of both.
        clean_norms: the statistics of its norms are those of clean faces, see :func:`.norms.measure_norms`.
    """

    mirror: bool = False
    clean_norms: bool = False


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """One recipe.

    Attributes:
        name: of the run's folder and of the exported model.
        labels: 7, or 6 to learn disgust as anger.
        seed: of the initial weights and of all randomness in training.
        version: of the exported weights.
        initial_weights: ``weights.pt`` of another run, or its folder, to start from instead of chance; or an exported
            ``.onnx`` file, or an installed model by name. Of several, their mean. A relative path begins where
            ``fervid train`` is started.
    """

    name: str
    labels: int = 7
    seed: int = 1
    version: str = "1"
    initial_weights: tuple[str, ...] = ()
    input: InputConfig = field(default_factory=InputConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    export: ExportConfig = field(default_factory=ExportConfig)

    def __post_init__(self) -> None:
        if self.labels not in (6, 7):
            raise ConfigError(f"labels is {self.labels}", advice="Use 7, or 6 to fold disgust into anger.")
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
        return typing.cast("Self", build_dataclass(cls, table))

    def to_dict(self) -> dict[str, Any]:
        """Nested plain tables that :meth:`from_dict` reads back."""
        return dataclasses.asdict(self)
