# %% wrong="no space behind the colon" exercise="as_text" hint="A space stands behind the colon"
def as_text(task, example):
    if task == "translate":
        return "translate English to Korean:" + example["english"], example["korean"]
    if task == "summarize":
        return "summarize:" + example["story"], example["summary"]
    if task == "answer":
        return "question: " + example["question"] + " context: " + example["story"], example["answer"]
    raise ValueError(task)


# %% wrong="no prefix at all" exercise="as_text" hint="nothing would say which task"
def as_text(task, example):
    if task == "translate":
        return example["english"], example["korean"]
    if task == "summarize":
        return example["story"], example["summary"]
    if task == "answer":
        return f"question: {example['question']} context: {example['story']}", example["answer"]
    raise ValueError(task)


# %% wrong="the tasks' own names as prefixes" exercise="as_text" hint="not the tasks' own names"
def as_text(task, example):
    fields = {"translate": ("english", "korean"), "summarize": ("story", "summary"), "answer": ("story", "answer")}
    if task not in fields:
        raise ValueError(task)
    source, target = fields[task]
    question = f"question: {example['question']} context: " if task == "answer" else ""
    return f"{task}: {question}{example[source]}", example[target]


# %% wrong="British spelling" exercise="as_text" hint="spelt with a z"
def as_text(task, example):
    if task == "translate":
        return f"translate English to Korean: {example['english']}", example["korean"]
    if task == "summarize":
        return f"summarise: {example['story']}", example["summary"]
    if task == "answer":
        return f"question: {example['question']} context: {example['story']}", example["answer"]
    raise ValueError(task)


# %% wrong="a capital at the beginning" exercise="as_text" hint="begins with a small letter"
def as_text(task, example):
    if task == "translate":
        return f"Translate English to Korean: {example['english']}", example["korean"]
    if task == "summarize":
        return f"Summarize: {example['story']}", example["summary"]
    if task == "answer":
        return f"question: {example['question']} context: {example['story']}", example["answer"]
    raise ValueError(task)


# %% wrong="context before question" exercise="as_text" hint="question comes first"
def as_text(task, example):
    if task == "translate":
        return f"translate English to Korean: {example['english']}", example["korean"]
    if task == "summarize":
        return f"summarize: {example['story']}", example["summary"]
    if task == "answer":
        return f"context: {example['story']} question: {example['question']}", example["answer"]
    raise ValueError(task)


# %% wrong="question without context" exercise="as_text" hint="could only guess"
def as_text(task, example):
    if task == "translate":
        return f"translate English to Korean: {example['english']}", example["korean"]
    if task == "summarize":
        return f"summarize: {example['story']}", example["summary"]
    if task == "answer":
        return f"question: {example['question']}", example["answer"]
    raise ValueError(task)


# %% wrong="the answer in the source" exercise="as_text" hint="only have to copy it"
def as_text(task, example):
    if task == "translate":
        return f"translate English to Korean: {example['english']}", example["korean"]
    if task == "summarize":
        return f"summarize: {example['story']}", example["summary"]
    if task == "answer":
        source = f"question: {example['question']} context: {example['story']} answer: {example['answer']}"
        return source, example["answer"]
    raise ValueError(task)


# %% wrong="Korean to English" exercise="as_text" hint="The source is English and the target Korean"
def as_text(task, example):
    if task == "translate":
        return f"translate English to Korean: {example['korean']}", example["english"]
    if task == "summarize":
        return f"summarize: {example['story']}", example["summary"]
    if task == "answer":
        return f"question: {example['question']} context: {example['story']}", example["answer"]
    raise ValueError(task)


# %% wrong="target first" exercise="as_text" hint="source comes first"
def as_text(task, example):
    if task == "translate":
        return example["korean"], f"translate English to Korean: {example['english']}"
    if task == "summarize":
        return example["summary"], f"summarize: {example['story']}"
    if task == "answer":
        return example["answer"], f"question: {example['question']} context: {example['story']}"
    raise ValueError(task)


# %% wrong="everything in small letters" exercise="as_text" hint="capitals and punctuation too"
def as_text(task, example):
    small = {name: str(text).lower() for name, text in example.items()}
    if task == "translate":
        return f"translate English to Korean: {small['english']}", small["korean"]
    if task == "summarize":
        return f"summarize: {small['story']}", small["summary"]
    if task == "answer":
        return f"question: {small['question']} context: {small['story']}", small["answer"]
    raise ValueError(task)


# %% wrong="takes the target out of the example" exercise="as_text" hint="do not take anything out"
def as_text(task, example):
    if task == "translate":
        return f"translate English to Korean: {example['english']}", example.pop("korean")
    if task == "summarize":
        return f"summarize: {example['story']}", example.pop("summary")
    if task == "answer":
        return f"question: {example['question']} context: {example['story']}", example.pop("answer")
    raise ValueError(task)


# %% wrong="what is unknown is a question" exercise="as_text" hint="as if the task were known"
def as_text(task, example):
    if task == "translate":
        return f"translate English to Korean: {example['english']}", example["korean"]
    if task == "summarize":
        return f"summarize: {example['story']}", example["summary"]
    return f"question: {example['question']} context: {example['story']}", example["answer"]


# %% wrong="KeyError for an unknown task" exercise="as_text" hint="not ValueError"
def as_text(task, example):
    question = f"question: {example.get('question')} context: "
    prefix, source, target = {
        "translate": ("translate English to Korean: ", "english", "korean"),
        "summarize": ("summarize: ", "story", "summary"),
        "answer": (question, "story", "answer"),
    }[task]
    return prefix + example[source], example[target]


# %% wrong="one text" exercise="as_text" hint="returns two texts"
def as_text(task, example):
    if task == "translate":
        return f"translate English to Korean: {example['english']} {example['korean']}"
    if task == "summarize":
        return f"summarize: {example['story']} {example['summary']}"
    if task == "answer":
        return f"question: {example['question']} context: {example['story']} {example['answer']}"
    raise ValueError(task)


# %% right="a table of templates" exercise="as_text"
def as_text(task, example):
    templates = {
        "translate": ("translate English to Korean: {english}", "korean"),
        "summarize": ("summarize: {story}", "summary"),
        "answer": ("question: {question} context: {story}", "answer"),
    }
    if task not in templates:
        raise ValueError(f"{task!r} is unknown")
    template, target = templates[task]
    return template.format(**example), example[target]


# %% right="match, plus signs" exercise="as_text"
def as_text(task, example):
    match task:
        case "translate":
            source, target = "translate English to Korean: " + example["english"], example["korean"]
        case "summarize":
            source, target = "summarize: " + example["story"], example["summary"]
        case "answer":
            source = "question: " + example["question"] + " context: " + example["story"]
            target = example["answer"]
        case _:
            raise ValueError("unknown task")
    return source, target


# %% right="joined with spaces" exercise="as_text"
def as_text(task, example):
    if task not in ("translate", "summarize", "answer"):
        raise ValueError(task)
    if task == "translate":
        parts, target = ["translate English to Korean:", example["english"]], "korean"
    elif task == "summarize":
        parts, target = ["summarize:", example["story"]], "summary"
    else:
        parts, target = ["question:", example["question"], "context:", example["story"]], "answer"
    return " ".join(parts), example[target]


# %% right="a list of two" exercise="as_text"
def as_text(task, example):
    if task == "translate":
        return ["translate English to Korean: %s" % example["english"], example["korean"]]
    if task == "summarize":
        return ["summarize: %s" % example["story"], example["summary"]]
    if task == "answer":
        return ["question: %s context: %s" % (example["question"], example["story"]), example["answer"]]
    raise ValueError(task)


# %% wrong="plain comparison" exercise="exact_match" hint="Make both texts small"
def exact_match(prediction, answer):
    return prediction == answer


# %% wrong="capitals count" exercise="exact_match" hint="Make both texts small"
def exact_match(prediction, answer):
    def plain(text):
        text = "".join(c for c in text if c not in string.punctuation)
        return [word for word in text.split() if word.lower() not in ("a", "an", "the")]

    return plain(prediction) == plain(answer)


# %% wrong="only the prediction is made plain" exercise="exact_match" hint="no match"
def exact_match(prediction, answer):
    text = "".join(c for c in prediction.lower() if c not in string.punctuation)
    return " ".join(word for word in text.split() if word not in ("a", "an", "the")) == answer


# %% wrong="punctuation stays" exercise="exact_match" hint="Every character of string.punctuation is deleted"
def exact_match(prediction, answer):
    def plain(text):
        return [word for word in text.lower().split() if word not in ("a", "an", "the")]

    return plain(prediction) == plain(answer)


# %% wrong="punctuation only at the ends of words" exercise="exact_match" hint="wherever it stands"
def exact_match(prediction, answer):
    def plain(text):
        words = [word.strip(string.punctuation) for word in text.lower().split()]
        return [word for word in words if word not in ("a", "an", "the", "")]

    return plain(prediction) == plain(answer)


# %% wrong="a space for each punctuation mark" exercise="exact_match" hint="nothing takes its place"
def exact_match(prediction, answer):
    def plain(text):
        text = "".join(" " if c in string.punctuation else c for c in text.lower())
        return [word for word in text.split() if word not in ("a", "an", "the")]

    return plain(prediction) == plain(answer)


# %% wrong="only . , ! and ?" exercise="exact_match" hint="Every character of string.punctuation"
def exact_match(prediction, answer):
    def plain(text):
        text = re.sub(r"[.,!?]", "", text.lower())
        return [word for word in text.split() if word not in ("a", "an", "the")]

    return plain(prediction) == plain(answer)


# %% wrong="articles before punctuation" exercise="exact_match" hint="gone before articles are looked for"
def exact_match(prediction, answer):
    def plain(text):
        text = re.sub(r"\b(a|an|the)\b", " ", text.lower())
        return "".join(c for c in text if c not in string.punctuation).split()

    return plain(prediction) == plain(answer)


# %% wrong="articles inside words" exercise="exact_match" hint="inside another word these letters stay"
def exact_match(prediction, answer):
    def plain(text):
        text = "".join(c for c in text.lower() if c not in string.punctuation)
        for article in ("the", "an", "a"):
            text = text.replace(article, "")
        return text.split()

    return plain(prediction) == plain(answer)


# %% wrong="only an article at the beginning" exercise="exact_match" hint="wherever they stand"
def exact_match(prediction, answer):
    def plain(text):
        words = "".join(c for c in text.lower() if c not in string.punctuation).split()
        return words[1:] if words and words[0] in ("a", "an", "the") else words

    return plain(prediction) == plain(answer)


# %% wrong="articles stay" exercise="exact_match" hint="are left out wherever they stand"
def exact_match(prediction, answer):
    def plain(text):
        return "".join(c for c in text.lower() if c not in string.punctuation).split()

    return plain(prediction) == plain(answer)


# %% wrong="only the ends are stripped" exercise="exact_match" hint="several spaces are one space"
def exact_match(prediction, answer):
    def plain(text):
        text = "".join(c for c in text.lower() if c not in string.punctuation)
        return re.sub(r"\b(a|an|the)\b ?", "", text).strip()

    return plain(prediction) == plain(answer)


# %% wrong="no spaces at all" exercise="exact_match" hint="words stay apart"
def exact_match(prediction, answer):
    def plain(text):
        text = "".join(c for c in text.lower() if c not in string.punctuation)
        return "".join(word for word in text.split() if word not in ("a", "an", "the"))

    return plain(prediction) == plain(answer)


# %% wrong="the same words in any order" exercise="exact_match" hint="words in another order"
def exact_match(prediction, answer):
    def plain(text):
        text = "".join(c for c in text.lower() if c not in string.punctuation)
        return sorted(word for word in text.split() if word not in ("a", "an", "the"))

    return plain(prediction) == plain(answer)


# %% wrong="the answer is in it somewhere" exercise="exact_match" hint="a part of the answer"
def exact_match(prediction, answer):
    def plain(text):
        text = "".join(c for c in text.lower() if c not in string.punctuation)
        return " ".join(word for word in text.split() if word not in ("a", "an", "the"))

    return plain(answer) in plain(prediction)


# %% wrong="1.0 or 0.0" exercise="exact_match" hint="returns True or False"
def exact_match(prediction, answer):
    def plain(text):
        text = "".join(c for c in text.lower() if c not in string.punctuation)
        return " ".join(word for word in text.split() if word not in ("a", "an", "the"))

    return float(plain(prediction) == plain(answer))


# %% right="translate and a regular expression" exercise="exact_match"
def exact_match(prediction, answer):
    gone = str.maketrans("", "", string.punctuation)

    def plain(text):
        return " ".join(re.sub(r"\b(a|an|the)\b", " ", text.lower().translate(gone)).split())

    return plain(prediction) == plain(answer)


# %% right="lists of words" exercise="exact_match"
def exact_match(prediction, answer):
    sides = []
    for text in (prediction, answer):
        for mark in string.punctuation:
            text = text.replace(mark, "")
        sides.append([word for word in text.lower().split() if word not in {"a", "an", "the"}])
    return sides[0] == sides[1]


# %% right="one character after the other" exercise="exact_match"
def exact_match(prediction, answer):
    def words(text):
        found, word = [], ""
        for character in text + " ":
            if character.isspace():
                if word not in ("", "a", "an", "the"):
                    found.append(word)
                word = ""
            elif character not in string.punctuation:
                word += character.lower()
        return found

    return words(prediction) == words(answer)


# %% right="a regular expression for everything" exercise="exact_match"
def exact_match(prediction, answer):
    marks = re.compile("[" + re.escape(string.punctuation) + "]")
    plain = [
        re.sub(r"\s+", " ", re.sub(r"(?<!\S)(?:the|an|a)(?!\S)", "", marks.sub("", text.lower()))).strip()
        for text in (prediction, answer)
    ]
    return plain[0] == plain[1]


# %% wrong="recall" exercise="rouge_l" hint="recall alone"
def rouge_l(prediction, reference):
    a, b = prediction.split(), reference.split()
    if not a or not b:
        return 0.0
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a)):
        for j in range(len(b)):
            same = a[i] == b[j]
            table[i + 1][j + 1] = table[i][j] + 1 if same else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1] / len(b)


# %% wrong="precision" exercise="rouge_l" hint="precision alone"
def rouge_l(prediction, reference):
    a, b = prediction.split(), reference.split()
    if not a or not b:
        return 0.0
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a)):
        for j in range(len(b)):
            same = a[i] == b[j]
            table[i + 1][j + 1] = table[i][j] + 1 if same else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1] / len(a)


# %% wrong="mean of precision and recall" exercise="rouge_l" hint="harmonic mean"
def rouge_l(prediction, reference):
    a, b = prediction.split(), reference.split()
    if not a or not b:
        return 0.0
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a)):
        for j in range(len(b)):
            same = a[i] == b[j]
            table[i + 1][j + 1] = table[i][j] + 1 if same else max(table[i][j + 1], table[i + 1][j])
    return (table[-1][-1] / len(a) + table[-1][-1] / len(b)) / 2


# %% wrong="divided by the longer text" exercise="rouge_l" hint="recall alone"
def rouge_l(prediction, reference):
    a, b = prediction.split(), reference.split()
    if not a or not b:
        return 0.0
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a)):
        for j in range(len(b)):
            same = a[i] == b[j]
            table[i + 1][j + 1] = table[i][j] + 1 if same else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1] / max(len(a), len(b))


# %% wrong="the length itself" exercise="rouge_l" hint="not yet F1"
def rouge_l(prediction, reference):
    a, b = prediction.split(), reference.split()
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a)):
        for j in range(len(b)):
            same = a[i] == b[j]
            table[i + 1][j + 1] = table[i][j] + 1 if same else max(table[i][j + 1], table[i + 1][j])
    return float(table[-1][-1])


# %% wrong="division by zero" exercise="rouge_l" hint="0 / 0"
def rouge_l(prediction, reference):
    a, b = prediction.split(), reference.split()
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a)):
        for j in range(len(b)):
            same = a[i] == b[j]
            table[i + 1][j + 1] = table[i][j] + 1 if same else max(table[i][j + 1], table[i + 1][j])
    precision, recall = table[-1][-1] / len(a), table[-1][-1] / len(b)
    return 2 * precision * recall / (precision + recall) if table[-1][-1] else 0.0


# %% wrong="two empty texts are the same" exercise="rouge_l" hint="also where both are empty"
def rouge_l(prediction, reference):
    a, b = prediction.split(), reference.split()
    if a == b:
        return 1.0
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a)):
        for j in range(len(b)):
            same = a[i] == b[j]
            table[i + 1][j + 1] = table[i][j] + 1 if same else max(table[i][j + 1], table[i + 1][j])
    return 2 * table[-1][-1] / (len(a) + len(b))


# %% wrong="an unbroken run" exercise="rouge_l" hint="longest unbroken run"
def rouge_l(prediction, reference):
    a, b = prediction.split(), reference.split()
    if not a or not b:
        return 0.0
    best, table = 0, [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a)):
        for j in range(len(b)):
            if a[i] == b[j]:
                table[i + 1][j + 1] = table[i][j] + 1
                best = max(best, table[i + 1][j + 1])
    return 2 * best / (len(a) + len(b))


# %% wrong="shared words in any order" exercise="rouge_l" hint="whatever their order"
def rouge_l(prediction, reference):
    a, b = prediction.split(), reference.split()
    if not a or not b:
        return 0.0
    return 2 * (Counter(a) & Counter(b)).total() / (len(a) + len(b))


# %% wrong="sets of words" exercise="rouge_l" hint="those are sets"
def rouge_l(prediction, reference):
    a, b = set(prediction.split()), set(reference.split())
    if not a or not b:
        return 0.0
    return 2 * len(a & b) / (len(a) + len(b))


# %% wrong="takes each word where it comes first" exercise="rouge_l" hint="can miss a longer choice"
def rouge_l(prediction, reference):
    a, b = prediction.split(), reference.split()
    if not a or not b:
        return 0.0
    at, found = 0, 0
    for word in a:
        if word in b[at:]:
            at = b.index(word, at) + 1
            found += 1
    return 2 * found / (len(a) + len(b))


# %% wrong="difflib's matching blocks" exercise="rouge_l" hint="On random texts another number comes out"
def rouge_l(prediction, reference):
    import difflib

    return difflib.SequenceMatcher(None, prediction.split(), reference.split(), autojunk=False).ratio() * bool(
        prediction.split() and reference.split()
    )


# %% wrong="characters" exercise="rouge_l" hint="Those are characters"
def rouge_l(prediction, reference):
    a, b = prediction, reference
    if not a.strip() or not b.strip():
        return 0.0
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a)):
        for j in range(len(b)):
            same = a[i] == b[j]
            table[i + 1][j + 1] = table[i][j] + 1 if same else max(table[i][j + 1], table[i + 1][j])
    return 2 * table[-1][-1] / (len(a) + len(b))


# %% wrong="makes the words plain first" exercise="rouge_l" hint="takes words as they stand"
def rouge_l(prediction, reference):
    a, b = (re.findall(r"\w+", text.lower()) for text in (prediction, reference))
    if not a or not b:
        return 0.0
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a)):
        for j in range(len(b)):
            same = a[i] == b[j]
            table[i + 1][j + 1] = table[i][j] + 1 if same else max(table[i][j + 1], table[i + 1][j])
    return 2 * table[-1][-1] / (len(a) + len(b))


# %% wrong="splits at single spaces" exercise="rouge_l" hint="takes no argument here"
def rouge_l(prediction, reference):
    a, b = prediction.split(" "), reference.split(" ")
    if not prediction.strip() or not reference.strip():
        return 0.0
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a)):
        for j in range(len(b)):
            same = a[i] == b[j]
            table[i + 1][j + 1] = table[i][j] + 1 if same else max(table[i][j + 1], table[i + 1][j])
    return 2 * table[-1][-1] / (len(a) + len(b))


# %% wrong="tries everything" exercise="rouge_l" hint="fill a table"
def rouge_l(prediction, reference):
    def longest(a, b):
        if not a or not b:
            return 0
        if a[-1] == b[-1]:
            return longest(a[:-1], b[:-1]) + 1
        return max(longest(a[:-1], b), longest(a, b[:-1]))

    a, b = prediction.split(), reference.split()
    return 2 * longest(a, b) / (len(a) + len(b)) if a and b else 0.0


# %% wrong="0 to 100" exercise="rouge_l" hint="not to 100"
def rouge_l(prediction, reference):
    a, b = prediction.split(), reference.split()
    if not a or not b:
        return 0.0
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a)):
        for j in range(len(b)):
            same = a[i] == b[j]
            table[i + 1][j + 1] = table[i][j] + 1 if same else max(table[i][j + 1], table[i + 1][j])
    return 200 * table[-1][-1] / (len(a) + len(b))


# %% wrong="the same row m times" exercise="rouge_l" hint="one and the same list"
def rouge_l(prediction, reference):
    a, b = prediction.split(), reference.split()
    if not a or not b:
        return 0.0
    table = [[0] * (len(b) + 1)] * (len(a) + 1)
    for i in range(len(a)):
        for j in range(len(b)):
            same = a[i] == b[j]
            table[i + 1][j + 1] = table[i][j] + 1 if same else max(table[i][j + 1], table[i + 1][j])
    return 2 * table[-1][-1] / (len(a) + len(b))


# %% right="recursion that remembers" exercise="rouge_l"
def rouge_l(prediction, reference):
    from functools import lru_cache

    a, b = prediction.split(), reference.split()

    @lru_cache(maxsize=None)
    def longest(i, j):
        if i == 0 or j == 0:
            return 0
        if a[i - 1] == b[j - 1]:
            return longest(i - 1, j - 1) + 1
        return max(longest(i - 1, j), longest(i, j - 1))

    return 2 * longest(len(a), len(b)) / (len(a) + len(b)) if a and b else 0.0


# %% right="one row at a time, precision and recall" exercise="rouge_l"
def rouge_l(prediction, reference):
    a, b = prediction.split(), reference.split()
    row = [0] * (len(b) + 1)
    for word in a:
        corner = 0
        for j, other in enumerate(b, start=1):
            above = row[j]
            row[j] = corner + 1 if word == other else max(row[j], row[j - 1])
            corner = above
    if row[-1] == 0:
        return 0.0
    precision, recall = row[-1] / len(a), row[-1] / len(b)
    return 2 * precision * recall / (precision + recall)


# %% right="a rising sequence of places" exercise="rouge_l"
def rouge_l(prediction, reference):
    from bisect import bisect_left

    a, b = prediction.split(), reference.split()
    places = {}
    for j, word in enumerate(b):
        places.setdefault(word, []).insert(0, j)
    ends = []
    for word in a:
        for j in places.get(word, []):
            at = bisect_left(ends, j)
            ends[at : at + 1] = [j]
    return 2 * len(ends) / (len(a) + len(b)) if a and b else 0.0


# %% right="a numpy table" exercise="rouge_l"
def rouge_l(prediction, reference):
    import numpy as np

    a, b = np.array(prediction.split(), dtype=object), np.array(reference.split(), dtype=object)
    if not len(a) or not len(b):
        return np.float64(0)
    table = np.zeros((len(a) + 1, len(b) + 1))
    for i in range(len(a)):
        step = np.maximum(table[i, 1:], table[i, :-1] + (b == a[i]))
        table[i + 1, 1:] = np.maximum.accumulate(step)
    return 2 * table[-1, -1] / (len(a) + len(b))


# %% wrong="no clipping" exercise="bleu" hint="clip it"
def bleu(predictions, references):
    logs = 0.0
    for n in range(1, 5):
        matched = total = 0
        for p, r in zip(predictions, references):
            ours, theirs = ([tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)] for t in (p, r))
            matched += sum(run in theirs for run in ours)
            total += len(ours)
        if not matched:
            return 0.0
        logs += math.log(matched / total) / 4
    c, r = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return 100 * math.exp(logs + min(0, 1 - r / c))


# %% wrong="sets of runs" exercise="bleu" hint="those are sets, not counts"
def bleu(predictions, references):
    logs = 0.0
    for n in range(1, 5):
        matched = total = 0
        for p, r in zip(predictions, references):
            ours, theirs = ([tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)] for t in (p, r))
            matched += len(set(ours) & set(theirs))
            total += len(ours)
        if not matched:
            return 0.0
        logs += math.log(matched / total) / 4
    c, r = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return 100 * math.exp(logs + min(0, 1 - r / c))


# %% wrong="no brevity penalty" exercise="bleu" hint="brevity penalty is missing"
def bleu(predictions, references):
    logs = 0.0
    for n in range(1, 5):
        matched = total = 0
        for p, r in zip(predictions, references):
            ours, theirs = (Counter(tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)) for t in (p, r))
            matched += (ours & theirs).total()
            total += ours.total()
        if not matched:
            return 0.0
        logs += math.log(matched / total) / 4
    return 100 * math.exp(logs)


# %% wrong="long ones get a bonus" exercise="bleu" hint="gets no bonus"
def bleu(predictions, references):
    logs = 0.0
    for n in range(1, 5):
        matched = total = 0
        for p, r in zip(predictions, references):
            ours, theirs = (Counter(tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)) for t in (p, r))
            matched += (ours & theirs).total()
            total += ours.total()
        if not matched:
            return 0.0
        logs += math.log(matched / total) / 4
    c, r = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return 100 * math.exp(logs + 1 - r / c)


# %% wrong="ratio of the lengths as penalty" exercise="bleu" hint="not the ratio"
def bleu(predictions, references):
    logs = 0.0
    for n in range(1, 5):
        matched = total = 0
        for p, r in zip(predictions, references):
            ours, theirs = (Counter(tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)) for t in (p, r))
            matched += (ours & theirs).total()
            total += ours.total()
        if not matched:
            return 0.0
        logs += math.log(matched / total) / 4
    c, r = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return 100 * math.exp(logs) * min(1, c / r)


# %% wrong="penalty for what is too long" exercise="bleu" hint="brevity penalty is missing"
def bleu(predictions, references):
    logs = 0.0
    for n in range(1, 5):
        matched = total = 0
        for p, r in zip(predictions, references):
            ours, theirs = (Counter(tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)) for t in (p, r))
            matched += (ours & theirs).total()
            total += ours.total()
        if not matched:
            return 0.0
        logs += math.log(matched / total) / 4
    c, r = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return 100 * math.exp(logs + min(0, 1 - c / r))


# %% wrong="recall" exercise="bleu" hint="that is recall"
def bleu(predictions, references):
    logs = 0.0
    for n in range(1, 5):
        matched = total = 0
        for p, r in zip(predictions, references):
            ours, theirs = (Counter(tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)) for t in (p, r))
            matched += (ours & theirs).total()
            total += theirs.total()
        if not matched:
            return 0.0
        logs += math.log(matched / total) / 4
    c, r = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return 100 * math.exp(logs + min(0, 1 - r / c))


# %% wrong="mean of the pairs' BLEU" exercise="bleu" hint="mean of the pairs' own BLEU"
def bleu(predictions, references):
    def single(p, r):
        logs = 0.0
        for n in range(1, 5):
            ours, theirs = (Counter(tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)) for t in (p, r))
            matched = (ours & theirs).total()
            if not matched:
                return 0.0
            logs += math.log(matched / ours.total()) / 4
        return 100 * math.exp(logs + min(0, 1 - len(r.split()) / len(p.split())))

    return sum(single(p, r) for p, r in zip(predictions, references)) / len(predictions)


# %% wrong="shares averaged over pairs" exercise="bleu" hint="shares of the pairs are averaged"
def bleu(predictions, references):
    logs = 0.0
    for n in range(1, 5):
        shares = []
        for p, r in zip(predictions, references):
            ours, theirs = (Counter(tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)) for t in (p, r))
            if ours:
                shares.append((ours & theirs).total() / ours.total())
        if not sum(shares):
            return 0.0
        logs += math.log(sum(shares) / len(shares)) / 4
    c, r = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return 100 * math.exp(logs + min(0, 1 - r / c))


# %% wrong="all texts joined into one" exercise="bleu" hint="joined into one text"
def bleu(predictions, references):
    p, r = " ".join(predictions).split(), " ".join(references).split()
    logs = 0.0
    for n in range(1, 5):
        ours, theirs = (Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1)) for words in (p, r))
        matched = (ours & theirs).total()
        if not matched:
            return 0.0
        logs += math.log(matched / ours.total()) / 4
    return 100 * math.exp(logs + min(0, 1 - len(r) / len(p)))


# %% wrong="clipped over the whole corpus" exercise="bleu" hint="matched with its own reference only"
def bleu(predictions, references):
    logs = 0.0
    for n in range(1, 5):
        ours, theirs = (
            Counter(tuple(t.split()[i : i + n]) for t in side for i in range(len(t.split()) - n + 1))
            for side in (predictions, references)
        )
        matched = (ours & theirs).total()
        if not matched:
            return 0.0
        logs += math.log(matched / ours.total()) / 4
    c, r = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return 100 * math.exp(logs + min(0, 1 - r / c))


# %% wrong="arithmetic mean" exercise="bleu" hint="takes their geometric mean"
def bleu(predictions, references):
    shares = []
    for n in range(1, 5):
        matched = total = 0
        for p, r in zip(predictions, references):
            ours, theirs = (Counter(tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)) for t in (p, r))
            matched += (ours & theirs).total()
            total += ours.total()
        if not matched:
            return 0.0
        shares.append(matched / total)
    c, r = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return 100 * sum(shares) / 4 * math.exp(min(0, 1 - r / c))


# %% wrong="no fourth root" exercise="bleu" hint="fourth root is missing"
def bleu(predictions, references):
    logs = 0.0
    for n in range(1, 5):
        matched = total = 0
        for p, r in zip(predictions, references):
            ours, theirs = (Counter(tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)) for t in (p, r))
            matched += (ours & theirs).total()
            total += ours.total()
        if not matched:
            return 0.0
        logs += math.log(matched / total)
    c, r = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return 100 * math.exp(logs + min(0, 1 - r / c))


# %% wrong="range ends before its end" exercise="bleu" hint="Runs of four words are missing"
def bleu(predictions, references):
    logs = 0.0
    for n in range(1, 4):
        matched = total = 0
        for p, r in zip(predictions, references):
            ours, theirs = (Counter(tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)) for t in (p, r))
            matched += (ours & theirs).total()
            total += ours.total()
        if not matched:
            return 0.0
        logs += math.log(matched / total) / 3
    c, r = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return 100 * math.exp(logs + min(0, 1 - r / c))


# %% wrong="runs of four only" exercise="bleu" hint="runs of four words only"
def bleu(predictions, references):
    matched = total = 0
    for p, r in zip(predictions, references):
        ours, theirs = (Counter(tuple(t.split()[i : i + 4]) for i in range(len(t.split()) - 3)) for t in (p, r))
        matched += (ours & theirs).total()
        total += ours.total()
    if not matched:
        return 0.0
    c, r = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return 100 * matched / total * math.exp(min(0, 1 - r / c))


# %% wrong="0 to 1" exercise="bleu" hint="from 0 to 100"
def bleu(predictions, references):
    logs = 0.0
    for n in range(1, 5):
        matched = total = 0
        for p, r in zip(predictions, references):
            ours, theirs = (Counter(tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)) for t in (p, r))
            matched += (ours & theirs).total()
            total += ours.total()
        if not matched:
            return 0.0
        logs += math.log(matched / total) / 4
    c, r = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return math.exp(logs + min(0, 1 - r / c))


# %% wrong="one added to each count" exercise="bleu" hint="nothing is added to the counts"
def bleu(predictions, references):
    logs = 0.0
    for n in range(1, 5):
        matched = total = 1
        for p, r in zip(predictions, references):
            ours, theirs = (Counter(tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)) for t in (p, r))
            matched += (ours & theirs).total()
            total += ours.total()
        logs += math.log(matched / total) / 4
    c, r = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return 100 * math.exp(logs + min(0, 1 - r / c)) if c else 0.0


# %% wrong="logarithm of zero" exercise="bleu" hint="no logarithm of 0"
def bleu(predictions, references):
    logs = 0.0
    for n in range(1, 5):
        matched = total = 0
        for p, r in zip(predictions, references):
            ours, theirs = (Counter(tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)) for t in (p, r))
            matched += (ours & theirs).total()
            total += ours.total()
        logs += math.log(matched / total) / 4
    c, r = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return 100 * math.exp(logs + min(0, 1 - r / c))


# %% wrong="lengths without a match are left out" exercise="bleu" hint="nothing left out or smoothed"
def bleu(predictions, references):
    logs = []
    for n in range(1, 5):
        matched = total = 0
        for p, r in zip(predictions, references):
            ours, theirs = (Counter(tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)) for t in (p, r))
            matched += (ours & theirs).total()
            total += ours.total()
        if matched:
            logs.append(math.log(matched / total))
    c, r = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return 100 * math.exp(sum(logs) / len(logs) + min(0, 1 - r / c)) if logs else 0.0


# %% wrong="runs of characters" exercise="bleu" hint="runs of characters"
def bleu(predictions, references):
    logs = 0.0
    for n in range(1, 5):
        matched = total = 0
        for p, r in zip(predictions, references):
            ours, theirs = (Counter(t[i : i + n] for i in range(len(t) - n + 1)) for t in (p, r))
            matched += (ours & theirs).total()
            total += ours.total()
        if not matched:
            return 0.0
        logs += math.log(matched / total) / 4
    c, r = (sum(len(t) for t in side) for side in (predictions, references))
    return 100 * math.exp(logs + min(0, 1 - r / c))


# %% wrong="references first" exercise="bleu" hint="Predictions come first"
def bleu(predictions, references):
    logs = 0.0
    for n in range(1, 5):
        matched = total = 0
        for r, p in zip(predictions, references):
            ours, theirs = (Counter(tuple(t.split()[i : i + n]) for i in range(len(t.split()) - n + 1)) for t in (p, r))
            matched += (ours & theirs).total()
            total += ours.total()
        if not matched:
            return 0.0
        logs += math.log(matched / total) / 4
    r, c = (sum(len(t.split()) for t in side) for side in (predictions, references))
    return 100 * math.exp(logs + min(0, 1 - r / c))


# %% right="taking matches away from a list" exercise="bleu"
def bleu(predictions, references):
    product = 1.0
    for n in (1, 2, 3, 4):
        matched, total = 0, 0
        for prediction, reference in zip(predictions, references):
            a, b = prediction.split(), reference.split()
            left = [b[j : j + n] for j in range(len(b) - n + 1)]
            for i in range(len(a) - n + 1):
                total += 1
                if a[i : i + n] in left:
                    left.remove(a[i : i + n])
                    matched += 1
        if total == 0:
            return 0.0
        product *= matched / total
    c = sum(len(text.split()) for text in predictions)
    r = sum(len(text.split()) for text in references)
    return 100 * product**0.25 * (math.exp(1 - r / c) if c < r else 1)


# %% right="numpy, runs as strings" exercise="bleu"
def bleu(predictions, references):
    import numpy as np

    counts = np.zeros((4, 2))
    lengths = np.zeros(2)
    for pair in zip(predictions, references):
        words = [text.split() for text in pair]
        lengths += [len(w) for w in words]
        for n in range(4):
            ours, theirs = (Counter("\n".join(w[i : i + n + 1]) for i in range(len(w) - n)) for w in words)
            counts[n] += [sum(min(k, theirs[run]) for run, k in ours.items()), sum(ours.values())]
    if (counts == 0).any():
        return 0.0
    shares = counts[:, 0] / counts[:, 1]
    return 100 * min(1.0, np.exp(1 - lengths[1] / lengths[0])) * np.exp(np.log(shares).mean())


# %% right="zip of shifted lists, math.prod" exercise="bleu"
def bleu(predictions, references):
    def runs(text, n):
        words = text.split()
        return Counter(zip(*[words[i:] for i in range(n)]))

    shares = []
    for n in range(1, 5):
        matched = sum((runs(p, n) & runs(r, n)).total() for p, r in zip(predictions, references))
        total = sum(max(0, len(p.split()) - n + 1) for p in predictions)
        shares.append(matched / total if total else 0.0)
    c, r = (len(" ".join(side).split()) for side in (predictions, references))
    brevity = 0.0 if c == 0 else 1.0 if c >= r else math.exp(1 - r / c)
    return 100.0 * brevity * math.pow(math.prod(shares), 0.25)


# %% right="torch, pair after pair" exercise="bleu"
def bleu(predictions, references):
    import torch

    matched, total = torch.zeros(4, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    c = r = 0
    for index, prediction in enumerate(predictions):
        a, b = prediction.split(), references[index].split()
        c, r = c + len(a), r + len(b)
        for n in range(1, 5):
            ours = [tuple(a[i : i + n]) for i in range(len(a) - n + 1)]
            theirs = [tuple(b[i : i + n]) for i in range(len(b) - n + 1)]
            total[n - 1] += len(ours)
            matched[n - 1] += sum(min(ours.count(run), theirs.count(run)) for run in set(ours))
    if bool((matched == 0).any()):
        return 0.0
    brevity = min(1.0, math.exp(1 - r / c))
    return 100 * brevity * (matched / total).log().mean().exp().item()


# %% wrong="arguments renamed" exercise="as_text" hint="Keep the names of the arguments"
def as_text(task, ex):
    if task == "translate":
        return "translate English to Korean: " + ex["english"], ex["korean"]
    if task == "summarize":
        return "summarize: " + ex["story"], ex["summary"]
    if task == "answer":
        return "question: " + ex["question"] + " context: " + ex["story"], ex["answer"]
    raise ValueError(task)


# %% wrong="arguments renamed" exercise="exact_match" hint="Keep the names of the arguments"
def exact_match(prediction, gold):
    def plain(text):
        text = text.lower()
        text = "".join(c for c in text if c not in string.punctuation)
        return [w for w in text.split() if w not in ("a", "an", "the")]

    return plain(prediction) == plain(gold)


# %% wrong="arguments renamed" exercise="rouge_l" hint="Keep the names of the arguments"
def rouge_l(prediction, target):
    a, b = prediction.split(), target.split()
    if not a or not b:
        return 0.0
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a)):
        for j in range(len(b)):
            if a[i] == b[j]:
                table[i + 1][j + 1] = table[i][j] + 1
            else:
                table[i + 1][j + 1] = max(table[i][j + 1], table[i + 1][j])
    return 2 * table[-1][-1] / (len(a) + len(b))


# %% right="bits in one whole number" exercise="rouge_l"
def rouge_l(prediction, reference):
    a, b = prediction.split(), reference.split()
    if not a or not b:
        return 0.0
    where = {}
    for i, w in enumerate(a):
        where[w] = where.get(w, 0) | 1 << i
    full = (1 << len(a)) - 1
    v = full
    for w in b:
        m = where.get(w, 0)
        u = v & m
        v = ((v + u) | (v - u)) & full
    return 2 * (len(a) - bin(v).count("1")) / (len(a) + len(b))


# %% wrong="arguments renamed" exercise="bleu" hint="Keep the names of the arguments"
def bleu(hypotheses, references):
    matched, total, c, r = [0] * 4, [0] * 4, 0, 0
    for prediction, reference in zip(hypotheses, references):
        p, q = prediction.split(), reference.split()
        c += len(p)
        r += len(q)
        for n in range(1, 5):
            have = Counter(tuple(p[i : i + n]) for i in range(len(p) - n + 1))
            want = Counter(tuple(q[i : i + n]) for i in range(len(q) - n + 1))
            matched[n - 1] += sum(min(k, want[g]) for g, k in have.items())
            total[n - 1] += sum(have.values())
    if 0 in matched or 0 in total:
        return 0.0
    precisions = [m / t for m, t in zip(matched, total)]
    bp = min(1.0, math.exp(1 - r / c))
    return 100 * bp * math.prod(precisions) ** 0.25


# %% wrong="takes the texts out of the lists" exercise="bleu" hint="The lists that were handed over are changed"
def bleu(predictions, references):
    matched, total, c, r = [0] * 4, [0] * 4, 0, 0
    while predictions:
        prediction, reference = predictions.pop(), references.pop()
        p, q = prediction.split(), reference.split()
        c += len(p)
        r += len(q)
        for n in range(1, 5):
            have = Counter(tuple(p[i : i + n]) for i in range(len(p) - n + 1))
            want = Counter(tuple(q[i : i + n]) for i in range(len(q) - n + 1))
            matched[n - 1] += sum(min(k, want[g]) for g, k in have.items())
            total[n - 1] += sum(have.values())
    if 0 in matched or 0 in total:
        return 0.0
    precisions = [m / t for m, t in zip(matched, total)]
    bp = min(1.0, math.exp(1 - r / c))
    return 100 * bp * math.prod(precisions) ** 0.25


# %% right="sorted runs merged, statistics' geometric mean" exercise="bleu"
def bleu(predictions, references):
    from statistics import geometric_mean

    def runs(text, n):
        words = text.split()
        return sorted(words[i : i + n] for i in range(len(words) - n + 1))

    def common(x, y):
        i = j = k = 0
        while i < len(x) and j < len(y):
            if x[i] == y[j]:
                i, j, k = i + 1, j + 1, k + 1
            elif x[i] < y[j]:
                i += 1
            else:
                j += 1
        return k

    ps = []
    for n in range(1, 5):
        top = sum(common(runs(p, n), runs(r, n)) for p, r in zip(predictions, references))
        bottom = sum(len(runs(p, n)) for p in predictions)
        ps.append(top / bottom if bottom else 0.0)
    if min(ps) == 0:
        return 0.0
    c = len(" ".join(predictions).split())
    r = len(" ".join(references).split())
    return 100.0 * (math.exp(1 - r / c) if c < r else 1.0) * geometric_mean(ps)


# %% wrong="the story stripped" exercise="as_text" hint="at its ends is not stripped"
def as_text(task, example):
    if task == "translate":
        return "translate English to Korean: " + example["english"], example["korean"]
    if task == "summarize":
        return "summarize: " + example["story"].strip(), example["summary"].strip()
    if task == "answer":
        return "question: " + example["question"] + " context: " + example["story"], example["answer"]
    raise ValueError(task)


# %% wrong="line breaks joined" exercise="as_text" hint="line breaks too"
def as_text(task, example):
    if task == "translate":
        return "translate English to Korean: " + example["english"], example["korean"]
    if task == "summarize":
        return "summarize: " + example["story"], example["summary"]
    if task == "answer":
        return "question: " + example["question"] + " context: " + " ".join(example["story"].split()), example["answer"]
    raise ValueError(task)


# %% wrong="a task known by its first letter" exercise="as_text" hint="as if the task were known"
def as_text(task, example):
    if task == "translate":
        return "translate English to Korean: " + example["english"], example["korean"]
    if task == "summarize":
        return "summarize: " + example["story"], example["summary"]
    if task.startswith("a"):
        return "question: " + example["question"] + " context: " + example["story"], example["answer"]
    raise ValueError(task)


# %% wrong="small letters" exercise="bleu" hint="capitals and punctuation count"
def bleu(predictions, references):
    matched, total, c, r = [0] * 4, [0] * 4, 0, 0
    for prediction, reference in zip(predictions, references):
        p, q = prediction.lower().split(), reference.lower().split()
        c += len(p)
        r += len(q)
        for n in range(1, 5):
            have = Counter(tuple(p[i : i + n]) for i in range(len(p) - n + 1))
            want = Counter(tuple(q[i : i + n]) for i in range(len(q) - n + 1))
            matched[n - 1] += sum(min(k, want[g]) for g, k in have.items())
            total[n - 1] += sum(have.values())
    if 0 in matched or 0 in total:
        return 0.0
    precisions = [m / t for m, t in zip(matched, total)]
    bp = min(1.0, math.exp(1 - r / c))
    return 100 * bp * math.prod(precisions) ** 0.25


# %% wrong="words without punctuation" exercise="bleu" hint="capitals and punctuation count"
def bleu(predictions, references):
    matched, total, c, r = [0] * 4, [0] * 4, 0, 0
    for prediction, reference in zip(predictions, references):
        p, q = re.findall(r"\w+", prediction), re.findall(r"\w+", reference)
        c += len(p)
        r += len(q)
        for n in range(1, 5):
            have = Counter(tuple(p[i : i + n]) for i in range(len(p) - n + 1))
            want = Counter(tuple(q[i : i + n]) for i in range(len(q) - n + 1))
            matched[n - 1] += sum(min(k, want[g]) for g, k in have.items())
            total[n - 1] += sum(have.values())
    if 0 in matched or 0 in total:
        return 0.0
    precisions = [m / t for m, t in zip(matched, total)]
    bp = min(1.0, math.exp(1 - r / c))
    return 100 * bp * math.prod(precisions) ** 0.25


# %% wrong="pairs without a prediction left out" exercise="bleu" hint="An empty prediction counts too"
def bleu(predictions, references):
    matched, total, c, r = [0] * 4, [0] * 4, 0, 0
    for prediction, reference in zip(predictions, references):
        p, q = prediction.split(), reference.split()
        if not p:
            continue
        c += len(p)
        r += len(q)
        for n in range(1, 5):
            have = Counter(tuple(p[i : i + n]) for i in range(len(p) - n + 1))
            want = Counter(tuple(q[i : i + n]) for i in range(len(q) - n + 1))
            matched[n - 1] += sum(min(k, want[g]) for g, k in have.items())
            total[n - 1] += sum(have.values())
    if 0 in matched or 0 in total:
        return 0.0
    precisions = [m / t for m, t in zip(matched, total)]
    bp = min(1.0, math.exp(1 - r / c))
    return 100 * bp * math.prod(precisions) ** 0.25


# %% wrong="every other of neighbouring articles stays" exercise="exact_match" hint="two articles side by side"
def exact_match(prediction, answer):
    def plain(text):
        words = "".join(c for c in text.lower() if c not in string.punctuation).split()
        for word in words:
            if word in ("a", "an", "the"):
                words.remove(word)
        return words

    return plain(prediction) == plain(answer)


# %% wrong="articles replaced with their spaces" exercise="exact_match" hint="two articles side by side"
def exact_match(prediction, answer):
    def plain(text):
        text = "".join(c for c in text.lower() if c not in string.punctuation)
        text = f" {' '.join(text.split())} "
        for article in (" the ", " an ", " a "):
            text = text.replace(article, " ")
        return text.split()

    return plain(prediction) == plain(answer)


# %% wrong="articles sought in one string" exercise="exact_match" hint="he, th and n are no articles"
def exact_match(prediction, answer):
    def plain(text):
        text = "".join(c for c in text.lower() if c not in string.punctuation)
        return [word for word in text.split() if word not in "a an the"]

    return plain(prediction) == plain(answer)


# %% wrong="letters and digits alone kept" exercise="exact_match" hint="such as the euro's sign"
def exact_match(prediction, answer):
    def plain(text):
        text = "".join(c for c in text.lower() if c.isalnum() or c.isspace())
        return [word for word in text.split() if word not in ("a", "an", "the")]

    return plain(prediction) == plain(answer)


# %% wrong="letters of the alphabet alone kept" exercise="exact_match" hint="Digits are no punctuation"
def exact_match(prediction, answer):
    def plain(text):
        text = "".join(c for c in text.lower() if c.isalpha() or c.isspace())
        return [word for word in text.split() if word not in ("a", "an", "the")]

    return plain(prediction) == plain(answer)


# %% wrong="ASCII letters alone kept" exercise="exact_match" hint="Digits are no punctuation"
def exact_match(prediction, answer):
    def plain(text):
        text = re.sub(r"[^a-z ]", "", text.lower())
        return [word for word in text.split() if word not in ("a", "an", "the")]

    return plain(prediction) == plain(answer)


# %% wrong="a class of small letters and digits" exercise="exact_match" hint="such as the euro's sign"
def exact_match(prediction, answer):
    def plain(text):
        text = re.sub(r"[^a-z0-9\s]", "", text.lower())
        return [word for word in text.split() if word not in ("a", "an", "the")]

    return plain(prediction) == plain(answer)


# %% wrong="underscores stay" exercise="exact_match" hint="Every character of string.punctuation"
def exact_match(prediction, answer):
    def plain(text):
        text = re.sub(r"[^\w\s]", "", text.lower())
        return [word for word in text.split() if word not in ("a", "an", "the")]

    return plain(prediction) == plain(answer)


# %% wrong="nothing never matches" exercise="exact_match" hint="Two empty texts match"
def exact_match(prediction, answer):
    def plain(text):
        text = "".join(c for c in text.lower() if c not in string.punctuation)
        return [word for word in text.split() if word not in ("a", "an", "the")]

    return bool(plain(prediction)) and plain(prediction) == plain(answer)


# %% wrong="every text stripped" exercise="as_text" hint="The target stays as it is: white space"
def as_text(task, example):
    example = {name: str(text).strip() for name, text in example.items()}
    if task == "translate":
        return f"translate English to Korean: {example['english']}", example["korean"]
    if task == "summarize":
        return f"summarize: {example['story']}", example["summary"]
    if task == "answer":
        return f"question: {example['question']} context: {example['story']}", example["answer"]
    raise ValueError(task)


# %% wrong="target stripped" exercise="as_text" hint="The target stays as it is: white space at its ends is not stripped"
def as_text(task, example):
    if task == "translate":
        return f"translate English to Korean: {example['english']}", example["korean"].strip()
    if task == "summarize":
        return f"summarize: {example['story']}", example["summary"].strip()
    if task == "answer":
        return f"question: {example['question']} context: {example['story']}", example["answer"].strip()
    raise ValueError(task)


# %% wrong="question stripped" exercise="as_text" hint="The question stays as it is: white space"
def as_text(task, example):
    if task == "translate":
        return f"translate English to Korean: {example['english']}", example["korean"]
    if task == "summarize":
        return f"summarize: {example['story']}", example["summary"]
    if task == "answer":
        return f"question: {example['question'].strip()} context: {example['story'].strip()}", example["answer"]
    raise ValueError(task)


# %% wrong="the error returned" exercise="as_text" hint="write raise"
def as_text(task, example):
    if task == "translate":
        return f"translate English to Korean: {example['english']}", example["korean"]
    if task == "summarize":
        return f"summarize: {example['story']}", example["summary"]
    if task == "answer":
        return f"question: {example['question']} context: {example['story']}", example["answer"]
    return ValueError(task)


# %% wrong="all three texts built" exercise="as_text" hint="All three texts are built although one is asked for"
def as_text(task, example):
    texts = {
        "translate": (f"translate English to Korean: {example['english']}", example["korean"]),
        "summarize": (f"summarize: {example['story']}", example["summary"]),
        "answer": (f"question: {example['question']} context: {example['story']}", example["answer"]),
    }
    if task not in texts:
        raise ValueError(task)
    return texts[task]


# %% wrong="the larger neighbour plus one" exercise="rouge_l" hint="On a match take the diagonal entry plus 1"
def rouge_l(prediction, reference):
    ours, theirs = prediction.split(), reference.split()
    m, n = len(ours), len(theirs)
    if m == 0 or n == 0:
        return 0.0
    table = [[0] * (n + 1) for _ in range(m + 1)]
    for i in range(m):
        for j in range(n):
            table[i + 1][j + 1] = max(table[i][j + 1], table[i + 1][j]) + (ours[i] == theirs[j])
    return 2 * table[m][n] / (m + n)


# %% wrong="splits at single spaces" exercise="bleu" hint="takes no argument here"
def bleu(predictions, references):
    matched, total = [0] * 4, [0] * 4
    c = r = 0
    for ours, theirs in zip(predictions, references):
        ours, theirs = ours.split(" "), theirs.split(" ")
        c, r = c + len(ours), r + len(theirs)
        for n in range(1, 5):
            a = Counter(tuple(ours[i : i + n]) for i in range(len(ours) - n + 1))
            b = Counter(tuple(theirs[i : i + n]) for i in range(len(theirs) - n + 1))
            matched[n - 1] += sum((a & b).values())
            total[n - 1] += sum(a.values())
    if min(matched) == 0:
        return 0.0
    p = math.prod(m / t for m, t in zip(matched, total)) ** 0.25
    return 100 * min(1.0, math.exp(1 - r / c)) * p


# %% wrong="c over r" exercise="bleu" hint="r stands above c in 1 - r/c"
def bleu(predictions, references):
    matched, total = [0] * 4, [0] * 4
    c = r = 0
    for ours, theirs in zip(predictions, references):
        ours, theirs = ours.split(), theirs.split()
        c, r = c + len(ours), r + len(theirs)
        for n in range(1, 5):
            a = Counter(tuple(ours[i : i + n]) for i in range(len(ours) - n + 1))
            b = Counter(tuple(theirs[i : i + n]) for i in range(len(theirs) - n + 1))
            matched[n - 1] += sum((a & b).values())
            total[n - 1] += sum(a.values())
    if min(matched) == 0:
        return 0.0
    p = math.prod(m / t for m, t in zip(matched, total)) ** 0.25
    return 100 * min(1.0, math.exp(1 - c / r)) * p


# %% wrong="the quotient cut off" exercise="bleu" hint="it is /, not //"
def bleu(predictions, references):
    matched, total = [0] * 4, [0] * 4
    c = r = 0
    for ours, theirs in zip(predictions, references):
        ours, theirs = ours.split(), theirs.split()
        c, r = c + len(ours), r + len(theirs)
        for n in range(1, 5):
            a = Counter(tuple(ours[i : i + n]) for i in range(len(ours) - n + 1))
            b = Counter(tuple(theirs[i : i + n]) for i in range(len(theirs) - n + 1))
            matched[n - 1] += sum((a & b).values())
            total[n - 1] += sum(a.values())
    if min(matched) == 0:
        return 0.0
    p = math.prod(m / t for m, t in zip(matched, total)) ** 0.25
    return 100 * min(1.0, math.exp(1 - r // c)) * p
