"""One training step of PyTorch, timed on request: what `scripts/bench train` compares with.

    bench-pytorch.py NETWORK IDIOM BATCH THREADS

NETWORK is the JSON of a network as Assay writes it. IDIOM says how locally connected layers are
written, since PyTorch has none: `unfold` is F.unfold and an einsum; `windows` is two
Tensor.unfold and an einsum with the weights in the order of nn.Conv2d, and
`windows-by-position` the same with the weights in the order that its product wants. Networks
without such layers are the same under all of them. Prints `ready VERSION` after a first step, then answers each line of standard input, a number of
steps, with the seconds that they took.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

BATCHES = 4
LEARNING_RATE = 1e-4


def positions(size, stride):
    """Output positions along one axis: padding of half a kernel, as `nn.Conv2d` pads."""
    return (size + stride - 1) // stride


class Unfold(nn.Module):
    """A locally connected layer by F.unfold: patches (B, C k k, P), weights (P, O, C k k)."""

    def __init__(self, shape, channels, kernel, stride):
        super().__init__()
        inputs, height, width = shape
        self.kernel, self.stride = kernel, stride
        self.rows, self.columns = positions(height, stride), positions(width, stride)
        count, fan_in = self.rows * self.columns, inputs * kernel * kernel
        self.weight = nn.Parameter(torch.empty(count, channels, fan_in))
        self.bias = nn.Parameter(torch.zeros(channels, count))
        nn.init.uniform_(self.weight, -(bound := (6 / (fan_in + channels)) ** 0.5), bound)

    def forward(self, x):
        patches = F.unfold(x, self.kernel, padding=self.kernel // 2, stride=self.stride)
        out = torch.einsum("bkp,pok->bop", patches, self.weight) + self.bias
        return out.unflatten(2, (self.rows, self.columns))


class Windows(nn.Module):
    """A locally connected layer by Tensor.unfold: windows (B, C, H, W, k, k), no axis flattened."""

    def __init__(self, shape, channels, kernel, stride, order):
        super().__init__()
        inputs, height, width = shape
        self.kernel, self.stride, self.order = kernel, stride, order
        rows, columns = positions(height, stride), positions(width, stride)
        size = dict(h=rows, w=columns, o=channels, c=inputs, i=kernel, j=kernel)
        self.weight = nn.Parameter(torch.empty([size[axis] for axis in order]))
        self.bias = nn.Parameter(torch.zeros(channels, rows, columns))
        fan_in = inputs * kernel * kernel
        nn.init.uniform_(self.weight, -(bound := (6 / (fan_in + channels)) ** 0.5), bound)

    def forward(self, x):
        x = F.pad(x, [self.kernel // 2] * 4)
        windows = x.unfold(2, self.kernel, self.stride).unfold(3, self.kernel, self.stride)
        return torch.einsum(f"bchwij,{self.order}->bohw", windows, self.weight) + self.bias


def windowed(kind, shape, channels, kernel, stride, idiom):
    if kind == "conv":
        return nn.Conv2d(shape[0], channels, kernel, stride, padding=kernel // 2)
    if idiom == "unfold":
        return Unfold(shape, channels, kernel, stride)
    order = {"windows": "ochwij", "windows-by-position": "hwocij"}[idiom]
    return Windows(shape, channels, kernel, stride, order)


def model(network, idiom):
    """The modules of `network`; the softmax is part of the loss."""
    shape, modules = network["input"], []
    for text in network["layers"]:
        kind, *rest = text.split()
        if kind in ("lc", "conv"):
            kernel, channels, stride = int(rest[0].split("x")[0]), int(rest[1]), int(rest[2][1:])
            modules += [windowed(kind, shape, channels, kernel, stride, idiom), nn.Tanh()]
            shape = [channels, positions(shape[1], stride), positions(shape[2], stride)]
            continue
        if len(shape) == 3:
            modules.append(nn.Flatten())
            shape = [shape[0] * shape[1] * shape[2]]
        modules.append(nn.Linear(shape[0], int(rest[0])))
        shape = [int(rest[0])]
        if kind == "fc":
            modules.append(nn.Tanh())
    return nn.Sequential(*modules), shape[0]


def main():
    network, idiom, batch, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    network, batch = json.loads(network), int(batch)
    net, classes = model(network, idiom)
    optimiser = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, fused=True)
    inputs = [torch.rand(batch, *network["input"]) * 2 - 1 for _ in range(BATCHES)]
    labels = [torch.randint(classes, (batch,)) for _ in range(BATCHES)]

    def step(at):
        optimiser.zero_grad(set_to_none=True)
        loss = F.cross_entropy(net(inputs[at % BATCHES]), labels[at % BATCHES])
        loss.backward()
        optimiser.step()
        return loss.item()

    step(0)
    print("ready", torch.__version__, flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        for at in range(int(line)):
            step(at)
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
