/* An LSTM layer, with or without a window over a text, run over a whole sequence on a CPU.
 *
 * Compiled when first needed, see build.py; lstm.py calls it and says what each tensor holds.
 * Matrix products are of float32, or (-DBFLOAT16=1) of bfloat16 summed up in float32; everything
 * else is float32.
 *
 * How it is fast: the rows of a batch do not depend on each other, so each thread takes some of
 * them through the whole sequence and never waits for another. Weights are packed once a call, in
 * panels of the columns that one tile of a product sums up in registers; a panel is used for all
 * rows of a thread while it lies in the cache. The functions that squash are polynomials over
 * whole vectors.
 *
 * Each sum is taken in one order, whatever the other rows and however many threads there are: the
 * result of a row is the same bit for bit in every batch.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__AVX512F__) || (defined(__AVX__) && defined(__FMA__))
#include <immintrin.h>
#endif

/* Numbers a vector holds, and rows of a tile: as many sums as the registers hold. */
#if defined(__AVX512F__)
enum { LANES = 16, ROWS = 6 };
#elif defined(__AVX__)
enum { LANES = 8, ROWS = 3 };
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
typedef uint16_t item; /* An element of a product; */
enum { STEP = 2 };     /* a product takes this many at once, which lie side by side. */
#else
typedef float item;
enum { STEP = 1 };
#endif

typedef struct {
    int64_t steps, batch, size, inputs, letters, components, places, threads;
    /* Width of a row of `joint`, even: hidden state, window, inputs, and what lstm.py adds. */
    int64_t width;
    /* Where the rows of the gates lie: those of input, forget, output, candidate. */
    int64_t order[4];
    float bound; /* of the gradient of the gates; infinite if there is none */
    const float *bias, *window_bias;
    const item *weights, *window_weights;                   /* packed for forward */
    const item *weights_backward, *window_weights_backward; /* packed for backward */
    const int64_t *text, *text_lengths;
    int64_t text_stride;
    item *joint;
    item *gates; /* squashed; or null */
    /* What backward needs of every step, or (step length 0) a state that is overwritten. */
    float *cells, *kappas, *exponentials, *phis;
    int64_t cells_step, kappas_step;
    /* Gradients. */
    const item *d_hiddens, *d_windows;
    int64_t d_hiddens_step, d_hiddens_row, d_windows_step, d_windows_row;
    item *d_inputs; /* or null */
    item *d_gates, *d_parameters; /* the latter in rows of even width, padded with zero */
    float *d_cell, *d_kappa, *d_joint;
} Layer;

/* Vectors ------------------------------------------------------------------------------------ */

#define INLINE static inline __attribute__((always_inline))

INLINE vec all(float value) { return (vec){0} + value; }

INLINE vec load(const float *source) {
    vec value;
    memcpy(&value, source, sizeof value);
    return value;
}

INLINE void store(float *target, vec value) { memcpy(target, &value, sizeof value); }

INLINE vec load_some(const float *source, int64_t count) {
    if (count >= LANES) return load(source);
    vec value = {0};
    memcpy(&value, source, count * sizeof(float));
    return value;
}

INLINE void store_some(float *target, vec value, int64_t count) {
    memcpy(target, &value, (count < LANES ? count : LANES) * sizeof(float));
}

#if BFLOAT16
INLINE float widen(item value) {
    uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

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
    words bits = (words)value; /* to nearest, ties to even; what is not a number stays that */
    words up = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    words number = (words)(value == value);
    rounded = __builtin_convertvector((up & number) | (((bits >> 16) | 0x40) & ~number), halves);
#endif
    if (count >= LANES) memcpy(target, &rounded, sizeof rounded);
    else memcpy(target, &rounded, count * sizeof(item));
}
#else
INLINE float widen(item value) { return value; }
INLINE vec load_items(const item *source, int64_t count) { return load_some(source, count); }
INLINE void store_items(item *target, vec value, int64_t count) {
    store_some(target, value, count);
}
#endif

/* The smaller and the larger; what is not a number in `value` stays that. */
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
    /* 14 bits, doubled by one step of Newton's method. */
    vec guess = (vec)_mm512_rcp14_ps((__m512)value);
    return guess * (2.0f - value * guess);
#else
    return 1.0f / value;
#endif
}

/* e^x: relative error below 2e-7; above 88 that of 88, below -87.3 zero. The polynomial is that of
 * the Cephes library's expf. */
INLINE vec exponential(vec x) {
    const vec magic = all(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer */
    const vec low = all(-87.3f);
    vec bounded = at_least(at_most(x, all(88.0f)), low);
    vec shifted = bounded * 1.44269504088896341f + magic;
    vec whole = shifted - magic;
    vec rest = bounded - whole * 0.693359375f;
    rest = rest + whole * 2.12194440e-4f;
    vec sum = all(1.9875691500e-4f);
    sum = sum * rest + 1.3981999507e-3f;
    sum = sum * rest + 8.3334519073e-3f;
    sum = sum * rest + 4.1665795894e-2f;
    sum = sum * rest + 1.6666665459e-1f;
    sum = sum * rest + 5.0000001201e-1f;
    sum = sum * rest * rest + rest + 1.0f;
    ints power = ((ints)shifted - (ints)magic + 127) << 23;
    return (vec)((ints)(sum * (vec)power) & ~(x < low));
}

INLINE vec logistic(vec x) { return reciprocal(1.0f + exponential(-x)); }

/* Relative error below 5e-7: the quotient of polynomials that Eigen uses. */
INLINE vec hyperbolic_tangent(vec x) {
    const vec limit = all(7.90531110763549805f);
    vec bounded = at_least(at_most(x, limit), -limit);
    vec square = bounded * bounded;
    vec above = all(-2.76076847742355e-16f);
    above = above * square + 2.00018790482477e-13f;
    above = above * square + -8.60467152213735e-11f;
    above = above * square + 5.12229709037114e-08f;
    above = above * square + 1.48572235717979e-05f;
    above = above * square + 6.37261928875436e-04f;
    above = above * square + 4.89352455891786e-03f;
    vec below = all(1.19825839466702e-06f);
    below = below * square + 1.18534705686654e-04f;
    below = below * square + 2.26843463243900e-03f;
    below = below * square + 4.89352518554385e-03f;
    return bounded * above * reciprocal(below);
}

/* For the tests. */
void evaluate(int64_t count, const float *x, float *exponentials, float *logistics,
              float *tangents) {
    for (int64_t i = 0; i < count; i += LANES) {
        vec value = load_some(x + i, count - i);
        store_some(exponentials + i, exponential(value), count - i);
        store_some(logistics + i, logistic(value), count - i);
        store_some(tangents + i, hyperbolic_tangent(value), count - i);
    }
}

/* Products ----------------------------------------------------------------------------------- */

/* Pack a matrix (depth, columns), of which element (k, n) is source[n's offset + k * stride], or
 * zero where the offset is negative: panels of PANEL columns (the last one as narrow as whole
 * vectors allow), in a panel row by row, and the rows that are multiplied at once interleaved. */
void pack(int64_t depth, int64_t columns, const int64_t *offsets, int64_t stride,
          const item *source, item *target) {
    int64_t padded = (depth + STEP - 1) / STEP * STEP;
    for (int64_t first = 0; first < columns; first += PANEL) {
        int64_t width = columns - first < PANEL ? columns - first : PANEL;
        for (int64_t k = 0; k < padded; k++)
            for (int64_t n = 0; n < width; n++) {
                int64_t offset = offsets[first + n];
                int inside = offset >= 0 && k < depth;
                target[(k / STEP * width + n) * STEP + k % STEP] =
                    inside ? source[offset + k * stride] : (item)0;
            }
        target += padded * width;
    }
}

#if BFLOAT16
typedef words weight_vector;
INLINE vec multiply_add(vec sum, const item *left, words right) {
    uint32_t pair;
    memcpy(&pair, left, sizeof pair);
#if defined(__AVX512BF16__)
    return (vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)((words){0} + pair), (__m512bh)right);
#else
    sum = sum + (vec)((words){0} + (pair << 16)) * (vec)(right << 16);
    return sum + (vec)((words){0} + (pair & 0xffff0000u)) * (vec)(right & 0xffff0000u);
#endif
}
#else
typedef vec weight_vector;
INLINE vec multiply_add(vec sum, const item *left, vec right) {
#if defined(__AVX__) && defined(__FMA__) && !defined(__AVX512F__)
    /* Said outright: GCC 12 fuses the two in tiles of several rows, but not in those of one, and a
     * line by itself would come out otherwise than among others. */
    return (vec)_mm256_fmadd_ps(_mm256_set1_ps(*left), (__m256)right, (__m256)sum);
#else
    return sum + *left * right;
#endif
}
#endif

/* `rows` rows of `left` (each `stride` apart) times a panel of `vectors` vectors, into `out` or
 * added to it. */
INLINE void tile(const item *left, int64_t stride, int64_t depth, const item *panel, float *out,
                 int64_t out_stride, int add, const int rows, const int vectors) {
    vec sums[ROWS][VECTORS];
#pragma GCC unroll 8
    for (int row = 0; row < rows; row++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) sums[row][v] = (vec){0};
    for (int64_t k = 0; k < depth; k += STEP) {
        weight_vector weights[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            memcpy(&weights[v], panel + (k * vectors + v * STEP) * LANES, sizeof weights[v]);
#pragma GCC unroll 8
        for (int row = 0; row < rows; row++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                sums[row][v] = multiply_add(sums[row][v], left + row * stride + k, weights[v]);
    }
#pragma GCC unroll 8
    for (int row = 0; row < rows; row++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            float *target = out + row * out_stride + v * LANES;
            store(target, add ? load(target) + sums[row][v] : sums[row][v]);
        }
}

#define TILE(rows, vectors) \
    case (rows) * 8 + (vectors): \
        tile(left, stride, depth, panel, out, out_stride, add, rows, vectors); \
        break;
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3) TILE(rows, 4)

static void product(const item *left, int64_t stride, int64_t depth, const item *panel, float *out,
                    int64_t out_stride, int add, int rows, int vectors) {
    switch (rows * 8 + vectors) {
        TILES(1) TILES(2) TILES(3)
#if defined(__AVX512F__) || defined(__aarch64__)
        TILES(4) TILES(5) TILES(6)
#endif
    }
}

/* Rows of the tile at `row`, of `count` rows shared out evenly. */
static int tile_rows(int64_t row, int64_t count) {
    int64_t tiles = (count - row + ROWS - 1) / ROWS;
    return (int)((count - row + tiles - 1) / tiles);
}

/* left (count, depth) times a packed matrix, into `out` (count, columns rounded up to LANES) or
 * added to it. */
static void multiply(const item *left, int64_t stride, int64_t count, int64_t depth,
                     const item *packed, int64_t columns, float *out, int64_t out_stride, int add) {
    for (int64_t first = 0; first < columns; first += PANEL) {
        int64_t vectors = (columns - first + LANES - 1) / LANES;
        if (vectors > VECTORS) vectors = VECTORS;
        for (int64_t row = 0, rows; row < count; row += rows) {
            rows = tile_rows(row, count);
            product(left + row * stride, stride, depth, packed, out + row * out_stride + first,
                    out_stride, add, (int)rows, (int)vectors);
        }
        packed += (depth + STEP - 1) / STEP * STEP * vectors * LANES;
    }
}

static int64_t even(int64_t count) { return (count + 1) / 2 * 2; }

static int64_t padded(int64_t count) { return (count + LANES - 1) / LANES * LANES; }

enum { DEPTH = 1024 / sizeof(item) }; /* rows of a block: a panel of them stays in the cache */

/* Pack `count` rows (at most DEPTH) of the columns from `first` on of a matrix of `columns`. */
static void pack_block(const item *source, int64_t stride, int64_t count, int64_t columns,
                       int64_t first, item *target) {
    const int64_t width = columns - first < PANEL ? padded(columns - first) : PANEL;
    for (int64_t k = 0; k < count; k += STEP)
        for (int64_t n = 0; n < width; n += LANES, target += STEP * LANES) {
            const item *row = source + k * stride + first + n;
#if BFLOAT16
            words low = (words)load_items(row, columns - first - n) >> 16, high = {0};
            if (k + 1 < count) high = (words)load_items(row + stride, columns - first - n);
            words pairs = low | high;
            memcpy(target, &pairs, sizeof pairs);
#else
            store(target, load_some(row, columns - first - n));
#endif
        }
}

/* The product below, by one thread. */
static int gather_columns(int64_t count, int64_t m, int64_t left_stride, const item *left,
                          int64_t n, int64_t right_stride, const item *right, float *out) {
    item *panel = aligned_alloc(64, (PANEL + m) * DEPTH * sizeof(item));
    if (!panel) return 1;
    item *turned = panel + PANEL * DEPTH;
    for (int64_t block = 0; block < count; block += DEPTH) {
        const int64_t rows = count - block < DEPTH ? count - block : DEPTH;
        for (int64_t start = 0; start < m; start += LANES) {
            const int64_t stop = start + LANES < m ? start + LANES : m;
            for (int64_t k = 0; k < rows; k++)
                for (int64_t i = start; i < stop; i++)
                    turned[i * DEPTH + k] = left[(block + k) * left_stride + i];
            for (int64_t i = start; i < stop && rows % STEP; i++) turned[i * DEPTH + rows] = 0;
        }
        for (int64_t first = 0; first < n; first += PANEL) {
            pack_block(right + block * right_stride, right_stride, rows, n, first, panel);
            multiply(turned, DEPTH, m, rows, panel, n - first < PANEL ? n - first : PANEL,
                     out + first, padded(n), block > 0);
        }
    }
    free(panel);
    return 0;
}

/* The product over all rows, out (m, n rounded up to LANES): transpose of left (count, m) times
 * right (count, n). Returns 1 if there is no memory. Threads share the columns of `left`; each
 * packs `right` for itself, which costs less than to wait for each other. */
int gather(int64_t count, int64_t m, int64_t left_stride, const item *left, int64_t n,
           int64_t right_stride, const item *right, float *out, int64_t threads) {
    const int64_t tiles = (m + ROWS - 1) / ROWS, groups = threads < tiles ? threads : tiles;
    int failed = 0;
#pragma omp parallel for schedule(static, 1) num_threads(groups) reduction(| : failed)
    for (int64_t group = 0; group < groups; group++) {
        const int64_t first = m * group / groups, last = m * (group + 1) / groups;
        failed |= gather_columns(count, last - first, left_stride, left + first, n, right_stride,
                                 right, out + first * padded(n));
    }
    return failed;
}

/* The layer ---------------------------------------------------------------------------------- */

/* Gates, cell and hidden state of the cells from `cell` on, for one row (the paper, eqs 7-11
 * without peepholes). `sums` are the products of the four gates. */
static __attribute__((noinline)) void squash(const Layer *layer, int64_t step, int64_t row,
                                             int64_t cell, const float *sums) {
    const int64_t size = layer->size, count = size - cell;
    item *gates = layer->gates;
    if (gates) gates += (step * layer->batch + row) * 4 * size + cell;
    vec values[4];
#pragma GCC unroll 4
    for (int gate = 0; gate < 4; gate++) {
        int64_t place = layer->order[gate] * size;
        vec value = load(sums + gate * LANES) + load_some(layer->bias + place + cell, count);
        values[gate] = gate < 3 ? logistic(value) : hyperbolic_tangent(value);
        if (gates) store_items(gates + place, values[gate], count);
    }
    float *before = layer->cells + step * layer->cells_step + row * size + cell;
    vec next = values[1] * load_some(before, count) + values[0] * values[3];
    store_some(before + layer->cells_step, next, count);
    item *hidden = layer->joint + ((step + 1) * layer->batch + row) * layer->width + cell;
    store_items(hidden, values[2] * hyperbolic_tangent(next), count);
}

static vec positions(int64_t place) {
    vec value;
    for (int lane = 0; lane < LANES; lane++) value[lane] = (float)(place + lane + 1);
    return value;
}

/* What lies beyond is the same to every letter, and its square stays finite. */
static const float FARTHEST = 1e18f;

/* Move the window of one row (the paper, eqs 46, 47, 49-51). `sums` holds the products of the
 * window's parameters and is overwritten; `phi` has room for the padded places. */
static __attribute__((noinline)) void move_window(const Layer *layer, int64_t step, int64_t row,
                                                  float *sums, float *phi, float *window) {
    const int64_t components = layer->components, places = layer->places, all_ = 3 * components;
    for (int64_t i = 0; i < all_; i += LANES) {
        vec value = load(sums + i) + load_some(layer->window_bias + i, all_ - i);
        store(sums + i, exponential(at_most(value, all(80.0f))));
    }
    if (layer->exponentials)
        memcpy(layer->exponentials + (step * layer->batch + row) * all_, sums,
               all_ * sizeof(float));
    float *before = layer->kappas + step * layer->kappas_step + row * components;
    float *kappas = before + layer->kappas_step;
    memset(phi, 0, padded(places) * sizeof(float));
    for (int64_t k = 0; k < components; k++) {
        float kappa = before[k] + sums[2 * components + k];
        kappas[k] = kappa = kappa > FARTHEST ? FARTHEST : kappa;
        for (int64_t u = 0; u < places; u += LANES) {
            vec offset = kappa - positions(u);
            vec bell = exponential(-sums[components + k] * (offset * offset));
            store(phi + u, load(phi + u) + sums[k] * bell);
        }
    }
    memcpy(layer->phis + (step * layer->batch + row) * places, phi, places * sizeof(float));
    memset(window, 0, padded(layer->letters) * sizeof(float));
    const int64_t *text = layer->text + row * layer->text_stride;
    for (int64_t u = 0; u < layer->text_lengths[row]; u++) window[text[u]] += phi[u];
    item *target = layer->joint + ((step + 1) * layer->batch + row) * layer->width + layer->size;
    for (int64_t a = 0; a < layer->letters; a += LANES)
        store_items(target + a, load(window + a), layer->letters - a);
}

static int forward_rows(const Layer *layer, int64_t first, int64_t count) {
    for (int64_t row = first; row < first + count && layer->components; row++) {
        const int64_t *text = layer->text + row * layer->text_stride;
        const int64_t length = layer->text_lengths[row];
        if (length < 0 || length >= layer->places) return 2;
        for (int64_t u = 0; u < length; u++)
            if (text[u] < 0 || text[u] >= layer->letters) return 2;
    }
    const int64_t size = layer->size, width = layer->width, parameters = 3 * layer->components;
    const int64_t blocks = padded(size) / LANES;
    const int64_t wide = padded(parameters);
    float *space = aligned_alloc(
        64, (padded(layer->places) + padded(layer->letters) + count * wide + 16) / 16 * 64);
    if (!space) return 1;
    float *phi = space, *window = phi + padded(layer->places);
    float *sums = window + padded(layer->letters);
    float gates[ROWS * PANEL] __attribute__((aligned(64)));
    for (int64_t step = 0; step < layer->steps; step++) {
        const item *joint = layer->joint + (step * layer->batch + first) * width;
        for (int64_t block = 0; block < blocks; block++) {
            const item *panel = layer->weights + block * width * PANEL;
            for (int64_t row = 0, rows; row < count; row += rows) {
                rows = tile_rows(row, count);
                product(joint + row * width, width, width, panel, gates, PANEL, 0, (int)rows,
                        VECTORS);
                for (int64_t i = 0; i < rows; i++)
                    squash(layer, step, first + row + i, block * LANES, gates + i * PANEL);
            }
        }
        if (!layer->components) continue;
        multiply(joint + layer->batch * width, width, count, size, layer->window_weights,
                 parameters, sums, wide, 0);
        for (int64_t row = 0; row < count; row++)
            move_window(layer, step, first + row, sums + row * wide, phi, window);
    }
    free(space);
    return 0;
}

/* Gradients of the window's parameters for one row (the paper, eqs 56-60). `d_window` is that of
 * the window; `d_letters` has room for the padded places. */
static __attribute__((noinline)) void window_backward(const Layer *layer, int64_t step,
                                                      int64_t row, const float *d_window,
                                                      float *d_letters, float *d_parameters) {
    const int64_t components = layer->components, places = layer->places, all_ = 3 * components;
    const float *exponentials = layer->exponentials + (step * layer->batch + row) * all_;
    const float *kappas = layer->kappas + (step + 1) * layer->kappas_step + row * components;
    const int64_t *text = layer->text + row * layer->text_stride;
    const int64_t length = layer->text_lengths[row];
    memset(d_letters, 0, padded(places) * sizeof(float));
    for (int64_t u = 0; u < length; u++) d_letters[u] = d_window[text[u]];
    for (int64_t k = 0; k < components; k++) {
        float alpha = exponentials[k], beta = exponentials[components + k];
        vec sum = {0}, squares = {0}, offsets = {0};
        for (int64_t u = 0; u < length; u += LANES) {
            vec offset = positions(u) - kappas[k], square = offset * offset;
            vec epsilon = alpha * exponential(-beta * square) * load(d_letters + u); /* eq. 56 */
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
    const int64_t width = even(all_);
    item *target = layer->d_parameters + (step * layer->batch + row) * width;
    for (int64_t i = 0; i < width; i += LANES)
        store_items(target + i, load(d_parameters + i), width - i);
}

/* Gradients of the gates before squashing and of the cells before the step, for one row.
 * `d_hidden` is that of the hidden state. */
static __attribute__((noinline)) void squash_backward(const Layer *layer, int64_t step,
                                                      int64_t row, const float *d_hidden) {
    const int64_t size = layer->size;
    const item *gates = layer->gates + (step * layer->batch + row) * 4 * size;
    item *d_gates = layer->d_gates + (step * layer->batch + row) * 4 * size;
    const float *before = layer->cells + step * layer->cells_step + row * size;
    const float *after = before + layer->cells_step;
    float *d_cells = layer->d_cell + row * size;
    const int64_t *order = layer->order;
    const vec bound = all(layer->bound);
    for (int64_t cell = 0; cell < size; cell += LANES) {
        const int64_t count = size - cell;
        vec entry = load_items(gates + order[0] * size + cell, count);
        vec forget = load_items(gates + order[1] * size + cell, count);
        vec exit_ = load_items(gates + order[2] * size + cell, count);
        vec candidate = load_items(gates + order[3] * size + cell, count);
        vec squashed = hyperbolic_tangent(load_some(after + cell, count));
        vec d_exit = load(d_hidden + cell);
        vec d_cell = load_some(d_cells + cell, count);
        d_cell = d_cell + d_exit * exit_ * (1.0f - squashed * squashed);
        vec slopes[4] = {
            d_cell * candidate * entry * (1.0f - entry),
            d_cell * load_some(before + cell, count) * forget * (1.0f - forget),
            d_exit * squashed * exit_ * (1.0f - exit_),
            d_cell * entry * (1.0f - candidate * candidate),
        };
        for (int gate = 0; gate < 4; gate++) {
            vec slope = at_least(at_most(slopes[gate], bound), -bound);
            store_items(d_gates + order[gate] * size + cell, slope, count);
        }
        store_some(d_cells + cell, d_cell * forget, count);
    }
}

static int backward_rows(const Layer *layer, int64_t first, int64_t count) {
    const int64_t size = layer->size, batch = layer->batch, parameters = 3 * layer->components;
    const int64_t seen = size + layer->letters; /* of the joint, has a gradient that is carried */
    const int64_t inputs = layer->inputs, columns = seen + (layer->d_inputs ? inputs : 0);
    const int64_t wide = padded(columns), high = padded(size);
    /* The gradient of the joint, then of the hidden state, then what the window needs. */
    const int64_t needed = count * (wide + high) + padded(layer->letters) + padded(layer->places);
    float *space = aligned_alloc(64, (needed + padded(parameters) + 16) / 16 * 64);
    if (!space) return 1;
    float *d_joint = space, *d_hidden = d_joint + count * wide;
    float *d_window = d_hidden + count * high, *d_letters = d_window + padded(layer->letters);
    float *d_parameters = d_letters + padded(layer->places);
    memset(d_joint, 0, count * wide * sizeof(float));
    memset(d_parameters, 0, padded(parameters) * sizeof(float));
    for (int64_t step = layer->steps - 1; step >= 0; step--) {
        if (parameters) {
            for (int64_t row = 0; row < count; row++) {
                const float *carried = d_joint + row * wide + size;
                const item *given = layer->d_windows + step * layer->d_windows_step +
                                    (first + row) * layer->d_windows_row;
                for (int64_t a = 0; a < layer->letters; a++)
                    d_window[a] = carried[a] + widen(given[a]);
                window_backward(layer, step, first + row, d_window, d_letters, d_parameters);
            }
            multiply(layer->d_parameters + (step * batch + first) * even(parameters),
                     even(parameters), count, parameters, layer->window_weights_backward, size,
                     d_hidden, high, 0);
        } else {
            memset(d_hidden, 0, count * high * sizeof(float));
        }
        for (int64_t row = 0; row < count; row++) {
            const item *given = layer->d_hiddens + step * layer->d_hiddens_step +
                                (first + row) * layer->d_hiddens_row;
            float *target = d_hidden + row * high;
            for (int64_t cell = 0; cell < size; cell += LANES)
                store(target + cell, load(target + cell) + load(d_joint + row * wide + cell) +
                                         load_items(given + cell, size - cell));
            squash_backward(layer, step, first + row, target);
        }
        multiply(layer->d_gates + (step * batch + first) * 4 * size, 4 * size, count, 4 * size,
                 layer->weights_backward, columns, d_joint, wide, 0);
        for (int64_t row = 0; row < count && layer->d_inputs; row++)
            for (int64_t i = 0; i < inputs; i += LANES)
                store_items(layer->d_inputs + (step * batch + first + row) * inputs + i,
                            load_some(d_joint + row * wide + seen + i, inputs - i), inputs - i);
    }
    for (int64_t row = 0; row < count; row++)
        memcpy(layer->d_joint + (first + row) * seen, d_joint + row * wide, seen * sizeof(float));
    free(space);
    return 0;
}

/* Both return 0; or 1 where there is no memory, 2 where the text is none of the alphabet. */

#define RUN(function) \
    int64_t groups = layer->threads < layer->batch ? layer->threads : layer->batch; \
    int failed = 0; \
    _Pragma("omp parallel for schedule(static, 1) num_threads(groups) reduction(|:failed)") \
    for (int64_t group = 0; group < groups; group++) { \
        int64_t first = layer->batch * group / groups; \
        failed |= function(layer, first, layer->batch * (group + 1) / groups - first); \
    } \
    return failed;

int forward(const Layer *layer) { RUN(forward_rows) }

int backward(const Layer *layer) { RUN(backward_rows) }

/* Numbers a vector holds: packed columns are padded to this. */
int lanes(void) { return LANES; }
