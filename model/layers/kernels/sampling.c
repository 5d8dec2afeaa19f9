/* Writing on a CPU: the steps of a network for many lines, and the drawing of points.
 *
 * build.py compiles this file when first needed; stepping.py calls `write_lines`. Products
 * are those of step.h; cell states, window and mixture are float32.
 *
 * Lines do not depend on each other. For speed each thread takes some lines through all steps of a
 * call without waiting for other threads. Products with fewer than ROWS lines wait for memory to
 * deliver the weights. So threads that would have fewer lines each form a team: each thread takes
 * some of the columns, and threads wait for each other after each layer. The inputs of a layer
 * exist twice, so that a thread may write the inputs of the next step while another thread still
 * reads the inputs of this step.
 */

#include "step.h"

#include <math.h>
#include <stdlib.h>
#ifdef _OPENMP
#include <omp.h>
#include <sched.h>
#endif

STRUCTURE(Writing,
    int64_t steps, batch, layers, size, vocab_size, components, places, mixtures, lstm, threads;
    int64_t ends;                         /* 1 if points have a fourth number, the sequence's end */
    int64_t parity;                       /* which half of the joints the next step reads */
    float log_min_scales[2];              /* of the mixture: logarithms of the bounds on scales */
    float max_correlation;
    float pen[2];                         /* for `ends()`: log-odds of an end that the bias leaves
                                             unchanged, and factor on the bias */
    const item *const *weights;           /* of each layer, packed */
    const float *const *gate_biases;      /* of each layer, (batch, 4 size) */
    const int64_t *widths;                /* even width of a row of each layer's joint */
    item *const *joints;                  /* (2, batch, width): hidden state, hidden state of the
                                             layer below, window, point of 3 + ends numbers */
    const item *window_weights, *output_weights; /* packed */
    const float *window_bias, *output_bias;
    const int64_t *text, *text_lengths;   /* (batch, places - 1), (batch) */
    item *hiddens;                        /* (batch, layers * size, made even) */
    float *cells;                         /* (layers, batch, size); hidden states of a GRU */
    float *kappas;                        /* (batch, components) */
    float *parameters, *raw;              /* (batch, 3 components), (batch, columns_of), padded */
    const float *bias, *uniform, *normal; /* (batch), (steps, batch, 2) twice */
    float *points, *phis;                 /* (steps, batch, 3 + ends), (steps, batch, places) */
)

/* Teams -------------------------------------------------------------------------------------- */

typedef struct {
    int waiting, phase;
    char padding[56]; /* so that each team has a line of the cache */
} Team;

/* Wait until all members of the team have called this function. */
static void barrier(Team *team, int members) {
#ifdef _OPENMP
    if (members == 1) return;
    int phase = __atomic_load_n(&team->phase, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&team->waiting, 1, __ATOMIC_ACQ_REL) == members) {
        __atomic_store_n(&team->waiting, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&team->phase, phase + 1, __ATOMIC_RELEASE);
        return;
    }
    /* Other threads may need the processor: after some microseconds this thread yields. */
    for (int spins = 0; __atomic_load_n(&team->phase, __ATOMIC_ACQUIRE) == phase; spins++)
        if (spins > 2000) sched_yield();
#else
    (void)team, (void)members;
#endif
}

/* The largest number of equal teams with at least ROWS lines each; 1 if there are fewer lines. */
static int64_t teams_of(int64_t threads, int64_t batch) {
    for (int64_t teams = threads; teams > 1; teams--)
        if (threads % teams == 0 && batch >= teams * ROWS) return teams;
    return 1;
}

/* The number of outputs of the network. */
INLINE int64_t columns_of(const Writing *w) { return 6 * w->mixtures + 1 + w->ends; }

/* One line --------------------------------------------------------------------------------- */

INLINE item *joint_of(const Writing *w, int64_t layer, int64_t half, int64_t row) {
    return w->joints[layer] + ((half & 1) * w->batch + row) * w->widths[layer];
}

INLINE int64_t hidden_width_of(const Writing *w) { return even(w->layers * w->size); }

INLINE const int64_t *text_of(const Writing *w, int64_t row) {
    return w->text + row * (w->places - 1);
}

/* Compute one step of LANES cells of a row, from `cell` on; `sums` are the gates' products. The GRU
 * is torch's. */
static __attribute__((noinline)) void step_cells(const Writing *w, int64_t layer, int64_t half,
                                                 int64_t row, int64_t cell, const float *sums) {
    const int64_t size = w->size, count = size - cell;
    const float *bias = w->gate_biases[layer] + row * 4 * size + cell;
    float *states = w->cells + (layer * w->batch + row) * size + cell;
    vec state = load_some(states, count), hidden, gates[4];
    UNROLL
    for (int gate = 0; gate < 4; gate++)
        gates[gate] = load(sums + gate * LANES) + load_some(bias + gate * size, count);
    if (w->lstm) {
        hidden = lstm_step(gates, &state);
    } else {
        vec candidate = hyperbolic_tangent(gates[2] + logistic(gates[0]) * gates[3]);
        hidden = state = candidate + logistic(gates[1]) * (state - candidate);
    }
    store_some(states, state, count);
    store_items(joint_of(w, layer, half + 1, row) + cell, hidden, count);
    store_items(w->hiddens + row * hidden_width_of(w) + layer * size + cell, hidden, count);
    if (layer + 1 < w->layers)
        store_items(joint_of(w, layer + 1, half, row) + size + cell, hidden, count);
}

/* Move the window; for `phi` and `window` see `window_step`. */
static void move_window(const Writing *w, int64_t step, int64_t half, int64_t row, float *phi,
                        float *window) {
    float *kappas = w->kappas + row * w->components;
    window_step(w->components, w->places, w->vocab_size, text_of(w, row), w->text_lengths[row],
                w->window_bias, w->parameters + row * padded(3 * w->components), kappas, kappas,
                phi, window);
    memcpy(w->phis + (step * w->batch + row) * w->places, phi, w->places * sizeof(float));
    for (int64_t layer = 0; layer < w->layers; layer++) {
        /* The first layer sees the window at the next step (the paper, eqs 52, 53). */
        item *joint = joint_of(w, layer, half + (layer == 0), row);
        item *target = joint + w->size + (layer > 0) * w->size;
        for (int64_t a = 0; a < w->vocab_size; a += LANES)
            store_items(target + a, load(window + a), w->vocab_size - a);
    }
}

static const float LIMIT = 1e4f; /* on outputs, as in mixture.py */

INLINE float limited(float value) {
    return value > LIMIT ? LIMIT : value < -LIMIT ? -LIMIT : value;
}

/* Whether a stroke or a sequence ends; see `sharpen_ends` and `draw_ends` in mixture.py. */
INLINE float ends(float uniform, float logit, float bias, const float *pen) {
    return uniform < logistic(all(logit + pen[1] * bias * (logit - pen[0])))[0];
}

/* Draw the next point, as `Mixture` in mixture.py does (the paper, eqs 18-22, 61, 62). */
static void draw(const Writing *w, int64_t step, int64_t half, int64_t row) {
    const int64_t mixtures = w->mixtures, columns = columns_of(w);
    float *raw = w->raw + row * padded(columns);
    const float *uniform = w->uniform + (step * w->batch + row) * 2;
    const float *normal = w->normal + (step * w->batch + row) * 2;
    const float sharp = 1.0f + w->bias[row];
    for (int64_t i = 0; i < columns; i++) raw[i] = limited(raw[i] + w->output_bias[i]);
    float *logits = raw + 1, largest = logits[0], sum = 0.0f;
    for (int64_t m = 1; m < mixtures; m++) largest = logits[m] > largest ? logits[m] : largest;
    for (int64_t m = 0; m < mixtures; m += LANES) {
        vec weights = exponential((load_some(logits + m, mixtures - m) - largest) * sharp);
        store_some(logits + m, weights, mixtures - m);
    }
    for (int64_t m = 0; m < mixtures; m++) logits[m] = sum += logits[m]; /* cumulative weights */
    int64_t chosen = 0;
    while (chosen < mixtures - 1 && logits[chosen] <= uniform[0] * sum) chosen++;
    const float *parameters = raw + 1 + chosen; /* the first of the chosen component's six */
    float rho = w->max_correlation * hyperbolic_tangent(all(parameters[5 * mixtures]))[0];
    float offsets[2] = {normal[0],
                        rho * normal[0] + sqrtf((1.0f - rho) * (1.0f + rho)) * normal[1]};
    float *point = w->points + (step * w->batch + row) * (3 + w->ends);
    for (int axis = 0; axis < 2; axis++) {
        float log_scale = parameters[(3 + axis) * mixtures];
        if (log_scale < w->log_min_scales[axis]) log_scale = w->log_min_scales[axis];
        if (log_scale > logf(LIMIT)) log_scale = logf(LIMIT);
        float scale = exponential(all(log_scale - w->bias[row]))[0];
        point[axis] = parameters[(1 + axis) * mixtures] + scale * offsets[axis];
    }
    point[2] = ends(uniform[1], -raw[0], w->bias[row], w->pen);
    if (w->ends) point[3] = ends(uniform[1], -raw[columns - 1], w->bias[row], w->pen);
    vec next = {point[0], point[1], point[2]}; /* a fourth number is 0: the sequence goes on */
    for (int64_t layer = 0; layer < w->layers; layer++) {
        item *target = joint_of(w, layer, half + 1, row) + w->size + (layer > 0) * w->size;
        store_items(target + w->vocab_size, next, 3 + w->ends);
    }
}

/* Many lines ------------------------------------------------------------------------------- */

static void write_rows(const Writing *w, int64_t first, int64_t count, int member, int members,
                       Team *team, float *scratch) {
    const int64_t size = w->size, blocks = padded(size) / LANES;
    const int64_t hidden_width = hidden_width_of(w);
    const int64_t columns = columns_of(w), panels = (columns + PANEL - 1) / PANEL;
    /* This thread computes some cells and outputs of all lines; window and point of some lines. */
    const int64_t from_block = blocks * member / members;
    const int64_t to_block = blocks * (member + 1) / members;
    const int64_t from_panel = panels * member / members;
    const int64_t to_panel = panels * (member + 1) / members;
    const int64_t from = first + count * member / members;
    const int64_t to = first + count * (member + 1) / members;
    float *phi = scratch, *window = phi + padded(w->places);
    float gates[ROWS * PANEL] __attribute__((aligned(64)));
    for (int64_t step = 0; step < w->steps; step++) {
        const int64_t half = w->parity + step;
        for (int64_t layer = 0; layer < w->layers; layer++) {
            const int64_t width = w->widths[layer];
            const item *joint = joint_of(w, layer, half, first);
            for (int64_t block = from_block; block < to_block; block++) {
                const item *panel = w->weights[layer] + block * width * PANEL;
                for (int64_t row = 0, rows; row < count; row += rows) {
                    rows = tile_rows(row, count);
                    product(joint + row * width, width, width, panel, panel, gates, PANEL, 0,
                            (int)rows, VECTORS);
                    for (int64_t i = 0; i < rows; i++)
                        step_cells(w, layer, half, first + row + i, block * LANES,
                                   gates + i * PANEL);
                }
            }
            barrier(team, members);
            if (layer || !w->components) continue;
            const int64_t parameters = 3 * w->components;
            multiply(w->hiddens + from * hidden_width, hidden_width, to - from, size,
                     w->window_weights, parameters, w->parameters + from * padded(parameters),
                     padded(parameters), 0);
            for (int64_t row = from; row < to; row++) move_window(w, step, half, row, phi, window);
            barrier(team, members);
        }
        if (to_panel > from_panel) {
            const int64_t start = from_panel * PANEL;
            const int64_t end = to_panel * PANEL < columns ? to_panel * PANEL : columns;
            const int64_t depth = w->layers * size;
            multiply(w->hiddens + first * hidden_width, hidden_width, count, depth,
                     w->output_weights + start * ((depth + STEP - 1) / STEP * STEP), end - start,
                     w->raw + first * padded(columns) + start, padded(columns), 0);
        }
        barrier(team, members);
        for (int64_t row = from; row < to; row++) draw(w, step, half, row);
        barrier(team, members);
    }
}

/* Return 0, or 1 if memory is lacking, or 2 if a text is not valid. */
int write_lines(const Writing *w) {
    for (int64_t row = 0; row < w->batch && w->components; row++)
        if (!valid_text(text_of(w, row), w->text_lengths[row], w->places, w->vocab_size)) return 2;
    const int64_t scratch_size = padded(w->places) + padded(w->vocab_size) + 16;
    float *scratch = malloc(w->threads * scratch_size * sizeof(float));
    Team *teams = calloc(w->threads, sizeof(Team));
    if (scratch && teams) {
#pragma omp parallel num_threads(w->threads)
        {
            int threads = 1, thread = 0;
#ifdef _OPENMP
            threads = omp_get_num_threads(), thread = omp_get_thread_num();
#endif
            const int64_t groups = teams_of(threads, w->batch), members = threads / groups;
            const int64_t group = thread / members;
            const int64_t first = w->batch * group / groups;
            write_rows(w, first, w->batch * (group + 1) / groups - first, thread % members, members,
                       teams + group, scratch + thread * scratch_size);
        }
    }
    int failed = !scratch || !teams;
    free(scratch);
    free(teams);
    return failed;
}
