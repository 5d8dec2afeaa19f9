"""The attention decoder of a recogniser over whole texts, by the compiled kernels of `decoder.c`.

Products are of bfloat16 or float32; cell states and the attention are float32. The key projection
(all frames) and the output projection (all characters) are computed outside the step loop; only for
a token of -1 does the loop compute the outputs of the step before.

Shapes: B texts of a batch, T steps, S frames, D numbers of a frame, H cells, A dimensions of the
attention, E of an embedding, C classes of the outputs; the start-of-text token has index C.
"""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from model.layers.kernels import library
from model.layers.kernels.library import round_up

SPAN = 15
"""Frames that the location filters of `decoder.c` span."""
_TAPS = 16  # `SPAN` and a zero, so that vectors divide the filters


class Weights(NamedTuple):
    """The weights of a decoder.

    Attributes:
        embeddings: `(C + 1, E)`.
        inputs, hidden: from embedding and context, `(4 H, E + D)`, and from the hidden state,
            `(4 H, H)`, to the gates (input, forget, output gate, candidate).
        bias: of the gates, `(4 H)`.
        query: `(A, H)`.
        places: the location filters, `(A, SPAN)`.
        energy: `(A)`.
        characters, character_bias: of the outputs, `(C, H + D)`, and `(C)`.
    """

    embeddings: Tensor
    inputs: Tensor
    hidden: Tensor
    bias: Tensor
    query: Tensor
    places: Tensor
    energy: Tensor
    characters: Tensor
    character_bias: Tensor


_call = partial(library.call, "Decoder")


def _padded_columns(matrix: Tensor, count: int) -> Tensor:
    return functional.pad(matrix.float(), (0, count - matrix.shape[1])).contiguous()


class _Decoding(torch.autograd.Function):
    """The decoder with its gradient; for the arguments see `run`."""

    @staticmethod
    def forward(ctx, dtype, tokens, lengths, masks, encoded, keys, *weights):
        weights = Weights(*weights)
        steps, batch = tokens.shape
        _, frames, context = encoded.shape
        classes = len(weights.characters)
        embedding = weights.embeddings.shape[1]
        attention, size = weights.query.shape
        compiled = library.kernels(dtype == torch.bfloat16)
        columns = round_up(attention, compiled.lanes())
        by_embedding, by_context = weights.inputs.split((embedding, context), 1)
        weight = torch.cat((weights.hidden, by_context, by_embedding), 1).to(dtype)
        weight = functional.pad(weight, (0, weight.shape[1] % 2))  # products take pairs of columns
        # The names are the fields of `Decoder`; `size` is the number of cells, H.
        sizes = dict(steps=steps, batch=batch, frames=frames, size=size, context=context)
        sizes |= dict(attention=attention, embedding=embedding, classes=classes)
        sizes |= dict(width=weight.shape[1])
        encoded = encoded.to(dtype).contiguous()
        keys = keys.to(dtype).contiguous()
        inputs = dict(tokens=tokens, lengths=lengths, encoded=encoded, keys=keys)
        inputs |= dict(input_mask=masks[0], output_mask=masks[1])
        filters = dict(
            places=_padded_columns(weights.places.t(), columns),
            tapped=_padded_columns(weights.places, _TAPS),
            energy=_padded_columns(weights.energy[None], columns),
        )
        states = dict(
            # Hidden state, context and embedding, concatenated; row 0 is before the first step.
            joint=encoded.new_zeros(steps + 1, batch, weight.shape[1]),
            gates=encoded.new_empty(steps, batch, 4 * size),
            cells=torch.zeros(steps + 1, batch, size),
            queries=torch.empty(steps, batch, columns),
            attentions=torch.zeros(steps, batch, frames),
            # Margins of zeros, so that the filters need no bounds.
            cumulative=torch.zeros(steps + 1, batch, frames + 2 * _TAPS),
        )
        contexts = encoded.new_empty(steps, batch, context)
        packed = _packed(weights, weight)
        _call("decode", dtype, **sizes, **inputs, **filters, **packed, **states, contexts=contexts)
        saved = inputs | filters | states
        ctx.sizes = sizes
        ctx.names = list(saved)
        ctx.save_for_backward(weight, weights.query, weights.embeddings, *saved.values())
        ctx.mark_non_differentiable(states["attentions"])
        return states["joint"][1:, :, :size], contexts, states["attentions"]

    @staticmethod
    def backward(ctx, d_hiddens, d_output_contexts, _):
        library.refuse_second_derivative("AttentionNetwork")
        weight, query, embeddings, *saved = ctx.saved_tensors
        sizes = ctx.sizes
        tensors = dict(zip(ctx.names, saved, strict=True))
        steps = sizes["steps"]
        batch = sizes["batch"]
        frames = sizes["frames"]
        size = sizes["size"]
        context = sizes["context"]
        attention = sizes["attention"]
        joint = tensors["joint"]
        gates = tensors["gates"]
        columns = tensors["energy"].shape[1]
        results = dict(
            # The whole gradient: from the outputs and from the later steps.
            d_contexts=torch.empty(steps, batch, context),
            d_keys=torch.zeros(batch, frames, columns),
            d_places=torch.zeros(batch, SPAN, columns),
            d_energy=torch.zeros(batch, columns),
            d_gates=torch.empty_like(gates),
            d_queries=gates.new_empty(steps, batch, round_up(attention, 2)),
        )
        upstream = dict(d_hiddens=d_hiddens.contiguous(), d_outputs=d_output_contexts.contiguous())
        packed = dict(
            weights_backward=library.pack(weight[:, : size + context]),
            query_backward=library.pack(query.to(joint.dtype)),
        )
        _call("decode_backward", joint.dtype, **sizes, **tensors, **upstream, **packed, **results)
        with torch.autocast("cpu", enabled=False):
            by_line = tensors["attentions"].to(joint.dtype).permute(1, 2, 0)  # (B, S, T)
            d_contexts = results["d_contexts"].to(joint.dtype).transpose(0, 1)
            d_encoded = torch.bmm(by_line, d_contexts)
            d_weights = _weight_gradients(sizes, tensors, results, weight, len(embeddings))
        d_keys = results["d_keys"][..., :attention]  # the rest is padding
        # None for the arguments before `encoded`, which have no gradient.
        return None, None, None, None, d_encoded, d_keys, *d_weights


def _packed(weights: Weights, weight: Tensor) -> dict[str, Tensor]:
    """Return the weights of the fields of `Decoder`; `weight` `(4 H, width)` is of the joint."""
    dtype = weight.dtype
    return dict(
        embeddings=weights.embeddings.to(dtype).contiguous(),
        weights=library.pack(weight.t(), groups=4),
        bias=weights.bias.float().contiguous(),
        query=library.pack(weights.query.to(dtype).t()),
        characters=library.pack(weights.characters.to(dtype).t()),
        character_bias=weights.character_bias.float().contiguous(),
    )


def _weight_gradients(
    sizes: dict[str, int],
    tensors: dict[str, Tensor],
    results: dict[str, Tensor],
    weight: Tensor,
    num_embeddings: int,
) -> Weights:
    """Return the gradients of the decoder's weights; None for the weights of the outputs."""
    size = sizes["size"]
    context = sizes["context"]
    attention = sizes["attention"]
    embedding = sizes["embedding"]
    joint = tensors["joint"]
    d_gates = results["d_gates"].flatten(0, 1)
    # The columns of the joint are the hidden state, the context and the embedding.
    of_context = slice(size, size + context)
    of_embedding = slice(of_context.stop, of_context.stop + embedding)
    d_weight = d_gates.t() @ joint[:-1].flatten(0, 1)
    d_queries = results["d_queries"].flatten(0, 1)[:, :attention]
    d_query = d_queries.t() @ joint[1:].flatten(0, 1)[:, :size]
    d_embedded = (d_gates @ weight[:, of_embedding]).float()
    mask = tensors["input_mask"]
    if mask is not None:
        d_embedded = d_embedded * mask.flatten(0, 1)[:, :embedding]
    d_embeddings = torch.zeros(num_embeddings, embedding)
    return Weights(
        embeddings=d_embeddings.index_add_(0, tensors["tokens"].flatten(), d_embedded),
        inputs=torch.cat((d_weight[:, of_embedding], d_weight[:, of_context]), 1),
        hidden=d_weight[:, :size],
        bias=d_gates.sum(0, dtype=torch.float32),
        query=d_query,
        places=results["d_places"].sum(0)[:, :attention].t(),
        energy=results["d_energy"].sum(0)[:attention],
        characters=None,
        character_bias=None,
    )


def run(
    dtype: torch.dtype,
    tokens: Tensor,
    lengths: Tensor,
    encoded: Tensor,
    keys: Tensor,
    weights: Weights,
    masks: tuple[Tensor | None, Tensor | None] = (None, None),
) -> tuple[Tensor, Tensor, Tensor]:
    """Run the decoder over texts; call this only if `library.available`.

    Args:
        dtype: dtype of the products, float32 or bfloat16.
        tokens: the character before each step, `(T, B)` int64; -1 takes the likeliest character of
            the step before, and is replaced by it.
        lengths: number of frames of each line, `(B,)`, at least 1.
        encoded: `(B, S, D)`.
        keys: `(B, S, A)`.
        weights: the weights.
        masks: factors of dropout on embedding and context, `(T, B, E + D)`, and on what the outputs
            see, `(T, B, H + D)`, float32; None without dropout.

    Returns:
        hidden states `(T, B, H)` and contexts `(T, B, D)`, which the outputs see, in `dtype`, and
        the attention `(T, B, S)`, which has no gradient.

    Raises:
        IndexError: if a token is not a class.
        MemoryError: if memory is lacking.
    """
    return _Decoding.apply(dtype, tokens, lengths, masks, encoded, keys, *weights)
