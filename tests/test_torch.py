"""PyTorch: the pruned view, the sampler and the transform, inside a real DataLoader."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import numpy as np
import pytest

import tfdp_fast as tfdp
from loader_support import Detection, items

torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra torch)", exc_type=ImportError)

from tfdp_fast.integrations.torch import PrunedDataset, ScoreSampler, ScoreTransform  # noqa: E402

SQUARE = [[0, 0, 9, 0, 9, 9, 0, 9]]
BAR = [[0, 0, 9, 0, 9, 3, 0, 3]]
H, W = 10, 12


def made_data(images: int = 8) -> dict[str, Any]:
    """Images with descending ids; every third one has no annotation."""
    annotations = [
        {
            "id": 10 * i + k,
            "image_id": 100 - i,
            "category_id": 5 + k % 2,
            "segmentation": SQUARE if (i + k) % 2 else BAR,
            "iscrowd": int(k == 3),
        }
        for i in range(images)
        if i % 3
        for k in range(1 + i % 4)
    ]
    return {
        "images": [{"id": 100 - i, "height": H, "width": W} for i in range(images)],
        "categories": [{"id": 5, "name": "cat"}, {"id": 6, "name": "dog"}],
        "annotations": annotations,
    }


def all_of(view: PrunedDataset) -> list[Any]:
    return [view[i] for i in range(len(view))]


# --- PrunedDataset ------------------------------------------------------------------------------------------


def test_a_view_by_ids() -> None:
    view = PrunedDataset(Detection(made_data()), [97, 100, 94])
    assert isinstance(view, torch.utils.data.Subset)
    assert len(view) == 3
    assert view.ids == [97, 100, 94]
    assert [int(view[i][0][0, 0]) for i in range(3)] == [97, 100, 94]


def test_a_view_by_subset_is_in_data_set_order() -> None:
    data = made_data()
    subset = tfdp.select(tfdp.score(data), rate=0.4)
    view = PrunedDataset(Detection(data), subset)
    assert view.ids == subset.image_ids.tolist()
    assert [int(image[0, 0]) for image, _ in all_of(view)] == subset.image_ids.tolist()
    again = PrunedDataset(view, subset.ranking[:2])
    assert [int(image[0, 0]) for image, _ in all_of(again)] == subset.ranking[:2].tolist()


@pytest.mark.parametrize("kept", [np.array([3, 1]), torch.tensor([3, 1]), iter([3, 1]), [np.int32(3), 1]])
def test_ids_in_any_form(kept: Any) -> None:
    view = PrunedDataset("abcd", kept, ids=np.arange(4))
    assert all_of(view) == ["d", "b"]
    assert [type(image_id) for image_id in view.ids] == [int, int]


def test_ids_of_text() -> None:
    assert all_of(PrunedDataset([1, 2, 3], np.array(["c", "a"]), ids=["a", "b", "c"])) == [3, 1]
    with pytest.raises(tfdp.OptionError, match=r"^image id '1' is not in the data set$"):
        PrunedDataset([1, 2, 3], ["1"], ids=[1, 2, 3])


def test_batches_are_fetched_at_once_where_the_data_set_can() -> None:
    class Batched(list[str]):
        def __getitems__(self, indices: list[int]) -> list[str]:
            return [f"{self[i]}!" for i in indices]

    view = PrunedDataset(Batched("abc"), [2, 0], ids=range(3))
    assert list(torch.utils.data.DataLoader(view, batch_size=2, collate_fn=items)) == [["c!", "a!"]]


@pytest.mark.parametrize(
    ("kept", "options", "message"),
    [
        ([2, 9], {"ids": [1, 2, 3]}, "image id 9 is not in the data set"),
        ([2, 1, 2], {"ids": [1, 2, 3]}, "image id 2 is to be kept twice"),
        ([2], {"ids": [1, 2, 1]}, "image id 1 is at two positions of the data set"),
        ([2], {"ids": [1, 2]}, "the data set has 3 positions, and 2 ids"),
        ([2], {}, "the data set has no attribute ids: pass ids=, the image id of each position"),
    ],
)
def test_views_that_make_no_sense(kept: Any, options: Any, message: str) -> None:
    with pytest.raises(tfdp.OptionError) as caught:
        PrunedDataset("abc", kept, **options)
    assert str(caught.value) == message


def test_an_empty_view() -> None:
    assert len(PrunedDataset("abc", [], ids=range(3))) == 0


def test_a_view_can_be_pickled() -> None:
    view = pickle.loads(pickle.dumps(PrunedDataset(Detection(made_data()), [97, 100])))
    assert (view.ids, int(view[1][0][0, 0])) == ([97, 100], 100)


# --- ScoreSampler -------------------------------------------------------------------------------------------


def test_probabilities_follow_the_scores() -> None:
    weights = [1.0, 0.0, 2.0, 5.0, 0.0]
    drawn = Counter(ScoreSampler(weights, num_samples=80_000))
    assert drawn.keys() == {0, 2, 3}
    # Standard deviations are below 142.
    assert [abs(drawn[i] - 10_000 * weights[i]) < 800 for i in (0, 2, 3)] == [True] * 3


def test_without_replacement_the_best_tend_to_come_first() -> None:
    weights = np.array([1.0, 0.0, 3.0, 6.0])
    first: Counter[int] = Counter()
    sampler = ScoreSampler(weights, replacement=False)
    assert len(sampler) == 3
    for epoch in range(2000):
        sampler.set_epoch(epoch)
        drawn = list(sampler)
        assert sorted(drawn) == [0, 2, 3]
        first[drawn[0]] += 1
    # Standard deviations are below 23.
    assert [abs(first[i] - 200 * weights[i]) < 140 for i in (0, 2, 3)] == [True] * 3


@pytest.mark.parametrize("replacement", [True, False])
def test_a_draw_depends_on_seed_and_epoch_only(replacement: bool) -> None:
    def drawn(seed: int, epoch: int) -> list[int]:
        sampler = ScoreSampler(np.arange(100.0), seed=seed, replacement=replacement)
        sampler.set_epoch(epoch)
        assert list(sampler) == list(sampler)
        return list(sampler)

    draws = {(seed, epoch): drawn(seed, epoch) for seed in (0, 1, 2**63) for epoch in (0, 1)}
    assert len({tuple(draw) for draw in draws.values()}) == len(draws)
    assert all(drawn(*key) == draw for key, draw in draws.items())
    assert drawn(0, 0) == list(ScoreSampler(np.arange(100.0), replacement=replacement))


@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize("replicas", [1, 2, 3, 7])
def test_ranks_share_one_draw(replacement: bool, replicas: int) -> None:
    options: dict[str, Any] = {"num_samples": 50, "replacement": replacement, "seed": 3}
    weights = np.arange(100.0)
    whole = list(ScoreSampler(weights, **options))
    samplers = [ScoreSampler(weights, **options, rank=r, num_replicas=replicas) for r in range(replicas)]
    parts = [list(sampler) for sampler in samplers]
    assert {len(part) for part in parts} == {len(sampler) for sampler in samplers} == {50 // replicas}
    together = [position for row in zip(*parts, strict=True) for position in row]
    assert together == whole[: len(together)]


def test_torch_distributed_says_which_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 4)
    sampler = ScoreSampler(np.ones(9))
    assert (sampler.rank, sampler.num_replicas, len(sampler)) == (1, 4, 2)


def test_scores_are_looked_up_by_id() -> None:
    data = made_data()
    scores, dataset = tfdp.score(data), Detection(data)
    assert dataset.ids != scores.images.id.tolist()
    sampler = ScoreSampler(scores, ids=dataset.ids)
    of_id = dict(zip(scores.images.id.tolist(), scores.images.score.tolist(), strict=True))
    assert sampler.weights.tolist() == [of_id[image_id] for image_id in dataset.ids]
    view = PrunedDataset(dataset, [95, 98])
    assert ScoreSampler(scores, ids=view.ids).weights.tolist() == [of_id[95], of_id[98]]


@pytest.mark.parametrize("value", [5e-324, 1e-300, 1e300])
@pytest.mark.parametrize("replacement", [True, False])
def test_weights_of_any_magnitude(value: float, replacement: bool) -> None:
    drawn = list(ScoreSampler([0.0, value, 0.0, value, 0.0], num_samples=2, replacement=replacement))
    assert set(drawn) <= {1, 3}
    assert replacement or sorted(drawn) == [1, 3]


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        ([], {}, "no image has a positive score: nothing can be drawn"),
        ([0.0, 0.0], {}, "no image has a positive score: nothing can be drawn"),
        ([1.0, -1.0], {}, "weights are finite numbers of at least 0, one for each position"),
        ([1.0, np.nan], {}, "weights are finite numbers of at least 0, one for each position"),
        ([[1.0]], {}, "weights are finite numbers of at least 0, one for each position"),
        ([1.0], {"ids": [1]}, "ids go with Scores; other weights are by position already"),
        ([1.0], {"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ([1.0], {"num_samples": 0}, "num_samples must be a whole number of at least 1, got 0"),
        ([1.0], {"num_samples": True}, "num_samples must be a whole number of at least 1, got True"),
        (
            [1.0, 0.0],
            {"num_samples": 2, "replacement": False},
            "2 images cannot be drawn without replacement: 1 have a positive score",
        ),
        ([1.0], {"rank": 1, "num_replicas": 1}, "rank 1 is not below num_replicas, 1"),
        ([1.0], {"num_replicas": 2}, "1 images are too few for 2 ranks"),
    ],
)
def test_samplers_that_make_no_sense(weights: Any, options: Any, message: str) -> None:
    with pytest.raises(tfdp.OptionError) as caught:
        ScoreSampler(weights, **options)
    assert str(caught.value) == message


def test_ids_that_scores_do_not_know() -> None:
    scores = tfdp.score(made_data())
    with pytest.raises(tfdp.OptionError, match=r"^image id 5 has no score$"):
        ScoreSampler(scores, ids=[100, 5])
    with pytest.raises(tfdp.OptionError, match="pass ids="):
        ScoreSampler(scores)


# --- ScoreTransform -----------------------------------------------------------------------------------------


def test_annotations_get_the_scores_of_the_data_set() -> None:
    data = made_data()
    scores = tfdp.score(data)
    assert scores.instances is not None
    of_image = dict(zip(scores.images.id.tolist(), scores.images.score.tolist(), strict=True))
    of_instance = dict(zip(scores.instances.id.tolist(), scores.instances.score.tolist(), strict=True))
    plain, scored = Detection(data), Detection(data, ScoreTransform(tfdp.Scorer(scores)))
    for i, image_id in enumerate(plain.ids):
        (_, before), (_, after) = plain[i], scored[i]
        assert after == [
            {
                **annotation,
                "image_score": of_image[image_id],
                "instance_score": of_instance.get(annotation["id"], 0.0),  # crowd regions are not listed
            }
            for annotation in before
        ]
    assert data == made_data()


def test_a_dict_of_annotations(scorer: tfdp.Scorer) -> None:
    annotations = [
        {"category_id": 5, "segmentation": SQUARE},
        {"category_id": 6, "segmentation": SQUARE, "ignore": 1},
        {"category_id": 99, "segmentation": SQUARE, "iscrowd": 1},
    ]
    target = {"image_id": 7, "annotations": annotations}
    _, scored = ScoreTransform(scorer, image_key="s", instance_key="i")(torch.zeros(3, H, W), target)
    assert scored["s"] == scorer.image_score([SQUARE], [5], (H, W)) == 0.5
    assert [annotation["i"] for annotation in scored["annotations"]] == [0.5, 0.0, 0.0]
    assert scored["image_id"] == 7
    _, empty = ScoreTransform(scorer)(torch.zeros(3, H, W), {"annotations": []})
    assert empty == {"annotations": [], "image_score": 0.0}


@pytest.fixture
def scorer() -> tfdp.Scorer:
    totals = tfdp.ClassTotals()
    totals.add([5, 5, 6], tfdp.measure([SQUARE] * 3, (H, W)))
    return tfdp.Scorer(totals)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool])
def test_tensors(scorer: tfdp.Scorer, dtype: Any) -> None:
    masks = torch.zeros((3, H, W), dtype=dtype)
    masks[0, 2:8, 2:8], masks[1, 1:4, 1:9], masks[2, 5:7, 5:7] = 1, 1, 1
    target = {"masks": masks, "labels": torch.tensor([5, 6, 5]), "boxes": torch.zeros(3, 4)}
    image, scored = ScoreTransform(scorer)(None, target)
    assert image is None
    assert target.keys() == {"masks", "labels", "boxes"}
    assert scored["boxes"] is target["boxes"]
    rles: list[Any] = tfdp.to_rle(masks.numpy())
    expected = scorer.instances(rles, [5, 6, 5], None)
    assert (scored["instance_score"].dtype, scored["image_score"].dtype) == (torch.float64, torch.float64)
    assert scored["instance_score"].tolist() == expected.score.tolist()
    assert scored["image_score"].item() == expected.image_score > 0
    _, scored = ScoreTransform(scorer)(None, {**target, "iscrowd": torch.tensor([0, 0, 1])})
    assert scored["instance_score"].tolist() == [*expected.score.tolist()[:2], 0.0]


def test_no_tensors(scorer: tfdp.Scorer) -> None:
    target = {"masks": torch.zeros((0, H, W), dtype=torch.bool), "labels": torch.zeros(0, dtype=torch.int64)}
    _, scored = ScoreTransform(scorer)(None, target)
    assert (scored["image_score"].item(), scored["instance_score"].shape) == (0.0, (0,))


def test_the_size_comes_from_the_image(scorer: tfdp.Scorer) -> None:
    image = pytest.importorskip("PIL.Image").new("RGB", (W, H))
    target = [{"category_id": 5, "segmentation": tfdp.to_rle([SQUARE], (H, W))[0]}]
    for shown in (image, np.asarray(image), torch.zeros(H, W)):
        assert ScoreTransform(scorer)(shown, target)[1][0]["image_score"] == 0.5
    with pytest.raises(tfdp.MaskError, match="the mask's own size is not the image's"):
        ScoreTransform(scorer)(torch.zeros(3, H, W + 1), target)


@pytest.mark.parametrize("target", [None, 5, {}, {"masks": []}, "text"])
def test_targets_of_no_known_form(scorer: tfdp.Scorer, target: Any) -> None:
    with pytest.raises(tfdp.OptionError, match="a target is a list of annotations"):
        ScoreTransform(scorer)(torch.zeros(3, H, W), target)


# --- all of it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_in_a_data_loader(workers: int, context: str) -> None:
    data = made_data()
    scores = tfdp.score(data, threads=2)
    dataset = Detection(data, ScoreTransform(tfdp.Scorer(scores)))
    view = PrunedDataset(dataset, tfdp.select(scores, rate=0.4))
    sampler = ScoreSampler(scores, ids=view.ids, num_samples=20, seed=1)
    loader: Any = torch.utils.data.DataLoader(
        view,
        batch_size=4,
        sampler=sampler,
        num_workers=workers,
        collate_fn=items,
        multiprocessing_context=context if workers else None,
    )
    of_image = dict(zip(scores.images.id.tolist(), scores.images.score.tolist(), strict=True))
    seen = [(int(image[0, 0]), target) for batch in loader for image, target in batch]
    assert [image_id for image_id, _ in seen] == [view.ids[position] for position in sampler]
    for image_id, target in seen:
        assert {annotation["image_score"] for annotation in target} == {of_image[image_id]}
