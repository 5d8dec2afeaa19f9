/* The layers of a reader, by the kernels of the framework. */

#define BFLOAT16 0
#include "internal.h"
#include "kernel_names.h"

#if defined(__AVX__)
#include <immintrin.h> /* before the names below: it has a function that allocates */
#endif

/* The kernel takes its memory from the arena of the call that `layer` begins. */
typedef struct Call Call;
static void *take_for_call(const void *layer, size_t count, size_t size);
#define aligned_alloc(alignment, size) take_for_call(layer, size, 1)
#define malloc(size) take_for_call(layer, size, 1)
#define calloc(count, size) take_for_call(layer, count, size)
#define free(memory) ((void)(memory))

#include "../model/layers/kernels/bidirectional.c"

struct Call {
    Bidirectional layer;
    Arena *arena;
};

static void *take_for_call(const void *layer, size_t count, size_t size) {
    return take(((const Call *)layer)->arena, count, size);
}

int LEVELLED(run_bidirectional)(const Bidirection *layer, Arena *arena, int64_t frames,
                                const float *sequence, float *hiddens) {
    const int64_t order = 0;
    const float *inputs[2] = {layer->input_weights[0], layer->input_weights[1]};
    const float *hidden[2] = {layer->hidden_weights[0], layer->hidden_weights[1]};
    const float *biases[2] = {layer->biases[0], layer->biases[1]};
    const Call call = {
        {.batch = 1, .frames = frames, .inputs = layer->inputs, .size = layer->size, .threads = 1,
         .lengths = &frames, .order = &order, .sequences = sequence, .input_weights = inputs,
         .hidden_weights = hidden, .biases = biases, .hiddens = hiddens},
        arena};
    return bidirectional_forward(&call.layer);
}

/* Rows of `inputs` begin `stride` numbers apart, and may overlap. */
void LEVELLED(run_linear_layer)(const Linear *layer, const float *inputs, int64_t stride,
                                int64_t rows, float *outputs) {
    multiply(inputs, stride, rows, layer->columns, layer->weights, layer->count, outputs,
             layer->padded, 0);
    for (int64_t row = 0; layer->bias && row < rows; row++)
        for (int64_t n = 0; n < layer->count; n++)
            outputs[row * layer->padded + n] += layer->bias[n];
}
