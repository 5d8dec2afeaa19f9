"""The reference of the benchmarks: a straightforward implementation of the paper's networks.

Plain PyTorch in one file: `nn.LSTMCell` step by step, autograd records every step, float32, writing
line by line. The file imports nothing of the project, so that it is an independent check in the
tests too; `load` copies the weights of the project's networks by name.

Shapes: B lines of a batch, T steps, U characters, A characters of the alphabet, H cells,
K components of the window, M components of the mixture.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Network(nn.Module):
    """The prediction network, or with `letters` the synthesis network (the paper, 4 and 5).

    Args:
        letters: size of the alphabet, None for the network without a text.
        hidden: cells of a layer.
        layers: hidden layers.
        mixtures: components of the mixture.
        windows: components of the window.
        min_scale: lower bound on the mixture's scales, in normalised units, for x and y.
        max_correlation: upper bound on the mixture's absolute correlations.
    """

    def __init__(
        self,
        letters: int | None = None,
        hidden: int = 400,
        layers: int = 3,
        mixtures: int = 20,
        windows: int = 10,
        min_scale: tuple[float, float] = (1e-3, 1e-3),
        max_correlation: float = 0.999,
    ) -> None:
        super().__init__()
        self.letters, self.hidden, self.windows = letters, hidden, windows
        self.max_correlation = max_correlation
        self.register_buffer("min_scale", torch.tensor(min_scale)[:, None])
        seen = 3 + (letters or 0)
        self.cells = nn.ModuleList(
            nn.LSTMCell(seen + (hidden if number else 0), hidden) for number in range(layers)
        )
        if letters is not None:
            self.window = nn.Linear(hidden, 3 * windows)
        self.output = nn.Linear(layers * hidden, 6 * mixtures + 1)

    def start(self, batch: int) -> tuple[list[tuple[Tensor, Tensor]], Tensor | None, Tensor | None]:
        """Return each layer's hidden and cell state, the window and kappa, all before step 1."""
        zeros = self.output.weight.new_zeros
        states = [(zeros(batch, self.hidden), zeros(batch, self.hidden)) for _ in self.cells]
        if self.letters is None:
            return states, None, None
        return states, zeros(batch, self.letters), zeros(batch, self.windows)

    def step(self, point, states, window, kappa, text):
        """Run one step: `point` (B, 3), `text` one-hot (B, U + 1, A), zero behind each text's end.

        Returns the hidden states of all layers (B, layers * H), the new states, window and kappa,
        and phi (B, U + 1).
        """
        states, phi = list(states), None
        for number, cell in enumerate(self.cells):
            inputs = [point]
            if window is not None:
                inputs.append(window)
            if number > 0:
                inputs.append(states[number - 1][0])
            states[number] = cell(torch.cat(inputs, 1), states[number])
            if number == 0 and window is not None:
                parameters = self.window(states[0][0]).exp()
                alpha, beta, advance = parameters.unsqueeze(2).chunk(3, 1)  # (B, K, 1)
                kappa = kappa + advance[:, :, 0]
                positions = torch.arange(1, text.shape[1] + 1, device=kappa.device)
                bells = alpha * torch.exp(-beta * (kappa.unsqueeze(2) - positions) ** 2)
                phi = bells.sum(1)
                window = (phi.unsqueeze(1) @ text).squeeze(1)
        return torch.cat([hidden for hidden, _ in states], 1), states, window, kappa, phi

    def mixture(self, outputs: Tensor) -> tuple[Tensor, ...]:
        """Split outputs (..., 6 M + 1) into end, log-weights, means, scales and correlations."""
        end, rest = -outputs[..., 0], outputs[..., 1:].unflatten(-1, (6, -1))
        weights = functional.log_softmax(rest[..., 0, :], -1)
        scales = torch.maximum(rest[..., 3:5, :].exp(), self.min_scale)
        rho = self.max_correlation * rest[..., 5, :].tanh()
        return end, weights, rest[..., 1:3, :], scales, rho

    def forward(self, inputs: Tensor, text: Tensor | None, lengths: Tensor | None) -> Tensor:
        """Return the outputs (B, T, 6 M + 1) of all steps."""
        if self.letters is not None:
            text = one_hot(text, lengths, self.letters).to(inputs)
        states, window, kappa = self.start(len(inputs))
        hiddens = []
        for t in range(inputs.shape[1]):
            hidden, states, window, kappa, _ = self.step(inputs[:, t], states, window, kappa, text)
            hiddens.append(hidden)
        return self.output(torch.stack(hiddens, 1))

    def loss(self, inputs, targets, mask, text=None, lengths=None) -> Tensor:
        """Return the nats of each line, (B,) (the paper, eq. 26)."""
        end, weights, means, scales, rho = self.mixture(self(inputs, text, lengths))
        x, y = ((targets[..., :2, None] - means) / scales).unbind(-2)
        z = x**2 + y**2 - 2 * rho * x * y
        rest = 1 - rho**2
        normal = -z / (2 * rest) - torch.log(2 * math.pi * scales.prod(-2) * torch.sqrt(rest))
        density = torch.logsumexp(weights + normal, -1)
        pen = functional.binary_cross_entropy_with_logits(end, targets[..., 2], reduction="none")
        return ((pen - density) * mask).sum(1)

    @torch.no_grad()
    def sample(
        self, steps, start, text=None, bias=0.0, uniform=None, normal=None, pen_sharpness=3.0
    ):
        """Write one line, at most `steps` points.

        Args:
            steps: limit on the steps.
            start: the first input, (3,).
            text: indices of the characters, (U,).
            bias: sharpening of the mixture and of the pen.
            uniform, normal: the random numbers of each step, (steps, 2); drawn if not given.
            pen_sharpness: how much the pen is sharpened; the paper's bias leaves it alone.

        Returns:
            the points written before the stopping rule held, (at most steps, 3).
        """
        device = start.device
        uniform = torch.rand(steps, 2, device=device) if uniform is None else uniform
        normal = torch.randn(steps, 2, device=device) if normal is None else normal
        if self.letters is not None:
            lengths = torch.tensor([len(text)], device=device)
            text = one_hot(text[None], lengths, self.letters).to(start)
        states, window, kappa = self.start(1)
        point, points = start[None], []
        for t in range(steps):
            hidden, states, window, kappa, phi = self.step(point, states, window, kappa, text)
            if phi is not None and phi[0, -1] > phi[0, :-1].max():
                break
            end, weights, means, scales, rho = self.mixture(self.output(hidden)[0])
            weights = torch.softmax(weights * (1 + bias), -1)
            chosen = min(int((weights.cumsum(0) <= uniform[t, 0]).sum()), len(weights) - 1)
            mean, scale = means[:, chosen], scales[:, chosen] * math.exp(-bias)
            first, second = normal[t]
            second = rho[chosen] * first + torch.sqrt(1 - rho[chosen] ** 2) * second
            offset = mean + scale * torch.stack((first, second))
            end = end + pen_sharpness * bias * (end + 1.5)
            pen = (uniform[t, 1] < torch.sigmoid(end)).to(offset)
            point = torch.cat((offset, pen[None]))[None]
            points.append(point[0])
        return torch.stack(points) if points else start.new_zeros(0, 3)


def one_hot(text: Tensor, lengths: Tensor, letters: int) -> Tensor:
    """Return texts (B, U) one-hot, (B, U + 1, A): zero behind each text's end."""
    codes = functional.one_hot(functional.pad(text, (0, 1)), letters)
    inside = torch.arange(codes.shape[1], device=text.device) < lengths[:, None]
    return codes * inside[..., None]


def _gates(rows: Tensor) -> Tensor:
    """Exchange the last two of four gates: nn.LSTMCell has the order input, forget, candidate,
    output, the project's windowed layer input, forget, output, candidate."""
    first, second, third, fourth = rows.chunk(4)
    return torch.cat((first, second, fourth, third))


def converted(network: Network, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights, or gradients, of a network of the project (LSTM cells), by the names and in
    the layout of `Network`."""
    renamed = {"output.weight": weights["output.weight"], "output.bias": weights["output.bias"]}
    for number in range(len(network.cells)):
        cell = f"cells.{number}."
        if number == 0 and network.letters is not None:
            layer = {
                name: weights[f"layers.0.{name}"]
                for name in ("weight_input", "weight_window", "weight_hidden", "bias")
            }
            inputs = torch.cat((layer["weight_input"], layer["weight_window"]), 1)
            renamed |= {
                cell + "weight_ih": _gates(inputs),
                cell + "weight_hh": _gates(layer["weight_hidden"]),
                cell + "bias_ih": _gates(layer["bias"]),
                "window.weight": weights["layers.0.window.weight"],
                "window.bias": weights["layers.0.window.bias"],
            }
        else:
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                renamed[cell + kind] = weights[f"layers.{number}.layer.{kind}_l0"]
    return renamed


def load(network: Network, weights: dict[str, Tensor]) -> None:
    """Copy the weights of a network of the project, whose windowed layer has a single bias."""
    if network.letters is not None:
        nn.init.zeros_(network.cells[0].bias_hh)
    network.load_state_dict(converted(network, weights), strict=False)


def copied(original: nn.Module) -> Network:
    """Return the reference with the weights of a network of the project, of the paper's shape."""
    weights = original.state_dict()
    window = weights.get("layers.0.weight_window")
    letters = None if window is None else window.shape[1]
    hidden = weights["output.weight"].shape[1] // 3
    network = Network(letters, hidden, min_scale=tuple(original.min_scales.tolist()))
    load(network, weights)
    return network
