/* A bidirectional LSTM layer over lines of different lengths on a CPU, without gradients.
 *
 * bidirectional.py calls this file, and describes the tensors. The products of the inputs run some
 * steps ahead, for many frames at once. Step by step run only the products of the hidden states,
 * whose weights stay in a core's cache. Each thread takes one direction of some lines through all
 * steps.
 */

#include "step.h"

#include <stdlib.h>

/* Least number of frames whose inputs are multiplied at once (measured: fewer stream the weights
 * from memory too often, many more leave the cache before their step). */
enum { AHEAD = 256 };

STRUCTURE(Bidirectional,
    int64_t batch, frames, inputs, size, threads;
    const int64_t *lengths, *order;                /* the lines, the longest first */
    const item *sequences;                         /* rows have an even width */
    const item **input_weights, **hidden_weights;  /* packed; of forwards and backwards */
    const float **biases;
    item *hiddens; /* forwards and backwards; zero after a line's end */
)

/* One direction of every `groups`th line, the longest first. */
typedef struct {
    const Bidirectional *layer;
    int64_t backwards, group, groups;
    int64_t ahead; /* steps of a chunk */
    float *sums;   /* products of a chunk, (lines, ahead, 4 padded size) in the order of panels */
} Lines;

static int64_t line_of(const Lines *lines, int64_t row) {
    return lines->layer->order[lines->group + row * lines->groups];
}

static int64_t length_of(const Lines *lines, int64_t row) {
    return lines->layer->lengths[line_of(lines, row)];
}

/* Multiply the inputs of the steps from `start` on for the first `count` lines. */
static void project(const Lines *lines, int64_t start, int64_t count) {
    const Bidirectional *layer = lines->layer;
    const int64_t inputs = layer->inputs, stride = even(inputs), columns = 4 * padded(layer->size);
    const item *panel = layer->input_weights[lines->backwards];
    for (int64_t block = 0; block < columns; block += PANEL) {
        for (int64_t row = 0; row < count; row++) {
            const int64_t rest = length_of(lines, row) - start;
            const int64_t steps = rest < lines->ahead ? rest : lines->ahead;
            const int64_t frame = lines->backwards ? rest - steps : start;
            /* Backwards, the chunk's first step is the last frame. */
            const int64_t place = row * lines->ahead + (lines->backwards ? lines->ahead - steps : 0);
            const item *left =
                layer->sequences + (line_of(lines, row) * layer->frames + frame) * stride;
            for (int64_t step = 0, rows; step < steps; step += rows) {
                rows = tile_rows(step, steps);
                product(left + step * stride, stride, inputs, panel, panel,
                        lines->sums + (place + step) * columns + block, columns, 0, (int)rows,
                        VECTORS);
            }
        }
        panel += (inputs + STEP - 1) / STEP * STEP * PANEL;
    }
}

/* Compute a step of LANES cells of a row; the gates are in torch's order. */
static __attribute__((noinline)) void step_cells(int64_t size, int64_t cell, const float *sums,
                                                 const float *bias, float *cells, item *hidden) {
    static const int ORDER[4] = {0, 1, 3, 2};
    vec gates[4], state = load(cells + cell);
#pragma GCC unroll 4
    for (int gate = 0; gate < 4; gate++)
        gates[gate] = load(sums + ORDER[gate] * LANES) +
                      load_some(bias + ORDER[gate] * size + cell, size - cell);
    store_items(hidden + cell, lstm_step(gates, &state), size - cell);
    store(cells + cell, state);
}

/* Return 0, or 1 if memory is lacking. */
static int run_lines(const Bidirectional *layer, int64_t backwards, int64_t group,
                     int64_t groups) {
    const int64_t size = layer->size, width = even(size), columns = 4 * padded(size);
    int64_t count = (layer->batch - group + groups - 1) / groups;
    const int64_t ahead = ROWS * (1 + AHEAD / (ROWS * count)), stride = ahead * columns;
    float *sums = aligned_alloc(64, (count * (stride + padded(size)) + 16) / 16 * 64);
    item *hidden = calloc(2 * count * width, sizeof(item)), *next = hidden + count * width;
    const int failed = !sums || !hidden;
    float *cells = sums + count * stride;
    item *allocated = hidden;
    const Lines lines = {layer, backwards, group, groups, ahead, sums};
    if (failed) count = 0;
    else memset(cells, 0, count * padded(size) * sizeof(float));
    for (int64_t step = 0;; step++) {
        while (count && length_of(&lines, count - 1) <= step) count--;
        if (!count) break;
        if (step % ahead == 0) project(&lines, step, count);
        float *of_step = sums + (backwards ? ahead - 1 - step % ahead : step % ahead) * columns;
        const item *panel = layer->hidden_weights[backwards];
        for (int64_t block = 0; block < columns; block += PANEL) {
            for (int64_t row = 0, rows; row < count; row += rows) {
                rows = tile_rows(row, count);
                product(hidden + row * width, width, size, panel, panel,
                        of_step + row * stride + block, stride, 1, (int)rows, VECTORS);
                for (int64_t i = row; i < row + rows; i++)
                    step_cells(size, block / 4, of_step + i * stride + block,
                               layer->biases[backwards], cells + i * padded(size),
                               next + i * width);
            }
            panel += (size + STEP - 1) / STEP * STEP * PANEL;
        }
        item *other = hidden;
        hidden = next, next = other;
        for (int64_t row = 0; row < count; row++) {
            const int64_t frame = backwards ? length_of(&lines, row) - 1 - step : step;
            memcpy(layer->hiddens + ((line_of(&lines, row) * layer->frames + frame) * 2 + backwards) *
                                        size,
                   hidden + row * width, size * sizeof(item));
        }
    }
    free(allocated);
    free(sums);
    return failed;
}

int bidirectional(const Bidirectional *layer) {
    const int64_t wanted = (layer->threads + 1) / 2;
    const int64_t groups = wanted < layer->batch ? wanted : layer->batch;
    const int64_t threads = layer->threads < 2 * groups ? layer->threads : 2 * groups;
    int failed = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) reduction(| : failed)
    for (int64_t job = 0; job < 2 * groups; job++)
        failed |= run_lines(layer, job % 2, job / 2, groups);
    return failed;
}
