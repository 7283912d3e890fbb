"""Checks `pipeline plugin directions` against equations written here, with numpy alone.

Backpropagation (BP) and difference target propagation (DTP) on a small network: the command writes
the update directions of one batch, this script computes them by the equations of Bartunov et al.
(2018) in 64-bit floats, and the two are compared tensor by tensor.

    pip install numpy safetensors
    python docs/examples/check_directions.py [PIPELINE]

PIPELINE is the program, by default `pipeline` as the shell finds it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

PIPELINE = sys.argv[1] if len(sys.argv) > 1 else "pipeline"
NETWORK, INPUT = "fc 9, fc 8, fc 7, softmax 4", "1x3x4"
FEATURES, WIDTHS = 12, [9, 8, 7, 4]
LAYERS = len(WIDTHS)  # L
SAMPLES = 6  # B
ALPHA = 0.5  # the step of DTP's top target, other than the default to see that it is heard
TOLERANCE = 1e-5  # of the largest value of a tensor: the command computes in 32-bit floats


def directions_of(algorithm, folder, *more):
    """What the command writes for the state and the batch in `folder`."""
    out = folder / f"{algorithm}-directions.safetensors"
    command = [PIPELINE, "plugin", "directions", algorithm]
    command += ["--network", NETWORK, "--input", INPUT]
    command += ["--state", folder / f"{algorithm}-state.safetensors"]
    command += ["--batch", folder / f"{algorithm}-batch.safetensors", "--out", out, *more]
    subprocess.run(command, check=True)
    return load_file(out)


def forward(state, inputs):
    """h_0 to h_L: tanh layers and a softmax."""
    h = [inputs]
    for l in range(1, LAYERS + 1):
        a = h[-1] @ state[f"forward.{l}.weight"].T + state[f"forward.{l}.bias"]
        if l < LAYERS:
            h.append(np.tanh(a))
        else:
            exponentials = np.exp(a - a.max(axis=1, keepdims=True))
            h.append(exponentials / exponentials.sum(axis=1, keepdims=True))
    return h


def gradients(name, l, delta, below):
    """The directions of an affine map from its delta (already divided by B) and its input."""
    return {f"{name}.{l}.weight": delta.T @ below, f"{name}.{l}.bias": delta.sum(axis=0)}


def backpropagation(state, inputs, error):
    """delta_L = e / B, delta_{l-1} = (W_l^T delta_l) * tanh'(a_{l-1})."""
    h = forward(state, inputs)
    delta = error(h[LAYERS]) / SAMPLES
    directions = {}
    for l in range(LAYERS, 0, -1):
        directions |= gradients("forward", l, delta, h[l - 1])
        if l > 1:
            delta = (delta @ state[f"forward.{l}.weight"]) * (1 - h[l - 1] ** 2)
    return directions


def difference_target_propagation(state, inputs, error, noise):
    """Targets from differences of inverse images; inverses trained on noisy activations."""
    h = forward(state, inputs)

    def inverse(l, u):
        return np.tanh(u @ state[f"inverse.{l}.weight"].T + state[f"inverse.{l}.bias"])

    def layer(l, u):
        return np.tanh(u @ state[f"forward.{l}.weight"].T + state[f"forward.{l}.bias"])

    # The top target is a step down each sample's own loss; below, the difference rule.
    e = error(h[LAYERS])
    target = {LAYERS - 1: h[LAYERS - 1] - ALPHA * e @ state[f"forward.{LAYERS}.weight"]}
    for l in range(LAYERS - 2, 0, -1):
        target[l] = h[l] + inverse(l + 1, target[l + 1]) - inverse(l + 1, h[l + 1])

    directions = gradients("forward", LAYERS, e / SAMPLES, h[LAYERS - 1])
    for l in range(1, LAYERS):
        delta = 2 / SAMPLES * (h[l] - target[l]) * (1 - h[l] ** 2)
        directions |= gradients("forward", l, delta, h[l - 1])
    for l in range(2, LAYERS):
        # Noise-preserving: g_l(f_l(h_{l-1} + noise)) is to be h_{l-1} + noise.
        noisy = h[l - 1] + noise[f"noise.{l - 1}"]
        image = layer(l, noisy)
        found = inverse(l, image)
        delta = 2 / SAMPLES * (found - noisy) * (1 - found**2)
        directions |= gradients("inverse", l, delta, image)
    return directions


def write_problem(algorithm, folder, random):
    """A state and a batch of random numbers, under the names that the command knows."""
    sizes = [FEATURES, *WIDTHS]
    state = {}
    for l in range(1, LAYERS + 1):
        below, above = sizes[l - 1], sizes[l]
        state[f"forward.{l}.weight"] = random.normal(0, below**-0.5, (above, below))
        state[f"forward.{l}.bias"] = random.normal(0, 0.1, above)
    batch = {"inputs": random.uniform(-1, 1, (SAMPLES, FEATURES))}
    if algorithm == "dtp":
        for l in range(2, LAYERS):
            below, above = sizes[l - 1], sizes[l]
            state[f"inverse.{l}.weight"] = random.normal(0, above**-0.5, (below, above))
            state[f"inverse.{l}.bias"] = random.normal(0, 0.1, below)
            batch[f"noise.{l - 1}"] = random.normal(0, 0.3, (SAMPLES, below))
    state = {name: values.astype(np.float32) for name, values in state.items()}
    batch = {name: values.astype(np.float32) for name, values in batch.items()}
    batch["labels"] = random.integers(0, WIDTHS[-1], SAMPLES)
    save_file(state, folder / f"{algorithm}-state.safetensors")
    save_file(batch, folder / f"{algorithm}-batch.safetensors")
    # From here on in 64-bit floats, starting from the very numbers that the command reads.
    widen = lambda tensors: {name: values.astype(np.float64) for name, values in tensors.items()}
    return widen(state), widen(batch), np.eye(WIDTHS[-1])[batch["labels"]]


def compare(title, found, expected):
    """Prints the difference of each tensor, and whether all are within the tolerance."""
    assert found.keys() == expected.keys(), found.keys() ^ expected.keys()
    print(title)
    worst = 0.0
    for name in sorted(expected):
        assert found[name].shape == expected[name].shape, name
        scale = np.abs(expected[name]).max()
        difference = np.abs(found[name] - expected[name]).max() / scale
        print(f"  {name:<18} {str(found[name].shape):<8} difference {difference:.1e}")
        worst = max(worst, difference)
    print(f"  {'agrees' if worst < TOLERANCE else 'DIFFERS'} (tolerance {TOLERANCE:.0e})")
    return worst < TOLERANCE


def main():
    random = np.random.default_rng(2018)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        state, batch, onehot = write_problem("bp", folder, random)
        expected = backpropagation(state, batch["inputs"], lambda softmax: softmax - onehot)
        agrees = compare("BP", directions_of("bp", folder), expected)

        state, batch, onehot = write_problem("dtp", folder, random)
        expected = difference_target_propagation(
            state, batch["inputs"], lambda softmax: softmax - onehot, batch
        )
        found = directions_of("dtp", folder, "--config", f"{{ alpha = {ALPHA} }}")
        agrees &= compare("DTP", found, expected)
    sys.exit(0 if agrees else 1)


if __name__ == "__main__":
    main()
