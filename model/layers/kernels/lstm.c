/* An LSTM layer, with or without a window over a text, run over a whole sequence on a CPU.
 *
 * build.py compiles this file when first needed; lstm.py calls it, and describes the tensors.
 *
 * The rows of a batch do not depend on each other. For speed each thread takes some rows through
 * the whole sequence and never waits for other threads. Weights are packed once a call.
 */

#include "step.h"

#include <stdlib.h>

STRUCTURE(Layer,
    int64_t steps, batch, size, vocab_size, components, places, threads;
    /* Even width of a row of `joint`: hidden state, window, inputs and, if needed, a zero. */
    int64_t width;
    float bound; /* on the gradient of the gates; infinity without a bound */
    const int64_t *ends; /* backward: after how many steps a row has no gradient, (batch) */
    const float *bias; /* (batch, 4 size) */
    const float *window_bias;
    const item *weights, *window_weights;                   /* packed for forward */
    const item *weights_backward, *window_weights_backward; /* packed for backward */
    const int64_t *text, *text_lengths; /* (batch, places - 1), (batch) */
    item *joint;
    item *gates; /* input, forget, output, candidate, after their activation functions */
    float *cells, *kappas, *exponentials, *phis; /* values of every step */
    /* Gradients. */
    const item *d_hiddens, *d_windows;
    item *d_gates, *d_parameters; /* rows of `d_parameters` have an even width, padded with zero */
    float *d_cell, *d_kappa, *d_joint;
)

/* Rows whose products with the inputs are computed at once: the weights are loaded once for all of
 * them, and the sums stay in the cache (measured: more rows suit wide layers, fewer narrow ones). */
enum { CHUNK_ROWS = 96 };

static int64_t chunk_steps(int64_t count) { return count < CHUNK_ROWS ? CHUNK_ROWS / count : 1; }

/* Multiply the `count` rows of each of `steps` steps, `step_stride` apart, by a packed matrix whose
 * panels are `panel_size` apart. Write the results (steps, count, columns rounded up) to `out`. */
static void multiply_steps(const item *left, int64_t stride, int64_t step_stride, int64_t steps,
                           int64_t count, int64_t depth, const item *packed, int64_t panel_size,
                           int64_t columns, float *out) {
    if (step_stride == count * stride) { /* one long step, whose tiles are higher */
        count *= steps;
        steps = 1;
    }
    for (int64_t first = 0; first < columns; first += PANEL, packed += panel_size)
        for (int64_t step = 0; step < steps; step++)
            multiply(left + step * step_stride, stride, count, depth, packed,
                     columns - first < PANEL ? columns - first : PANEL,
                     out + step * count * padded(columns) + first, padded(columns), 0);
}

static const int64_t *text_of(const Layer *layer, int64_t row) {
    return layer->text + row * (layer->places - 1);
}

/* Compute a step of LANES cells of a row, see `cells_forward`. */
static void step_cells(const Layer *layer, int64_t step, int64_t row, int64_t cell,
                       const float *sums) {
    const int64_t size = layer->size, index = step * layer->batch + row;
    float *old_cells = layer->cells + index * size;
    cells_forward(size, cell, sums, layer->bias + row * 4 * size, old_cells,
                  old_cells + layer->batch * size,
                  layer->joint + (index + layer->batch) * layer->width,
                  layer->gates + index * 4 * size);
}

/* Move the window of one row. `sums` are the `parameters` of `window_step`. */
static __attribute__((noinline)) void move_window(const Layer *layer, int64_t step, int64_t row,
                                                  float *sums, float *phi, float *window) {
    const int64_t components = layer->components, places = layer->places;
    const int64_t index = step * layer->batch + row;
    float *old_kappas = layer->kappas + index * components;
    window_step(components, places, layer->vocab_size, text_of(layer, row),
                layer->text_lengths[row], layer->window_bias, sums, old_kappas,
                old_kappas + layer->batch * components, phi, window);
    memcpy(layer->exponentials + index * 3 * components, sums, 3 * components * sizeof(float));
    memcpy(layer->phis + index * places, phi, places * sizeof(float));
    item *target = layer->joint + (index + layer->batch) * layer->width + layer->size;
    for (int64_t a = 0; a < layer->vocab_size; a += LANES)
        store_items(target + a, load(window + a), layer->vocab_size - a);
}

/* Return 0; 1 if memory is lacking; 2 if a text is not valid. So do the int functions below. */
static int forward_rows(const Layer *layer, int64_t first, int64_t count) {
    for (int64_t row = first; row < first + count && layer->components; row++)
        if (!valid_text(text_of(layer, row), layer->text_lengths[row], layer->places,
                        layer->vocab_size))
            return 2;
    const int64_t size = layer->size, width = layer->width, parameters = 3 * layer->components;
    const int64_t gates_stride = padded(size) * (PANEL / LANES), panel_size = width * PANEL;
    const int64_t sums_stride = padded(parameters), chunk = chunk_steps(count);
    const int64_t window_size = padded(layer->places) + padded(layer->vocab_size);
    const int64_t scratch_size = window_size + count * (sums_stride + chunk * gates_stride);
    float *scratch = aligned_alloc(64, (scratch_size + 16) / 16 * 64);
    if (!scratch) return 1;
    float *chunk_gates = scratch, *phi = chunk_gates + chunk * count * gates_stride;
    float *window = phi + padded(layer->places), *sums = window + padded(layer->vocab_size);
    /* The columns of the joint that each step computes; pairs of columns stay together. */
    const int64_t recurrent = even(size + layer->vocab_size);
    for (int64_t step = 0; step < layer->steps; step++) {
        const item *joint = layer->joint + (step * layer->batch + first) * width;
        const int64_t steps = layer->steps - step < chunk ? layer->steps - step : chunk;
        if (step % chunk == 0)
            multiply_steps(joint + recurrent, width, layer->batch * width, steps, count,
                           width - recurrent, layer->weights + recurrent * PANEL, panel_size,
                           gates_stride, chunk_gates);
        float *step_gates = chunk_gates + step % chunk * count * gates_stride;
        for (int64_t cell = 0; cell < size; cell += LANES) {
            const item *panel = layer->weights + cell / LANES * panel_size;
            const item *next = cell + LANES < size ? panel + panel_size : layer->weights;
            for (int64_t row = 0, rows, tiles = 0; row < count; row += rows) {
                float *gates = step_gates + row * gates_stride + cell * (PANEL / LANES);
                rows = tile_rows(row, count);
                product(joint + row * width, width, recurrent, panel,
                        next + tiles++ % 4 * recurrent * LANES, gates, gates_stride, 1, (int)rows,
                        VECTORS);
                for (int64_t i = 0; i < rows; i++)
                    step_cells(layer, step, first + row + i, cell, gates + i * gates_stride);
            }
        }
        if (!layer->components) continue;
        multiply(joint + layer->batch * width, width, count, size, layer->window_weights,
                 parameters, sums, sums_stride, 0);
        for (int64_t row = 0; row < count; row++)
            move_window(layer, step, first + row, sums + row * sums_stride, phi, window);
    }
    free(scratch);
    return 0;
}

/* Compute the gradients of the window's parameters for one row (the paper, eqs 56-60). `d_window`
 * is the window's gradient; `d_phi` has room for the padded places. */
static __attribute__((noinline)) void window_backward(const Layer *layer, int64_t step,
                                                      int64_t row, const float *d_window,
                                                      float *d_phi, float *d_parameters) {
    const int64_t components = layer->components, parameters = 3 * components;
    const float *exponentials = layer->exponentials + (step * layer->batch + row) * parameters;
    const float *kappas = layer->kappas + ((step + 1) * layer->batch + row) * components;
    const int64_t *text = text_of(layer, row), length = layer->text_lengths[row];
    memset(d_phi, 0, padded(layer->places) * sizeof(float));
    for (int64_t u = 0; u < length; u++) d_phi[u] = d_window[text[u]];
    for (int64_t k = 0; k < components; k++) {
        float alpha = exponentials[k], beta = exponentials[components + k];
        vec sum = {0}, squares = {0}, offsets = {0};
        for (int64_t u = 0; u < length; u += LANES) {
            vec offset = positions(u) - kappas[k], square = offset * offset;
            vec epsilon = alpha * exponential(-beta * square) * load(d_phi + u); /* eq. 56 */
            sum += epsilon;
            squares += epsilon * square;
            offsets += epsilon * offset;
        }
        float *d_kappa = layer->d_kappa + row * components + k;
        d_parameters[k] = total(sum);                             /* eq. 57 */
        d_parameters[components + k] = -beta * total(squares);    /* eq. 58 */
        *d_kappa += 2.0f * beta * total(offsets);                 /* eq. 59 */
        d_parameters[2 * components + k] = exponentials[2 * components + k] * *d_kappa; /* eq. 60 */
    }
    const int64_t width = even(parameters);
    item *target = layer->d_parameters + (step * layer->batch + row) * width;
    for (int64_t i = 0; i < width; i += LANES)
        store_items(target + i, load(d_parameters + i), width - i);
}

/* Compute the gradients of a row's gates and cells, see `cells_backward`. */
static void step_cells_backward(const Layer *layer, int64_t step, int64_t row,
                                const float *d_hidden_row) {
    const int64_t size = layer->size, index = step * layer->batch + row;
    const float *old_cells = layer->cells + index * size;
    cells_backward(size, layer->gates + index * 4 * size, old_cells,
                   old_cells + layer->batch * size, d_hidden_row, layer->bound,
                   layer->d_cell + row * size, layer->d_gates + index * 4 * size);
}

/* Return how many rows from `first` on have no gradient at a step, up to the first row that has.
 * These rows are not computed; so batches in order of length cost little for their padding. */
static int64_t ended_rows(const Layer *layer, int64_t step, int64_t first, int64_t count) {
    int64_t ended = 0;
    while (ended < count && layer->ends[first + ended] <= step) ended++;
    return ended;
}

static int backward_rows(const Layer *layer, int64_t first, int64_t count) {
    const int64_t size = layer->size, batch = layer->batch, parameters = 3 * layer->components;
    const int64_t vocab_size = layer->vocab_size;
    const int64_t recurrent = size + vocab_size; /* columns of hidden state and window */
    const int64_t joint_stride = padded(recurrent), hidden_stride = padded(size);
    const int64_t gates = 4 * size;
    /* Room for the gradients of the joint, of the hidden state, and of the window's variables. */
    const int64_t window_size = padded(vocab_size) + padded(layer->places) + padded(parameters);
    const int64_t scratch_size = count * (joint_stride + hidden_stride) + window_size;
    float *scratch = aligned_alloc(64, (scratch_size + 16) / 16 * 64);
    if (!scratch) return 1;
    float *d_joint = scratch, *d_hidden = d_joint + count * joint_stride;
    float *d_window = d_hidden + count * hidden_stride, *d_phi = d_window + padded(vocab_size);
    float *d_parameters = d_phi + padded(layer->places);
    memset(d_joint, 0, count * joint_stride * sizeof(float));
    memset(d_parameters, 0, padded(parameters) * sizeof(float));
    for (int64_t step = layer->steps - 1; step >= 0; step--) {
        const int64_t ended = ended_rows(layer, step, first, count), rows = count - ended;
        item *d_gates = layer->d_gates + (step * batch + first) * gates;
        item *d_step = layer->d_parameters + (step * batch + first) * even(parameters);
        memset(d_gates, 0, ended * gates * sizeof(item));
        if (parameters) {
            memset(d_step, 0, ended * even(parameters) * sizeof(item));
            for (int64_t row = ended; row < count; row++) {
                const float *carried = d_joint + row * joint_stride + size;
                const item *d_output = layer->d_windows + (step * batch + first + row) * vocab_size;
                for (int64_t a = 0; a < vocab_size; a += LANES)
                    store(d_window + a, load_some(carried + a, vocab_size - a) +
                                            load_items(d_output + a, vocab_size - a));
                window_backward(layer, step, first + row, d_window, d_phi, d_parameters);
            }
            multiply(d_step + ended * even(parameters), even(parameters), rows, parameters,
                     layer->window_weights_backward, size, d_hidden + ended * hidden_stride,
                     hidden_stride, 0);
        } else {
            memset(d_hidden, 0, count * hidden_stride * sizeof(float));
        }
        for (int64_t row = ended; row < count; row++) {
            const item *d_output = layer->d_hiddens + (step * batch + first + row) * size;
            const float *carried = d_joint + row * joint_stride;
            float *target = d_hidden + row * hidden_stride;
            for (int64_t cell = 0; cell < size; cell += LANES)
                store(target + cell, load(target + cell) + load(carried + cell) +
                                         load_items(d_output + cell, size - cell));
            step_cells_backward(layer, step, first + row, target);
        }
        multiply(d_gates + ended * gates, gates, rows, gates, layer->weights_backward, recurrent,
                 d_joint + ended * joint_stride, joint_stride, 0);
    }
    for (int64_t row = 0; row < count; row++)
        memcpy(layer->d_joint + (first + row) * recurrent, d_joint + row * joint_stride,
               recurrent * sizeof(float));
    free(scratch);
    return 0;
}

int forward(const Layer *layer) { RUN(forward_rows, layer) }

int backward(const Layer *layer) { RUN(backward_rows, layer) }
