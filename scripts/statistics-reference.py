#!/usr/bin/env python3
"""Writes host/statistics/tests/reference.jsonl: cases computed by scipy, which the crate is tested against.

    scripts/statistics-reference.py > host/statistics/tests/reference.jsonl

Needs scipy 1.13 or later. What scipy lacks is written out from its definition: with exact fractions, by counting all
cases, or with 120 digits.
"""

import json
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import combinations, product
from math import ceil, comb

import numpy as np
from scipy import optimize, stats


def case(kind, **values):
    print(json.dumps({"kind": kind, **values}, default=float))


def holm(p):
    ordered = sorted(p)
    return [
        min(1.0, max((len(p) - j) * ordered[j] for j in range(len(p)) if ordered[j] <= value))
        for value in p
    ]


def steck(low, high):
    """The probability that n sorted uniform numbers lie in these intervals, by the determinant of Steck (1971)."""
    n = len(low)
    with localcontext() as context:
        context.prec = 120
        low, high = [Decimal(x) for x in low], [Decimal(x) for x in high]
        factorial = [Decimal(1)]
        for i in range(1, n + 1):
            factorial.append(factorial[-1] * i)
        minors = [Decimal(1)]
        for m in range(1, n + 1):
            minors.append(
                sum(
                    (-1) ** (m - k) * max(high[k - 1] - low[m - 1], Decimal(0)) ** (m - k + 1)
                    / factorial[m - k + 1] * minors[k - 1]
                    for k in range(1, m + 1)
                )
            )
        return float(minors[n] * factorial[n])


def order_band(n):
    ranks = np.arange(1, n + 1)
    ends = lambda alpha: [stats.beta.ppf(q, ranks, n + 1 - ranks) for q in (alpha / 2, 1 - alpha / 2)]
    if n == 1:
        return ends(0.05)
    excess = lambda alpha: steck(*ends(alpha)) - 0.95
    return ends(optimize.brentq(excess, 0.05 / n, 0.05, xtol=1e-17, rtol=1e-15))


def tuning_point(k, trials, band):
    """The estimators over all ways to try k, where those are few, and by their formulas otherwise."""
    trials = [tuple(map(Fraction, trial)) for trial in sorted(trials, key=lambda trial: trial[0])]
    v = [validation for validation, _ in trials]
    b = len(trials)
    if b**k <= 20_000:
        best = [min(tried) for tried in combinations(range(b), k)]
        u = sum(v[i] for i in best) / len(best)
        test = sum(trials[i][1] for i in best) / len(best)
        plug_in = sum(min(tried) for tried in product(v, repeat=k)) / b**k
    else:
        weights = [Fraction(comb(b - i, k - 1), comb(b, k)) for i in range(1, b + 1)]
        u = sum(w * x for w, x in zip(weights, v))
        test = sum(w * x for w, (_, x) in zip(weights, trials))
        plug_in = sum(x * (Fraction(b - i, b) ** k - Fraction(b - i - 1, b) ** k) for i, x in enumerate(v))
    q = float(1 - Decimal("0.5") ** (1 / Decimal(k)))
    low = [i for i, end in enumerate(band[1]) if end >= q]
    low = v[low[0] - 1] if low and low[0] > 0 else None if low else v[-1]
    high = [x for x, end in zip(v, band[0]) if end >= q]
    median = v[ceil(Decimal(q) * b) - 1]
    numbers = [u, plug_in, test, median, low, high[0] if high else None]
    return [None if number is None else float(number) for number in numbers]


def density(cells, count, is_ordered):
    """The density of PED-ANOVA on a grid: for numbers after Optuna's _ScottParzenEstimator, for choices a histogram."""
    n = len(cells)
    if not is_ordered:
        return (np.bincount(cells, minlength=count) + 1 / count) / (n + 1)
    cells = np.sort(cells)
    quartiles = cells[max(n // 4 - 1, 0)], cells[min(n * 3 // 4, n - 1)]
    width = 1.059 * min((quartiles[1] - quartiles[0]) / 1.34, np.std(cells, ddof=1)) * n**-0.2
    middles = np.append(cells, (count - 1) / 2)
    widths = np.append(np.full(n, max(width, 0.5 / 1.64)), count)
    edges = np.arange(count + 1) - 0.5
    below = stats.norm.cdf((edges[:, None] - middles) / widths)
    return np.mean(np.diff(below, axis=0) / (below[-1] - below[0]), axis=1)


def importances(errors, parameters):
    best = errors <= np.quantile(errors, 0.1, method="higher")
    divergences = []
    for parameter in parameters:
        values = np.asarray(parameter["values"])
        if "choices" in parameter:
            cells, count = values, parameter["choices"]
        else:
            scale = np.log if parameter["log"] else np.asarray
            grid, count = np.linspace(scale(parameter["low"]), scale(parameter["high"]), 50), 50
            cells = np.abs(scale(values)[:, None] - grid).argmin(axis=1)
        p, q = (density(cells[chosen], count, "choices" not in parameter) for chosen in (best, slice(None)))
        divergences.append(np.sum(q * (p / q - 1) ** 2))
    return best.sum(), np.divide(divergences, np.sum(divergences))


def search_cases():
    """Cases of searches: bands of order statistics, tuning curves and importances."""
    random = np.random.default_rng(2027)
    for n in [1, 2, 3, 4, 5, 6, 7, 8, 10, 12] * 3:
        ends = np.sort(np.round(random.uniform(0, 1, (2, n)), 3), axis=1)
        low, high = np.minimum(ends[0], ends[1]) ** 2, np.sqrt(np.maximum(ends[0], ends[1]))
        case("coverage", low=low.tolist(), high=high.tolist(), coverage=steck(low, high))
    bands = {n: order_band(n) for n in [*range(1, 31), 60]}
    for n, (low, high) in bands.items():
        case("order-band", n=n, low=low.tolist(), high=high.tolist())
    for b in [*range(1, 9)] * 2 + [10, 12, 15, 20, 25, 30] * 2 + [60] * 3:
        validation = np.round(random.lognormal(1, 0.7, b), 1)
        trials = [[v, t] for v, t in zip(validation, np.round(validation + random.normal(0, 0.5, b), 2))]
        tried = range(1, b + 1) if b < 9 else (1, 2, 3, b // 3, b // 2, b - 1, b)
        points = [[k, *tuning_point(k, trials, bands[b])] for k in tried]
        case("tuning", trials=trials, points=points)
    for b in [200, 500]:
        trials = np.round(random.lognormal(1, 0.7, (b, 2)), 2).tolist()
        # The band is tested above.
        points = [[k, *tuning_point(k, trials, ([], []))[:4]] for k in (1, 2, 3, b // 3, b - 1, b)]
        case("tuning", trials=trials, points=points)
    for b in [32, 40, 41, 42, 50, 51, 60, 61, 71, 101] * 3:
        rate, momentum = 10 ** random.uniform(-4, 0, b), random.uniform(0, 1, b)
        kind, noise = random.integers(0, 4, b), random.integers(0, 2, b)
        error = np.abs(np.log10(rate) + 2) + momentum * random.choice([0, 1]) + 0.3 * kind + random.normal(0, 0.2, b)
        errors = np.round(error, 1 + b % 2)
        parameters = [
            {"values": [float(f"{it:.3g}") for it in rate], "low": 1e-4 / 2, "high": 1.0, "log": True},
            {"values": np.round(momentum, 3).tolist(), "low": 0.0, "high": 1.0, "log": False},
            {"values": kind.tolist(), "choices": 4},
            {"values": noise.tolist(), "choices": 3},
        ]
        best, shares = importances(errors, parameters)
        case("importance", errors=errors.tolist(), parameters=parameters, best=int(best), shares=shares.tolist())


def test_set_cases():
    """Cases of single trainings and of test sets."""
    random = np.random.default_rng(2028)
    for n in [3, 4, 5, 8, 10, 20] * 5:
        values = np.round(random.normal(2.0, 0.2, n), 2)
        interval = stats.t.interval(0.95, n - 1, np.mean(values), np.std(values, ddof=1) * np.sqrt(1 + 1 / n))
        case("prediction", values=values.tolist(), interval=interval)

    for n, images in [*product([1, 2, 3, 5, 10], [2, 3, 10, 30, 100, 250])] * 2:
        hard = random.uniform(0, 1, images) ** random.choice([0.5, 3])
        wrong = random.uniform(0, 1, (n, images)) < hard
        if random.uniform() < 0.1:
            wrong[:] = wrong[0]
        if (wrong == wrong[0]).all():
            found = stats.binomtest(int(wrong[0].sum()), images).proportion_ci(0.95, "wilson")
            interval = found.low, found.high
        else:
            share = wrong.mean(axis=0)
            interval = np.clip(stats.t.interval(0.95, images - 1, share.mean(), stats.sem(share)), 0, 1).tolist()
        variance = None
        if n > 1:
            covariance = np.cov(wrong.T.astype(float))
            variance = np.mean(covariance[~np.eye(images, dtype=bool)])
        case(
            "test-set", wrong=["".join("01"[int(it)] for it in seed) for seed in wrong], mean=wrong.mean(),
            error=stats.sem(wrong.mean(axis=0)), interval=interval, variance=variance,
        )


def task_cases():
    """Cases of several tasks."""
    random = np.random.default_rng(2029)
    for tasks in [1, 2, 3, 4, 5, 8, 16, 20] * 5:
        runs = random.integers(1, 11, tasks) if random.uniform() < 0.5 else np.full(tasks, 10)
        values = [np.round(random.lognormal(0, 0.5, n), 2).tolist() for n in runs]
        case("aggregate", tasks=values, middle=stats.trim_mean(np.concatenate(values), 0.25))

    for methods, tasks in [*product([1, 2, 3, 5, 17], [1, 2, 4, 8, 16])] * 2:
        errors = np.round(random.lognormal(0, 0.5, (methods, tasks)), 1 + methods % 2)
        errors[random.uniform(0, 1, errors.shape) < 0.1] = np.inf
        ratios = [1.0, 1.1, 1.25, 1.5, 2.0, 4.0]
        with np.errstate(invalid="ignore"):
            within = errors[:, :, None] <= np.array(ratios) * errors.min(axis=0)[:, None]
        profiles = (within & np.isfinite(errors)[:, :, None]).mean(axis=1)
        errors = [[it if np.isfinite(it) else None for it in method] for method in errors]
        case("profile", errors=errors, ratios=ratios, profiles=profiles.tolist())


def rank_cases():
    """Cases of Mann and Whitney's test."""
    random = np.random.default_rng(2030)
    sizes = [*product([1, 2, 3, 5, 8, 13, 20], [1, 3, 10, 20])] + [(21, 21), (30, 10), (5, 40)]
    for (n, m), digits in product(sizes, [1, 6]):
        a, b = np.round(random.normal(2.0, 0.2, n), digits), np.round(random.normal(2.1, 0.2, m), digits)
        exact = max(n, m) <= 20 and len({*a, *b}) == n + m
        p = stats.mannwhitneyu(a, b, method="exact" if exact else "asymptotic").pvalue
        case("rank", a=a.tolist(), b=b.tolist(), exact=exact, p=p)


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

    search_cases()
    test_set_cases()
    task_cases()
    rank_cases()


main()
