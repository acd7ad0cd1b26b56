"""The possible action that is nearest to what a model wrote, as AgentBench finds it.

Sentence BLEU up to four words (Papineni et al. 2002), smoothed where no run of n words is common by the fourth
technique of Chen & Cherry (2014), in the form that NLTK gives it.
"""

import math
from collections import Counter
from collections.abc import Sequence

LONGEST = 4
"""Words in the longest run that is compared."""
K = 5
"""The constant of the smoothing."""
ALIKE = 0.01
"""What an action has to exceed to be taken for what was meant."""


def nearest(written: str, possible: Sequence[str]) -> str:
    """The first of the actions that are most like what is written; what is written where none is."""
    if written in possible:
        return written
    words = written.split()
    scores = [bleu(action.split(), words) for action in possible]
    best = max(scores, default=0.0)
    return possible[scores.index(best)] if best > ALIKE else written


def bleu(reference: list[str], words: list[str]) -> float:
    """How much of what is written, in runs of one to four words, the reference has, from 0 to 1."""
    if not set(reference) & set(words):
        return 0.0
    logarithms, zeros = [], 0
    for length in range(1, LONGEST + 1):
        common = (runs(words, length) & runs(reference, length)).total()
        share: float = common
        if not common and len(words) > 1:
            zeros += 1
            share = math.log(len(words)) / (2**zeros * K)
        if share:
            logarithms.append(math.log(share / max(1, len(words) - length + 1)))
    shortness = min(0.0, 1 - len(reference) / len(words))
    return math.exp(shortness + math.fsum(logarithms) / LONGEST)


def runs(words: list[str], length: int) -> Counter[tuple[str, ...]]:
    """How often each run of so many words occurs."""
    return Counter(tuple(words[start : start + length]) for start in range(len(words) - length + 1))
