"""Several processes that train one network, on one machine or on several.

``torchrun`` (or ``fervid train --processes``) starts them and tells each its number. All hold the same network; each
takes its share of every batch, and what they add up are sums: of gradients, each weighted by its rows, and of the
statistics of batch norms. So they do what one process does with the whole batch, up to the order of additions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import torch
from torch import Tensor, distributed, nn

from fervid.errors import ConfigError, FervidError
from fervid.training.launching import is_started
from fervid.training.noise import Share

Answer = TypeVar("Answer")


class TeamStoppedError(FervidError):
    """This process ends because another one has; that one's message says why."""

    code = "training.stopped"


class Team:
    """The processes of a run, as one of them sees it; alone unless :func:`join_team` says otherwise.

    Args:
        rank: number of this process, from 0.
        size: of the team.
        local: number of this process on its machine.
    """

    def __init__(self, rank: int = 0, size: int = 1, local: int = 0) -> None:
        self.rank = rank
        self.size = size
        self.local = local

    @property
    def leads(self) -> bool:
        """Whether this process writes the files and says how it goes."""
        return self.rank == 0

    def place(self, device: torch.device) -> torch.device:
        """The device of this process: each has a GPU of its own.

        Raises:
            ConfigError: there is none left for it, or all were to use the same.
        """
        if self.size == 1 or device.type != "cuda":
            return device
        if str(device) != device.type:
            raise ConfigError(
                f"{self.size} processes need a GPU each, not all of them {device}", advice="Use --device cuda, or cpu."
            )
        there = torch.cuda.device_count()
        if self.local >= there:
            raise ConfigError(
                f"process {self.rank + 1} has no GPU of its own: its machine has {there}",
                advice="Use --device cpu, or as many processes as there are GPUs.",
            )
        return torch.device("cuda", self.local)

    def share(self, total: int, place: torch.device) -> Share | None:
        """This process's rows of a batch; None when they are all.

        Mixup pairs a batch's ends, so a share is a stretch of its first half and the same one mirrored.

        Raises:
            ConfigError: there are too few rows.
        """
        if self.size == 1:
            return None
        half = (total + 1) // 2
        if half < self.size:
            raise ConfigError(
                f"{self.size} processes cannot share batches of {total}",
                advice=f"Use {half} processes at most, or a larger schedule.batch_size.",
            )
        begin, end = half * self.rank // self.size, half * (self.rank + 1) // self.size
        front = torch.arange(begin, end, device=place)
        back = total - 1 - front.flip(0)
        return Share(torch.cat([front, back[back >= half]]), total)

    def add_up(self, values: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.size > 1:
            with _notice_loss():
                distributed.all_reduce(values)
        return values

    def add_up_gradients(self, parameters: Iterable[nn.Parameter], loss: Tensor) -> Tensor:
        """Sum gradients over all processes, in place; the sum of their losses, which travel along."""
        if self.size == 1:
            return loss
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([*(g.reshape(-1) for g in gradients), loss.reshape(1)])
        self.add_up(flat)
        begin = 0
        for gradient in gradients:
            gradient.copy_(flat[begin : begin + gradient.numel()].view(gradient.shape))
            begin += gradient.numel()
        return flat[-1].clone()  # a view would keep all gradients for as long as the loss is kept

    def lead(self, action: Callable[[], Answer]) -> Answer:
        """What ``action`` gives the leader, for all; its error ends all.

        Raises:
            TeamStoppedError: the leader failed, and says why.
        """
        answer: list[Any] = [None]

        def act() -> None:
            if self.leads:
                answer[0] = action()

        self.do_all(act)
        if self.size > 1:
            with _notice_loss():
                distributed.broadcast_object_list(answer, device=torch.device("cpu"))
        result: Answer = answer[0]
        return result

    def do_all(self, action: Callable[[], Answer]) -> Answer:
        """What ``action`` gives each process; an error of one ends all, and is said once.

        Raises:
            FervidError: an action raised it, here or elsewhere; only the leader raises the first of them.
            TeamStoppedError: another process says why.
        """
        if self.size == 1:
            return action()
        error: Exception | None = None
        try:
            answer = action()
        except Exception as failure:
            error = failure
        failures: list[FervidError | bool] = [False] * self.size
        with _notice_loss():
            distributed.all_gather_object(failures, error if isinstance(error, FervidError) else error is not None)
        if not any(failures):
            return answer
        rank, first = next((rank, failure) for rank, failure in enumerate(failures) if failure)
        if error is not None and rank == self.rank and (self.leads or first is True):
            raise error
        if self.leads and isinstance(first, FervidError):
            raise first
        raise TeamStoppedError("another process of the training has failed") from None


ALONE: Final = Team()


@contextmanager
def join_team() -> Iterator[Team]:
    """The team that ``torchrun`` started this process for; a team of one where nobody did.

    Raises:
        ConfigError: the environment is not what torchrun makes of it.
    """
    if not is_started():
        yield ALONE
        return
    try:
        size = int(os.environ["WORLD_SIZE"])
        team = Team(int(os.environ["RANK"]), size, int(os.environ.get("LOCAL_RANK", os.environ["RANK"])))
    except ValueError:
        raise ConfigError("RANK, WORLD_SIZE or LOCAL_RANK is no number", advice="Start it with torchrun.") from None
    if torch.cuda.is_available():
        torch.cuda.set_device(team.local % torch.cuda.device_count())
    with _notice_loss():
        distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield team
    finally:
        distributed.destroy_process_group()


@contextmanager
def _notice_loss() -> Iterator[None]:
    """A process that ends cuts its connections, which the others notice when they next wait for it."""
    try:
        yield
    except RuntimeError as error:
        raise TeamStoppedError(
            f"another process of the training is gone ({_shorten(error)})",
            advice="Its own message says why. The same command goes on after the last finished epoch.",
        ) from None


def _shorten(error: RuntimeError) -> str:
    """The first sentence, without the place in the source of those who wrote it."""
    return re.sub(r"^\[[^\]]*\] ", "", str(error).splitlines()[0]).partition(". ")[0]
