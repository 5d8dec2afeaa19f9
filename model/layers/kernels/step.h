/* Code that the kernels share: vectors, products, and a step of an LSTM and of the window.
 *
 * Matrix products are of float32, or (-DBFLOAT16=1) of bfloat16 summed up in float32; everything
 * else is float32. The activation functions are polynomials over whole vectors.
 *
 * The order of each sum depends neither on other rows nor on the number of threads: the result of a
 * row is the same, bit for bit, in every batch.
 */

#include <stdint.h>
#include <string.h>
#if defined(__AVX512F__) || (defined(__AVX__) && defined(__FMA__))
#include <immintrin.h>
#endif

/* Declare a structure that Python and JavaScript fill. Both read the declaration of the fields and
 * compute the offsets of the fields, which depend on the size of a pointer. */
#define STRUCTURE(NAME, ...)                                 \
    typedef struct { __VA_ARGS__ } NAME;                     \
    const char *NAME##_fields(void) { return #__VA_ARGS__; } \
    int NAME##_bytes(void) { return sizeof(NAME); }

/* Whether products of bfloat16 can use the matrix unit of recent processors; see products.c. */
#if BFLOAT16 && defined(__AVX512F__) && defined(__AMX_BF16__) && defined(__linux__)
#define MATRIX_UNIT 1
#else
#define MATRIX_UNIT 0
#endif

/* Number of floats of a vector; number of rows of a tile, whose sums must fit in the registers. */
#if MATRIX_UNIT
enum { LANES = 16, ROWS = 32 };
#elif defined(__AVX512F__)
enum { LANES = 16, ROWS = 6 };
#elif defined(__AVX__)
enum { LANES = 8, ROWS = BFLOAT16 ? 4 : 6 };
#elif defined(__aarch64__)
enum { LANES = 4, ROWS = 6 };
#else
enum { LANES = 4, ROWS = 3 };
#endif
enum { VECTORS = 4, PANEL = VECTORS * LANES }; /* A panel is as wide as the gates of LANES cells. */

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef uint32_t words __attribute__((vector_size(4 * LANES)));
typedef uint16_t halves __attribute__((vector_size(2 * LANES)));

#if BFLOAT16
typedef uint16_t item; /* An element of a matrix. */
enum { STEP = 2 };     /* Number of adjacent elements that a product takes at once. */
#else
typedef float item;
enum { STEP = 1 };
#endif

/* Vectors ------------------------------------------------------------------------------------ */

#define INLINE static inline __attribute__((always_inline))

/* Unroll the next loop, whose length the compiler knows: clang ignores GCC's pragma. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* A compiler leaves out that nothing is taken away; adding zero would change -0. */
INLINE vec all(float value) { return value - (vec){0}; }

INLINE vec load(const float *source) {
    vec value;
    memcpy(&value, source, sizeof value);
    return value;
}

INLINE void store(float *target, vec value) { memcpy(target, &value, sizeof value); }

/* Load or store the first `count` numbers of a vector, or all LANES if `count` is larger. */
INLINE vec load_some(const float *source, int64_t count) {
    if (count >= LANES) return load(source);
    vec value = {0};
    memcpy(&value, source, count * sizeof(float));
    return value;
}

INLINE void store_some(float *target, vec value, int64_t count) {
    if (count >= LANES) store(target, value); /* not a call of the C library */
    else memcpy(target, &value, count * sizeof(float));
}

#if BFLOAT16
INLINE vec load_items(const item *source, int64_t count) {
    halves value = {0};
    if (count >= LANES) memcpy(&value, source, sizeof value);
    else memcpy(&value, source, count * sizeof(item));
    return (vec)(__builtin_convertvector(value, words) << 16);
}

INLINE void store_items(item *target, vec value, int64_t count) {
    halves rounded;
#if defined(__AVX512BF16__)
    __m256bh packed = _mm512_cvtneps_pbh((__m512)value);
    memcpy(&rounded, &packed, sizeof rounded);
#else
    words bits = (words)value; /* rounds to nearest, ties to even; NaN stays NaN */
    words up = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    words number = (words)(value == value);
    rounded = __builtin_convertvector((up & number) | (((bits >> 16) | 0x40) & ~number), halves);
#endif
    if (count >= LANES) memcpy(target, &rounded, sizeof rounded);
    else memcpy(target, &rounded, count * sizeof(item));
}
#else
INLINE vec load_items(const item *source, int64_t count) { return load_some(source, count); }
INLINE void store_items(item *target, vec value, int64_t count) {
    store_some(target, value, count);
}
#endif

/* The smaller of two numbers, and the larger of two; NaN in `value` stays NaN. */
INLINE vec at_most(vec value, vec limit) {
#if defined(__AVX512F__)
    return (vec)_mm512_min_ps((__m512)limit, (__m512)value);
#else
    ints above = value > limit;
    return (vec)(((ints)limit & above) | ((ints)value & ~above));
#endif
}

INLINE vec at_least(vec value, vec limit) {
#if defined(__AVX512F__)
    return (vec)_mm512_max_ps((__m512)limit, (__m512)value);
#else
    ints below = value < limit;
    return (vec)(((ints)limit & below) | ((ints)value & ~below));
#endif
}

INLINE float total(vec value) {
    float parts[LANES], sum = 0.0f;
    memcpy(parts, &value, sizeof parts);
    for (int lane = 0; lane < LANES; lane++) sum += parts[lane];
    return sum;
}

INLINE vec reciprocal(vec value) {
#if defined(__AVX512F__)
    /* One step of Newton's method doubles the 14 correct bits. */
    vec guess = (vec)_mm512_rcp14_ps((__m512)value);
    return guess * (2.0f - value * guess);
#else
    return 1.0f / value;
#endif
}

/* e^x with a relative error below 2e-7; e^88 for x above 88, zero for x below -87.3. The polynomial
 * is that of expf in the Cephes library. */
INLINE vec exponential(vec x) {
    const vec magic = all(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer */
    const vec low = all(-87.3f);
    vec bounded = at_least(at_most(x, all(88.0f)), low);
    vec shifted = bounded * 1.44269504088896341f + magic;
    vec whole = shifted - magic;
    vec residual = bounded - whole * 0.693359375f;
    residual = residual + whole * 2.12194440e-4f;
    vec sum = all(1.9875691500e-4f);
    sum = sum * residual + 1.3981999507e-3f;
    sum = sum * residual + 8.3334519073e-3f;
    sum = sum * residual + 4.1665795894e-2f;
    sum = sum * residual + 1.6666665459e-1f;
    sum = sum * residual + 5.0000001201e-1f;
    sum = sum * residual * residual + residual + 1.0f;
    ints power = ((ints)shifted - (ints)magic + 127) << 23;
    return (vec)((ints)(sum * (vec)power) & ~(x < low));
}

INLINE vec logistic(vec x) { return reciprocal(1.0f + exponential(-x)); }

/* tanh x with a relative error below 5e-7, by the polynomials that Eigen uses. */
INLINE vec hyperbolic_tangent(vec x) {
    const vec limit = all(7.90531110763549805f);
    vec bounded = at_least(at_most(x, limit), -limit);
    vec square = bounded * bounded;
    vec numerator = all(-2.76076847742355e-16f);
    numerator = numerator * square + 2.00018790482477e-13f;
    numerator = numerator * square + -8.60467152213735e-11f;
    numerator = numerator * square + 5.12229709037114e-08f;
    numerator = numerator * square + 1.48572235717979e-05f;
    numerator = numerator * square + 6.37261928875436e-04f;
    numerator = numerator * square + 4.89352455891786e-03f;
    vec denominator = all(1.19825839466702e-06f);
    denominator = denominator * square + 1.18534705686654e-04f;
    denominator = denominator * square + 2.26843463243900e-03f;
    denominator = denominator * square + 4.89352518554385e-03f;
    return bounded * numerator * reciprocal(denominator);
}

INLINE int64_t even(int64_t count) { return (count + 1) / 2 * 2; }

INLINE int64_t padded(int64_t count) { return (count + LANES - 1) / LANES * LANES; }

/* Products (products.c) ---------------------------------------------------------------------- */

#define SHARED __attribute__((visibility("hidden"))) /* only among the files of the kernels */

/* Multiply `rows` rows of `left`, `stride` apart, by a panel of `vectors` vectors. Write the
 * result to `out`; if `add` is not 0, add the result to `out` instead. Meanwhile prefetch the first
 * quarter of a panel, `next`. */
SHARED void product(const item *left, int64_t stride, int64_t depth, const item *panel,
                    const item *next, float *out, int64_t out_stride, int add, int rows,
                    int vectors);

/* Multiply `left` (count, depth) by a packed matrix. Write the result (count, columns rounded
 * up to LANES) to `out`; if `add` is not 0, add the result to `out` instead. */
SHARED void multiply(const item *left, int64_t stride, int64_t count, int64_t depth,
                     const item *packed, int64_t columns, float *out, int64_t out_stride, int add);

/* The number of rows of the tile that begins at `row`; tiles divide the `count` rows evenly. */
INLINE int tile_rows(int64_t row, int64_t count) {
    int64_t tiles = (count - row + ROWS - 1) / ROWS;
    return (int)((count - row + tiles - 1) / tiles);
}

/* Call `function` for some rows of the batch in each thread, and return its failures. */
#define RUN(function, layer) \
    int64_t groups = (layer)->threads < (layer)->batch ? (layer)->threads : (layer)->batch; \
    int failed = 0; \
    _Pragma("omp parallel for schedule(static, 1) num_threads(groups) reduction(|:failed)") \
    for (int64_t group = 0; group < groups; group++) { \
        int64_t first = (layer)->batch * group / groups; \
        failed |= function(layer, first, (layer)->batch * (group + 1) / groups - first); \
    } \
    return failed;

/* The LSTM ----------------------------------------------------------------------------------- */

/* The places of input gate, forget gate, output gate and candidate among a cell's gates. */
#ifndef GATE_PLACES
#define GATE_PLACES {0, 1, 2, 3}
#endif
__attribute__((unused)) static const int PLACES[4] = GATE_PLACES;

/* Compute one step of LANES cells (the paper, eqs 7-11 without peepholes) and return their hidden
 * states. The activation functions of `gates` (input, forget and output gate, candidate) are
 * applied in place, and the cell states `cell` are updated in place. */
INLINE vec lstm_step(vec gates[4], vec *cell) {
    UNROLL
    for (int gate = 0; gate < 4; gate++)
        gates[gate] = gate < 3 ? logistic(gates[gate]) : hyperbolic_tangent(gates[gate]);
    *cell = gates[1] * *cell + gates[0] * gates[3];
    return gates[2] * hyperbolic_tangent(*cell);
}

/* Compute a step of LANES cells of a row, from `cell` on; `sums` are the gates' products. The other
 * pointers are to the row's biases and gates (4 size), cell states and hidden states (size);
 * `kept_gates` may be null. */
static __attribute__((noinline, unused)) void cells_forward(
    int64_t size, int64_t cell, const float *sums, const float *bias, const float *old_cells,
    float *new_cells, item *hidden, item *kept_gates) {
    const int64_t count = size - cell;
    vec gates[4];
    UNROLL
    for (int gate = 0; gate < 4; gate++)
        gates[gate] = load(sums + PLACES[gate] * LANES) +
                      load_some(bias + PLACES[gate] * size + cell, count);
    vec state = load_some(old_cells + cell, count), output = lstm_step(gates, &state);
    store_some(new_cells + cell, state, count);
    store_items(hidden + cell, output, count);
    for (int gate = 0; gate < 4 && kept_gates; gate++)
        store_items(kept_gates + PLACES[gate] * size + cell, gates[gate], count);
}

/* Compute the gradients of a row's gates before activation, clamped to +-`limit`, and of its cells
 * before the step, in place of those after it. `d_hidden` is the gradient of its hidden state. */
static __attribute__((noinline, unused)) void cells_backward(
    int64_t size, const item *gates, const float *old_cells, const float *new_cells,
    const float *d_hidden_row, float limit, float *d_cells, item *d_gates) {
    const vec bound = all(limit);
    for (int64_t cell = 0; cell < size; cell += LANES) {
        const int64_t count = size - cell;
        vec input_gate = load_items(gates + PLACES[0] * size + cell, count);
        vec forget_gate = load_items(gates + PLACES[1] * size + cell, count);
        vec output_gate = load_items(gates + PLACES[2] * size + cell, count);
        vec candidate = load_items(gates + PLACES[3] * size + cell, count);
        vec squashed = hyperbolic_tangent(load_some(new_cells + cell, count));
        vec d_hidden = load(d_hidden_row + cell);
        vec d_cell = load_some(d_cells + cell, count);
        d_cell = d_cell + d_hidden * output_gate * (1.0f - squashed * squashed);
        vec gradients[4] = {
            d_cell * candidate * input_gate * (1.0f - input_gate),
            d_cell * load_some(old_cells + cell, count) * forget_gate * (1.0f - forget_gate),
            d_hidden * squashed * output_gate * (1.0f - output_gate),
            d_cell * input_gate * (1.0f - candidate * candidate),
        };
        for (int gate = 0; gate < 4; gate++) {
            vec gradient = at_least(at_most(gradients[gate], bound), -bound);
            store_items(d_gates + PLACES[gate] * size + cell, gradient, count);
        }
        store_some(d_cells + cell, d_cell * forget_gate, count);
    }
}

/* The window --------------------------------------------------------------------------------- */

/* Whether all indices of `text` are in the vocabulary, and at least one place follows `text`. */
INLINE int valid_text(const int64_t *text, int64_t length, int64_t places, int64_t vocab_size) {
    if (length < 0 || length >= places) return 0;
    for (int64_t u = 0; u < length; u++)
        if (text[u] < 0 || text[u] >= vocab_size) return 0;
    return 1;
}

INLINE vec positions(int64_t place) {
    vec value;
    for (int lane = 0; lane < LANES; lane++) value[lane] = (float)(place + lane + 1);
    return value;
}

/* The maximum of kappa, which is about equally far from every character and has a finite square. */
static const float FARTHEST = 1e18f;

/* Move the window over one text by a step (the paper, eqs 46, 47, 49-51).
 *
 * `parameters` (3 components, padded) are products with the hidden state, which are replaced by
 * alpha, beta and the advance of kappa. `new_kappas` may be the same array as `old_kappas`. `phi`
 * and `window` have room for the padded places and the padded vocabulary. */
static inline void window_step(int64_t components, int64_t places, int64_t vocab_size,
                               const int64_t *text, int64_t length, const float *bias,
                               float *parameters, const float *old_kappas, float *new_kappas,
                               float *phi, float *window) {
    const float *alpha = parameters, *beta = alpha + components, *advance = beta + components;
    for (int64_t i = 0; i < 3 * components; i += LANES) {
        vec value = load(parameters + i) + load_some(bias + i, 3 * components - i);
        store(parameters + i, exponential(at_most(value, all(80.0f))));
    }
    memset(phi, 0, padded(places) * sizeof(float));
    for (int64_t k = 0; k < components; k++) {
        float kappa = old_kappas[k] + advance[k];
        new_kappas[k] = kappa = kappa > FARTHEST ? FARTHEST : kappa;
        for (int64_t u = 0; u < places; u += LANES) {
            vec offset = kappa - positions(u);
            vec gaussian = exponential(-beta[k] * (offset * offset));
            store(phi + u, load(phi + u) + alpha[k] * gaussian);
        }
    }
    memset(window, 0, padded(vocab_size) * sizeof(float));
    for (int64_t u = 0; u < length; u++) window[text[u]] += phi[u];
}
