"""PyTorch: a pruned view of a data set, a sampler by score, and scores inside ``__getitem__``.

Needs the extra ``torch``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._image_ids import ImageIds, first_repeated, plain_ids, positions_of
from tfdp_fast._numbers import is_number
from tfdp_fast.errors import MissingExtraError, OptionError
from tfdp_fast.scorer import Scorer
from tfdp_fast.scores import Scores
from tfdp_fast.selection import Subset

try:
    import torch
    from torch.utils import data as torch_data
except ModuleNotFoundError as error:
    raise MissingExtraError("PyTorch", "torch") from error

__all__ = ["PrunedDataset", "ScoreSampler", "ScoreTransform"]


class PrunedDataset(torch_data.Subset[Any]):
    """The part of a map-style data set that is kept: a view, by image ids.

    It is a `torch.utils.data.Subset`, so whatever unwraps these finds the data set below. It can be pickled
    if that can.

    Parameters
    ----------
    dataset : map-style data set
        Any object with ``__getitem__`` by position and ``__len__``.
    image_ids : Subset or iterable of int or str
        The images to keep, in the order that the view shall have. Those of a `Subset` are in data-set order.
    ids : iterable of int or str, optional
        The image id of each position of the data set; ``dataset.ids`` if not given (which torchvision's
        ``CocoDetection`` has).

    Attributes
    ----------
    ids : list of int or str
        The image id of each position of this view.

    Raises
    ------
    OptionError
        If an id is not in the data set, if one comes twice, or if it is not known which image is where.

    Examples
    --------
    >>> from tfdp_fast.integrations.torch import PrunedDataset
    >>> view = PrunedDataset(["a.jpg", "b.jpg", "c.jpg"], [30, 10], ids=[10, 20, 30])
    >>> len(view), view[0], view.ids
    (2, 'c.jpg', [30, 10])
    """

    ids: list[int | str]

    def __init__(self, dataset: Any, image_ids: Subset | ImageIds, *, ids: ImageIds | None = None) -> None:
        position_of = positions_of(dataset, ids)
        kept = plain_ids(image_ids.image_ids if isinstance(image_ids, Subset) else image_ids)
        if len(set(kept)) < len(kept):
            raise OptionError(f"image id {first_repeated(kept)!r} is to be kept twice")
        missing = next((image_id for image_id in kept if image_id not in position_of), None)
        if missing is not None:
            raise OptionError(f"image id {missing!r} is not in the data set")
        super().__init__(dataset, [position_of[image_id] for image_id in kept])
        self.ids = kept


class ScoreSampler(torch_data.Sampler[int]):
    """Draws images with probabilities in proportion to their scores.

    The draw depends on `seed` and the epoch only (see `set_epoch`), and each epoch has its own. With several
    ranks, all make the same draw, and each takes every n-th of it: the parts are disjoint, equally long, and
    together the draw, but for fewer than `num_replicas` images at its end.

    Images of score 0 are never drawn. With replacement, an image may come several times. Without, none does;
    the draw is then one after the other, each in proportion to the scores of those that are left.

    Parameters
    ----------
    scores : Scores or array-like of float [M]
        The scores of a data set; or a weight for each position of the data set.
    ids : iterable of int or str [M]
        Needed with `Scores`: the image id of each position of the data set, for example ``dataset.ids``. They
        need not be all images of the scores, nor in the same order.
    num_samples : int, optional
        Images in an epoch, over all ranks. By default M with replacement; without, all whose score is
        positive.
    replacement : bool
        May an image come more than once in an epoch?
    seed : int
        At least 0.
    rank, num_replicas : int, optional
        This process, and how many there are; by default as `torch.distributed` says, if it has been
        initialised, else 0 of 1.

    Raises
    ------
    OptionError
        If an argument makes no sense, if an image has no score, if no score is positive, or if more images
        are to be drawn without replacement than have a positive score.

    Examples
    --------
    >>> from tfdp_fast.integrations.torch import ScoreSampler
    >>> sampler = ScoreSampler([0.5, 0.0, 2.0, 1.0], num_samples=3, replacement=False)
    >>> sorted(sampler)
    [0, 2, 3]
    """

    def __init__(
        self,
        scores: Scores | Sequence[float] | NDArray[Any],
        *,
        ids: ImageIds | None = None,
        num_samples: int | None = None,
        replacement: bool = True,
        seed: int = 0,
        rank: int | None = None,
        num_replicas: int | None = None,
    ) -> None:
        self.weights = _weights(scores, ids)
        self.replacement = bool(replacement)
        self.seed = _whole("seed", seed, 0)
        self.rank, self.num_replicas = _place(rank, num_replicas)
        self.epoch = 0
        positive = int(np.count_nonzero(self.weights))
        if not positive:
            raise OptionError("no image has a positive score: nothing can be drawn")
        if num_samples is None:
            num_samples = len(self.weights) if replacement else positive
        self.num_samples = _whole("num_samples", num_samples, 1)
        if not replacement and self.num_samples > positive:
            raise OptionError(
                f"{self.num_samples} images cannot be drawn without replacement: "
                f"{positive} have a positive score"
            )
        if self.num_samples < self.num_replicas:
            raise OptionError(f"{self.num_samples} images are too few for {self.num_replicas} ranks")

    def __len__(self) -> int:
        """How many images this rank gets in an epoch."""
        return self.num_samples // self.num_replicas

    def __iter__(self) -> Iterator[int]:
        """Iterate over the positions that this rank gets in this epoch."""
        return iter(self._draw()[self.rank :: self.num_replicas][: len(self)].tolist())

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next; on every rank, before each. Without it all epochs are alike."""
        self.epoch = _whole("epoch", epoch, 0)

    def _draw(self) -> NDArray[np.int64]:
        """The common draw of all ranks: positions [num_samples]."""
        rng = np.random.default_rng([self.seed, self.epoch])
        if self.replacement:
            ends = np.cumsum(self.weights / self.weights.max())
            # An end belongs to the next image: an image of weight 0 has no room before its own.
            drawn = rng.random(self.num_samples) * ends[-1]
            positions: NDArray[np.int64] = np.searchsorted(ends, drawn, side="right")
            return positions
        # Efraimidis and Spirakis (2006): by exponential waiting times of rates in proportion to the weights.
        positive = np.flatnonzero(self.weights)
        waits = rng.standard_exponential(len(positive)) / (self.weights[positive] / self.weights.max())
        first: NDArray[np.int64] = positive[np.argsort(waits, kind="stable")[: self.num_samples]]
        return first


class ScoreTransform:
    """Adds scores to the target of an image, for example as the ``transforms`` of a torchvision data set.

    Called with an image and its target, it returns both; the target is a copy with the scores in it.

    - A list of COCO annotations (dicts with ``segmentation`` and ``category_id``): each gets its own score
      and that of its image, as floats.
    - A dict with ``annotations``, such a list: that of the image stands beside the list.
    - A dict with ``masks`` [N, H, W] and ``labels`` [N]: float64 tensors, of shape [N] and [].

    Crowd regions (``iscrowd``, per annotation or as [N]) and annotations marked ``ignore`` score 0.

    Parameters
    ----------
    scorer : Scorer
        Its class totals must know the labels as they are in the target.
    image_key, instance_key : str
        The names under which the scores are put.

    Examples
    --------
    >>> import torch
    >>> import tfdp_fast as tfdp
    >>> from tfdp_fast.integrations.torch import ScoreTransform
    >>> transform = ScoreTransform(tfdp.Scorer(None, variant="si"))
    >>> image, square = torch.zeros(3, 10, 10), [[0, 0, 9, 0, 9, 9, 0, 9]]
    >>> image, [annotation] = transform(image, [{"category_id": 1, "segmentation": square}])
    >>> round(annotation["instance_score"], 4), round(annotation["image_score"], 4)
    (1.1284, 1.1284)
    """

    def __init__(
        self, scorer: Scorer, *, image_key: str = "image_score", instance_key: str = "instance_score"
    ) -> None:
        self.scorer = scorer
        self.image_key = image_key
        self.instance_key = instance_key

    def __call__(self, image: Any, target: Any) -> tuple[Any, Any]:
        """The image as it is, and its target with scores.

        Raises
        ------
        OptionError
            If the target has none of the three forms, or a class that has no total.
        MaskError
            If a mask is malformed.
        """
        if isinstance(target, (list, tuple)):
            scored, image_score = self._annotations(image, target)
            return image, [{**annotation, self.image_key: image_score} for annotation in scored]
        if isinstance(target, Mapping) and "annotations" in target:
            scored, image_score = self._annotations(image, target["annotations"])
            return image, {**target, "annotations": scored, self.image_key: image_score}
        if isinstance(target, Mapping) and {"masks", "labels"} <= target.keys():
            scores, image_score = self._score(target["masks"], target["labels"], None, target.get("iscrowd"))
            tensors = {
                self.image_key: torch.tensor(image_score, dtype=torch.float64),
                self.instance_key: torch.from_numpy(scores),
            }
            return image, {**target, **tensors}
        raise OptionError(
            "a target is a list of annotations, or a dict of annotations or of masks and labels"
        )

    def _annotations(self, image: Any, annotations: Sequence[Mapping[str, Any]]) -> tuple[list[Any], float]:
        scores, image_score = self._score(
            [annotation.get("segmentation") for annotation in annotations],
            [annotation["category_id"] for annotation in annotations],
            _size_of(image),
            [bool(a.get("iscrowd") or a.get("ignore")) for a in annotations],
        )
        scored = [
            {**annotation, self.instance_key: score}
            for annotation, score in zip(annotations, scores.tolist(), strict=True)
        ]
        return scored, image_score

    def _score(self, masks: Any, ids: Any, size: Any, crowd: Any) -> tuple[NDArray[np.float64], float]:
        instances = self.scorer.instances(masks, ids, size, iscrowd=crowd)
        return instances.score, instances.image_score


def _size_of(image: Any) -> tuple[int, int]:
    """Height and width of an image: PIL, a tensor [..., H, W], or an array [H, W] or [H, W, C]."""
    if isinstance(image, torch.Tensor):
        return int(image.shape[-2]), int(image.shape[-1])
    if isinstance(image, np.ndarray):
        return int(image.shape[0]), int(image.shape[1])
    width, height = image.size
    return int(height), int(width)


def _weights(scores: Any, ids: ImageIds | None) -> NDArray[np.float64]:
    """A finite weight of at least 0 for each position."""
    if isinstance(scores, Scores):
        if ids is None:
            raise OptionError("scores are by image id: pass ids=, the image id of each position")
        score_of = dict(zip(scores.images.id.tolist(), scores.images.score.tolist(), strict=True))
        try:
            scores = [score_of[image_id] for image_id in plain_ids(ids)]
        except KeyError as error:
            raise OptionError(f"image id {error.args[0]!r} has no score") from None
    elif ids is not None:
        raise OptionError("ids go with Scores; other weights are by position already")
    weights = np.array(scores, np.float64)
    if weights.ndim != 1 or not np.isfinite(weights).all() or (weights < 0).any():
        raise OptionError("weights are finite numbers of at least 0, one for each position")
    return weights


def _place(rank: int | None, num_replicas: int | None) -> tuple[int, int]:
    """The rank, and how many there are."""
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    if num_replicas is None:
        num_replicas = torch.distributed.get_world_size() if distributed else 1
    if rank is None:
        rank = torch.distributed.get_rank() if distributed else 0
    rank, num_replicas = _whole("rank", rank, 0), _whole("num_replicas", num_replicas, 1)
    if rank >= num_replicas:
        raise OptionError(f"rank {rank} is not below num_replicas, {num_replicas}")
    return rank, num_replicas


def _whole(name: str, value: Any, least: int) -> int:
    if not is_number(value, int, np.integer) or value < least:
        raise OptionError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)
