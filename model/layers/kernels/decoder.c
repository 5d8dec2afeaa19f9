/* The attention decoder of a recogniser, run over whole texts on a CPU: an LSTM that sees the
 * character and the context before, and additive, location-aware attention over the frames.
 *
 * decoder.py calls this file, and describes the tensors. As in lstm.c each thread takes some rows
 * through all steps.
 */

#include "step.h"

#include <stdlib.h>

/* Frames that the location filters span, to both sides of a frame; the filters are padded to TAPS
 * numbers. Four frames at once share the loads of the filters. */
enum { REACH = 7, SPAN = 2 * REACH + 1, TAPS = 16, FRAMES = 4 };

STRUCTURE(Decoder,
    int64_t steps, batch, frames, size, context, embedding, attention, classes, width, threads;
    const int64_t *lengths; /* (batch) */
    int64_t *tokens; /* (steps, batch); -1 becomes the likeliest character of the step before */
    const item *keys, *encoded;    /* (batch, frames, attention), (batch, frames, context) */
    const item *embeddings;        /* (classes + 1, embedding) */
    const float *bias;             /* (4 size) */
    const float *places, *tapped;  /* filters (SPAN, padded attention), (attention, TAPS) */
    const float *energy;           /* (padded attention) */
    const item *weights, *query, *characters; /* packed for forward */
    const float *character_bias;
    const item *weights_backward, *query_backward; /* packed for backward */
    const float *input_mask, *output_mask; /* of dropout, (steps, batch, any), or null */
    item *joint; /* (steps + 1, batch, width): hidden state, context, embedding, zero if odd */
    item *gates, *contexts;
    float *cells, *queries, *attentions; /* values of every step */
    float *cumulative; /* (steps + 1, batch, frames with a margin), see `margin` */
    /* Gradients. */
    const item *d_hiddens, *d_outputs; /* of hidden states and contexts from above */
    item *d_gates, *d_queries;
    float *d_contexts, *d_keys, *d_places, *d_energy; /* the last two for each row */
)

/* The attention so far has REACH zeros before the first frame, and more than that after the last. */
static int64_t margin(const Decoder *decoder) { return decoder->frames + 2 * TAPS; }

static float *cumulative_of(const Decoder *decoder, int64_t index) {
    return decoder->cumulative + index * margin(decoder);
}

/* Compute the hyperbolic tangents that the energies of FRAMES frames from `frame` on are made of,
 * for LANES dimensions from `a` on. */
INLINE void compare(const Decoder *decoder, int64_t row, int64_t frame, int64_t a,
                    const float *query, const float *cumulative, vec result[FRAMES]) {
    const int64_t size = decoder->attention, stride = padded(size);
    const item *keys = decoder->keys + (row * decoder->frames + frame) * size + a;
    const int64_t rest = decoder->frames - frame;
    for (int i = 0; i < FRAMES; i++)
        result[i] = load(query + a) + (i < rest ? load_items(keys + i * size, size - a) : (vec){0});
    for (int k = 0; k < SPAN; k++) {
        vec filter = load(decoder->places + k * stride + a);
        UNROLL
        for (int i = 0; i < FRAMES; i++) result[i] += cumulative[frame + i + k] * filter;
    }
    UNROLL
    for (int i = 0; i < FRAMES; i++) result[i] = hyperbolic_tangent(result[i]);
}

/* Compute the attention of a row, (padded frames), and its context, (padded context). */
static void attend(const Decoder *decoder, int64_t row, const float *query,
                   const float *cumulative, float *attention, float *context) {
    const int64_t length = decoder->lengths[row], size = decoder->context;
    const item *encoded = decoder->encoded + row * decoder->frames * size;
    for (int64_t frame = 0; frame < padded(decoder->frames); frame++) attention[frame] = -1e30f;
    float most = -1e30f;
    for (int64_t frame = 0; frame < length; frame += FRAMES) {
        vec sums[FRAMES] = {{0}}, values[FRAMES];
        for (int64_t a = 0; a < decoder->attention; a += LANES) {
            compare(decoder, row, frame, a, query, cumulative, values);
            for (int i = 0; i < FRAMES; i++) sums[i] += load(decoder->energy + a) * values[i];
        }
        for (int i = 0; i < FRAMES && frame + i < length; i++) {
            attention[frame + i] = total(sums[i]);
            if (!(attention[frame + i] <= most)) most = attention[frame + i]; /* NaN stays NaN */
        }
    }
    vec sum = {0};
    for (int64_t frame = 0; frame < length; frame += LANES) {
        store(attention + frame, exponential(load(attention + frame) - most));
        sum += load(attention + frame);
    }
    const float whole = total(sum);
    for (int64_t frame = 0; frame < length; frame++) attention[frame] /= whole;
    for (int64_t d = 0; d < size; d += 4 * LANES) {
        vec sums[4] = {{0}};
        for (int64_t frame = 0; frame < length; frame++)
            for (int v = 0; v < 4 && d + v * LANES < size; v++)
                sums[v] += attention[frame] * load_items(encoded + frame * size + d + v * LANES,
                                                         size - d - v * LANES);
        for (int v = 0; v < 4 && d + v * LANES < size; v++)
            store(context + d + v * LANES, sums[v]);
    }
}

/* Replace the tokens of -1 of a step by the likeliest characters; return 0, or 2 if a token is not
 * valid. `outputs` has room for a row of (size + context) items, `logits` for the classes. */
static int choose(const Decoder *decoder, int64_t step, int64_t row, item *outputs, float *logits) {
    const int64_t size = decoder->size, context = decoder->context, classes = decoder->classes;
    int64_t *token = decoder->tokens + step * decoder->batch + row;
    if (*token == -1 && step > 0) {
        const int64_t index = (step - 1) * decoder->batch + row, depth = size + context;
        const item *hidden = decoder->joint + (index + decoder->batch) * decoder->width;
        const item *parts[2] = {hidden, decoder->contexts + index * context};
        const int64_t starts[3] = {0, size, depth};
        for (int part = 0; part < 2; part++)
            for (int64_t d = starts[part]; d < starts[part + 1]; d += LANES) {
                const int64_t count = starts[part + 1] - d;
                vec value = load_items(parts[part] + d - starts[part], count);
                if (decoder->output_mask)
                    value *= load_some(decoder->output_mask + index * depth + d, count);
                store_items(outputs + d, value, count);
            }
        multiply(outputs, depth, 1, depth, decoder->characters, classes, logits, padded(classes),
                 0);
        *token = 0;
        for (int64_t c = 0; c < classes; c++) {
            logits[c] += decoder->character_bias[c];
            if (logits[c] > logits[*token]) *token = c;
        }
    }
    return *token < 0 || *token > classes ? 2 : 0;
}

/* Write the input of a step from `offset` on of the joint, dropped by the step's mask. The mask
 * has the embedding first, as the network's input. */
static void put(const Decoder *decoder, int64_t index, int64_t offset, int64_t count,
                const item *items, const float *floats) {
    const int64_t inputs = decoder->embedding + decoder->context;
    item *target = decoder->joint + index * decoder->width + offset;
    const float *mask = decoder->input_mask;
    if (mask) mask += index * inputs + (items ? 0 : decoder->embedding);
    for (int64_t d = 0; d < count; d += LANES) {
        vec value = items ? load_items(items + d, count - d) : load_some(floats + d, count - d);
        if (mask) value *= load_some(mask + d, count - d);
        store_items(target + d, value, count - d);
    }
}

/* Return 0; 1 if memory is lacking; 2 if a token is not valid. So do the int functions below. */
static int forward_rows(const Decoder *decoder, int64_t first, int64_t count) {
    const int64_t size = decoder->size, width = decoder->width, batch = decoder->batch;
    const int64_t columns = padded(decoder->attention), blocks = padded(size) / LANES;
    const int64_t depth = size + decoder->context, frames = decoder->frames;
    float *scratch = aligned_alloc(
        64, (count * columns + padded(frames) + padded(depth) + padded(decoder->classes) +
             padded(depth + 2) + 64) / 16 * 64);
    if (!scratch) return 1;
    float *queries = scratch, *attention = queries + count * columns;
    float *context = attention + padded(frames), *logits = context + padded(depth);
    item *outputs = (item *)(logits + padded(decoder->classes));
    memset(outputs, 0, (depth + 2) * sizeof(item));
    float gates[ROWS * PANEL] __attribute__((aligned(64)));
    int failed = 0;
    for (int64_t step = 0; step < decoder->steps && !failed; step++) {
        for (int64_t row = first; row < first + count && !failed; row++) {
            failed = choose(decoder, step, row, outputs, logits);
            const int64_t token = failed ? 0 : decoder->tokens[step * batch + row];
            put(decoder, step * batch + row, depth, decoder->embedding,
                decoder->embeddings + token * decoder->embedding, 0);
        }
        const item *joint = decoder->joint + (step * batch + first) * width;
        for (int64_t block = 0; block < blocks; block++)
            for (int64_t row = 0, rows; row < count; row += rows) {
                rows = tile_rows(row, count);
                const item *panel = decoder->weights + block * width * PANEL;
                product(joint + row * width, width, width, panel, panel, gates, PANEL, 0,
                        (int)rows, VECTORS);
                for (int64_t i = 0; i < rows; i++) {
                    const int64_t index = step * batch + first + row + i;
                    float *cells = decoder->cells + index * size;
                    cells_forward(size, block * LANES, gates + i * PANEL, decoder->bias, cells,
                                  cells + batch * size, decoder->joint + (index + batch) * width,
                                  decoder->gates + index * 4 * size);
                }
            }
        multiply(joint + batch * width, width, count, size, decoder->query, decoder->attention,
                 queries, columns, 0);
        for (int64_t row = 0; row < count; row++) {
            const int64_t index = step * batch + first + row;
            const float *cumulative = cumulative_of(decoder, index);
            float *next = cumulative_of(decoder, index + batch);
            memcpy(decoder->queries + index * columns, queries + row * columns, columns * 4);
            attend(decoder, first + row, queries + row * columns, cumulative, attention, context);
            memset(next, 0, margin(decoder) * sizeof(float));
            for (int64_t frame = 0; frame < decoder->lengths[first + row]; frame++) {
                decoder->attentions[index * frames + frame] = attention[frame];
                next[frame + REACH] = cumulative[frame + REACH] + attention[frame];
            }
            item *kept = decoder->contexts + index * decoder->context;
            for (int64_t d = 0; d < decoder->context; d += LANES)
                store_items(kept + d, load(context + d), decoder->context - d);
            if (step + 1 < decoder->steps)
                put(decoder, index + batch, size, decoder->context, 0, context);
        }
    }
    free(scratch);
    return failed;
}

/* Compute the gradients of a row's attention at a step. `d_context` (padded) is the gradient of the
 * context, `d_cumulative` that of the attention so far, with a margin, which is updated; `d_query`
 * (padded) is added to; `slopes` has room for (padded frames, padded attention) and `d_energies`
 * for the padded frames. */
static void attend_backward(const Decoder *decoder, int64_t step, int64_t row,
                            const float *d_context, float *d_cumulative, float *d_query,
                            float *d_energies, float *slopes) {
    const int64_t index = step * decoder->batch + row, length = decoder->lengths[row];
    const int64_t size = decoder->attention, stride = padded(size), frames = decoder->frames;
    const item *encoded = decoder->encoded + row * frames * decoder->context;
    const float *attention = decoder->attentions + index * frames;
    const float *query = decoder->queries + index * stride;
    const float *cumulative = cumulative_of(decoder, index);
    float *d_keys = decoder->d_keys + row * frames * stride;
    float *d_places = decoder->d_places + row * SPAN * stride, mean = 0.0f;
    float *d_energy = decoder->d_energy + row * stride;
    for (int64_t frame = 0; frame < length; frame++) {
        vec sum = {0};
        for (int64_t d = 0; d < decoder->context; d += LANES)
            sum += load(d_context + d) * load_items(encoded + frame * decoder->context + d,
                                                    decoder->context - d);
        d_energies[frame] = total(sum) + d_cumulative[frame + REACH];
        mean += attention[frame] * d_energies[frame];
    }
    for (int64_t frame = 0; frame < length; frame++)
        d_energies[frame] = attention[frame] * (d_energies[frame] - mean);
    for (int64_t a = 0; a < size; a += LANES) {
        vec sum = load(d_query + a), energies = load(d_energy + a), filters[SPAN];
        for (int k = 0; k < SPAN; k++) filters[k] = load(d_places + k * stride + a);
        for (int64_t frame = 0; frame < length; frame += FRAMES) {
            vec values[FRAMES];
            compare(decoder, row, frame, a, query, cumulative, values);
            for (int i = 0; i < FRAMES && frame + i < length; i++) {
                const int64_t place = frame + i;
                vec slope = d_energies[place] * load(decoder->energy + a) *
                            (1.0f - values[i] * values[i]);
                energies += d_energies[place] * values[i];
                sum += slope;
                store(d_keys + place * stride + a, load(d_keys + place * stride + a) + slope);
                store(slopes + place * stride + a, slope);
                UNROLL
                for (int k = 0; k < SPAN; k++) filters[k] += cumulative[place + k] * slope;
            }
        }
        for (int k = 0; k < SPAN; k++) store(d_places + k * stride + a, filters[k]);
        store(d_query + a, sum);
        store(d_energy + a, energies);
    }
    for (int64_t frame = 0; frame < length; frame++)
        for (int64_t k = 0; k < TAPS; k += LANES) {
            vec sums[2] = {{0}};
            for (int64_t a = 0; a < size; a++)
                sums[a % 2] += slopes[frame * stride + a] * load(decoder->tapped + a * TAPS + k);
            float *target = d_cumulative + frame + k;
            store(target, load(target) + sums[0] + sums[1]);
        }
}

static int backward_rows(const Decoder *decoder, int64_t first, int64_t count) {
    const int64_t size = decoder->size, batch = decoder->batch, context = decoder->context;
    const int64_t depth = size + context, columns = padded(decoder->attention);
    const int64_t joint_stride = padded(depth), hidden_stride = padded(size);
    const int64_t query_width = even(decoder->attention), frames = padded(decoder->frames);
    const int64_t sums = count * (joint_stride + hidden_stride + hidden_stride + margin(decoder));
    float *scratch = aligned_alloc(
        64, (sums + columns + frames + padded(context) + (frames + FRAMES) * columns + 16) / 16 * 64);
    if (!scratch) return 1;
    memset(scratch, 0, sums * sizeof(float));
    float *d_joint = scratch, *d_hidden = d_joint + count * joint_stride;
    float *d_cells = d_hidden + count * hidden_stride, *d_sums = d_cells + count * hidden_stride;
    float *d_query = d_sums + count * margin(decoder), *d_energies = d_query + columns;
    float *d_context = d_energies + frames, *slopes = d_context + padded(context);
    for (int64_t step = decoder->steps - 1; step >= 0; step--) {
        item *d_queries = decoder->d_queries + (step * batch + first) * query_width;
        for (int64_t row = 0; row < count; row++) {
            const int64_t index = step * batch + first + row;
            const float *carried = d_joint + row * joint_stride + size;
            const float *mask = decoder->input_mask;
            if (mask) mask += (index + batch) * (decoder->embedding + context) + decoder->embedding;
            memset(d_context, 0, padded(context) * sizeof(float));
            for (int64_t d = 0; d < context; d += LANES) {
                vec value = load_some(carried + d, context - d);
                if (mask && step + 1 < decoder->steps) value *= load_some(mask + d, context - d);
                value += load_items(decoder->d_outputs + index * context + d, context - d);
                store_some(d_context + d, value, context - d);
            }
            memcpy(decoder->d_contexts + index * context, d_context, context * sizeof(float));
            memset(d_query, 0, columns * sizeof(float));
            attend_backward(decoder, step, first + row, d_context, d_sums + row * margin(decoder),
                            d_query, d_energies, slopes);
            for (int64_t a = 0; a < query_width; a += LANES)
                store_items(d_queries + row * query_width + a, load(d_query + a), query_width - a);
        }
        multiply(d_queries, query_width, count, decoder->attention, decoder->query_backward, size,
                 d_hidden, hidden_stride, 0);
        for (int64_t row = 0; row < count; row++) {
            const int64_t index = step * batch + first + row;
            const float *cells = decoder->cells + index * size;
            float *target = d_hidden + row * hidden_stride;
            for (int64_t cell = 0; cell < size; cell += LANES)
                store(target + cell,
                      load(target + cell) + load_some(d_joint + row * joint_stride + cell, size - cell) +
                          load_items(decoder->d_hiddens + index * size + cell, size - cell));
            cells_backward(size, decoder->gates + index * 4 * size, cells, cells + batch * size,
                           target, __builtin_inff(), d_cells + row * hidden_stride,
                           decoder->d_gates + index * 4 * size);
        }
        multiply(decoder->d_gates + (step * batch + first) * 4 * size, 4 * size, count, 4 * size,
                 decoder->weights_backward, depth, d_joint, joint_stride, 0);
    }
    free(scratch);
    return 0;
}

int decode(const Decoder *decoder) { RUN(forward_rows, decoder) }

int decode_backward(const Decoder *decoder) { RUN(backward_rows, decoder) }
