"""Recording what the baselines need while a network is trained."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._image_ids import ImageIds, first_repeated, plain_ids
from tfdp_fast.baselines._pixels import PixelBatch, gather, raise_bad
from tfdp_fast.baselines._schedule import Methods, Schedule, checked_epoch
from tfdp_fast.baselines._segments import Segments, grown
from tfdp_fast.baselines._state_file import read_state, write_state
from tfdp_fast.baselines.instances import Instances, InstanceValues, digests_of
from tfdp_fast.baselines.methods import METHODS, Pixels, Reduction, check_choice
from tfdp_fast.baselines.scoring import check_reduction, code_of, reduce
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.scores import Scores
from tfdp_fast.tables import Ids

__all__ = ["TrainingRecorder"]


class TrainingRecorder:
    """Takes in the logits of every checkpoint, one batch after the other, and keeps sums.

    A checkpoint is an epoch: 1, 2, ..., T. For each instance and epoch the sums over box and mask are kept
    (16 bytes a method), and for Forgetting two bits a pixel, whatever T is. Logits are not kept.

    An instance keeps its pixels and its targets over all epochs. Within an epoch it is recorded once; to
    record it again with the same outcome does nothing, so that a loop may repeat batches after a restart.

    Results do not depend on the order of instances, on how they are split into batches, nor on which rank has
    recorded what: scores have the same bits, and so have saved files.

    Parameters
    ----------
    methods : iterable of str, or mapping of str to epochs
        ``"entropy"``, ``"el2n"``, ``"forgetting"``, ``"aum"``, ``"bce"``, ``"logit_mse"``. A mapping names
        the epochs that matter, to save memory; None stands for all, which ``"aum"`` and ``"forgetting"``
        need.

    Raises
    ------
    OptionError
        If a method is not known, or an epoch makes no sense.

    Examples
    --------
    >>> import numpy as np
    >>> from tfdp_fast import baselines
    >>> recorder = baselines.TrainingRecorder(["el2n", "forgetting", "aum"])
    >>> targets = np.array([[[1, 0]], [[1, 1]]], bool)  # two boxes of 1 x 2 pixels
    >>> recorder.record(1, [17, 4], np.array([[[2, -2]], [[1, 3]]], np.float32), targets)
    >>> recorder.record(2, [17, 4], np.array([[[2, 1]], [[2, 2]]], np.float32), targets)
    >>> aum = recorder.scores("aum")
    >>> aum.instance_ids, aum.values
    (array([ 4, 17]), array([2.  , 1.25]))
    >>> recorder.scores("forgetting", reduction="sum").values
    array([0., 1.])
    >>> recorder.image_scores("el2n", {4: 1, 17: 1}, epoch=1).images.id
    array([1])
    """

    def __init__(self, methods: Methods = ("entropy", "el2n", "forgetting", "aum")) -> None:
        self._schedule = Schedule(methods)
        self._instances = Instances()
        self._done: dict[int, NDArray[np.bool_]] = {}
        self._sums: dict[int, NDArray[np.float64]] = {}  # [rows, methods of the epoch, box and mask]
        self._segments = Segments()

    @property
    def methods(self) -> dict[str, tuple[int, ...] | None]:
        """What is recorded, and at which epochs; None stands for all."""
        return dict(self._schedule.methods)

    @property
    def epochs(self) -> list[int]:
        """The epochs of which something has been recorded, ascending; the last is T."""
        return sorted(self._done)

    @property
    def instance_ids(self) -> Ids:
        """All instances, ascending: int64 or text [N]."""
        return self._instances.in_order()[0]

    def __len__(self) -> int:
        return len(self._instances)

    def done(self, epoch: int, instance_ids: ImageIds) -> NDArray[np.bool_]:
        """Which of these instances have been recorded at an epoch: after a restart, what need not be done.

        Returns
        -------
        bool [N]
        """
        rows = self._instances.rows(plain_ids(instance_ids))
        done, known = np.zeros(len(rows), np.bool_), rows >= 0
        if checked_epoch(epoch) in self._done:
            done[known] = self._done[epoch][rows[known]]
        return done

    def record(
        self, epoch: int, instance_ids: ImageIds, logits: Any, targets: Any, offsets: Any = None
    ) -> None:
        """Take in a batch of instances. If it raises, nothing of the batch has been taken in.

        Parameters
        ----------
        epoch : int
            From 1.
        instance_ids : int or str [N]
            All whole numbers or all text.
        logits : list of [h, w], array or tensor [N, h, w], or flat [P] with offsets
            Mask logits of the channel of the ground-truth class, over the ground-truth box; see
            `instance_scores`.
        targets : in the same form
            bool, or 0 and 1.
        offsets : int [N + 1], optional
            Where each instance's pixels begin and end in flat logits and targets.

        Raises
        ------
        DataError
            If a logit is NaN or infinite, if an instance has other pixels or targets than before, or if it
            has been recorded at this epoch with another outcome; the message names the instance.
        OptionError
            If an argument makes no sense.
        """
        from tfdp_fast.kernels.pixels import pixel_sums

        epoch, ids = checked_epoch(epoch), plain_ids(instance_ids)
        if len(set(ids)) < len(ids):
            raise OptionError(f"instance {first_repeated(ids)!r} comes twice in a batch")
        batch = gather(logits, targets, offsets, lambda j: _name(ids, j))
        if len(batch) != len(ids):
            raise OptionError(f"{len(ids)} instance ids need as many logits, got {len(batch)}")
        codes = np.array([code_of(METHODS[m].pixel or "") for m in self._schedule.summed(epoch)], np.int64)
        sums, mask_pixels, status = pixel_sums(codes, batch.logits, batch.targets, batch.offsets)
        raise_bad(status, lambda j: _name(ids, j))
        pixels, digests = np.stack([batch.pixels, mask_pixels], axis=1), digests_of(batch)
        self._instances.check(ids, pixels, digests)
        again = self.done(epoch, ids)
        if again.any():
            self._check_again(epoch, ids, np.flatnonzero(again), batch, sums)
            new = np.flatnonzero(~again)
            ids, batch, sums = [ids[j] for j in new], batch.part(new), sums[new]
            pixels, digests = pixels[new], digests[new]
        if not ids:
            return
        rows = self._instances.add(ids, pixels, digests)
        self._put(epoch, rows, sums)
        if self._schedule.forgetting:
            self._segments.record(epoch, rows, batch)

    def scores(
        self,
        method: str,
        *,
        epoch: int | None = None,
        reduction: Reduction = "mean",
        pixels: Pixels = "roi",
        missing: Literal["raise", "skip"] = "raise",
    ) -> InstanceValues:
        """The values of all instances.

        Parameters
        ----------
        method : str
            One that has been recorded.
        epoch : int, optional
            The checkpoint, for the methods that go by one: T // 2 (at least 1) for ``"el2n"`` and
            ``"logit_mse"``, T for ``"entropy"`` and ``"bce"``, T being the last epoch recorded.
        reduction : {"mean", "sum"}
            From pixels to an instance.
        pixels : {"roi", "mask"}
            Over all pixels of the box, or those of the mask. An instance without any has 0.
        missing : {"raise", "skip"}
            If an instance was not recorded at a checkpoint that the method goes by: raise, or go by those at
            which it was, T being their number, and leave out an instance that has none.

        Returns
        -------
        InstanceValues

        Raises
        ------
        DataError
            If an instance was not recorded at a checkpoint.
        OptionError
            If the method was not recorded at this epoch, or an argument makes no sense.
        """
        check_choice("missing", missing, ("raise", "skip"))
        check_reduction(reduction, pixels)
        wanted = self._schedule.checkpoints(method, epoch, max(self._done, default=0))
        ids, order = self._instances.in_order()
        done = np.zeros((len(wanted), len(ids)), np.bool_)
        for done_then, e in zip(done, wanted, strict=True):
            if e in self._done:
                done_then[:] = self._done[e][order]
        if missing == "raise" and not done.all():
            e, j = (int(found[0]) for found in np.nonzero(~done))
            raise DataError(f"instance {ids[j].item()!r}", None, f"was not recorded at epoch {wanted[e]}")
        number = np.count_nonzero(done, axis=0)
        if method == "forgetting":
            events, never = self._segments.counts(self._roi_pixels())
            sums = (events[order] + number[:, None] * never[order]).astype(np.float64)
        else:
            sums = np.zeros((len(ids), 2))
            for done_then, e in zip(done, wanted, strict=True):
                if e in self._done:
                    of_epoch = self._sums[e][:, self._schedule.summed(e).index(method)]
                    sums[done_then] += of_epoch[order[done_then]]
            sums /= np.maximum(number, 1)[:, None]
        of_pixels = self._instances.pixels[order]
        values = reduce(sums, of_pixels[:, 0], of_pixels[:, 1], reduction, pixels)
        return InstanceValues(method, ids[number > 0], values[number > 0])

    def image_scores(
        self,
        method: str,
        image_ids: Mapping[Any, Any] | ImageIds,
        images: Scores | ImageIds | None = None,
        **options: Any,
    ) -> Scores:
        """Sum the values of instances over images: `scores` with its options, and then `image_scores`.

        Parameters
        ----------
        method : str
            As in `scores`.
        image_ids, images
            As in `InstanceValues.image_scores`.
        **options
            ``epoch``, ``reduction``, ``pixels``, ``missing``; see `scores`.

        Returns
        -------
        Scores
            Images only.

        Raises
        ------
        DataError, OptionError
            As `scores` and `InstanceValues.image_scores` do.
        """
        return self.scores(method, **options).image_scores(image_ids, images)

    def merge(self, other: TrainingRecorder) -> None:
        """Add what another one has recorded, for example on another rank; the order of merging is no matter.

        An instance may have been recorded by several, but by one only at each epoch. If it raises, nothing
        has been added.

        Raises
        ------
        DataError
            If both have recorded an instance at the same epoch, or with other pixels or targets.
        OptionError
            If they record different methods.
        """
        if self.methods != other.methods:
            raise OptionError(f"one records {self.methods}, the other {other.methods}")
        ids, theirs = other._instances.ids, other._instances
        self._instances.check(ids, theirs.pixels, theirs.digests)
        for epoch in other._done:
            twice = self.done(epoch, ids) & other._done[epoch][: len(ids)]
            if twice.any():
                reason = f"has been recorded at epoch {epoch} by both"
                raise DataError(_name(ids, int(np.flatnonzero(twice)[0])), None, reason)
        rows = self._instances.add(ids, theirs.pixels, theirs.digests)
        for epoch in other._done:
            done = np.flatnonzero(other._done[epoch][: len(ids)])
            self._put(epoch, rows[done], other._sums[epoch][done])
        self._segments = self._segments.joined(self._roi_pixels(), other._segments.renumbered(rows))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state to a file, whole or not at all, at any time; the name may be any.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        ids, order = self._instances.in_order()
        row_of = np.empty(len(order), np.int64)
        row_of[order] = np.arange(len(order))
        pixels = self._instances.pixels[order]
        segments = Segments(*self._segments.renumbered(row_of)).joined(pixels[:, 0].copy())
        arrays: dict[str, NDArray[Any]] = {"ids": ids, "pixels": pixels}
        arrays |= {"digests": self._instances.digests[order], "epochs": np.array(self.epochs, np.int64)}
        arrays |= {"segments": segments.table, "bits": segments.bits}
        for epoch in self.epochs:
            arrays[f"done.{epoch}"] = self._done[epoch][order]
            arrays[f"sums.{epoch}"] = self._sums[epoch][order]
        write_state(path, self.methods, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TrainingRecorder:
        """Read what `save` has written; recording goes on where it was.

        Raises
        ------
        DataError
            If the file cannot be read, is no such file, is of another format, or is damaged.
        """
        methods, arrays = read_state(path)
        recorder = cls(methods)
        rows = recorder._instances.add(arrays["ids"].tolist(), arrays["pixels"], arrays["digests"])
        for epoch in arrays["epochs"].tolist():
            done = arrays[f"done.{epoch}"]
            recorder._put(epoch, rows[done], arrays[f"sums.{epoch}"][done])
        recorder._segments = Segments(arrays["segments"], arrays["bits"])
        return recorder

    def _roi_pixels(self) -> NDArray[np.int64]:
        return np.ascontiguousarray(self._instances.pixels[:, 0])

    def _put(self, epoch: int, rows: NDArray[np.int64], sums: NDArray[np.float64]) -> None:
        """Keep the sums of an epoch, and that these rows have it; make room for all rows."""
        n = len(self._instances)
        self._done.setdefault(epoch, np.zeros(0, np.bool_))
        self._sums.setdefault(epoch, np.zeros((0, *sums.shape[1:])))
        for e in self._done:
            self._done[e], self._sums[e] = grown(self._done[e], n), grown(self._sums[e], n)
        self._done[epoch][rows], self._sums[epoch][rows] = True, sums

    def _check_again(
        self,
        epoch: int,
        ids: list[int | str],
        again: NDArray[np.int64],
        batch: PixelBatch,
        sums: NDArray[np.float64],
    ) -> None:
        """Raise unless the instances at these positions have the outcome that they had at this epoch."""
        rows = self._instances.rows(ids)[again]
        same = (self._sums[epoch][rows] == sums[again]).all(axis=(1, 2))
        if self._schedule.forgetting:
            same &= self._segments.same(epoch, rows, batch.part(again))
        if not same.all():
            reason = f"has been recorded at epoch {epoch} already, with another outcome"
            raise DataError(_name(ids, int(again[~same][0])), None, reason)


def _name(ids: list[int | str], position: int) -> str:
    return f"instance {ids[position]!r}" if position < len(ids) else f"position {position}"
