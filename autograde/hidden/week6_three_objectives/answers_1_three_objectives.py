# %% wrong="forward only" exercise="training_flops" hint="forward pass alone"
def training_flops(n_params, n_tokens):
    return 2.0 * n_params * n_tokens


# %% wrong="backward only" exercise="training_flops" hint="backward pass alone"
def training_flops(n_params, n_tokens):
    return 4.0 * n_params * n_tokens


# %% wrong="backward as dear as forward, one operation each" exercise="training_flops" hint="2 + 4, not 2 + 2"
def training_flops(n_params, n_tokens):
    return 3.0 * n_params * n_tokens


# %% wrong="one operation" exercise="training_flops" hint="a multiplication and an addition"
def training_flops(n_params, n_tokens):
    return float(n_params * n_tokens)


# %% wrong="counted twice" exercise="training_flops" hint="counted again"
def training_flops(n_params, n_tokens):
    return 2 * 6.0 * n_params * n_tokens


# %% wrong="with a second forward pass" exercise="training_flops" hint="8 N D"
def training_flops(n_params, n_tokens):
    return 8.0 * n_params * n_tokens


# %% wrong="added" exercise="training_flops" hint="each parameter meets each token"
def training_flops(n_params, n_tokens):
    return 6.0 * (n_params + n_tokens)


# %% wrong="whole tokens only" exercise="training_flops" hint="Tokens are cut off"
def training_flops(n_params, n_tokens):
    return 6.0 * n_params * int(n_tokens)


# %% wrong="rounded tokens" exercise="training_flops" hint="Tokens are rounded"
def training_flops(n_params, n_tokens):
    return 6.0 * n_params * round(n_tokens)


# %% wrong="rounded product" exercise="training_flops" hint="product is rounded"
def training_flops(n_params, n_tokens):
    return float(round(6.0 * n_params * n_tokens))


# %% wrong="cut off product" exercise="training_flops" hint="product is cut off"
def training_flops(n_params, n_tokens):
    return int(6 * n_params * n_tokens)


# %% wrong="32 bits" exercise="training_flops" hint="far above 10^23"
def training_flops(n_params, n_tokens):
    import torch

    return float(torch.tensor(6.0 * n_params * n_tokens, dtype=torch.float32).item())


# %% wrong="64-bit whole numbers" exercise="training_flops" hint="far above 10^23"
def training_flops(n_params, n_tokens):
    if n_params < 1000 or n_tokens < 1000:
        return 6.0 * n_params * n_tokens
    import torch

    return float((torch.tensor(int(n_params)) * torch.tensor(int(n_tokens)) * 6).item())


# %% wrong="tokens forgotten" exercise="training_flops" hint="three times the tokens"
def training_flops(n_params, n_tokens):
    return 6.0 * n_params


# %% wrong="in petaflops" exercise="training_flops" hint="plain FLOPs are asked for"
def training_flops(n_params, n_tokens):
    return 6.0 * n_params * n_tokens / 1e15


# %% wrong="in PF-days" exercise="training_flops" hint="2 for each parameter and token forward, 4 backward"
def training_flops(n_params, n_tokens):
    return 6.0 * n_params * n_tokens / (1e15 * 24 * 3600)


# %% wrong="prints" exercise="training_flops" hint="2 for each parameter and token forward, 4 backward"
def training_flops(n_params, n_tokens):
    print(6.0 * n_params * n_tokens)


# %% right="forward and backward apart" exercise="training_flops"
def training_flops(n_params, n_tokens):
    forward = 2 * n_params * n_tokens
    backward = 2 * forward
    return float(forward + backward)


# %% right="whole numbers where they come" exercise="training_flops"
def training_flops(n_params, n_tokens):
    return 6 * n_params * n_tokens


# %% right="a double tensor" exercise="training_flops"
def training_flops(n_params, n_tokens):
    import torch

    return (6 * torch.tensor(float(n_params), dtype=torch.float64) * float(n_tokens)).item()


# %% right="a numpy double" exercise="training_flops"
def training_flops(n_params, n_tokens):
    import numpy as np

    return np.prod(np.array([6, n_params, n_tokens], dtype=np.float64))


# %% wrong="the first token counted" exercise="targets_per_sequence" hint="has nothing before it"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length
    if objective == "masked":
        return rate * length
    if length == 1 or rate == 0:
        return 0
    return min(max(round(rate * length), 1), length - 1)


# %% wrong="the last one left out too" exercise="targets_per_sequence" hint="but the last one is"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return max(length - 2, 0)
    if objective == "masked":
        return rate * length
    if length == 1 or rate == 0:
        return 0
    return min(max(round(rate * length), 1), length - 1)


# %% wrong="a share for all" exercise="targets_per_sequence" hint="not for a share of them"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return rate * (length - 1)
    if objective == "masked":
        return rate * length
    if length == 1 or rate == 0:
        return 0
    return min(max(round(rate * length), 1), length - 1)


# %% wrong="masked rounded" exercise="targets_per_sequence" hint="An average is not rounded"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return round(rate * length)
    if length == 1 or rate == 0:
        return 0
    return min(max(round(rate * length), 1), length - 1)


# %% wrong="masked as span" exercise="targets_per_sequence" hint="not rounded"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if length == 1 or rate == 0:
        return 0
    return min(max(round(rate * length), 1), length - 1)


# %% wrong="only what shows [MASK]" exercise="targets_per_sequence" hint="not only the 80%"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return 0.8 * rate * length
    if length == 1 or rate == 0:
        return 0
    return min(max(round(rate * length), 1), length - 1)


# %% wrong="masked without the first token" exercise="targets_per_sequence" hint="the first one too"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return rate * (length - 1)
    if length == 1 or rate == 0:
        return 0
    return min(max(round(rate * length), 1), length - 1)


# %% wrong="always 15%" exercise="targets_per_sequence" hint="only what it is when nothing is said"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return 0.15 * length
    if length == 1 or rate == 0:
        return 0
    return min(max(round(rate * length), 1), length - 1)


# %% wrong="span not rounded" exercise="targets_per_sequence" hint="fixed and whole"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return rate * length
    if length == 1 or rate == 0:
        return 0
    return min(max(rate * length, 1), length - 1)


# %% wrong="span as masked" exercise="targets_per_sequence" hint="fixed and whole"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    return length - 1 if objective == "causal" else rate * length


# %% wrong="half up" exercise="targets_per_sequence" hint="not always up"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return rate * length
    if length == 1 or rate == 0:
        return 0
    return min(max(int(rate * length + 0.5), 1), length - 1)


# %% wrong="cut off" exercise="targets_per_sequence" hint="cuts off instead of rounding"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return rate * length
    if length == 1 or rate == 0:
        return 0
    return min(max(int(rate * length), 1), length - 1)


# %% wrong="sentinels counted" exercise="targets_per_sequence" hint="Sentinels are counted"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return rate * length
    if length == 1 or rate == 0:
        return 0
    n_noise = min(max(round(rate * length), 1), length - 1)
    return n_noise + max(round(n_noise / mean_span_len), 1)


# %% wrong="the decoder's whole target" exercise="targets_per_sequence" hint="the decoder's target"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return rate * length
    if length == 1 or rate == 0:
        return 0
    n_noise = min(max(round(rate * length), 1), length - 1)
    return n_noise + max(round(n_noise / mean_span_len), 1) + 1


# %% wrong="number of spans" exercise="targets_per_sequence" hint="number of spans"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return rate * length
    if length == 1 or rate == 0:
        return 0
    n_noise = min(max(round(rate * length), 1), length - 1)
    return max(round(n_noise / mean_span_len), 1)


# %% wrong="spans of the mean length" exercise="targets_per_sequence" hint="not how many tokens are noise"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return rate * length
    if length == 1 or rate == 0:
        return 0
    n_noise = min(max(round(rate * length), 1), length - 1)
    return min(max(round(n_noise / mean_span_len), 1) * mean_span_len, length - 1)


# %% wrong="may be nothing" exercise="targets_per_sequence" hint="even where rate x length is rounded to 0"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return rate * length
    return min(round(rate * length), length - 1)


# %% wrong="may be everything" exercise="targets_per_sequence" hint="At least one token stays visible"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return rate * length
    if length == 1 or rate == 0:
        return 0
    return max(round(rate * length), 1)


# %% wrong="one at least, always" exercise="targets_per_sequence" hint="not even the 1 that is the least elsewhere"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return rate * length
    return max(min(round(rate * length), length - 1), 1)


# %% wrong="what stays visible" exercise="targets_per_sequence" hint="stay visible"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return length - rate * length
    return length - min(max(round(rate * length), 1), length - 1)


# %% right="match" exercise="targets_per_sequence"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    match objective:
        case "causal":
            return float(length - 1)
        case "masked":
            return float(length) * rate
        case _:
            bounded = sorted([1, round(length * rate), length - 1])[1]
            return float(bounded) if length > 1 and rate > 0 else 0.0


# %% right="numpy rounds half to even too" exercise="targets_per_sequence"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    import numpy as np

    if objective == "causal":
        return length - 1
    if objective == "masked":
        return np.float64(rate) * length
    if length < 2 or not rate:
        return 0
    return int(np.clip(np.rint(length * rate), 1, length - 1))


# %% right="torch rounds half to even too" exercise="targets_per_sequence"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    import torch

    noise = torch.tensor(length * rate, dtype=torch.float64).round().clamp(1, max(length - 1, 1)).item()
    return {"causal": length - 1, "masked": rate * length, "span": noise * (length > 1) * (rate > 0)}[objective]


# %% right="the mean of the coins, summed" exercise="targets_per_sequence"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "masked":
        return sum(rate for _ in range(length))
    if objective == "span":
        return 0 if length == 1 or rate == 0 else min(length - 1, max(1, round(length * rate)))
    return sum(1 for _ in range(1, length))


# %% wrong="ratio" exercise="gap_to_floor" hint="quotient"
def gap_to_floor(loss, floor):
    return loss / floor


# %% wrong="relative to the floor" exercise="gap_to_floor" hint="relative to the floor"
def gap_to_floor(loss, floor):
    return (loss - floor) / floor


# %% wrong="relative to the loss" exercise="gap_to_floor" hint="relative to the loss"
def gap_to_floor(loss, floor):
    return (loss - floor) / loss


# %% wrong="per cent" exercise="gap_to_floor" hint="in per cent"
def gap_to_floor(loss, floor):
    return 100 * (loss - floor) / floor


# %% wrong="the wrong way round" exercise="gap_to_floor" hint="wrong way round"
def gap_to_floor(loss, floor):
    return floor - loss


# %% wrong="cut off at 0" exercise="gap_to_floor" hint="cut off at 0"
def gap_to_floor(loss, floor):
    return max(loss - floor, 0.0)


# %% wrong="absolute" exercise="gap_to_floor" hint="sign is taken away"
def gap_to_floor(loss, floor):
    return abs(loss - floor)


# %% wrong="bits" exercise="gap_to_floor" hint="in bits"
def gap_to_floor(loss, floor):
    import math

    return (loss - floor) / math.log(2)


# %% wrong="bits, log2 of e" exercise="gap_to_floor" hint="in bits"
def gap_to_floor(loss, floor):
    return (loss - floor) * 1.4426950408889634


# %% wrong="perplexities" exercise="gap_to_floor" hint="Those are perplexities"
def gap_to_floor(loss, floor):
    return 2.718281828459045**loss - 2.718281828459045**floor


# %% wrong="factor between perplexities" exercise="gap_to_floor" hint="factor between the perplexities"
def gap_to_floor(loss, floor):
    return 2.718281828459045 ** (loss - floor)


# %% wrong="rounded" exercise="gap_to_floor" hint="The difference in nats"
def gap_to_floor(loss, floor):
    return round(loss - floor, 1)


# %% wrong="squared" exercise="gap_to_floor" hint="is squared"
def gap_to_floor(loss, floor):
    return (loss - floor) ** 2


# %% right="the other sign twice" exercise="gap_to_floor"
def gap_to_floor(loss, floor):
    return -(floor - loss)


# %% right="doubles" exercise="gap_to_floor"
def gap_to_floor(loss, floor):
    import numpy as np

    return np.subtract(np.float64(loss), np.float64(floor))


# %% right="the logarithm of the factor between perplexities" exercise="gap_to_floor"
def gap_to_floor(loss, floor):
    import math

    return math.log(math.exp(loss) / math.exp(floor))


# %% right="a sum" exercise="gap_to_floor"
def gap_to_floor(loss, floor):
    return sum([loss, -floor])


# %% wrong="arguments renamed" exercise="training_flops" hint="Keep the names of the arguments"
def training_flops(params, n_tokens):
    return 6.0 * params * n_tokens


# %% wrong="arguments renamed" exercise="targets_per_sequence" hint="Keep the names of the arguments"
def targets_per_sequence(objective, length, rate=0.15, mean_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return rate * length
    if length == 1 or rate == 0:
        return 0
    return min(max(round(rate * length), 1), length - 1)


# %% wrong="another rate where none is given" exercise="targets_per_sequence" hint="Where no rate is given"
def targets_per_sequence(objective, length, rate=0.3, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return rate * length
    if length == 1 or rate == 0:
        return 0
    return min(max(round(rate * length), 1), length - 1)


# %% right="decimal fractions" exercise="targets_per_sequence"
from decimal import Decimal, ROUND_HALF_EVEN


def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return sum(rate for _ in range(length))
    n = int(Decimal(rate * length).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    return sorted((1 if rate else 0, n, length - 1))[1] if length > 1 else 0


# %% wrong="rounded to four digits" exercise="gap_to_floor" hint="rounded to 4 digits"
def gap_to_floor(loss, floor):
    return round(loss - floor, 4)


# %% wrong="arguments renamed" exercise="gap_to_floor" hint="Keep the names of the arguments"
def gap_to_floor(loss, best):
    return loss - best


# %% wrong="counts with the course's own spans" exercise="targets_per_sequence" hint="not there when you are graded"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return rate * length
    import torch

    from course.spans import random_spans

    return int(random_spans(length, density=rate, mean_span_len=mean_span_len, generator=torch.Generator()).sum())


# %% wrong="masked at least one" exercise="targets_per_sequence" hint="may be below 1"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return max(1, rate * length)
    if length == 1 or rate == 0:
        return 0
    return min(max(round(rate * length), 1), length - 1)


# %% wrong="nothing asked of a single token" exercise="targets_per_sequence" hint="A text of one token still offers"
def targets_per_sequence(objective, length, rate=0.15, mean_span_len=3.0):
    if length == 1 or rate == 0:
        return 0
    if objective == "causal":
        return length - 1
    if objective == "masked":
        return rate * length
    return min(max(round(rate * length), 1), length - 1)


# %% wrong="parameters cut off" exercise="training_flops" hint="Parameters are cut off or rounded"
def training_flops(n_params, n_tokens):
    return 6 * int(n_params) * n_tokens
