"""Decoding and resizing images: Assay beside Pillow, on the same images, in turns.

usage: bench-decode.py DIR PROGRAM, where PROGRAM prints images per second for DIR and threads.

Both decode from memory to 224 x 224 RGB with an antialiased triangle filter, EXIF applied.
"""

import io
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import PIL
from PIL import Image, ImageOps

ROUNDS = 5


def contents(folder):
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            with open(os.path.join(parent, name), "rb") as file:
                yield file.read()


def decode(image):
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(image)))
    return upright.convert("RGB").resize((224, 224), Image.BILINEAR).tobytes()


def pillow(images, threads):
    with ThreadPoolExecutor(threads) as pool:
        for timed in (False, True):
            start = time.perf_counter()
            for _ in pool.map(decode, images):
                pass
    return len(images) / (time.perf_counter() - start)


def main():
    folder, program = sys.argv[1:]
    images = list(contents(folder))
    size = sum(map(len, images)) / 1e6
    print(f"{len(images)} images, {size:.1f} MB; Pillow {PIL.__version__}; "
          f"medians of {ROUNDS} rounds in turns")
    for threads in (1, 2):
        ours, theirs = [], []
        for _ in range(ROUNDS):
            command = [program, folder, str(threads)]
            ours.append(float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
            theirs.append(pillow(images, threads))
        one, other = statistics.median(ours), statistics.median(theirs)
        print(f"{threads} thread{'s' if threads > 1 else ''}: Assay {one:.0f} images/s, "
              f"Pillow {other:.0f} images/s, ratio {one / other:.2f}")


main()
