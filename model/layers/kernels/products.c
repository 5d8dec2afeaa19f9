/* Matrix products on a CPU, of packed weights and over all rows of two matrices.
 *
 * A panel is the columns that one tile of a product sums up in registers: it is used for all rows
 * of a thread while it lies in the cache.
 */

#include "step.h"

#include <stdlib.h>

/* Numbers a vector holds: packed columns are padded to this. */
int lanes(void) { return LANES; }

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

void product(const item *left, int64_t stride, int64_t depth, const item *panel, float *out,
             int64_t out_stride, int add, int rows, int vectors) {
    switch (rows * 8 + vectors) {
        TILES(1) TILES(2) TILES(3)
#if defined(__AVX512F__) || defined(__aarch64__)
        TILES(4) TILES(5) TILES(6)
#endif
    }
}

void multiply(const item *left, int64_t stride, int64_t count, int64_t depth, const item *packed,
              int64_t columns, float *out, int64_t out_stride, int add) {
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
