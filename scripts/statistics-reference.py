#!/usr/bin/env python3
"""Writes host/statistics/tests/reference.jsonl: cases computed by scipy, which the crate is tested against.

    scripts/statistics-reference.py > host/statistics/tests/reference.jsonl

Needs scipy 1.13 or later. Holm's adjustment, which scipy lacks, is written out from its definition.
"""

import json

import numpy as np
from scipy import stats


def case(kind, **values):
    print(json.dumps({"kind": kind, **values}, default=float))


def holm(p):
    ordered = sorted(p)
    return [
        min(1.0, max((len(p) - j) * ordered[j] for j in range(len(p)) if ordered[j] <= value))
        for value in p
    ]


def main():
    random = np.random.default_rng(2026)
    errors = lambda n: np.round(random.normal(2.0, 0.2 * random.lognormal(), n), 2).tolist()

    for n in [*range(3, 33), 50, 100, 500]:
        values = errors(n)
        interval = stats.t.interval(0.95, n - 1, np.mean(values), stats.sem(values))
        case("mean", values=values, mean=np.mean(values), sd=np.std(values, ddof=1), interval=interval)

    for n in [1, 2, 3, 5, 10, 29, 100, 10_000]:
        for share in [0.0, 0.1, 0.5, 0.9, 1.0]:
            successes = round(n * share)
            interval = stats.binomtest(successes, n).proportion_ci(0.95, "wilson")
            case("wilson", successes=successes, trials=n, interval=[interval.low, interval.high])

    for n in [*range(2, 13)] * 5:
        differences = np.round(random.normal(0.1, 0.2, n), 2).tolist()
        test = stats.permutation_test(
            (differences,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
        )
        # scipy doubles the smaller tail; of a statistic that is symmetric both are the same.
        case("sign-flip", differences=differences, p=min(1.0, test.pvalue))

    for m in [*range(1, 17)] * 2:
        p = np.round(random.uniform(0, 0.2, m) ** 2, 4).tolist()
        case("holm", p=p, adjusted=holm(p))

    for n in range(2, 14):
        for m in [2, 3, 5, 8, 20]:
            a, b = errors(n), errors(m)
            welch = stats.ttest_ind(a, b, equal_var=False)
            interval = welch.confidence_interval(0.95)
            u = stats.mannwhitneyu(b, a, method="asymptotic").statistic
            case("unpaired", a=a, b=b, p=welch.pvalue, interval=[interval.low, interval.high], lower=u / (n * m))


main()
