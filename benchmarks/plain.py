"""The networks as somebody who knows PyTorch writes them, to measure the project's speed against.

`nn.LSTM` runs every layer that does not feed itself, over all steps at once; only the window's
layer, the decoder, and writing go step by step, by `nn.LSTMCell`. Lines are padded to one batch;
autocast makes the products those of bfloat16. The file knows nothing of the project but the names
of its weights; `reference.py` has the equations of the generators.

Shapes: B lines of a batch, T steps, U characters, A characters of the alphabet, H cells,
K components of the window, S frames, D numbers of a frame's encoding.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import reference


class Generator(reference.Network):
    """The prediction or the synthesis network; for the arguments see `reference.Network`."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.rnns = nn.ModuleList()
        for cell in self.cells[0 if self.alphabet_size is None else 1 :]:
            rnn = nn.LSTM(cell.input_size, cell.hidden_size)
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                setattr(rnn, f"{name}_l0", getattr(cell, name))  # the cells write by these weights
            self.rnns.append(rnn)

    def forward(self, inputs: Tensor, text: Tensor | None, lengths: Tensor | None) -> Tensor:
        """Return the outputs (B, T, 6 M + 1) of inputs (B, T, 3), text (B, U) and lengths (B,)."""
        seen = inputs.transpose(0, 1)  # (T, B, 3)
        hiddens = []
        if self.alphabet_size is not None:
            hidden, windows = self.windowed(seen, text, lengths)
            seen = torch.cat((seen, windows), -1)
            hiddens.append(hidden)
        for rnn in self.rnns:
            hiddens.append(rnn(torch.cat([seen, *hiddens[-1:]], -1))[0])
        return self.output(torch.cat(hiddens, -1)).transpose(0, 1)

    def windowed(self, inputs: Tensor, text: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the hidden states (T, B, H) and windows (T, B, A) of the lowest layer."""
        text = reference.one_hot(text, lengths, self.alphabet_size).to(inputs)
        positions = torch.arange(1, text.shape[1] + 1, device=inputs.device)
        (first, *_), window, kappa = self.start(inputs.shape[1])
        hiddens, windows = [], []
        for point in inputs:
            first = self.cells[0](torch.cat((point, window), 1), first)
            window, kappa, _ = self.moved(first[0], kappa, text, positions)
            hiddens.append(first[0])
            windows.append(window)
        return torch.stack(hiddens), torch.stack(windows)

    def moved(self, hidden: Tensor, kappa: Tensor, text: Tensor, positions: Tensor):
        """Return window (B, A), kappa (B, K) and phi (B, U + 1) after a step of the window."""
        alpha, beta, advance = precise(self.window(hidden)).exp().unsqueeze(2).chunk(3, 1)
        kappa = kappa + advance[:, :, 0]
        phi = (alpha * torch.exp(-beta * (kappa.unsqueeze(2) - positions) ** 2)).sum(1)
        return precise(torch.bmm(phi.unsqueeze(1), text).squeeze(1)), kappa, phi

    # Autocast keeps the weights in bfloat16 from step to step only without inference_mode.
    @torch.no_grad()
    def write(self, steps: int, start: Tensor, text: Tensor, lengths: Tensor) -> Tensor:
        """Write lines with unbiased samples; all have the same number of points.

        Args:
            steps: number of points.
            start: the first input, (3,).
            text, lengths: see `forward`.

        Returns:
            the points, (B, steps, 3); and whether each line has passed its text's end, (B,).
        """
        batch = len(text)
        text = reference.one_hot(text, lengths, self.alphabet_size).to(start)
        positions = torch.arange(1, text.shape[1] + 1, device=start.device)
        states, window, kappa = self.start(batch)
        point = start.expand(batch, 3)
        points = []
        is_ended = torch.zeros(batch, dtype=torch.bool, device=start.device)
        uniform = torch.rand(steps, batch, 2, device=start.device)
        normal = torch.randn(steps, batch, 2, device=start.device)
        for t in range(steps):
            for number, cell in enumerate(self.cells):
                below = [states[number - 1][0]] if number else []
                states[number] = cell(torch.cat([point, window, *below], 1), states[number])
                if number == 0:
                    window, kappa, phi = self.moved(states[0][0], kappa, text, positions)
                    is_ended |= phi[:, -1] > phi[:, :-1].amax(1)
            outputs = self.output(torch.cat([hidden for hidden, _ in states], 1))
            point = self.drawn(precise(outputs), uniform[t], normal[t])
            points.append(point)
        return torch.stack(points, 1), is_ended

    def drawn(self, outputs: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """Return points (B, 3) sampled from the mixtures of outputs (B, 6 M + 1)."""
        end_logit, log_weights, means, scales, rho = self.mixture(outputs)
        reached = log_weights.exp().cumsum(-1) <= uniform[:, :1]
        chosen = reached.sum(-1, keepdim=True).clamp(max=log_weights.shape[-1] - 1)
        chosen_xy = chosen.unsqueeze(1).expand(-1, 2, 1)
        mean = means.gather(2, chosen_xy)[..., 0]  # (B, 2)
        scale = scales.gather(2, chosen_xy)[..., 0]  # (B, 2)
        rho = rho.gather(1, chosen)
        x = normal[:, :1]
        y = rho * x + (1 - rho**2).sqrt() * normal[:, 1:]
        offset = mean + scale * torch.cat((x, y), 1)
        is_end = uniform[:, 1:] < end_logit[:, None].sigmoid()
        return torch.cat((offset, is_end.float()), 1)


class Bidirectional(nn.Module):
    """An `nn.LSTM` for each direction; the backward one begins at each line's end."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.forwards = nn.LSTM(inputs, hidden)
        self.backwards = nn.LSTM(inputs, hidden)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the hidden states (S, B, 2 H) of inputs (S, B, any); padding is arbitrary."""
        frame = torch.arange(len(inputs), device=inputs.device)[:, None]
        frame = torch.where(frame < lengths, lengths - 1 - frame, frame)
        line = torch.arange(inputs.shape[1], device=inputs.device)
        order = (frame * len(line) + line).flatten()
        turned = inputs.flatten(0, 1).index_select(0, order).view_as(inputs)
        backwards = self.backwards(turned)[0]
        backwards = backwards.flatten(0, 1).index_select(0, order).view_as(backwards)
        return torch.cat((self.forwards(inputs)[0], backwards), -1)


class Recogniser(nn.Module):
    """A recogniser of features of ink, with or without a decoder.

    Args:
        alphabet_size: number of characters; one class more is CTC's blank, or the text's end.
        features: numbers of a point.
        channels: channels of the convolution, which makes a frame of two points.
        hidden: number of cells of each direction of a layer.
        layers: number of layers.
        reductions: number of layers after which pairs of frames are merged.
        decoder: number of cells of the decoder; None: only CTC.
        attention: dimension of the attention.
        embedding: dimension of a character's embedding.
        dropout: fraction that is dropped in training.
        mask_ratio: fraction of the points that is masked in training, in stretches of about 10.
        smoothing: label smoothing of the decoder's loss.
        ctc_weight: factor on the CTC loss beside the decoder's loss.
    """

    def __init__(
        self,
        alphabet_size: int,
        features: int = 10,
        channels: int = 64,
        hidden: int = 256,
        layers: int = 3,
        reductions: int = 0,
        decoder: int | None = None,
        attention: int = 128,
        embedding: int = 50,
        dropout: float = 0.0,
        mask_ratio: float = 0.0,
        smoothing: float = 0.1,
        ctc_weight: float = 0.5,
    ) -> None:
        super().__init__()
        self.reductions = reductions
        self.mask_ratio = mask_ratio
        self.end = alphabet_size
        self.smoothing = smoothing
        self.ctc_weight = ctc_weight
        self.convolution = nn.Conv1d(features, channels, 5, 2, 2)
        self.dropout = nn.Dropout(dropout)
        # Numbers of a frame after each layer: of both directions, and of the merged frames.
        sizes = [2 * hidden * (2 if number < reductions else 1) for number in range(layers)]
        self.layers = nn.ModuleList(Bidirectional(size, hidden) for size in (channels, *sizes[:-1]))
        self.labels = nn.Linear(sizes[-1], alphabet_size + 1)
        self.decoder = None
        if decoder is not None:
            self.embedding = nn.Embedding(alphabet_size + 2, embedding)
            self.decoder = nn.LSTMCell(embedding + sizes[-1], decoder)
            self.keys = nn.Linear(sizes[-1], attention)
            self.query = nn.Linear(decoder, attention, bias=False)
            self.places = nn.Conv1d(1, attention, 15, padding=7, bias=False)
            self.energy = nn.Linear(attention, 1, bias=False)
            self.characters = nn.Linear(decoder + sizes[-1], alphabet_size + 1)

    def encode(self, features: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return encodings (B, S, D) and numbers of frames (B,) of features (B, T, F) of lines."""
        if self.training and self.mask_ratio:
            batch, steps = features.shape[:2]
            device = features.device
            # Stretches of 1 to 19 points, 10 on average, so a tenth of the ratio begins each.
            begins = torch.rand(batch, steps, device=device) < self.mask_ratio / 10
            position = torch.arange(steps, device=device)
            ends = position + torch.randint(1, 20, (batch, steps), device=device)
            ends = torch.where(begins, ends, 0).cummax(1).values
            features = features.masked_fill((position < ends)[..., None], 0.0)
        frames = functional.gelu(self.convolution(features.transpose(1, 2)))  # (B, channels, S)
        frames = self.dropout(frames).permute(2, 0, 1)
        lengths = -(-points // 2)
        frames = inside(frames, lengths)
        for number, layer in enumerate(self.layers):
            frames = self.dropout(layer(frames, lengths))
            frames = inside(frames, lengths)
            if number < self.reductions:
                frames = functional.pad(frames, (0, 0, 0, 0, 0, len(frames) % 2))
                frames = torch.cat((frames[0::2], frames[1::2]), -1)
                lengths = -(-lengths // 2)
        return frames.transpose(0, 1), lengths

    def loss(self, features: Tensor, points: Tensor, text: Tensor, text_lengths: Tensor) -> Tensor:
        """Return the loss of each line in nats, (B,)."""
        encoded, lengths = self.encode(features, points)
        log_probs = precise(self.labels(encoded)).log_softmax(-1).transpose(0, 1)
        sizes = lengths, text_lengths, self.end
        ctc = functional.ctc_loss(log_probs, text, *sizes, reduction="none", zero_infinity=True)
        if self.decoder is None:
            return ctc
        log_probs = precise(self.decode(encoded, lengths, text)).log_softmax(-1)
        position = torch.arange(text.shape[1] + 1, device=text.device)
        targets = functional.pad(text, (0, 1))
        targets = targets.masked_fill(position >= text_lengths[:, None], self.end)
        nats = functional.cross_entropy(
            log_probs.transpose(1, 2), targets, reduction="none", label_smoothing=self.smoothing
        )
        nats = nats.masked_fill(position > text_lengths[:, None], 0.0).sum(1)
        return nats + self.ctc_weight * ctc

    def decode(self, encoded: Tensor, lengths: Tensor, text: Tensor) -> Tensor:
        """Return the decoder's outputs (B, U + 1, A + 1), given the true characters before each."""
        batch, frames, _ = encoded.shape
        is_padding = torch.arange(frames, device=encoded.device) >= lengths[:, None]
        embedded = self.embedding(functional.pad(text, (1, 0), value=self.end + 1))
        keys = self.keys(encoded)
        cumulative = precise(encoded.new_zeros(batch, frames))
        context = encoded.new_zeros(batch, encoded.shape[2])
        state = None
        outputs = []
        for inputs in embedded.unbind(1):
            state = self.decoder(self.dropout(torch.cat((inputs, context), 1)), state)
            location = self.places(cumulative[:, None]).transpose(1, 2)
            energy = self.energy(torch.tanh(keys + location + self.query(state[0])[:, None]))
            attention = precise(energy[..., 0]).masked_fill(is_padding, -torch.inf).softmax(-1)
            context = torch.bmm(attention[:, None].to(encoded), encoded)[:, 0]
            cumulative = cumulative + attention
            outputs.append(torch.cat((state[0], context), 1))
        return self.characters(self.dropout(torch.stack(outputs, 1)))

    @torch.no_grad()
    def read(self, features: Tensor, points: Tensor) -> list[list[int]]:
        """Return the text of each line, by the likeliest label of each frame."""
        encoded, lengths = self.encode(features, points)
        texts = []
        for labels, length in zip(self.labels(encoded).argmax(-1), lengths.tolist(), strict=True):
            unrepeated = torch.unique_consecutive(labels[:length])
            texts.append(unrepeated[unrepeated != self.end].tolist())
        return texts


def precise(values: Tensor) -> Tensor:
    """Return values of bfloat16 in float32, others as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def inside(frames: Tensor, lengths: Tensor) -> Tensor:
    """Return frames (S, B, any) with zeros after each line's end."""
    frame = torch.arange(len(frames), device=frames.device)[:, None]
    return frames * (frame < lengths)[..., None]


def network_of(original: nn.Module) -> nn.Module:
    """Return the network with the weights, and the dropout, of a network of the project."""
    weights = original.state_dict()
    if "labels.weight" not in weights:
        return reference.reference_of(original, Generator)
    renamed = {"forward_rnn.layer": "forwards", "backward_rnn.layer": "backwards"}
    for old, new in renamed.items():
        for name in [name for name in weights if old in name]:
            weights[name.replace(old, new)] = weights.pop(name)
    options = {}
    if "decoder.weight_hh" in weights:
        options = {
            "decoder": weights["decoder.weight_hh"].shape[1],
            "attention": len(weights["keys.weight"]),
            "embedding": weights["embedding.weight"].shape[1],
        }
    network = Recogniser(
        len(weights["labels.weight"]) - 1,
        weights["convolution.weight"].shape[1],
        len(weights["convolution.weight"]),
        weights["layers.0.forwards.weight_hh_l0"].shape[1],
        len(original.layers),
        original.time_reductions,
        dropout=original.dropout.p,
        mask_ratio=original.mask_ratio,
        **options,
    )
    network.load_state_dict(weights)
    return network
