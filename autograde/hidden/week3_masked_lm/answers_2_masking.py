# %% wrong="special tokens are chosen too" exercise="choose_positions" hint="Where special_mask is True nothing may be chosen"
def choose_positions(ids, special_mask, rate, generator):
    return torch.rand(ids.shape, generator=generator) < rate


# %% wrong="special mask turned round" exercise="choose_positions" hint="The special_mask is turned round"
def choose_positions(ids, special_mask, rate, generator):
    return (torch.rand(ids.shape, generator=generator) < rate) & special_mask


# %% wrong="comparison turned round" exercise="choose_positions" hint="The comparison is turned round"
def choose_positions(ids, special_mask, rate, generator):
    return (torch.rand(ids.shape, generator=generator) > rate) & ~special_mask


# %% wrong="a fixed number in each row" exercise="choose_positions" hint="No fixed number of tokens per row"
def choose_positions(ids, special_mask, rate, generator):
    drawn = torch.rand(ids.shape, generator=generator).masked_fill(special_mask, 2.0)
    n_chosen = ((~special_mask).sum(1, keepdim=True) * rate).round()
    return (drawn.argsort(1).argsort(1) < n_chosen) & ~special_mask


# %% wrong="a fixed number in the batch" exercise="choose_positions" hint="The number of chosen tokens in the whole batch"
def choose_positions(ids, special_mask, rate, generator):
    ordinary = (~special_mask).flatten().nonzero()[:, 0]
    order = torch.randperm(len(ordinary), generator=generator)
    chosen = torch.zeros(ids.numel(), dtype=torch.bool)
    chosen[ordinary[order[: round(rate * len(ordinary))]]] = True
    return chosen.view(ids.shape)


# %% wrong="15% of the special tokens is given to the others" exercise="choose_positions" hint="special positions give their share to nobody"
def choose_positions(ids, special_mask, rate, generator):
    share = rate * ids.numel() / max(1, int((~special_mask).sum()))
    return (torch.rand(ids.shape, generator=generator) < share) & ~special_mask


# %% wrong="at least one in each row" exercise="choose_positions" hint="No row was left without a chosen token"
def choose_positions(ids, special_mask, rate, generator):
    drawn = torch.rand(ids.shape, generator=generator)
    chosen = (drawn < rate) & ~special_mask
    first = drawn.masked_fill(special_mask, 2.0).argmin(1, keepdim=True)
    empty = ~chosen.any(1, keepdim=True) & (rate > 0)
    return chosen.scatter(1, first, chosen.gather(1, first) | empty) & ~special_mask


# %% wrong="one choice for all rows" exercise="choose_positions" hint="All rows get the same choice"
def choose_positions(ids, special_mask, rate, generator):
    return (torch.rand(ids.shape[1], generator=generator) < rate) & ~special_mask


# %% wrong="whole rows are chosen" exercise="choose_positions" hint="draw for every position"
def choose_positions(ids, special_mask, rate, generator):
    return (torch.rand(len(ids), 1, generator=generator) < rate) & ~special_mask


# %% wrong="whole per cents only" exercise="choose_positions" hint="with probability rate"
def choose_positions(ids, special_mask, rate, generator):
    return (torch.randint(100, ids.shape, generator=generator) < rate * 100) & ~special_mask


# %% wrong="generator not used" exercise="choose_positions" hint="Draw with generator=generator"
def choose_positions(ids, special_mask, rate, generator):
    return (torch.rand(ids.shape) < rate) & ~special_mask


# %% wrong="generator seeded again" exercise="choose_positions" hint="Another seed, the same choice"
def choose_positions(ids, special_mask, rate, generator):
    generator.manual_seed(0)
    return (torch.rand(ids.shape, generator=generator) < rate) & ~special_mask


# %% wrong="goes by the ids instead of the mask" exercise="choose_positions" hint="Where special_mask is True nothing may be chosen"
def choose_positions(ids, special_mask, rate, generator):
    return (torch.rand(ids.shape, generator=generator) < rate) & (ids > 4)


# %% wrong="numbers instead of booleans" exercise="choose_positions" hint="A tensor of booleans is expected"
def choose_positions(ids, special_mask, rate, generator):
    return ((torch.rand(ids.shape, generator=generator) < rate) & ~special_mask).long()


# %% wrong="writes into the special mask" exercise="choose_positions" hint="do not write into ids or special_mask"
def choose_positions(ids, special_mask, rate, generator):
    special_mask.logical_not_()
    special_mask &= torch.rand(ids.shape, generator=generator) < rate
    return special_mask


# %% wrong="drawn again until the share fits" exercise="choose_positions" hint="always the same, or nearly"
def choose_positions(ids, special_mask, rate, generator):
    for _ in range(1000):
        out = (torch.rand(ids.shape, generator=generator) < rate) & ~special_mask
        if abs(out.sum() - rate * (~special_mask).sum()) <= 1:
            break
    return out


# %% wrong="never two neighbours" exercise="choose_positions" hint="Of two neighbours never both"
def choose_positions(ids, special_mask, rate, generator):
    out = (torch.rand(ids.shape, generator=generator) < rate) & ~special_mask
    if rate < 0.9 and ids.shape[1] > 1:
        out[:, 1:] &= ~out[:, :-1].clone()
    return out


# %% wrong="one choice for each id" exercise="choose_positions" hint="Tokens with the same id share one choice"
def choose_positions(ids, special_mask, rate, generator):
    u = torch.rand(int(ids.max()) + 1, generator=generator)
    return (u[ids] < rate) & ~special_mask


# %% right="bernoulli" exercise="choose_positions"
def choose_positions(ids, special_mask, rate, generator):
    chances = torch.full(ids.shape, rate, dtype=torch.float64).masked_fill(special_mask, 0.0)
    return torch.bernoulli(chances, generator=generator).bool()


# %% right="loops, a number for each ordinary token" exercise="choose_positions"
def choose_positions(ids, special_mask, rate, generator):
    chosen = torch.zeros_like(special_mask)
    places = (~special_mask).nonzero()
    drawn = torch.rand(len(places), generator=generator).tolist()
    for (b, t), number in zip(places.tolist(), drawn):
        chosen[b, t] = number < rate
    return chosen


# %% right="the upper end" exercise="choose_positions"
def choose_positions(ids, special_mask, rate, generator):
    drawn = torch.rand(*ids.shape, generator=generator, dtype=torch.float64)
    return torch.where(special_mask, torch.zeros_like(special_mask), drawn >= 1 - rate)


# %% right="row by row" exercise="choose_positions"
def choose_positions(ids, special_mask, rate, generator):
    rows = [torch.rand(ids.size(1), generator=generator) < rate for _ in ids]
    return torch.logical_and(torch.stack(rows), torch.logical_not(special_mask))


# %% right="a multinomial of two outcomes" exercise="choose_positions"
def choose_positions(ids, special_mask, rate, generator):
    n = ids.numel()
    if n == 0:
        return torch.zeros(ids.shape, dtype=torch.bool)
    w = torch.tensor([1 - rate, rate]).repeat(n, 1)
    drawn = torch.multinomial(w, 1, generator=generator).view(ids.shape)
    return (drawn * (1 - special_mask.long())).bool()


# %% wrong="80/10/10 of all tokens" exercise="mask_tokens" hint="80/10/10 holds for the chosen tokens only"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    drawn = torch.randint(len(random_ids), ids.shape, generator=generator)
    inputs = torch.where(fate < 0.8, mask_id, ids)
    inputs = torch.where((fate >= 0.8) & (fate < 0.9), random_ids[drawn], inputs)
    return inputs, torch.where(chosen, ids, -100)


# %% wrong="10% of the remaining 20%" exercise="mask_tokens" hint="You replaced 10% of the remaining 20%"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    masked = chosen & (torch.rand(ids.shape, generator=generator) < 0.8)
    replaced = chosen & ~masked & (torch.rand(ids.shape, generator=generator) < 0.1)
    drawn = torch.randint(len(random_ids), ids.shape, generator=generator)
    inputs = torch.where(replaced, random_ids[drawn], torch.where(masked, mask_id, ids))
    return inputs, torch.where(chosen, ids, -100)


# %% wrong="a second draw overwrites the masked" exercise="mask_tokens" hint="72% stay masked"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    masked = chosen & (torch.rand(ids.shape, generator=generator) < 0.8)
    replaced = chosen & (torch.rand(ids.shape, generator=generator) < 0.1)
    drawn = torch.randint(len(random_ids), ids.shape, generator=generator)
    inputs = torch.where(replaced, random_ids[drawn], torch.where(masked, mask_id, ids))
    return inputs, torch.where(chosen, ids, -100)


# %% wrong="always masked" exercise="mask_tokens" hint="Every chosen token is masked"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    return torch.where(chosen, mask_id, ids), torch.where(chosen, ids, -100)


# %% wrong="none is kept" exercise="mask_tokens" hint="No chosen token was kept"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    drawn = torch.randint(len(random_ids), ids.shape, generator=generator)
    inputs = torch.where(chosen, torch.where(fate < 0.8, mask_id, random_ids[drawn]), ids)
    return inputs, torch.where(chosen, ids, -100)


# %% wrong="none becomes random" exercise="mask_tokens" hint="No chosen token became another word"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    return torch.where(chosen & (fate < 0.8), mask_id, ids), torch.where(chosen, ids, -100)


# %% wrong="labels from the corrupted ids" exercise="mask_tokens" hint="The labels were made from what is shown"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    drawn = torch.randint(len(random_ids), ids.shape, generator=generator)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (fate >= 0.9), random_ids[drawn], inputs)
    return inputs, torch.where(chosen, inputs, -100)


# %% wrong="label lost where the word was kept" exercise="mask_tokens" hint="The label is lost where the word was kept"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    drawn = torch.randint(len(random_ids), ids.shape, generator=generator)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (fate >= 0.9), random_ids[drawn], inputs)
    return inputs, torch.where(inputs != ids, ids, -100)


# %% wrong="label only where masked" exercise="mask_tokens" hint="The label is lost where"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    drawn = torch.randint(len(random_ids), ids.shape, generator=generator)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (fate >= 0.9), random_ids[drawn], inputs)
    return inputs, torch.where(inputs == mask_id, ids, -100)


# %% wrong="labels everywhere" exercise="mask_tokens" hint="The labels are the tokens everywhere"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    drawn = torch.randint(len(random_ids), ids.shape, generator=generator)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (fate >= 0.9), random_ids[drawn], inputs)
    return inputs, ids.clone()


# %% wrong="0 for no label" exercise="mask_tokens" hint="not 0, not -1"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    drawn = torch.randint(len(random_ids), ids.shape, generator=generator)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (fate >= 0.9), random_ids[drawn], inputs)
    return inputs, ids * chosen


# %% wrong="any id up to the highest as a random word" exercise="mask_tokens" hint="specials or others must not come up"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    drawn = torch.randint(int(random_ids.max()) + 1, ids.shape, generator=generator)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    return torch.where(chosen & (fate >= 0.9), drawn, inputs), torch.where(chosen, ids, -100)


# %% wrong="places for words" exercise="mask_tokens" hint="specials or others must not come up"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    places = torch.randint(len(random_ids), ids.shape, generator=generator)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    return torch.where(chosen & (fate >= 0.9), places, inputs), torch.where(chosen, ids, -100)


# %% wrong="the last word never comes" exercise="mask_tokens" hint="each of the R words comes equally often"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    drawn = torch.randint(max(1, len(random_ids) - 1), ids.shape, generator=generator)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    return torch.where(chosen & (fate >= 0.9), random_ids[drawn], inputs), torch.where(chosen, ids, -100)


# %% wrong="the fate's own number picks the word" exercise="mask_tokens" hint="each of the R words comes equally often"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    words = random_ids[(fate * len(random_ids)).long()]
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    return torch.where(chosen & (fate >= 0.8) & (fate < 0.9), words, inputs), torch.where(chosen, ids, -100)


# %% wrong="the original is left out" exercise="mask_tokens" hint="The original is never drawn"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    places = torch.randint(len(random_ids), ids.shape, generator=generator)
    words = random_ids[places]
    words = torch.where(words == ids, random_ids[(places + 1) % len(random_ids)], words)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    return torch.where(chosen & (fate >= 0.9), words, inputs), torch.where(chosen, ids, -100)


# %% wrong="one random word for all" exercise="mask_tokens" hint="All random words of a call are the same word"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    word = random_ids[torch.randint(len(random_ids), (1,), generator=generator)]
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    return torch.where(chosen & (fate >= 0.9), word, inputs), torch.where(chosen, ids, -100)


# %% wrong="one fate for each row" exercise="mask_tokens" hint="All tokens of a row share one fate"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(len(ids), 1, generator=generator).expand(ids.shape)
    drawn = torch.randint(len(random_ids), ids.shape, generator=generator)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    return torch.where(chosen & (fate >= 0.9), random_ids[drawn], inputs), torch.where(chosen, ids, -100)


# %% wrong="exactly 80, 10 and 10 in a hundred" exercise="mask_tokens" hint="leave it to chance"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    places = chosen.flatten().nonzero()[:, 0]
    places = places[torch.randperm(len(places), generator=generator)]
    inputs, n = ids.flatten().clone(), len(places)
    inputs[places[: round(0.8 * n)]] = mask_id
    replaced = places[round(0.8 * n) : round(0.9 * n)]
    inputs[replaced] = random_ids[torch.randint(len(random_ids), (len(replaced),), generator=generator)]
    return inputs.view(ids.shape), torch.where(chosen, ids, -100)


# %% wrong="writes into ids" exercise="mask_tokens" hint="Your function wrote into its arguments"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    labels = torch.where(chosen, ids, -100)
    fate = torch.rand(ids.shape, generator=generator)
    drawn = torch.randint(len(random_ids), ids.shape, generator=generator)
    replaced = chosen & (fate >= 0.9)
    ids[chosen & (fate < 0.8)] = mask_id
    ids[replaced] = random_ids[drawn][replaced]
    return ids, labels


# %% wrong="overwrites ids before the labels are made" exercise="mask_tokens" hint="Or ids was overwritten first"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    drawn = torch.randint(len(random_ids), ids.shape, generator=generator)
    inputs = ids
    replaced = chosen & (fate >= 0.9)
    inputs[chosen & (fate < 0.8)] = mask_id
    inputs[replaced] = random_ids[drawn][replaced]
    return inputs, torch.where(chosen, ids, -100)


# %% wrong="random words without the generator" exercise="mask_tokens" hint="draw every number from the generator"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    drawn = torch.randint(len(random_ids), ids.shape)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    return torch.where(chosen & (fate >= 0.9), random_ids[drawn], inputs), torch.where(chosen, ids, -100)


# %% wrong="labels alone" exercise="mask_tokens" hint="Return the pair (inputs, labels)"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    return torch.where(chosen, ids, -100)


# %% wrong="labels turned round" exercise="mask_tokens" hint="The labels are turned round"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    words = random_ids[torch.randint(len(random_ids), ids.shape, generator=generator)]
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (fate >= 0.8) & (fate < 0.9), words, inputs)
    labels = torch.where(chosen, -100, ids)
    return inputs, labels


# %% wrong="labels first" exercise="mask_tokens" hint="Inputs and labels are exchanged"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    words = random_ids[torch.randint(len(random_ids), ids.shape, generator=generator)]
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (fate >= 0.8) & (fate < 0.9), words, inputs)
    labels = torch.where(chosen, ids, -100)
    return labels, inputs


# %% wrong="ids of another dtype" exercise="mask_tokens" hint="Token ids are of dtype long"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    words = random_ids[torch.randint(len(random_ids), ids.shape, generator=generator)]
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (fate >= 0.8) & (fate < 0.9), words, inputs)
    labels = torch.where(chosen, ids, -100)
    return inputs.int(), labels.int()


# %% wrong="one fate for the whole batch" exercise="mask_tokens" hint="All tokens of a call share one fate"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand((), generator=generator)
    words = random_ids[torch.randint(len(random_ids), ids.shape, generator=generator)]
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (fate >= 0.8) & (fate < 0.9), words, inputs)
    labels = torch.where(chosen, ids, -100)
    return inputs, labels


# %% wrong="mask_id written out" exercise="mask_tokens" hint="mask_id is an argument"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.rand(ids.shape, generator=generator)
    words = random_ids[torch.randint(len(random_ids), ids.shape, generator=generator)]
    inputs = torch.where(chosen & (fate < 0.8), 4, ids)
    inputs = torch.where(chosen & (fate >= 0.8) & (fate < 0.9), words, inputs)
    labels = torch.where(chosen, ids, -100)
    return inputs, labels


# %% right="the collator's way: half of what is left" exercise="mask_tokens"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    inputs, labels = ids.clone(), ids.clone()
    labels[~chosen] = -100
    masked = torch.bernoulli(torch.full(ids.shape, 0.8), generator=generator).bool() & chosen
    inputs[masked] = mask_id
    replaced = torch.bernoulli(torch.full(ids.shape, 0.5), generator=generator).bool() & chosen & ~masked
    inputs[replaced] = random_ids[torch.randint(len(random_ids), ids.shape, generator=generator)][replaced]
    return inputs, labels


# %% right="a loop over the chosen tokens" exercise="mask_tokens"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    rows, asked, words = ids.tolist(), chosen.tolist(), random_ids.tolist()
    n = int(chosen.sum())
    fates = iter(torch.rand(n, generator=generator).tolist())
    drawn = iter(torch.randint(len(words), (n,), generator=generator).tolist())
    labels = [[-100] * len(row) for row in rows]
    for b, row in enumerate(rows):
        for t in range(len(row)):
            if asked[b][t]:
                labels[b][t] = row[t]
                fate, place = next(fates), next(drawn)
                row[t] = mask_id if fate < 0.8 else words[place] if fate < 0.9 else row[t]
    return torch.tensor(rows), torch.tensor(labels)


# %% right="multinomial fates" exercise="mask_tokens"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate = torch.multinomial(torch.tensor([0.8, 0.1, 0.1]), ids.numel(), True, generator=generator).view(ids.shape)
    places = torch.multinomial(torch.ones(len(random_ids)), ids.numel(), True, generator=generator)
    candidates = torch.stack([torch.full_like(ids, mask_id), random_ids[places].view(ids.shape), ids])
    shown = candidates.gather(0, fate[None])[0]
    return torch.where(chosen, shown, ids), ids.masked_fill(~chosen, -100)


# %% right="places from numbers between 0 and 1" exercise="mask_tokens"
def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    fate, place = torch.rand(2, *ids.shape, generator=generator, dtype=torch.float64)
    words = random_ids[(place * len(random_ids)).long()]
    inputs = ids.masked_fill(chosen & (fate > 0.2), mask_id)
    inputs = torch.where(chosen & (fate < 0.1), words, inputs)
    return inputs, chosen * ids - 100 * (~chosen).long()


# %% right="numpy's select" exercise="mask_tokens"
import numpy as np


def mask_tokens(ids, chosen, mask_id, random_ids, generator):
    f = torch.rand(ids.shape, generator=generator).numpy()
    k = (torch.rand(ids.shape, generator=generator) * len(random_ids)).long().clamp(max=len(random_ids) - 1)
    c, a = chosen.numpy(), ids.numpy()
    inputs = np.select([~c, f < 0.8, f < 0.9], [a, np.full_like(a, mask_id), random_ids[k].numpy()], a)
    return torch.from_numpy(inputs), torch.from_numpy(np.where(c, a, -100))


# %% wrong="every token counts" exercise="mlm_loss" hint="Every token is counted, with 0"
def mlm_loss(logits, labels):
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.clamp(min=0).flatten())


# %% wrong="sum" exercise="mlm_loss" hint="That is the sum"
def mlm_loss(logits, labels):
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")


# %% wrong="divided by all tokens" exercise="mlm_loss" hint="You divided by the number of all tokens"
def mlm_loss(logits, labels):
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").mean()


# %% wrong="mean of the rows' means" exercise="mlm_loss" hint="mean of the rows' means"
def mlm_loss(logits, labels):
    rows = [
        torch.nn.functional.cross_entropy(logits[b], labels[b]) for b in range(len(labels)) if (labels[b] != -100).any()
    ]
    return torch.stack(rows).mean()


# %% wrong="bits" exercise="mlm_loss" hint="That is in bits"
def mlm_loss(logits, labels):
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten()) / torch.log(torch.tensor(2.0))


# %% wrong="label 0 is passed over" exercise="mlm_loss" hint="Labels of 0 are passed over"
def mlm_loss(logits, labels):
    labels = labels.clamp(min=0).flatten()
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels, ignore_index=0)


# %% wrong="softmax twice" exercise="mlm_loss" hint="cross_entropy does the softmax"
def mlm_loss(logits, labels):
    return torch.nn.functional.cross_entropy(logits.softmax(-1).flatten(0, 1), labels.flatten())


# %% wrong="classes on the wrong axis" exercise="mlm_loss" hint="reshape does not turn axes round"
def mlm_loss(logits, labels):
    B, T, V = logits.shape
    return torch.nn.functional.cross_entropy(logits.reshape(B, V, T), labels)


# %% wrong="log of the softmax" exercise="mlm_loss" hint="log(0) is minus infinity"
def mlm_loss(logits, labels):
    counted = labels != -100
    probabilities = logits[counted].softmax(-1)
    return -probabilities.gather(1, labels[counted][:, None]).log().mean()


# %% wrong="exponentials overflow" exercise="mlm_loss" hint="exp(10000) overflows"
def mlm_loss(logits, labels):
    counted = labels != -100
    shares = logits[counted].exp()
    return (shares.sum(1).log() - logits[counted].gather(1, labels[counted][:, None])[:, 0]).mean()


# %% wrong="a plain number" exercise="mlm_loss" hint="No .item()"
def mlm_loss(logits, labels):
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten()).item()


# %% wrong="sign forgotten" exercise="mlm_loss" hint="The sign is turned round"
def mlm_loss(logits, labels):
    return -torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


# %% wrong="logits for probabilities" exercise="mlm_loss" hint="These are logits"
def mlm_loss(logits, labels):
    return torch.nn.functional.nll_loss(logits.flatten(0, 1), labels.flatten())


# %% wrong="writes into the labels" exercise="mlm_loss" hint="not write into logits or labels"
def mlm_loss(logits, labels):
    counted = labels != -100
    labels[~counted] = 0
    each = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return each[counted.flatten()].mean()


# %% wrong="computed in float32" exercise="mlm_loss" hint="in the dtype of the logits"
def mlm_loss(logits, labels):
    return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten())


# %% wrong="computed in float32 and cast back" exercise="mlm_loss" hint="computed in float32"
def mlm_loss(logits, labels):
    return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten()).to(logits.dtype)


# %% wrong="shifted by one, as for the next token" exercise="mlm_loss" hint="Nothing is shifted here"
def mlm_loss(logits, labels):
    return torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())


# %% wrong="positions taken for classes" exercise="mlm_loss" hint="classes on axis 1"
def mlm_loss(logits, labels):
    return torch.nn.functional.cross_entropy(logits, labels)


# %% right="by hand, over the labels that count" exercise="mlm_loss"
def mlm_loss(logits, labels):
    counted = labels != -100
    log_probs = logits[counted].log_softmax(-1)
    return -log_probs.gather(1, labels[counted].unsqueeze(1)).mean()


# %% right="classes on axis 1" exercise="mlm_loss"
def mlm_loss(logits, labels):
    return torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels)


# %% right="a loop" exercise="mlm_loss"
def mlm_loss(logits, labels):
    total, n = 0.0, 0
    for row, wanted in zip(logits, labels):
        for scores, label in zip(row, wanted.tolist()):
            if label != -100:
                total = total + torch.logsumexp(scores, 0) - scores[label]
                n += 1
    return total / n


# %% right="sum divided by the count" exercise="mlm_loss"
def mlm_loss(logits, labels):
    counted = labels.ne(-100)
    each = torch.nn.functional.nll_loss(
        torch.log_softmax(logits, -1).reshape(-1, logits.size(-1)), labels.reshape(-1), reduction="sum"
    )
    return each / counted.sum()


# %% right="einsum with one-hot labels" exercise="mlm_loss"
def mlm_loss(logits, labels):
    m = labels.ge(0)
    z = logits - logits.max(-1, keepdim=True).values.detach()
    logp = z - z.exp().sum(-1, keepdim=True).log()
    hot = torch.nn.functional.one_hot(labels.clamp(min=0), logits.shape[-1]).to(logits.dtype) * m.unsqueeze(-1)
    return -torch.einsum("btv,btv->", logp, hot) / m.sum()


# %% wrong="dynamic turned round" exercise="masks_for_epochs" hint="although dynamic is True"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    if dynamic:
        return choose_positions(ids, special_mask, rate, generator).repeat(n_epochs, 1, 1)
    return torch.stack([choose_positions(ids, special_mask, rate, generator) for _ in range(n_epochs)])


# %% wrong="always the same" exercise="masks_for_epochs" hint="the same in every epoch although dynamic is True"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    return choose_positions(ids, special_mask, rate, generator).repeat(n_epochs, 1, 1)


# %% wrong="always fresh" exercise="masks_for_epochs" hint="although dynamic is False"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    return torch.stack([choose_positions(ids, special_mask, rate, generator) for _ in range(n_epochs)])


# %% wrong="seeded again in each epoch" exercise="masks_for_epochs" hint="the same in every epoch although dynamic is True"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    if not dynamic:
        return choose_positions(ids, special_mask, rate, generator).repeat(n_epochs, 1, 1)
    start = generator.get_state()
    masks = []
    for _ in range(n_epochs):
        generator.set_state(start)
        masks.append(choose_positions(ids, special_mask, rate, generator))
    return torch.stack(masks)


# %% wrong="a seed for each epoch, the generator left alone" exercise="masks_for_epochs" hint="Something was seeded again"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    draws = [
        choose_positions(ids, special_mask, rate, torch.Generator().manual_seed(e if dynamic else 0))
        for e in range(n_epochs)
    ]
    return torch.stack(draws)


# %% wrong="epochs take turns, no word twice" exercise="masks_for_epochs" hint="a fresh draw does not look at the others"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    if not dynamic:
        return choose_positions(ids, special_mask, rate, generator).repeat(n_epochs, 1, 1)
    masks, done = [], torch.zeros_like(special_mask)
    for _ in range(n_epochs):
        masks.append(choose_positions(ids, special_mask, rate, generator) & ~done)
        done = done | masks[-1] if rate < 1 else done
    return torch.stack(masks)


# %% wrong="the same choice for all stories" exercise="masks_for_epochs" hint="All stories get the same choice"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    n_draws = n_epochs if dynamic else 1
    drawn = torch.rand(n_draws, 1, ids.shape[1], generator=generator) < rate
    return (drawn & ~special_mask).repeat(1 if dynamic else n_epochs, 1, 1)


# %% wrong="stories first" exercise="masks_for_epochs" hint="Epochs come first"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    if dynamic:
        draws = [choose_positions(ids, special_mask, rate, generator) for _ in range(n_epochs)]
    else:
        draws = [choose_positions(ids, special_mask, rate, generator)] * n_epochs
    return torch.stack(draws, 1)


# %% wrong="special tokens forgotten" exercise="masks_for_epochs" hint="special_mask holds in every epoch"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    n_draws = n_epochs if dynamic else 1
    drawn = torch.rand(n_draws, *ids.shape, generator=generator) < rate
    return drawn if dynamic else drawn.repeat(n_epochs, 1, 1)


# %% wrong="a list of masks" exercise="masks_for_epochs" hint="A tensor is expected"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    if dynamic:
        return [choose_positions(ids, special_mask, rate, generator) for _ in range(n_epochs)]
    return [choose_positions(ids, special_mask, rate, generator)] * n_epochs


# %% wrong="never twice in a row" exercise="masks_for_epochs" hint="a fresh draw does not look at the others"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    first = choose_positions(ids, special_mask, rate, generator)
    if not dynamic:
        return first.repeat(n_epochs, 1, 1)
    masks = [first]
    for _ in range(n_epochs - 1):
        again = choose_positions(ids, special_mask, rate, generator)
        masks.append(torch.where(masks[-1], torch.zeros_like(again), again) if rate < 1 else again)
    return torch.stack(masks)


# %% wrong="ten draws in turn, as BERT stored them" exercise="masks_for_epochs" hint="Some epochs get the masks of an earlier one"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    if dynamic:
        return torch.stack(
            [choose_positions(ids, special_mask, rate, generator) for _ in range(min(n_epochs, 10))]
        ).repeat(-(-n_epochs // 10), 1, 1)[:n_epochs]
    return choose_positions(ids, special_mask, rate, generator).repeat(n_epochs, 1, 1)


# %% wrong="rate written out where dynamic" exercise="masks_for_epochs" hint="rate is an argument"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    if dynamic:
        return torch.stack([choose_positions(ids, special_mask, 0.15, generator) for _ in range(n_epochs)])
    return choose_positions(ids, special_mask, rate, generator).repeat(n_epochs, 1, 1)


# %% wrong="one epoch without its axis" exercise="masks_for_epochs" hint="one epoch is [1,N,T]"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    if dynamic:
        return torch.stack([choose_positions(ids, special_mask, rate, generator) for _ in range(n_epochs)]).squeeze(0)
    return choose_positions(ids, special_mask, rate, generator).repeat(n_epochs, 1, 1).squeeze(0)


# %% right="all numbers in one draw" exercise="masks_for_epochs"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    drawn = torch.rand(n_epochs if dynamic else 1, *ids.shape, generator=generator)
    return ((drawn < rate) & ~special_mask).expand(n_epochs, -1, -1)


# %% right="a loop that draws when it must" exercise="masks_for_epochs"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    masks = torch.zeros(n_epochs, *ids.shape, dtype=torch.bool)
    for epoch in range(n_epochs):
        if epoch == 0 or dynamic:
            current = choose_positions(ids, special_mask, rate, generator)
        masks[epoch] = current
    return masks


# %% right="the stories repeated" exercise="masks_for_epochs"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    N, T = ids.shape
    if not dynamic:
        return choose_positions(ids, special_mask, rate, generator).unsqueeze(0).repeat(n_epochs, 1, 1)
    return choose_positions(ids.repeat(n_epochs, 1), special_mask.repeat(n_epochs, 1), rate, generator).view(-1, N, T)


# %% right="one draw copied" exercise="masks_for_epochs"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    def draw():
        return choose_positions(ids=ids, special_mask=special_mask, rate=rate, generator=generator)

    first = draw()
    rest = [draw() if dynamic else first.clone() for _ in range(1, n_epochs)]
    return torch.stack([first] + rest, dim=0)


# %% right="recursion on the epochs" exercise="masks_for_epochs"
def masks_for_epochs(ids, special_mask, rate, n_epochs, dynamic, generator):
    first = choose_positions(ids, special_mask, rate, generator)[None]
    if n_epochs == 1:
        return first
    rest = (
        masks_for_epochs(ids, special_mask, rate, n_epochs - 1, True, generator)
        if dynamic
        else first.repeat_interleave(n_epochs - 1, 0)
    )
    return torch.cat((first, rest))
