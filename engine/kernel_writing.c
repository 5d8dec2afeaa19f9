/* The steps of a line, by the kernels of the framework. */

#define BFLOAT16 0
#include "internal.h"
#include "kernel_names.h"

#if defined(__AVX__)
#include <immintrin.h> /* before the names below: it has a function that allocates */
#endif

/* The kernel takes its memory from the arena of the call that `w` begins. */
typedef struct Call Call;
static void *take_for_call(const void *w, size_t count, size_t size);
#define malloc(size) take_for_call(w, size, 1)
#define calloc(count, size) take_for_call(w, count, size)
#define free(memory) ((void)(memory))

#include "../model/layers/kernels/sampling.c"

struct Call {
    Writing writing;
    Arena *arena;
};

static void *take_for_call(const void *w, size_t count, size_t size) {
    return take(((const Call *)w)->arena, count, size);
}

int LEVELLED(run_drawing)(const Drawing *d, Arena *arena) {
    const Call call = {
        {.steps = d->steps, .batch = 1, .layers = d->layers, .size = d->size,
         .vocab_size = d->vocab_size, .components = d->components, .places = d->places,
         .mixtures = d->mixtures, .lstm = 1, .threads = 1, .ends = 1, .parity = d->parity,
         .log_min_scales = {d->log_min_scales[0], d->log_min_scales[1]},
         .max_correlation = d->max_correlation, .pen = {d->pen[0], d->pen[1]},
         .weights = d->weights, .gate_biases = d->gate_biases, .widths = d->widths,
         .joints = d->joints, .window_weights = d->window_weights,
         .output_weights = d->output_weights, .window_bias = d->window_bias,
         .output_bias = d->output_bias, .text = d->text, .text_lengths = &d->text_length,
         .hiddens = d->hiddens, .cells = d->cells, .kappas = d->kappas,
         .parameters = d->parameters, .raw = d->raw, .bias = &d->bias, .uniform = d->uniform,
         .normal = d->normal, .points = d->points, .phis = d->phis},
        arena};
    return write_lines(&call.writing);
}
