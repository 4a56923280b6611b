"""Checkpoints: ours against the library `transformers`, the files' forms, and what is said when something is amiss."""

from __future__ import annotations

import hashlib
import shutil
from importlib import import_module

import pytest
import torch
import transformers

from course import checkpoints
from course.blocks.masked_lm import MaskedLM
from course.checkpoint_build import NAMES, RANDOM, small_bert, small_roberta
from course.checkpoint_build.__main__ import main
from course.checkpoint_build.small_bert import library_logits
from course.checkpoint_build.stories_bert import batches, pretrain, write_checkpoint
from course.checkpoints import CHECKPOINTS, CheckpointError, load_masked_lm, read_checkpoint, read_expected
from course.configs import EncoderConfig
from course.hub_names import hub_name
from course.masked_eval import compare_with_floor
from course.stories import Stories
from course.training import seeded

from .changed_checkpoints import reconfigure, rewrite

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
SMALL = ("small_bert", "small_roberta")
BUILDERS = {"bert": small_bert, "roberta": small_roberta}


def ours_and_theirs(folder, kind):
    """The logits of our model and of the library's, from the files in one folder, on real tokens."""
    theirs = getattr(transformers, {"bert": "BertForMaskedLM", "roberta": "RobertaForMaskedLM"}[kind])
    inputs = read_expected(f"small_{kind}")
    found = load_masked_lm(folder)(inputs["ids"], inputs["mask"], inputs["segment_ids"])
    expected = library_logits(theirs.from_pretrained(folder).eval(), {**inputs, "mask": inputs["mask"].long()})
    return found[inputs["mask"]], expected[inputs["mask"]]


@pytest.mark.parametrize("name", SMALL)
def test_our_model_gives_the_logits_that_the_library_gave(name):
    inputs = read_expected(name)
    found = load_masked_lm(name)(inputs["ids"], inputs["mask"], inputs["segment_ids"])
    torch.testing.assert_close(found[inputs["mask"]], inputs["logits"][inputs["mask"]], **CLOSE)
    assert inputs["logits"].std() > 0.5  # numbers that a wrong model would not meet by being small


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_the_expected_logits_are_what_the_library_computes_now(kind):
    assert torch.equal(BUILDERS[kind].make_model().state_dict()[hub_name("bias", kind)], _bias(f"small_{kind}"))
    ours, theirs = ours_and_theirs(CHECKPOINTS / f"small_{kind}", kind)
    torch.testing.assert_close(ours, theirs, **CLOSE)


def _bias(name):
    return read_checkpoint(name).state["bias"]


@pytest.mark.parametrize("name", RANDOM)
def test_building_a_small_checkpoint_again_gives_the_same_bytes(name, tmp_path):
    main([name, "--out", str(tmp_path)])
    assert {path.name for path in (tmp_path / name).iterdir()} == {p.name for p in (CHECKPOINTS / name).iterdir()}
    for path in (CHECKPOINTS / name).iterdir():
        assert (tmp_path / name / path.name).read_bytes() == path.read_bytes(), path.name


def test_only_what_is_named_is_built_and_the_manifest_lists_all_that_is_there(tmp_path, monkeypatch):
    built = []
    for name in NAMES:
        module = import_module(f"course.checkpoint_build.{name}")
        monkeypatch.setattr(module, "write", lambda folder: (built.append(folder.name), folder.mkdir()))
    main(["--out", str(tmp_path), "--small"])
    assert built == list(RANDOM)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text("{}", encoding="utf-8")
    built.clear()
    main(["stories_bert", "--out", str(tmp_path)])
    assert built == ["stories_bert"]
    assert (tmp_path / "SHA256SUMS").read_text(encoding="utf-8").split() == [
        hashlib.sha256(b"{}").hexdigest(),
        "other/config.json",
    ]


def test_an_unknown_name_is_refused_before_anything_is_built(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["small_bird", "--out", str(tmp_path)])
    assert "there is no checkpoint small_bird; there are small_bert" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_lists_every_file_with_its_hash_and_the_small_ones_are_small():
    lines = (CHECKPOINTS / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    listed = dict(reversed(line.split("  ")) for line in lines)
    found = {path.relative_to(CHECKPOINTS).as_posix(): path for path in CHECKPOINTS.glob("*/*")}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()} == listed
    for name in RANDOM:
        assert sum(path.stat().st_size for path in (CHECKPOINTS / name).iterdir()) < 300_000


def old_names(state):
    """The names in the file of bert-base-uncased: gamma and beta, the tied decoder, the parts that we do not use."""
    words = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    renamed = {}
    for name, value in state.items():
        for new, old in words.items():
            name = name.replace(new, old)
        renamed[name] = value
    width = state["cls.predictions.transform.dense.bias"].shape[0]
    renamed["cls.predictions.decoder.weight"] = state["bert.embeddings.word_embeddings.weight"].clone()
    for part, rows in (("bert.pooler.dense", width), ("cls.seq_relationship", 2)):
        renamed |= {f"{part}.weight": torch.ones(rows, width), f"{part}.bias": torch.ones(rows)}
    return renamed


def test_a_file_with_the_old_names_and_a_tied_decoder_is_read_the_same(copied):
    folder = copied("small_bert")
    rewrite(folder, old_names)
    old, new = read_checkpoint(folder).state, read_checkpoint("small_bert").state
    assert list(old) == list(new)
    assert all(torch.equal(old[name], new[name]) for name in new)


def test_a_file_without_prefixes_is_read_the_same(copied):
    folder = copied("small_roberta")
    rewrite(folder, lambda state: {name.removeprefix("roberta."): value for name, value in state.items()})
    assert all(
        torch.equal(value, read_checkpoint("small_roberta").state[name])
        for name, value in read_checkpoint(folder).state.items()
    )


# The published sizes (Devlin et al. 2019, section 3; Liu et al. 2019, table 9), as their config.json has them.
BASE = {
    "bert": {"vocab_size": 30522, "max_position_embeddings": 512, "type_vocab_size": 2},
    "roberta": {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5},
}


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_at_full_size_our_names_and_shapes_are_those_of_the_library(kind):
    classes = {
        "bert": (transformers.BertConfig, transformers.BertForMaskedLM),
        "roberta": (transformers.RobertaConfig, transformers.RobertaForMaskedLM),
    }
    settings, model_class = classes[kind]
    settings = settings(**BASE[kind])
    with torch.device("meta"):
        theirs = {name: tuple(p.shape) for name, p in model_class(settings).named_parameters()}
        config = EncoderConfig(**{ours: getattr(settings, hub) for ours, hub in checkpoints.SIZES.items()})
        ours = {hub_name(name, kind): tuple(p.shape) for name, p in MaskedLM(config).named_parameters()}
    assert (config.d_model, config.n_layers, config.d_ff) == (768, 12, 3072)
    assert ours == theirs


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_all_layers_at_a_narrow_width_are_loaded_and_compute_the_same(kind, tmp_path):
    model = BUILDERS[kind].make_model()
    narrow = {"hidden_size": 48, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 192}
    settings = type(model.config)(**(model.config.to_dict() | BASE[kind] | narrow))
    with seeded(3):
        model = type(model)(settings)
    model.save_pretrained(tmp_path)
    if kind == "bert":
        rewrite(tmp_path, old_names)
    inputs = read_expected(f"small_{kind}")
    with torch.no_grad():
        found = load_masked_lm(str(tmp_path))(inputs["ids"], inputs["mask"], inputs["segment_ids"])
    expected = library_logits(model.eval(), {**inputs, "mask": inputs["mask"].long()})
    torch.testing.assert_close(found[inputs["mask"]], expected[inputs["mask"]], **CLOSE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gpt2"}, "model_type is 'gpt2', but only bert and roberta"),
        ({"model_type": None}, "model_type is None"),
        ({"hidden_act": "gelu_new"}, "hidden_act is 'gelu_new'; our blocks need 'gelu'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings is False"),
        ({"hidden_size": None, "vocab_size": None}, "does not say vocab_size, hidden_size"),
        ({"vocab_size": 96}, r"what we call bias is \(97,\) and not \(96,\)"),
        ({"num_hidden_layers": 2}, "not known .*encoder.layer.2"),
        ({"num_hidden_layers": 4}, "missing .*encoder.layer.3"),
    ],
)
def test_a_config_that_does_not_fit_is_named(copied, changes, message):
    folder = copied("small_bert")
    reconfigure(folder, **changes)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {k: v for k, v in s.items() if not k.startswith("cls")}, r"missing \['cls.predictions.bias'"),
        (lambda s: s | {"bert.encoder.layer.0.adapter.weight": torch.ones(2)}, "not known .*adapter"),
        (lambda s: s | {"cls.predictions.decoder.weight": torch.ones(97, 24)}, "decoder.weight differs"),
    ],
)
def test_weights_that_do_not_fit_are_named(copied, change, message):
    folder = copied("small_bert")
    rewrite(folder, change)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(folder)


def test_missing_and_broken_files_are_named(copied):
    folder = copied("small_bert")
    (folder / "model.safetensors").write_bytes(b"no such form")
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read .* pickle"):
        read_checkpoint(folder)
    (folder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match="cannot be read as JSON"):
        read_checkpoint(folder)
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match="A checkpoint is a folder with"):
        read_checkpoint(folder)


def test_an_altered_checkpoint_of_the_course_is_refused(tmp_path, monkeypatch):
    shutil.copytree(CHECKPOINTS, tmp_path / "all")
    monkeypatch.setattr(checkpoints, "CHECKPOINTS", tmp_path / "all")
    read_checkpoint("small_bert")
    reconfigure(tmp_path / "all" / "small_bert", hidden_act="gelu", note="altered")
    with pytest.raises(CheckpointError, match="its hash differs"):
        read_checkpoint("small_bert")
    (tmp_path / "all" / "small_bert" / "config.json").unlink()
    with pytest.raises(CheckpointError, match="is missing"):
        read_checkpoint("small_bert")


def test_a_name_on_the_hub_is_fetched_file_by_file_and_failure_is_explained(monkeypatch):
    asked = []

    def give(name, file):
        asked.append((name, file))
        if name != "somebody/small-bert":
            raise OSError("no network")
        return str(CHECKPOINTS / "small_bert" / file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", give)
    assert torch.equal(read_checkpoint("somebody/small-bert").state["bias"], _bias("small_bert"))
    assert asked == [("somebody/small-bert", "config.json"), ("somebody/small-bert", "model.safetensors")]
    with pytest.raises(CheckpointError, match="without one, put its config.json and model.safetensors into a folder"):
        read_checkpoint("bert-base-uncased")


def test_without_the_hubs_package_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(CheckpointError, match="install the package huggingface_hub"):
        read_checkpoint("bert-base-uncased")


def test_a_model_of_ours_written_in_the_hubs_form_is_read_by_the_library(tmp_path):
    with seeded(4):
        model = MaskedLM(EncoderConfig(97, 24, 4, 2, 40, 32))
    write_checkpoint(model, tmp_path)
    ours, theirs = ours_and_theirs(tmp_path, "bert")
    torch.testing.assert_close(ours, theirs.float(), rtol=1e-2, atol=1e-2)  # the library computes in float16
    again = read_checkpoint(tmp_path)
    assert again.config == model.config
    torch.testing.assert_close(again.state, dict(model.state_dict()), rtol=1e-3, atol=1e-6)


def test_pretraining_masks_no_special_token_and_is_repeatable():
    stories = Stories.load()
    inputs, mask, labels = batches(stories)(torch.Generator().manual_seed(1))
    chosen = labels != -100
    special = [stories.pad_id, stories.bos_id, stories.eos_id]
    assert not torch.isin(labels[chosen], torch.tensor(special)).any()
    assert torch.equal(mask, inputs != stories.pad_id)
    assert 0.1 < chosen[mask].float().mean() < 0.5
    weights = [pretrain(stories, n_steps=2).state_dict() for _ in range(2)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_stories_bert_restores_words_far_better_than_chance():
    stories = Stories.load()
    model = checkpoints.load_stories_bert()
    assert (model.config.vocab_size, model.config.max_len) == (len(stories.vocab), 64)
    ids = torch.tensor([stories.valid[0]])
    right = 0
    for t in range(1, ids.shape[1] - 1):
        shown = ids.clone()
        shown[0, t] = stories.mask_id
        right += int(model(shown)[0, t].argmax() == ids[0, t])
    assert right / (ids.shape[1] - 2) > 0.6  # the commonest word alone would get less than a tenth
    assert compare_with_floor(model, stories).ratio < 1.05
