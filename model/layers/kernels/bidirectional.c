/* A bidirectional LSTM layer over lines of different lengths on a CPU.
 *
 * bidirectional.py calls this file, and describes the tensors. The products of the inputs run some
 * steps ahead, for many frames at once. Step by step run only the products of the hidden states,
 * whose weights stay in a core's cache. Each thread takes one direction of some lines through all
 * steps.
 */

#define GATE_PLACES {0, 1, 3, 2} /* torch's order */
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
    /* Of each frame forwards and backwards; what follows a line is not written. The gates have been
     * through their activation functions. Without gradients `gates` and `cells` are null. */
    item *hiddens, *gates;
    float *cells;
    const item **hidden_weights_backward, *d_hiddens;
    item *d_gates; /* before activation; zero after a line's end */
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

/* Return the index of a step of a row among the frames of both directions. */
static int64_t place_of(const Lines *lines, int64_t row, int64_t step) {
    const int64_t frame = lines->backwards ? length_of(lines, row) - 1 - step : step;
    return (line_of(lines, row) * lines->layer->frames + frame) * 2 + lines->backwards;
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

/* Return 0, or 1 if memory is lacking. So does the function below. */
static int forward_lines(const Bidirectional *layer, int64_t backwards, int64_t group,
                         int64_t groups) {
    const int64_t size = layer->size, width = even(size), columns = 4 * padded(size);
    int64_t count = (layer->batch - group + groups - 1) / groups;
    const int64_t ahead = ROWS * (1 + AHEAD / (ROWS * count)), stride = ahead * columns;
    float *sums = aligned_alloc(64, (count * (stride + size) + 16) / 16 * 64);
    item *allocated = calloc(2 * count * width, sizeof(item));
    item *hidden = allocated, *next = hidden + count * width;
    const int failed = !sums || !allocated;
    float *cells = sums + count * stride;
    const Lines lines = {layer, backwards, group, groups, ahead, sums};
    if (failed) count = 0;
    else memset(cells, 0, count * size * sizeof(float));
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
                for (int64_t i = row; i < row + rows; i++) {
                    item *kept =
                        layer->gates ? layer->gates + place_of(&lines, i, step) * 4 * size : 0;
                    cells_forward(size, block / 4, of_step + i * stride + block,
                                  layer->biases[backwards], cells + i * size, cells + i * size,
                                  next + i * width, kept);
                }
            }
            panel += (size + STEP - 1) / STEP * STEP * PANEL;
        }
        item *other = hidden;
        hidden = next, next = other;
        for (int64_t row = 0; row < count; row++) {
            const int64_t place = place_of(&lines, row, step) * size;
            memcpy(layer->hiddens + place, hidden + row * width, size * sizeof(item));
            if (layer->cells) memcpy(layer->cells + place, cells + row * size, size * sizeof(float));
        }
    }
    free(allocated);
    free(sums);
    return failed;
}

static int backward_lines(const Bidirectional *layer, int64_t backwards, int64_t group,
                          int64_t groups) {
    const int64_t size = layer->size, stride = padded(size), gates = 4 * size;
    const int64_t lines_count = (layer->batch - group + groups - 1) / groups;
    const Lines lines = {layer, backwards, group, groups, 0, 0};
    float *d_hidden = calloc((lines_count + 1) * (stride + size), sizeof(float));
    item *d_gates = malloc(lines_count * gates * sizeof(item));
    const int failed = !d_hidden || !d_gates;
    float *d_cells = d_hidden + lines_count * stride, *zeros = d_cells + lines_count * size;
    int64_t count = 0; /* lines whose end has been passed, on the way back */
    for (int64_t step = failed ? -1 : length_of(&lines, 0) - 1; step >= 0; step--) {
        while (count < lines_count && length_of(&lines, count) > step) count++;
        for (int64_t row = 0; row < count; row++) {
            const int64_t place = place_of(&lines, row, step);
            const float *old = step ? layer->cells + place_of(&lines, row, step - 1) * size : zeros;
            float *target = d_hidden + row * stride;
            for (int64_t cell = 0; cell < size; cell += LANES)
                store(target + cell, load(target + cell) + load_items(layer->d_hiddens +
                                                                      place * size + cell,
                                                                      size - cell));
            cells_backward(size, layer->gates + place * gates, old, layer->cells + place * size,
                           target, __builtin_inff(), d_cells + row * size, d_gates + row * gates);
            memcpy(layer->d_gates + place * gates, d_gates + row * gates, gates * sizeof(item));
        }
        multiply(d_gates, gates, count, gates, layer->hidden_weights_backward[backwards], size,
                 d_hidden, stride, 0);
    }
    for (int64_t row = 0; row < lines_count && !failed; row++)
        for (int64_t frame = length_of(&lines, row); frame < layer->frames; frame++) {
            const int64_t place = (line_of(&lines, row) * layer->frames + frame) * 2 + backwards;
            memset(layer->d_gates + place * gates, 0, gates * sizeof(item));
        }
    free(d_gates);
    free(d_hidden);
    return failed;
}

/* Call `function` for both directions of some lines in each thread, and return its failures. */
static int run(const Bidirectional *layer,
               int (*function)(const Bidirectional *, int64_t, int64_t, int64_t)) {
    const int64_t wanted = (layer->threads + 1) / 2;
    const int64_t groups = wanted < layer->batch ? wanted : layer->batch;
    const int64_t jobs = 2 * groups;
    int failed = 0;
#pragma omp parallel for schedule(dynamic, 1) reduction(| : failed) \
    num_threads(layer->threads < jobs ? layer->threads : jobs)
    for (int64_t job = 0; job < jobs; job++)
        failed |= function(layer, job % 2, job / 2, groups);
    return failed;
}

int bidirectional_forward(const Bidirectional *layer) { return run(layer, forward_lines); }

int bidirectional_backward(const Bidirectional *layer) { return run(layer, backward_lines); }
