"""Times training steps on a card: this program's, PyTorch's and JAX's. Called by `scripts/bench gpu`.

usage: bench-gpu.py PIPELINE [--device cuda|cpu] [--networks a,b,...] [--algorithms a,b,...] [--at-once N,...] [--short]
                    [--out FILE.json]

PIPELINE is the program, with its plugins beside it or where ASSAY_PLUGIN_PATH says; it may have been carried here
(docs/gpu.md). PyTorch and JAX are those of this Python; what it lacks is left out. `--device cpu` measures the same on the
processor, for machines without a card, and `--short` a few steps, to see that everything starts.

Ours: an epoch of the real program, contained, with batches from the host, by the record of each training: the median of
its epochs but the first. Theirs: backpropagation on data of the card, the loss read once per round; the median of rounds.

`--at-once 16,64` measures so many fully connected networks on one card at once too: ours as trainings that share a worker,
PyTorch's and JAX's as batched products; 0 leaves that out. Samples are those of all networks.

FILE.json is written after each row, so that it has what was measured if this is stopped. Whatever takes longer than four minutes
is left out.
"""

import argparse
import importlib.util
import json
import math
import os
import pathlib
import platform
import statistics
import struct
import subprocess
import sys
import tempfile
import time

try:
    import tomllib
except ModuleNotFoundError:  # before Python 3.11
    import tomli as tomllib

SCRIPTS = pathlib.Path(__file__).resolve().parent
BATCH = 128
LEARNING_RATE = 1e-4
EPOCHS = 3
ROUNDS = 5
# Steps of an epoch, and of a round: of one fully connected network more, since records count milliseconds.
STEPS = {"fc": 500, "lc": 100, "conv": 100}
STEPS_AT_ONCE = 100
PATIENCE_S = 240
NETWORKS = "mnist-fc,cifar-fc,mnist-lc,cifar-lc,mnist-conv,cifar-conv"
ALGORITHMS = "bp,dfa,dtp"
AT_ONCE = "64"


def steps_of(name, short, at_once=1):
    if short:
        return 4
    return STEPS[name.split("-")[1]] if at_once == 1 else STEPS_AT_ONCE


def write_idx(folder, samples):
    """A dataset of MNIST's form whose images are a few random ones, over and over."""
    folder.mkdir(parents=True)
    images, labels = os.urandom(BATCH * 784), bytes(at % 10 for at in range(BATCH))
    for split, count in ("train", samples), ("t10k", BATCH):
        times = count // BATCH
        head = struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28)
        (folder / f"{split}-images-idx3-ubyte").write_bytes(head + images * times)
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, count) + labels * times)


def write_csv(folder, samples):
    """The same of CIFAR-10's form."""
    folder.mkdir(parents=True)
    lines = [",".join(map(str, [at % 10, *os.urandom(3072)])) + "\n" for at in range(BATCH)]
    for split, count in ("train", samples), ("test", BATCH):
        with (folder / f"{split}.csv").open("w") as file:
            for _ in range(count // BATCH):
                file.writelines(lines)


def dataset(work, name, steps):
    """The stage of the data for so many steps of a network, which is written where it is not there yet."""
    samples = BATCH * steps
    folder = work / f"{name.split('-')[0]}-{samples}"
    mnist = name.startswith("mnist")
    if not folder.exists():
        (write_idx if mnist else write_csv)(folder, samples)
    if mnist:
        return f'source = "idx"\npath = "{folder}"\nclasses = 10\nvalidation = 0\n'
    files = 'train = "train.csv"\ntest = "test.csv"\nimage = [3, 32, 32]'
    return f'source = "csv"\npath = "{folder}"\n{files}\nclasses = 10\nvalidation = 0\n'


def ours(options, work, name, network, flags, at_once=1):
    """Milliseconds per step of each algorithm, by the records of a run; of several trainings at once, those in which one step
    of one of them is done."""
    algorithms = ", ".join(f'"{it}"' for it in options.algorithms)
    # All share a store, which imports each dataset once; so none may be what another has trained.
    seeds = ", ".join(str(100 * at_once + seed) for seed in range(at_once))
    steps = steps_of(name, options.short, at_once)
    file, store = work / "pipeline.toml", work / "store"
    file.write_text(
        f'name = "{name}"\n[network.it]\ninput = {network["input"]}\nlayers = {json.dumps(network["layers"])}\n'
        f'[stage.data]\nkind = "dataset"\n{dataset(work, name, steps)}'
        f'[stage.train]\nkind = "train"\ndataset = "data"\nnetwork = "it"\nepochs = {EPOCHS}\n'
        f"matrix = {{ algorithm = [{algorithms}], seed = [{seeds}] }}\n"
    )
    command = [options.pipeline, "run", file, "--store", store, "--jobs", "1", "--keep-going", "--json", *flags]
    if "--portable" in flags:
        command += ["--per-device", str(at_once)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        print(f"left out: {name} with {' '.join(flags)}: it took more than {PATIENCE_S} s", file=sys.stderr)
        return {}
    rates = {}
    for stage in json.loads(run.stdout or "{}").get("stages", []):
        if stage["kind"] != "train":
            continue
        algorithm = next(it for it in options.algorithms if it in stage["name"].split("/"))
        if stage.get("action") is None or stage["outcome"] == "failed":
            print(f"left out: {algorithm} on {name} with {' '.join(flags)}: {run.stderr.strip()[-500:]}", file=sys.stderr)
            continue
        shown = subprocess.run(
            [options.pipeline, "show", stage["action"], "--store", store, "--json"],
            capture_output=True, text=True, check=True,
        )
        result = json.loads(shown.stdout)["results"][0]["result"]
        if result.get("at_once", 1) != at_once:
            print(f"left out: {algorithm} on {name}: {result.get('at_once', 1)} of {at_once} at once", file=sys.stderr)
            continue
        epoch = max(statistics.median(result["epoch_ms"][1:]), 1)
        rates.setdefault(algorithm, []).append(steps / epoch)
    if not rates and run.returncode:
        print(f"left out: {name} with {' '.join(flags)}: {run.stderr.strip()[-500:]}", file=sys.stderr)
    return {algorithm: 1 / sum(found) for algorithm, found in rates.items() if len(found) == at_once}


def timed(run, wait, steps):
    """Milliseconds per step: the median of some rounds after a first."""
    times = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        run(steps)
        wait()
        times.append((time.perf_counter() - start) / steps * 1e3)
    return statistics.median(times[1:])


def pytorch_batched(network, at_once, device):
    """So many fully connected networks, whose products are batched; their parameters, and the sum of their losses."""
    import torch

    shape, weights = [math.prod(network["input"])], []
    for text in network["layers"]:
        units = int(text.split()[1])
        weight = torch.randn(at_once, shape[-1], units, device=device) * (1 / shape[-1]) ** 0.5
        weights.append((weight.requires_grad_(), torch.zeros(at_once, 1, units, device=device, requires_grad=True)))
        shape.append(units)
    inputs = torch.rand(at_once, BATCH, shape[0], device=device) * 2 - 1
    labels = torch.randint(shape[-1], (at_once, BATCH), device=device)

    def loss():
        h = inputs
        for at, (weight, bias) in enumerate(weights):
            h = torch.baddbmm(bias, h, weight)
            if at + 1 < len(weights):
                h = torch.tanh(h)
        return torch.nn.functional.cross_entropy(h.flatten(0, 1), labels.flatten()) * at_once

    return [it for pair in weights for it in pair], loss


def pytorch(name, network, device, steps, graph, at_once):
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    if at_once > 1:
        parameters, loss_of_batch = pytorch_batched(network, at_once, device)
    else:
        spec = importlib.util.spec_from_file_location("pytorch", SCRIPTS / "bench-pytorch.py")
        theirs = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(theirs)
        net, classes = theirs.model(network, "unfold")
        net.to(device)
        inputs = torch.rand(BATCH, *network["input"], device=device) * 2 - 1
        labels = torch.randint(classes, (BATCH,), device=device)
        parameters = net.parameters()

        def loss_of_batch():
            return torch.nn.functional.cross_entropy(net(inputs), labels)

    optimiser = torch.optim.Adam(parameters, lr=LEARNING_RATE, fused=True, capturable=graph)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None

    def step():
        optimiser.zero_grad(set_to_none=not graph)
        loss = loss_of_batch()
        loss.backward()
        optimiser.step()
        return loss

    if not graph:
        def run(count):
            for _ in range(count):
                loss = step()
            loss.item()

        return timed(run, wait, steps), torch.__version__
    # As PyTorch's documentation captures a training: some steps on another stream first.
    other = torch.cuda.Stream()
    other.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(other):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(other)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        loss = step()

    def replay(count):
        for _ in range(count):
            captured.replay()
        loss.item()

    return timed(replay, wait, steps), torch.__version__


def jax_scan(name, network, device, steps, _, at_once):
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax
    from jax import lax, numpy as jnp

    if jax.default_backend() != {"cuda": "gpu"}.get(device, device):
        raise RuntimeError(f"JAX computes on {jax.default_backend()}")
    jax.config.update("jax_default_matmul_precision", "highest")
    key, shape, weights, layers = jax.random.PRNGKey(1), list(network["input"]), [], []
    for text in network["layers"]:
        kind, *rest = text.split()
        key, draw = jax.random.split(key)
        if kind in ("lc", "conv"):
            kernel, channels, stride = int(rest[0].split("x")[0]), int(rest[1]), int(rest[2][1:])
            rows, columns = ((it + stride - 1) // stride for it in shape[1:])
            patch = shape[0] * kernel * kernel
            size = (channels, shape[0], kernel, kernel) if kind == "conv" else (rows * columns, channels, patch)
            layers.append((kind, kernel, stride))
            shape = [channels, rows, columns]
            bias = (channels, 1, 1) if kind == "conv" else (channels, rows, columns)
            weights.append((jax.random.normal(draw, size) * (1 / patch) ** 0.5, jnp.zeros(bias)))
            continue
        fan_in, units = int(jnp.prod(jnp.array(shape))), int(rest[0])
        weights.append((jax.random.normal(draw, (fan_in, units)) * (1 / fan_in) ** 0.5, jnp.zeros(units)))
        layers.append((kind, 0, 0))
        shape = [units]
    inputs = jax.random.uniform(key, (BATCH, *network["input"]), minval=-1, maxval=1)
    labels = jnp.arange(BATCH) % shape[0]

    def loss_of(weights):
        h = inputs
        for (kind, kernel, stride), (weight, bias) in zip(layers, weights):
            pad = [(kernel // 2,) * 2] * 2
            if kind == "conv":
                a = lax.conv_general_dilated(h, weight, (stride,) * 2, pad) + bias
            elif kind == "lc":
                patches = lax.conv_general_dilated_patches(h, (kernel,) * 2, (stride,) * 2, pad)
                flat = patches.reshape(*patches.shape[:2], -1)
                a = jnp.einsum("bkp,pok->bop", flat, weight).reshape(BATCH, *bias.shape) + bias
            else:
                a = h.reshape(BATCH, -1) @ weight + bias
            h = a if kind == "softmax" else jnp.tanh(a)
        return -jnp.mean(jax.nn.log_softmax(h)[jnp.arange(BATCH), labels])

    def step(state, _):
        weights, first, second, t = state
        loss, gradients = jax.value_and_grad(loss_of)(weights)
        move = jax.tree.map
        t = t + 1
        first = move(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
        second = move(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
        rate = LEARNING_RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        weights = move(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), weights, first, second)
        return (weights, first, second, t), loss

    zeros = jax.tree.map(jnp.zeros_like, weights)
    state = [(weights, zeros, zeros, jnp.zeros(()))]
    if at_once > 1:
        # The same network so many times: what it computes plays no part.
        state = [jax.tree.map(lambda it: jnp.stack([it] * at_once), state[0])]
        one = step
        step = lambda state, _: jax.vmap(one, (0, None))(state, None)  # noqa: E731
    many = jax.jit(lambda state: lax.scan(step, state, None, length=steps))

    def run(_):
        state[0], losses = many(state[0])
        float(losses[-1].sum())

    return timed(run, lambda: None, steps), jax.__version__


CONTESTANTS = {
    "pytorch-eager": (pytorch, False),
    "pytorch-graph": (pytorch, True),
    "jax-scan": (jax_scan, None),
}


def contest(request):
    """One of PyTorch or JAX, in a process of its own: its answer is a line of JSON."""
    measure, graph = CONTESTANTS[request["contestant"]]
    at_once = request["at_once"]
    milliseconds, version = measure(
        request["network_name"], request["network"], request["device"], request["steps"], graph, at_once
    )
    print(json.dumps({"ms_per_step": milliseconds / at_once, "version": version}))


def theirs(options, name, network, at_once=1):
    for contestant in CONTESTANTS:
        if options.device == "cpu" and contestant == "pytorch-graph":
            continue
        request = json.dumps({
            "contestant": contestant, "network_name": name, "network": network, "device": options.device,
            "steps": steps_of(name, options.short, at_once), "at_once": at_once,
        })
        try:
            ran = subprocess.run(
                [sys.executable, __file__, "--contest", request], capture_output=True, text=True,
                timeout=PATIENCE_S,
            )
        except subprocess.TimeoutExpired:
            print(f"left out: {contestant} on {name}: it took more than {PATIENCE_S} s", file=sys.stderr)
            continue
        if ran.returncode:
            reason = (ran.stderr.strip().splitlines() or ["it failed"])[-1]
            print(f"left out: {contestant} on {name}: {reason}", file=sys.stderr)
            continue
        yield contestant, json.loads(ran.stdout.splitlines()[-1])


def card():
    """The card by its driver's words; none where there is none."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def write(out, document):
    """Writes a document in place of the one before, never a half of it."""
    part = out.with_name(out.name + ".part")
    part.write_text(json.dumps(document, indent=2) + "\n")
    part.replace(out)


def main():
    if sys.argv[1:2] == ["--contest"]:
        return contest(json.loads(sys.argv[2]))
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
    parser.add_argument("pipeline")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--networks", type=lambda it: it.split(","), default=NETWORKS.split(","))
    parser.add_argument("--algorithms", type=lambda it: it.split(","), default=ALGORITHMS.split(","))
    parser.add_argument("--at-once", type=lambda it: [int(count) for count in it.split(",")], default=AT_ONCE)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    shipped = tomllib.loads((SCRIPTS.parent / "pipelines/networks.toml").read_text())["network"]
    unknown = [it for it in options.networks if it not in shipped]
    if unknown:
        parser.error(f"there is no network {', '.join(unknown)} in pipelines/networks.toml")
    modes = {"assay": ["--device", options.device]}
    if options.device == "cuda":
        modes["assay-portable"] = ["--device", "cuda", "--portable"]
    rows = []
    about = {
        "device": options.device, "card": card(), "processor": platform.processor() or platform.machine(),
        "short": options.short,
    }

    def add(network, algorithm, implementation, milliseconds, version=None, at_once=1):
        samples = BATCH / milliseconds * 1e3
        rows.append({
            "network": network, "algorithm": algorithm, "implementation": implementation, "version": version,
            "batch": BATCH, "at_once": at_once, "ms_per_step": milliseconds, "samples_per_s": samples,
        })
        print(f"{network:12} {algorithm:8} {implementation:15} {at_once:3} at once {milliseconds:9.3f} ms/step "
              f"{samples:12.0f} samples/s", flush=True)
        if options.out:
            write(options.out, {**about, "rows": rows})

    with tempfile.TemporaryDirectory() as work:
        for name in options.networks:
            for implementation, flags in modes.items():
                for algorithm, milliseconds in ours(options, pathlib.Path(work), name, shipped[name], flags).items():
                    add(name, algorithm, implementation, milliseconds)
            for contestant, answer in theirs(options, name, shipped[name]):
                add(name, "bp", contestant, answer["ms_per_step"], answer["version"])
            if not name.endswith("-fc"):
                continue
            for at_once in (it for it in options.at_once if it > 1):
                if options.device == "cuda":
                    flags = modes["assay-portable"]
                    found = ours(options, pathlib.Path(work), name, shipped[name], flags, at_once)
                    for algorithm, milliseconds in found.items():
                        add(name, algorithm, "assay-portable", milliseconds, at_once=at_once)
                for contestant, answer in theirs(options, name, shipped[name], at_once):
                    add(name, "bp", contestant, answer["ms_per_step"], answer["version"], at_once)
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
