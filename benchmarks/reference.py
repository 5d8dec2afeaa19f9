"""The reference of the benchmarks: a straightforward implementation of the paper's networks.

The file is plain PyTorch in float32: it runs `nn.LSTMCell` step by step, records every step with
autograd, and writes line by line. It imports nothing of the project, so that it is an independent
check in the tests, too; `load` copies the weights of the project's networks.

Shapes: B lines of a batch, T steps, U characters, A characters of the alphabet, H cells,
K components of the window, M components of the mixture.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Network(nn.Module):
    """The prediction network (the paper, section 4) or the synthesis network (section 5).

    Args:
        alphabet_size: number of characters of the alphabet for the synthesis network; None for the
            prediction network, which has no text.
        hidden: number of cells of a layer.
        layers: number of hidden layers.
        mixtures: number of components of the mixture.
        windows: number of components of the window.
        min_scale: lower bounds on the mixture's scales in x and y, in normalised units.
        max_correlation: upper bound on the mixture's absolute correlations.
    """

    def __init__(
        self,
        alphabet_size: int | None = None,
        hidden: int = 400,
        layers: int = 3,
        mixtures: int = 20,
        windows: int = 10,
        min_scale: tuple[float, float] = (1e-3, 1e-3),
        max_correlation: float = 0.999,
    ) -> None:
        super().__init__()
        self.alphabet_size = alphabet_size
        self.hidden = hidden
        self.windows = windows
        self.max_correlation = max_correlation
        self.register_buffer("min_scale", torch.tensor(min_scale)[:, None])
        input_size = 3 + (alphabet_size or 0)
        self.cells = nn.ModuleList(
            nn.LSTMCell(input_size + (hidden if number else 0), hidden) for number in range(layers)
        )
        if alphabet_size is not None:
            self.window = nn.Linear(hidden, 3 * windows)
        self.output = nn.Linear(layers * hidden, 6 * mixtures + 1)

    def start(self, batch: int) -> tuple[list[tuple[Tensor, Tensor]], Tensor | None, Tensor | None]:
        """Return each layer's hidden and cell state, the window and kappa, all before step 1."""
        zeros = self.output.weight.new_zeros
        states = [(zeros(batch, self.hidden), zeros(batch, self.hidden)) for _ in self.cells]
        if self.alphabet_size is None:
            return states, None, None
        return states, zeros(batch, self.alphabet_size), zeros(batch, self.windows)

    def step(self, point, states, window, kappa, text):
        """Run a step from the states, window and kappa of the previous step; `text` is one-hot.

        Returns the hidden states of all layers (B, layers * H), the new states, window and kappa,
        and phi (B, U + 1), the window's weights; phi is None without a text.
        """
        states = list(states)
        phi = None
        for number, cell in enumerate(self.cells):
            inputs = [point]
            if window is not None:
                inputs.append(window)
            if number > 0:
                inputs.append(states[number - 1][0])
            states[number] = cell(torch.cat(inputs, 1), states[number])
            if number == 0 and window is not None:
                parameters = self.window(states[0][0]).exp()
                alpha, beta, advance = parameters.unsqueeze(2).chunk(3, 1)  # (B, K, 1) each
                kappa = kappa + advance[:, :, 0]
                positions = torch.arange(1, text.shape[1] + 1, device=kappa.device)
                gaussians = alpha * torch.exp(-beta * (kappa.unsqueeze(2) - positions) ** 2)
                phi = gaussians.sum(1)
                window = (phi.unsqueeze(1) @ text).squeeze(1)
        return torch.cat([hidden for hidden, _ in states], 1), states, window, kappa, phi

    def mixture(self, outputs: Tensor) -> tuple[Tensor, ...]:
        """Split outputs (..., 6 M + 1) into the logit of the stroke's end, and log-weights, means,
        scales and correlations of the components."""
        end_logit = -outputs[..., 0]
        parameters = outputs[..., 1:].unflatten(-1, (6, -1))
        log_weights = functional.log_softmax(parameters[..., 0, :], -1)
        scales = torch.maximum(parameters[..., 3:5, :].exp(), self.min_scale)
        rho = self.max_correlation * parameters[..., 5, :].tanh()
        return end_logit, log_weights, parameters[..., 1:3, :], scales, rho

    def forward(self, inputs: Tensor, text: Tensor | None, lengths: Tensor | None) -> Tensor:
        """Return the outputs (B, T, 6 M + 1) of inputs (B, T, 3), text (B, U) and lengths (B,)."""
        if self.alphabet_size is not None:
            text = one_hot(text, lengths, self.alphabet_size).to(inputs)
        states, window, kappa = self.start(len(inputs))
        hiddens = []
        for t in range(inputs.shape[1]):
            hidden, states, window, kappa, _ = self.step(inputs[:, t], states, window, kappa, text)
            hiddens.append(hidden)
        return self.output(torch.stack(hiddens, 1))

    def loss(self, inputs, targets, mask, text=None, lengths=None) -> Tensor:
        """Return the loss of each line in nats, (B,) (the paper, eq. 26)."""
        end_logit, log_weights, means, scales, rho = self.mixture(self(inputs, text, lengths))
        x, y = ((targets[..., :2, None] - means) / scales).unbind(-2)
        z = x**2 + y**2 - 2 * rho * x * y
        residual = 1 - rho**2
        normaliser = torch.log(2 * math.pi * scales.prod(-2) * torch.sqrt(residual))
        log_density = torch.logsumexp(log_weights + (-z / (2 * residual) - normaliser), -1)
        cross_entropy = functional.binary_cross_entropy_with_logits
        end_loss = cross_entropy(end_logit, targets[..., 2], reduction="none")
        return ((end_loss - log_density) * mask).sum(1)

    @torch.no_grad()
    def sample(
        self, steps, start, text=None, bias=0.0, uniform=None, normal=None, pen_sharpness=3.0
    ):
        """Write a line.

        Args:
            steps: largest number of points.
            start: the first input, (3,).
            text: indices of the characters, (U,).
            bias: sharpening of the mixture and of the pen's lifts.
            uniform, normal: random numbers of each step, (steps, 2) each; drawn if None.
            pen_sharpness: factor on the bias for the lifts, which the paper does not sharpen.

        Returns:
            the points before the window passes the text's end, (at most `steps`, 3).
        """
        device = start.device
        uniform = torch.rand(steps, 2, device=device) if uniform is None else uniform
        normal = torch.randn(steps, 2, device=device) if normal is None else normal
        if self.alphabet_size is not None:
            lengths = torch.tensor([len(text)], device=device)
            text = one_hot(text[None], lengths, self.alphabet_size).to(start)
        states, window, kappa = self.start(1)
        point = start[None]
        points = []
        for t in range(steps):
            hidden, states, window, kappa, phi = self.step(point, states, window, kappa, text)
            if phi is not None and phi[0, -1] > phi[0, :-1].max():
                break
            end_logit, log_weights, means, scales, rho = self.mixture(self.output(hidden)[0])
            weights = torch.softmax(log_weights * (1 + bias), -1)
            chosen = min(int((weights.cumsum(0) <= uniform[t, 0]).sum()), len(weights) - 1)
            mean = means[:, chosen]
            scale = scales[:, chosen] * math.exp(-bias)
            normal_x, normal_y = normal[t]
            normal_y = rho[chosen] * normal_x + torch.sqrt(1 - rho[chosen] ** 2) * normal_y
            offset = mean + scale * torch.stack((normal_x, normal_y))
            # The bias does not change a logit of -1.5.
            end_logit = end_logit + pen_sharpness * bias * (end_logit + 1.5)
            end_of_stroke = (uniform[t, 1] < torch.sigmoid(end_logit)).to(offset)
            point = torch.cat((offset, end_of_stroke[None]))[None]
            points.append(point[0])
        return torch.stack(points) if points else start.new_zeros(0, 3)


def one_hot(text: Tensor, lengths: Tensor, alphabet_size: int) -> Tensor:
    """Return texts (B, U) as one-hot vectors (B, U + 1, A), zero after each text's end."""
    codes = functional.one_hot(functional.pad(text, (0, 1)), alphabet_size)
    is_inside = torch.arange(codes.shape[1], device=text.device) < lengths[:, None]
    return codes * is_inside[..., None]


def _reorder_gates(rows: Tensor) -> Tensor:
    """Return the rows of four gates in the order of nn.LSTMCell (input, forget, candidate, output),
    from the order of the project's windowed layer (input, forget, output, candidate)."""
    input_gate, forget_gate, output_gate, candidate = rows.chunk(4)
    return torch.cat((input_gate, forget_gate, candidate, output_gate))


def convert_weights(network: Network, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights, or gradients, of a network of the project with LSTM cells, under the
    names and in the layout of `Network`."""
    renamed = {"output.weight": weights["output.weight"], "output.bias": weights["output.bias"]}
    for number in range(len(network.cells)):
        cell = f"cells.{number}."
        if number == 0 and network.alphabet_size is not None:
            inputs = (weights["layers.0.weight_input"], weights["layers.0.weight_window"])
            renamed |= {
                cell + "weight_ih": _reorder_gates(torch.cat(inputs, 1)),
                cell + "weight_hh": _reorder_gates(weights["layers.0.weight_hidden"]),
                cell + "bias_ih": _reorder_gates(weights["layers.0.bias"]),
                "window.weight": weights["layers.0.window.weight"],
                "window.bias": weights["layers.0.window.bias"],
            }
        else:
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                renamed[cell + kind] = weights[f"layers.{number}.layer.{kind}_l0"]
    return renamed


def load(network: Network, weights: dict[str, Tensor]) -> None:
    """Copy the weights of a network of the project into `network`."""
    if network.alphabet_size is not None:
        # The project's windowed layer has one bias, nn.LSTMCell has two.
        nn.init.zeros_(network.cells[0].bias_hh)
    network.load_state_dict(convert_weights(network, weights), strict=False)


def reference_of(original: nn.Module, kind: type[Network] = Network) -> Network:
    """Return the reference, or another `kind` of it, with the weights of a network of the project
    with LSTM cells."""
    weights = original.state_dict()
    layers = len(original.layers)
    options = {"hidden": weights["output.weight"].shape[1] // layers, "layers": layers}
    if "layers.0.window.weight" in weights:
        options["alphabet_size"] = weights["layers.0.weight_window"].shape[1]
        options["windows"] = len(weights["layers.0.window.weight"]) // 3
    network = kind(
        **options,
        mixtures=len(weights["output.weight"]) // 6,
        min_scale=tuple(original.min_scales.tolist()),
        max_correlation=original.max_correlation,
    )
    load(network, weights)
    return network
