"""Checkpoints in the form that the model hub uses: a folder with `config.json` and `model.safetensors`.

The course's own stand in `data/checkpoints/`; a folder of yours, or the name of a model on the hub, goes the same way.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from course.blocks.masked_lm import MaskedLM
from course.configs import EncoderConfig
from course.hub_names import DECODERS, KINDS, UNUSED, hub_name, plain_name

CHECKPOINTS = Path(__file__).resolve().parent.parent / "data" / "checkpoints"
CONFIG, WEIGHTS, EXPECTED, MANIFEST = "config.json", "model.safetensors", "expected.safetensors", "SHA256SUMS"
# Our size, the hub's name for it.
SIZES = {
    "vocab_size": "vocab_size",
    "d_model": "hidden_size",
    "n_heads": "num_attention_heads",
    "n_layers": "num_hidden_layers",
    "d_ff": "intermediate_size",
    "max_len": "max_position_embeddings",
    "n_segments": "type_vocab_size",
}
# What our blocks compute; a checkpoint that says otherwise would load and give other numbers.
REQUIRED = {
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "tie_word_embeddings": True,
}


class CheckpointError(Exception):
    """A checkpoint is missing, altered, or not of a kind that we read; the message says which, and what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """The sizes and weights of a BERT or RoBERTa, by our names.

    Attributes:
        config: sizes.
        state: the weights, float32, by the names of `MaskedLM.state_dict()`.
        eps: of the layer norms: 1e-12 in BERT, 1e-5 in RoBERTa.
        roberta_pad_id: the padding token's id where positions are counted as in RoBERTa; None in a BERT.
    """

    config: EncoderConfig
    state: dict[str, Tensor]
    eps: float
    roberta_pad_id: int | None

    def to_model(self) -> MaskedLM:
        """Return our model with these weights, in evaluation mode."""
        model = MaskedLM(self.config, roberta_pad_id=self.roberta_pad_id, eps=self.eps)
        model.load_state_dict(self.state)
        return model.eval()


def load_masked_lm(source: str | Path) -> MaskedLM:
    """Return a BERT or RoBERTa with its weights; `source` and errors as for `read_checkpoint`."""
    return read_checkpoint(source).to_model()


def load_stories_bert() -> MaskedLM:
    """Return the course's own BERT, pretrained on the stories: their vocabulary, at most 64 tokens.

    Raises:
        CheckpointError: its files are missing or altered.
    """
    return load_masked_lm("stories_bert")


def read_checkpoint(source: str | Path) -> Checkpoint:
    """Return the sizes and weights of a BERT or RoBERTa.

    Args:
        source: one of the course's checkpoints ("small_bert", "small_roberta", "stories_bert"), a local folder with
            `config.json` and `model.safetensors`, or a model's name on the hub ("bert-base-uncased"), which is
            fetched where there is a network.

    Raises:
        CheckpointError: files are missing or altered, or the model is of another kind.
    """
    folder = checkpoint_folder(source)
    settings = _read_config(folder)
    kind = settings["model_type"]
    config = EncoderConfig(**{ours: settings[theirs] for ours, theirs in SIZES.items()})
    state = _by_our_names(_read_tensors(folder / WEIGHTS), config, kind, folder)
    pad_id = settings["pad_token_id"] if kind == "roberta" else None
    return Checkpoint(config, state, settings["layer_norm_eps"], pad_id)


def read_expected(name: str) -> dict[str, Tensor]:
    """Return a batch and what the library `transformers` made of it, for one of the course's random checkpoints.

    Args:
        name: "small_bert" or "small_roberta".

    Returns:
        ids long [B,T], mask bool [B,T] (True on real tokens), segment_ids long [B,T] and logits float32 [B,T,V].
    """
    tensors = _read_tensors(checkpoint_folder(name) / EXPECTED)
    return {**tensors, "mask": tensors["mask"].bool()}


def checkpoint_folder(source: str | Path) -> Path:
    """Return the folder of a checkpoint, fetched from the hub if need be; arguments and errors of `read_checkpoint`."""
    if (Path(source) / CONFIG).is_file():
        return Path(source)
    own = CHECKPOINTS / source
    if own.parent == CHECKPOINTS and own.is_dir():
        _verify(own)
        return own
    if Path(source).exists():
        raise CheckpointError(f"{source} has no {CONFIG}. A checkpoint is a folder with {CONFIG} and {WEIGHTS}.")
    return _fetch(str(source))


def _fetch(name: str) -> Path:
    """Return the local folder of a model of the hub. Only this function needs a network."""
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise CheckpointError(
            f"{name!r} is no local folder and no checkpoint of the course. To fetch it from the hub, install the "
            f"package huggingface_hub; or put its {CONFIG} and {WEIGHTS} into a folder and give that folder's path."
        ) from None
    try:
        return [Path(hf_hub_download(name, file)) for file in (CONFIG, WEIGHTS)][0].parent
    except Exception as error:  # the hub's client raises its own kinds, and those of the HTTP library beneath it
        raise CheckpointError(
            f"{name!r} is no local folder and no checkpoint of the course, and the hub did not give it "
            f"({type(error).__name__}). With a network, check the name; without one, put its {CONFIG} and {WEIGHTS} "
            "into a folder and give that folder's path."
        ) from error


def _verify(folder: Path) -> None:
    """Compare the files of one of the course's checkpoints with the manifest; raises CheckpointError."""
    again = "run `python -m course.checkpoint_build`, or restore it with git"
    try:
        lines = (folder.parent / MANIFEST).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise CheckpointError(f"{folder.parent / MANIFEST} cannot be read; {again}.") from error
    for digest, name in (line.split("  ", 1) for line in lines):
        path = folder.parent / name
        if path.parent != folder:
            continue
        if not path.is_file():
            raise CheckpointError(f"{path} is missing; {again}.")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise CheckpointError(f"{path} is not the file that the build wrote (its hash differs); {again}.")


def _read_config(folder: Path) -> dict[str, object]:
    """Return `config.json` with BERT's defaults; raises CheckpointError for a model that our blocks do not compute."""
    try:
        settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder / CONFIG} cannot be read as JSON: {error}.") from error
    if settings.get("model_type") not in KINDS:
        found = settings.get("model_type")
        raise CheckpointError(f"{folder / CONFIG}: model_type is {found!r}, but only {' and '.join(KINDS)} are read.")
    for name, wanted in REQUIRED.items():
        if settings.get(name, wanted) != wanted:
            raise CheckpointError(f"{folder / CONFIG}: {name} is {settings[name]!r}; our blocks need {wanted!r}.")
    missing = [name for name in SIZES.values() if name not in settings]
    if missing:
        raise CheckpointError(f"{folder / CONFIG} does not say {', '.join(missing)}.")
    return {"layer_norm_eps": 1e-12, "pad_token_id": 1, **settings}


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        hint = (
            " A pytorch_model.bin alone will not do: it is a pickle, which can run code."
            if path.name == WEIGHTS
            else ""
        )
        raise CheckpointError(f"{path} cannot be read ({error}).{hint}") from error


def _by_our_names(found: dict[str, Tensor], config: EncoderConfig, kind: str, folder: Path) -> dict[str, Tensor]:
    """Return the weights of a file by our names; raises CheckpointError unless they are exactly those that we need."""
    with torch.device("meta"):
        wanted = MaskedLM(config).state_dict()
    plain = {plain_name(name): value for name, value in found.items() if not UNUSED.match(plain_name(name))}
    copies = {name: plain.pop(name) for name in DECODERS if name in plain}
    theirs = {ours: plain_name(hub_name(ours, kind)) for ours in wanted}
    if set(theirs.values()) != set(plain):
        missing, extra = (
            sorted(a - b) for a, b in [(set(theirs.values()), set(plain)), (set(plain), set(theirs.values()))]
        )
        raise CheckpointError(
            f"{folder / WEIGHTS} does not fit {CONFIG}: missing {missing[:5]}, not known {extra[:5]}."
        )
    state = {ours: plain[name].float() for ours, name in theirs.items()}
    for ours, value in state.items():
        if value.shape != wanted[ours].shape:
            shapes = f"{tuple(value.shape)} and not {tuple(wanted[ours].shape)}"
            raise CheckpointError(f"{folder / WEIGHTS}: {theirs[ours]} is {shapes}, as {CONFIG} has it.")
    for name, value in copies.items():
        if not torch.equal(value.float(), state[DECODERS[name]]):
            raise CheckpointError(f"{folder / WEIGHTS}: {name} differs from {DECODERS[name]}; our head shares the two.")
    return state
