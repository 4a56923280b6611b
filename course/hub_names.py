"""What the weights of a BERT or RoBERTa are called on the model hub, and what we call them."""

from __future__ import annotations

import re

# Ours on the left, the hub's on the right. The hub's names follow the code that was published with BERT.
BODY = {
    "embeddings.word": "embeddings.word_embeddings",
    "embeddings.position": "embeddings.position_embeddings",
    "embeddings.segment": "embeddings.token_type_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "feed_forward.linear1": "intermediate.dense",
    "feed_forward.linear2": "output.dense",
    "norm2": "output.LayerNorm",
}
HEADS = {
    "bert": {"dense": "cls.predictions.transform.dense", "norm": "cls.predictions.transform.LayerNorm"},
    "roberta": {"dense": "lm_head.dense", "norm": "lm_head.layer_norm"},
}
HEAD_BIAS = {"bert": "cls.predictions.bias", "roberta": "lm_head.bias"}
KINDS = tuple(HEADS)

# In the files, but no part of a masked language model: next-sentence prediction, and a buffer that only counts.
UNUSED = re.compile(r"pooler\.|cls\.seq_relationship\.|embeddings\.position_ids$")
# Copies of what stands elsewhere in the file: the word embeddings, and the bias of the head.
DECODERS = {
    "cls.predictions.decoder.weight": "embeddings.word.weight",
    "cls.predictions.decoder.bias": "bias",
    "lm_head.decoder.weight": "embeddings.word.weight",
    "lm_head.decoder.bias": "bias",
}


def hub_name(our_name: str, kind: str = "bert") -> str:
    """Return what a weight of our `MaskedLM` is called in the file of a BERT or RoBERTa.

    Args:
        our_name: as in `MaskedLM.state_dict()`.
        kind: "bert" or "roberta".

    Raises:
        KeyError: there is no such weight.

    Example:
        >>> hub_name("encoder.blocks.0.norm1.weight")
        'bert.encoder.layer.0.attention.output.LayerNorm.weight'
    """
    if our_name == "bias":
        return HEAD_BIAS[kind]
    module, leaf = our_name.rsplit(".", 1)
    if module in HEADS[kind]:
        return f"{HEADS[kind][module]}.{leaf}"
    block = re.match(r"encoder\.blocks\.(\d+)\.", module)
    if block:
        return f"{kind}.encoder.layer.{block.group(1)}.{BODY[module[block.end() :]]}.{leaf}"
    return f"{kind}.{BODY[module]}.{leaf}"


def plain_name(hub_name: str) -> str:
    """Return a hub's name without what files differ in: the prefix, and the old words for a norm's two vectors.

    >>> plain_name("bert.embeddings.LayerNorm.gamma"), plain_name("embeddings.LayerNorm.weight")
    ('embeddings.LayerNorm.weight', 'embeddings.LayerNorm.weight')
    """
    name = re.sub(r"^(bert|roberta)\.", "", hub_name)
    return re.sub(r"\.beta$", ".bias", re.sub(r"\.gamma$", ".weight", name))
