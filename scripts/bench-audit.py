"""Times `pipeline audit --all` and `b3sum` on the same files. Called by `scripts/bench audit`.

usage: bench-audit.py FOLDER B3SUM PIPELINE
"""

import os
import random
import statistics
import subprocess
import sys
import time

ROUNDS = 9
PARTS = ["objects", "results", "runs", "scratch", "locks", "tmp", "cache"]
# Sizes as those of a store: documents and tables, and states of large networks.
STORES = {
    "20,000 files of 0.5 to 32 KiB": lambda draw: [draw.randrange(512, 32 << 10) for _ in range(20_000)],
    "3 files of 300 MB": lambda draw: [300_000_000] * 3,
}


def make(store, b3sum, sizes, draw):
    """A store of objects that nothing names; returns their paths."""
    for part in PARTS:
        os.makedirs(f"{store}/{part}")
    with open(f"{store}/format", "w") as file:
        file.write("assay store 1\n")
    names = [f"{store}/tmp/{number}" for number in range(len(sizes))]
    for name, size in zip(names, sizes):
        with open(name, "wb") as file:
            piece = draw.randbytes(min(size, 1_000_000))
            for _ in range(size // len(piece)):
                file.write(piece)
            file.write(piece[: size % len(piece)])
        os.chmod(name, 0o444)
    listed = subprocess.run(
        ["xargs", b3sum], input="\n".join(names), text=True, capture_output=True, check=True
    )
    paths = []
    for line in listed.stdout.splitlines():
        digest, name = line.split("  ", 1)
        os.makedirs(f"{store}/objects/{digest[:2]}", exist_ok=True)
        paths.append(f"{store}/objects/{digest[:2]}/{digest[2:]}")
        os.rename(name, paths[-1])
    return paths


def timed(command, text=""):
    start = time.perf_counter()
    subprocess.run(command, input=text, text=True, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main():
    work, b3sum, pipeline = sys.argv[1:]
    draw = random.Random(1)
    print(f"{os.cpu_count()} processors, page cache warm, {ROUNDS} rounds, one after the other")
    for number, (name, sizes) in enumerate(STORES.items()):
        sizes = sizes(draw)
        store = f"{work}/{number}"
        paths = "\n".join(make(store, b3sum, sizes, draw))
        commands = {
            "b3sum": (["xargs", b3sum], paths),
            "pipeline audit --all": ([pipeline, "audit", "--all", "--store", store], ""),
        }
        times = {command: [] for command in commands}
        for _ in range(ROUNDS):
            for command, arguments in commands.items():
                times[command].append(timed(*arguments))
        total = sum(sizes) / 1e6
        print(f"\n{name}, {total:.0f} MB")
        for command, taken in times.items():
            median = statistics.median(taken)
            print(
                f"  {command:<21} median {median * 1000:6.0f} ms, min {min(taken) * 1000:6.0f} ms, "
                f"{total / median:6.0f} MB/s"
            )
        ratio = statistics.median(times["b3sum"]) / statistics.median(times["pipeline audit --all"])
        print(f"  speed of the audit: {ratio:.0%} of b3sum's")


if __name__ == "__main__":
    main()
