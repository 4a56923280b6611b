"""Checkpoints in the form that the model hub uses: a folder with `config.json` and `model.safetensors`.

The course's own stand in `data/checkpoints/`; a folder of yours, or the name of a model on the hub, goes the same way.
BERT and RoBERTa come first here, then what reads any checkpoint, on which the readers of the other kinds stand too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
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
    settings = {"layer_norm_eps": 1e-12, "pad_token_id": 1} | read_settings(
        folder, kinds=KINDS, sizes=SIZES.values(), required=REQUIRED
    )
    kind = settings["model_type"]
    config = EncoderConfig(**{ours: settings[theirs] for ours, theirs in SIZES.items()})
    state = _by_our_names(read_tensors(folder / WEIGHTS), config, kind, folder)
    pad_id = settings["pad_token_id"] if kind == "roberta" else None
    return Checkpoint(config, state, settings["layer_norm_eps"], pad_id)


def _by_our_names(found: dict[str, Tensor], config: EncoderConfig, kind: str, folder: Path) -> dict[str, Tensor]:
    """Return the weights of a file by our names; raises CheckpointError unless they are exactly those that we need."""
    with torch.device("meta"):
        wanted = MaskedLM(config).state_dict()
    plain = {plain_name(name): value for name, value in found.items() if not UNUSED.match(plain_name(name))}
    copies = {name: plain.pop(name) for name in DECODERS if name in plain}
    theirs = {ours: plain_name(hub_name(ours, kind)) for ours in wanted}
    require_names(plain, theirs.values(), folder)
    state = {ours: plain[name].float() for ours, name in theirs.items()}
    require_shapes(state, wanted, folder)
    for name, value in copies.items():
        if not torch.equal(value.float(), state[DECODERS[name]]):
            raise CheckpointError(f"{folder / WEIGHTS}: {name} differs from {DECODERS[name]}; our head shares the two.")
    return state


def read_expected(name: str) -> dict[str, Tensor]:
    """Return a batch and what the library `transformers` made of it, for one of the course's random checkpoints.

    Args:
        name: such as "small_bert".

    Returns:
        ids long [B,T], mask bool [B,T] (True on real tokens) and logits float32 [B,T,V]; for a BERT or RoBERTa also
        segment_ids long [B,T]. Other kinds may hold more, and every name that ends in "mask" is a boolean mask.
    """
    tensors = read_tensors(checkpoint_folder(name) / EXPECTED)
    return {name: value.bool() if name.endswith("mask") else value for name, value in tensors.items()}


def checkpoint_folder(source: str | Path) -> Path:
    """Return the folder of a checkpoint, fetched from the hub if need be; argument and errors as for its reader."""
    if (Path(source) / CONFIG).is_file():
        return Path(source)
    own = CHECKPOINTS / source
    if own.parent == CHECKPOINTS and own.is_dir():
        verify(own)
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


def verify(folder: Path) -> None:
    """Compare the files of one of the course's checkpoints with the manifest.

    Raises:
        CheckpointError: a file is missing or altered.
    """
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


def read_settings(
    folder: Path, *, kinds: Iterable[str], sizes: Iterable[str], required: Mapping[str, object]
) -> dict[str, object]:
    """Return what `config.json` says.

    Args:
        folder: a checkpoint's.
        kinds: each `model_type` that the caller can read.
        sizes: names that must be there.
        required: names and the only values with which the caller's model computes what the checkpoint's would; a name
            may be missing.

    Raises:
        CheckpointError: the file is missing or broken, or says something else.
    """
    path = folder / CONFIG
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}.") from error
    found = settings.get("model_type")
    if found not in kinds:
        raise CheckpointError(f"{path}: model_type is {found!r}, but only {' and '.join(kinds)} are read.")
    for name, wanted in required.items():
        if settings.get(name, wanted) != wanted:
            raise CheckpointError(f"{path}: {name} is {settings[name]!r}; our blocks need {wanted!r}.")
    missing = [name for name in sizes if settings.get(name) is None]
    if missing:
        raise CheckpointError(f"{path} does not say {', '.join(missing)}.")
    return settings


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name; raises CheckpointError where it cannot be read."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        pickle = " A pytorch_model.bin alone will not do: it is a pickle, which can run code."
        raise CheckpointError(f"{path} cannot be read ({error}).{pickle if path.name == WEIGHTS else ''}") from error


def require_names(found: Iterable[str], wanted: Iterable[str], folder: Path) -> None:
    """Raise CheckpointError unless the weights found are exactly those wanted, both by the hub's names."""
    missing, extra = (sorted(set(a) - set(b)) for a, b in [(wanted, found), (found, wanted)])
    if missing or extra:
        raise CheckpointError(
            f"{folder / WEIGHTS} does not fit {CONFIG}: missing {missing[:5]}, not known {extra[:5]}."
        )


def require_shapes(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], folder: Path) -> None:
    """Raise CheckpointError unless each weight, by our names, has the shape that it has in a model's state `wanted`."""
    for name, value in state.items():
        if value.shape != wanted[name].shape:
            shapes = f"{tuple(value.shape)} and not {tuple(wanted[name].shape)}"
            raise CheckpointError(f"{folder / WEIGHTS}: what we call {name} is {shapes}, as {CONFIG} has it.")
