"""One layer of LSTM cells on a GPU: the graphs of this project, torch.compile, and cuDNN.

`windowed` is the first layer of the synthesis network, `LSTM` a further layer. The graphs clamp the
gradient of the gates, which torch.compile and cuDNN cannot do within a layer. torch.compile gets
the loop of `model/layers`, with as many steps at a time as a graph has.
"""

import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measures import main
from commands.options import Parser, number
from model.layers.cells import compute_dtype, reorder_gates, state_dtype
from model.layers.kernels import cuda
from model.layers.recurrent import RecurrentLayer, run_lstm
from model.layers.window import WindowedLayer, one_hot_text

BOUND = 10.0
"""Bound on the gradient of the gates (the paper)."""
VOCABULARY = 80
"""Characters of the alphabet (assumed: about the number of IAM-OnDB)."""
COMPONENTS = 10
"""Gaussians of the window (the paper)."""
TEXT = 32
"""Characters of a text (assumed)."""
LAYERS = ("LSTM", "windowed")
WAYS = ("graphs", "compile", "cuDNN")
PRECISIONS = ("float32", "bfloat16", "autocast")


class Compiled(nn.Module):
    """The loop of a layer over its steps, compiled for a chunk of steps."""

    def __init__(self, layer: RecurrentLayer | WindowedLayer) -> None:
        super().__init__()
        self.layer = layer
        loop = run_lstm if isinstance(layer, RecurrentLayer) else layer._loop
        self.loop = torch.compile(loop, mode="reduce-overhead")

    def forward(self, inputs: Tensor, *others: Tensor | dict[str, Tensor]) -> tuple[Tensor]:
        """Return the hidden states; the arguments are those of the layer's `forward`."""
        torch.compiler.cudagraph_mark_step_begin()
        layer, *texts, state = self.layer, *others
        dtype, hiddens = compute_dtype(inputs), []
        state = {name: value.to(state_dtype(dtype)) for name, value in state.items()}
        if texts:
            projected = functional.linear(inputs, layer.weight_input, layer.bias)
            one_hot = one_hot_text(*texts, VOCABULARY, state_dtype(dtype))
            for part in projected.split(cuda.CHUNK):
                hidden, *_, state = self.loop(part, one_hot, state, None)
                hiddens.append(hidden)
            return (torch.cat(hiddens),)
        module = layer.layer
        rows = module.weight_ih_l0, module.weight_hh_l0, module.bias_ih_l0 + module.bias_hh_l0
        incoming, weight, bias = (reorder_gates(part).to(dtype) for part in rows)
        hidden, cell = state["hidden"].to(dtype), state["cell"]
        for part in functional.linear(inputs.to(dtype), incoming, bias).split(cuda.CHUNK):
            hidden_states, cell = self.loop(part, weight, hidden, cell, None)
            hiddens.append(hidden_states)
            hidden = hidden_states[-1]
        return (torch.cat(hiddens),)


def turn(way: str, kind: str, precision: str, arguments: Namespace) -> Callable[[bool], None]:
    """Return a function that runs a layer over a batch, if called with True also backward."""
    torch.manual_seed(1)
    size, batch, windowed = arguments.hidden, arguments.batch, kind == "windowed"
    if windowed:
        layer = WindowedLayer("LSTM", 3, size, 1.0, VOCABULARY, COMPONENTS, 0.05)
    else:
        layer = RecurrentLayer("LSTM", 3 + size, size, 1.0)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    options = {"device": arguments.device, "dtype": dtype}
    inputs = torch.randn(arguments.steps, batch, 3 if windowed else 3 + size, **options)
    text = torch.randint(VOCABULARY, (batch, TEXT), device=arguments.device)
    texts = (text, torch.full_like(text[:, 0], TEXT)) if windowed else ()
    state = {name: torch.zeros(batch, n, **options) for name, n in layer.state_sizes.items()}
    layer = layer.to(**options)
    network = Compiled(layer) if way == "compile" else layer
    bound = (BOUND,) if way == "graphs" else ()

    def run(backward: bool) -> None:
        kind = torch.device(arguments.device).type
        reduced = torch.autocast(kind, torch.bfloat16, precision == "autocast")
        with reduced, torch.set_grad_enabled(backward):
            hiddens = network(inputs, *texts, state, *bound)[0]
            if backward:
                hiddens.float().square().mean().backward()
                layer.zero_grad()
        if kind == "cuda":
            torch.cuda.synchronize()

    return run


def run(arguments: Namespace) -> None:
    """Measure each way, and print a line after each measurement."""
    for kind in arguments.layers:
        for precision in arguments.precisions:
            for way in arguments.ways:
                if (kind, way) == ("windowed", "cuDNN"):
                    continue
                layer, times = turn(way, kind, precision, arguments), []
                for backward in (False, True):
                    runs = []
                    for _ in range(3 + arguments.rounds):
                        start = time.perf_counter()
                        layer(backward)
                        runs.append(1000 * (time.perf_counter() - start))
                    times.append((statistics.median(runs[3:]), sum(runs[:3]) / 1000))
                (forward, first), (whole, second) = times
                print(
                    f"{kind:<10}{precision:<10}{way:<9}forward {forward:7.2f} ms, with backward "
                    f"{whole:7.2f} ms, {first + second:5.1f} s before",
                    flush=True,
                )


if __name__ == "__main__":
    parser = Parser(description=__doc__)
    add, positive = parser.add_argument, number(int, 1)
    add("--device", default="cuda", help="cpu, cuda or cuda:N")
    add("--layers", nargs="+", choices=LAYERS, default=LAYERS)
    add("--ways", nargs="+", choices=WAYS, default=WAYS)
    add("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    add("--steps", type=positive, default=640, help="of a line")
    add("--batch", type=positive, default=32, help="lines")
    add("--hidden", type=positive, default=400, help="cells")
    add("--rounds", type=positive, default=20, help="after three to warm up")
    main(run, parser)
