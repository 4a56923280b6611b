"""Runs the comparison: one objective and seed after another, each written down as soon as it is done."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from course.growth import Growth
from course.masked_eval import compare_with_floor
from course.oracle import Oracle
from course.span_eval import compare_with_span_floor
from course.stories import Stories, pad
from course.three_objectives.objectives import (
    IGNORED,
    Objective,
    Price,
    batch_flops,
    make_objectives,
    n_parameters,
    six_n_d,
    steps_for,
)
from course.three_objectives.settings import FAMILIES, OBJECTIVES, Settings
from course.three_objectives.tasks import classify
from course.three_objectives.text_tasks import summarise, translate
from course.three_objectives.writing import fill, fill_at_once, hide_spans, share_possible, write

N_POINTS = 40  # of a stored curve
N_EXAMPLES = 3


def compare(path: Path, settings: Settings, stories: Stories, say: Callable[[str], None] = print) -> dict[str, object]:
    """Run what `path` does not hold yet, one seed after another, and return everything.

    Args:
        path: a JSON file, written anew after each run; a run that it holds is not repeated.
        settings: of all runs. A file with other settings (but for the seeds), or of another PyTorch, is an error.
        stories: the corpus.
        say: called with a line after each run.

    Raises:
        ValueError: the file holds runs that do not belong together with these.
    """
    head = {"settings": settings.as_plain(), "versions": versions()}
    results = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {**head, "runs": []}
    results["settings"]["seeds"] = head["settings"]["seeds"]  # more of them are welcome
    if {name: results[name] for name in head} != head:
        raise ValueError(f"{path} holds runs with other settings or versions: move it away, and run again.")
    done = {(run["objective"], run["seed"]) for run in results["runs"]}
    objectives = make_objectives(stories, settings)
    for seed in settings.seeds:
        for name in OBJECTIVES:
            if (name, seed) not in done:
                started = time.perf_counter()
                results["runs"].append(run_one(objectives[name], seed))
                _write(path, results)
                say(f"{name}, seed {seed}: {time.perf_counter() - started:.0f} s")
    return results


def run_one(objective: Objective, seed: int) -> dict[str, object]:
    """Pretrain one model, judge it by its objective and by what it is good for, and return every number."""
    start, model = objective.build(seed), objective.build(seed)
    found = {"objective": objective.name, "seed": seed, **pretrain(objective, model, seed)}
    found |= judge_loss(objective, model)
    starts = {"pretrained": model, "random": start}
    found |= classify(objective, starts, objective.stories, seed)
    found |= judge_writing(objective, model, seed)
    growth = {name: Growth.of(begun, start) for name, begun in starts.items()}
    found |= {"summary": summarise(objective, model, growth["pretrained"], seed)}
    return found | {
        "translation": {name: translate(objective, begun, growth[name], seed) for name, begun in starts.items()}
    }


def pretrain(
    objective: Objective, model: nn.Module, seed: int, *, flops: float | None = None, price: Price = six_n_d
) -> dict[str, object]:
    """Train a model in place for a budget, and return what it cost and how the loss fell.

    Args:
        objective: draws the batches.
        model: untrained.
        seed: of the batches.
        flops: the budget; that of the settings if left out.
        price: (parameters, tokens) -> FLOPs of training the ones on the others.
    """
    settings = objective.settings
    n_steps = steps_for(objective, model, settings.flops if flops is None else flops, price)
    spent, asked = [], []

    def loss_of(trained: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        spent.append(batch_flops(objective.parts(trained, batch), price))
        asked.append(int((batch[-1] != IGNORED).sum()))
        return objective.loss(trained, batch)

    started = time.perf_counter()
    losses = objective.train(
        model,
        loss_of,
        objective.sample,
        n_steps=n_steps,
        seed=seed,
        label=f"{objective.name}, {FAMILIES[objective.name]}",
    )
    return {
        "n_params": n_parameters([model]),
        "n_steps": len(losses),
        "n_stories": len(losses) * settings.batch,
        "n_targets": sum(asked),
        "flops": sum(spent),
        "seconds": round(time.perf_counter() - started, 1),
        "curve": curve(spent, losses),
    }


def curve(spent: list[float], losses: list[float], n_points: int = N_POINTS) -> list[list[float]]:
    """Return [[FLOPs so far, mean loss], ...]: losses of neighbouring steps in one point, at the end of its stretch."""
    width, total, points = max(1, len(losses) // n_points), 0.0, []
    for n in range(0, len(losses), width):
        total += sum(spent[n : n + width])
        part = losses[n : n + width]
        points.append([total, round(sum(part) / len(part), 4)])
    return points


def judge_loss(objective: Objective, model: nn.Module) -> dict[str, object]:
    """Return the loss on the floor's own test stories, and that floor, both in nats per target."""
    stories = objective.stories
    if objective.name == "causal":
        return {"loss": causal_test_loss(model, stories), "floor": stories.floors["causal"]["loss"]}
    if objective.name == "masked":
        found = compare_with_floor(model, stories)
        return {"loss": found.loss, "floor": found.floor}
    found = compare_with_span_floor(model, stories)
    words = {"loss": found.words.loss, "floor": found.words.floor}
    return {"loss": found.every.loss, "floor": found.every.floor, "words": words}


@torch.no_grad()
def causal_test_loss(model: nn.Module, stories: Stories, *, batch: int = 100) -> float:
    """Return the mean loss in nats over all targets of the test stories."""
    total, n_targets = 0.0, 0
    for n in range(0, len(stories.test), batch):
        ids_BT, mask_BT = pad(stories.test[n : n + batch], stories.pad_id)
        log_probs_BTV = model(ids_BT[:, :-1]).log_softmax(-1)
        found_BT = log_probs_BTV.gather(2, ids_BT[:, 1:, None])[:, :, 0]
        total -= found_BT[mask_BT[:, 1:]].double().sum().item()
        n_targets += int(mask_BT[:, 1:].sum())
    return total / n_targets


def judge_writing(objective: Objective, model: nn.Module, seed: int) -> dict[str, object]:
    """Return shares of possible stories, written from nothing and with gaps filled, and a few that were written."""
    stories, n = objective.stories, objective.settings.n_written
    oracle, texts = Oracle.load(stories.path), stories.test[:n]
    hidden = hide_spans(texts, seed=0)  # the same gaps for all
    filled = {"filled": fill(objective, model, texts, hidden)}
    if objective.name == "masked":
        blank = [
            torch.where(gone, stories.mask_id, torch.tensor(text)).tolist()
            for text, gone in zip(texts, hidden, strict=True)
        ]
        filled["filled at once"] = fill_at_once(model, blank, stories)
    written = write(objective, model, n, seed)
    return {
        "written": {
            "possible": share_possible(oracle, written),
            "examples": [stories.decode(text) for text in written[:N_EXAMPLES]],
        },
        **{
            how: {
                "possible": share_possible(oracle, ours),
                "restored": sum(a == b for a, b in zip(ours, texts, strict=True)) / n,
                "examples": [stories.decode(text) for text in ours[:N_EXAMPLES]],
            }
            for how, ours in filled.items()
        },
    }


def versions() -> dict[str, object]:
    """Return what the numbers may depend on, other than the code."""
    return {"torch": torch.__version__.split("+")[0], "machine": platform.machine(), "threads": torch.get_num_threads()}


def _write(path: Path, results: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".part")
    new.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    os.replace(new, path)  # an interruption leaves the old file or the new one
