/* Matrix products on a CPU of rows with packed weights.
 *
 * Packed weights are divided into panels, some columns each. A thread multiplies all its rows by a
 * panel while the panel is in the cache.
 */

#include "step.h"

#include <stdlib.h>
#if MATRIX_UNIT
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Return the number of floats in a vector; packed columns are padded to a multiple of LANES. */
int lanes(void) { return LANES; }

/* Pack a matrix of `depth` rows and `groups` times `columns` columns. Element (k, n) is
 * source[k * row_stride + n * column_stride]. A panel has PANEL columns, the same columns of each
 * group; the last panel is as narrow as whole vectors allow. A panel is stored row by row, except
 * that STEP rows, which are multiplied at once, are interleaved. Padding is zero. */
void pack(int64_t depth, int64_t groups, int64_t columns, const item *source, int64_t row_stride,
          int64_t column_stride, item *target) {
    const int64_t rows = (depth + STEP - 1) / STEP * STEP, group_width = PANEL / groups;
#pragma omp parallel for if (depth * groups * columns >= 1 << 18)
    for (int64_t first = 0; first < columns; first += group_width) {
        const int64_t width = columns - first < group_width ? padded(columns - first) : group_width;
        item *panel = target + first * groups * rows;
        /* Columns of one group at a time: those of all would share few places of the cache if their
         * distance is a power of two. */
        for (int64_t group = 0; group < groups; group++)
            for (int64_t k = 0; k < rows; k++)
                for (int64_t n = 0; n < width; n++) {
                    const int inside = k < depth && first + n < columns;
                    const int64_t column = group * columns + first + n;
                    panel[((k / STEP * groups + group) * width + n) * STEP + k % STEP] =
                        inside ? source[k * row_stride + column * column_stride] : (item)0;
                }
    }
}

#if BFLOAT16
typedef words operand; /* a pair of numbers in each lane */
INLINE operand spread(const item *left) {
    uint32_t pair;
    memcpy(&pair, left, sizeof pair);
    return (words){0} + pair;
}

INLINE vec multiply_add(vec sum, operand left, operand right) {
#if defined(__AVX512BF16__)
    return (vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)left, (__m512bh)right);
#else
    sum = sum + (vec)(left << 16) * (vec)(right << 16);
    return sum + (vec)(left & 0xffff0000u) * (vec)(right & 0xffff0000u);
#endif
}
#else
typedef vec operand;
INLINE operand spread(const item *left) { return all(*left); }

INLINE vec multiply_add(vec sum, operand left, operand right) {
#if defined(__AVX__) && defined(__FMA__) && !defined(__AVX512F__)
    /* GCC 12 fuses the two operations of the other branch in tiles of several rows, but not of one
     * row: the result of a row would depend on the other rows. */
    return (vec)_mm256_fmadd_ps((__m256)left, (__m256)right, (__m256)sum);
#else
    return sum + left * right;
#endif
}
#endif

enum { TILE_ROWS = ROWS < 6 ? ROWS : 6 };

/* The number of vectors of a tile: a processor with AVX2 alone has 16 registers. */
INLINE int tile_vectors(int rows) {
#if defined(__AVX__) && !defined(__AVX512F__)
    if (rows > ROWS / 2) return VECTORS / 2;
#endif
    return VECTORS;
}

/* Keep a vector in a register. GCC would load it anew for each product, and a processor loads no
 * more vectors in a cycle than it multiplies. */
INLINE operand held(operand vector) {
#if defined(__AVX__)
    __asm__("" : "+v"(vector));
#endif
    return vector;
}

INLINE operand load_weights(const item *source) {
    operand vector;
    memcpy(&vector, source, sizeof vector);
    return held(vector);
}

/* Multiply a tile of `rows` rows and `vectors` vectors of columns; see `product`. The rows of the
 * panel are `width` vectors wide. */
INLINE void tile(const item *left, int64_t stride, int64_t depth, const item *panel, int64_t width,
                 const item *next, float *out, int64_t out_stride, int add, const int rows,
                 const int vectors) {
    vec sums[TILE_ROWS][VECTORS];
    UNROLL
    for (int row = 0; row < rows; row++)
        UNROLL
        for (int v = 0; v < vectors; v++) sums[row][v] = (vec){0};
    for (int64_t k = 0; k < depth; k += STEP) {
        operand lefts[TILE_ROWS], weights[VECTORS];
        const item *source = panel + k * width * LANES;
        __builtin_prefetch(next + k * LANES, 0, 2);
#if defined(__AVX__)
        if (rows < vectors) { /* then the rows need fewer registers than the weights */
            UNROLL
            for (int row = 0; row < rows; row++) lefts[row] = held(spread(left + row * stride + k));
            UNROLL
            for (int v = 0; v < vectors; v++) {
                weights[v] = load_weights(source + v * STEP * LANES);
                UNROLL
                for (int row = 0; row < rows; row++)
                    sums[row][v] = multiply_add(sums[row][v], lefts[row], weights[v]);
            }
            continue;
        }
#endif
        UNROLL
        for (int v = 0; v < vectors; v++) weights[v] = load_weights(source + v * STEP * LANES);
        UNROLL
        for (int row = 0; row < rows; row++) {
            lefts[row] = held(spread(left + row * stride + k));
            UNROLL
            for (int v = 0; v < vectors; v++)
                sums[row][v] = multiply_add(sums[row][v], lefts[row], weights[v]);
        }
    }
    UNROLL
    for (int row = 0; row < rows; row++)
        UNROLL
        for (int v = 0; v < vectors; v++) {
            float *target = out + row * out_stride + v * LANES;
            store(target, add ? load(target) + sums[row][v] : sums[row][v]);
        }
}

#if MATRIX_UNIT
/* AMX multiplies a matrix (16, 32) of bfloat16 by a matrix (32, 16), in the time of about 16
 * vector operations. The rows of the second matrix are interleaved in pairs, as in a panel. If
 * there are more than 16 rows, two times two tiles of sums keep AMX busy. */
enum { SIDE = 16, DEEP = 2 * SIDE };

static int matrix_unit; /* whether the operating system lets this process use AMX */

__attribute__((constructor)) static void ask_for_matrix_unit(void) {
    enum { REQUEST = 0x1023, TILE_DATA = 18 }; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
    matrix_unit = syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
}

/* GCC 12 does not know that AMX instructions read memory: this completes all writes before them. */
#define READS(pointer) __asm__ volatile("" : : "r"(pointer) : "memory")

/* Tile 0 is the sums of the first 16 rows, for a vector of columns; tile 1, used if `wide`, for the
 * next vector. Tiles 2 and 3, used if `high`, are the same sums of the other rows. */
INLINE void matrix_columns(const item *left, int64_t stride, int64_t depth, const item *panel,
                           int64_t panel_stride, float *out, int64_t out_stride, int add,
                           int64_t rows, const int high, const int wide) {
    const int64_t bytes = stride * sizeof(item), step = panel_stride * sizeof(item);
    const int64_t out_bytes = out_stride * sizeof(float);
    float *lower_out = out + SIDE * out_stride;
    if (add) {
        _tile_loadd(0, out, out_bytes);
        if (wide) _tile_loadd(1, out + LANES, out_bytes);
        if (high) _tile_loadd(2, lower_out, out_bytes);
        if (high && wide) _tile_loadd(3, lower_out + LANES, out_bytes);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    int64_t k = 0;
#define MULTIPLY(left_, bytes_, panel_, step_) \
    _tile_loadd(4, left_, bytes_); \
    _tile_loadd(6, panel_, step_); \
    _tile_dpbf16ps(0, 4, 6); \
    if (wide) _tile_loadd(7, (panel_) + STEP * LANES, step_); \
    if (wide) _tile_dpbf16ps(1, 4, 7); \
    if (high) _tile_loadd(5, (left_) + SIDE * (bytes_) / (int64_t)sizeof(item), bytes_); \
    if (high) _tile_dpbf16ps(2, 5, 6); \
    if (high && wide) _tile_dpbf16ps(3, 5, 7);
    for (; k + DEEP <= depth; k += DEEP) {
        MULTIPLY(left + k, bytes, panel + k / STEP * panel_stride, step)
    }
    if (k < depth) { /* the remaining columns, padded with zeros */
        item lefts[2 * SIDE][DEEP] __attribute__((aligned(64))) = {{0}};
        item panels[SIDE][2 * STEP * LANES] __attribute__((aligned(64))) = {{0}};
        for (int64_t row = 0; row < rows; row++)
            memcpy(lefts[row], left + row * stride + k, (depth - k) * sizeof(item));
        for (int64_t pair = 0; pair < (depth - k + 1) / STEP; pair++)
            memcpy(panels[pair], panel + (k / STEP + pair) * panel_stride,
                   (1 + wide) * STEP * LANES * sizeof(item));
        READS(lefts);
        READS(panels);
        MULTIPLY(lefts[0], (int64_t)sizeof lefts[0], panels[0], (int64_t)sizeof panels[0])
    }
#undef MULTIPLY
    _tile_stored(0, out, out_bytes);
    if (wide) _tile_stored(1, out + LANES, out_bytes);
    if (high) _tile_stored(2, lower_out, out_bytes);
    if (high && wide) _tile_stored(3, lower_out + LANES, out_bytes);
}

static void matrix_product(const item *left, int64_t stride, int64_t depth, const item *panel,
                           float *out, int64_t out_stride, int add, int rows, int vectors) {
    const int high = rows > SIDE;
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } shapes __attribute__((aligned(64))) = {.palette = 1};
    for (int number = 0; number < 8; number++) {
        /* Tiles 0 and 1 are sums, 4 is `left`; of the rows from SIDE on 2 and 3 are sums, 5 is
         * `left`. Tiles 6 and 7 are the panel. */
        const int lower = number == 2 || number == 3 || number == 5;
        const int upper_rows = high ? SIDE : rows, lower_rows = high ? rows - SIDE : 1;
        shapes.bytes[number] = 64;
        shapes.rows[number] = number >= 6 ? SIDE : lower ? lower_rows : upper_rows;
    }
    READS(&shapes);
    READS(left);
    READS(panel);
    READS(out);
    _tile_loadconfig(&shapes);
    for (int v = 0; v < vectors; v += 2) {
        const item *columns = panel + v * STEP * LANES;
        const int64_t panel_stride = vectors * STEP * LANES;
        const int wide = v + 1 < vectors;
#define COLUMNS(high_, wide_) \
    matrix_columns(left, stride, depth, columns, panel_stride, out + v * LANES, out_stride, add, \
                   rows, high_, wide_)
        if (high && wide) COLUMNS(1, 1);
        else if (high) COLUMNS(1, 0);
        else if (wide) COLUMNS(0, 1);
        else COLUMNS(0, 0);
#undef COLUMNS
    }
    _tile_release();
}
#endif

#define TILE(rows, vectors) \
    case (rows) * 8 + (vectors): \
        if ((vectors) <= tile_vectors(rows)) \
            tile(left, stride, depth, panel, width, next, out, out_stride, add, rows, vectors); \
        break;
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3) TILE(rows, 4)

static void vector_product(const item *left, int64_t stride, int64_t depth, const item *panel,
                           int64_t width, const item *next, float *out, int64_t out_stride,
                           int add, int rows, int vectors) {
    switch (rows * 8 + vectors) {
        TILES(1) TILES(2) TILES(3)
#if defined(__AVX__) || defined(__aarch64__)
        TILES(4) TILES(5) TILES(6)
#endif
    }
}

void product(const item *left, int64_t stride, int64_t depth, const item *panel,
             const item *next, float *out, int64_t out_stride, int add, int rows, int vectors) {
#if MATRIX_UNIT
    if (matrix_unit) {
        matrix_product(left, stride, depth, panel, out, out_stride, add, rows, vectors);
        return;
    }
#endif
    for (int row = 0, height; row < rows; row += height) {
        height = rows - row < TILE_ROWS ? rows - row : TILE_ROWS;
        for (int v = 0, width; v < vectors; v += width) {
            width = vectors - v < tile_vectors(height) ? vectors - v : tile_vectors(height);
            vector_product(left + row * stride, stride, depth, panel + v * STEP * LANES, vectors,
                           next, out + row * out_stride + v * LANES, out_stride, add, height,
                           width);
        }
    }
}

void multiply(const item *left, int64_t stride, int64_t count, int64_t depth, const item *packed,
              int64_t columns, float *out, int64_t out_stride, int add) {
    for (int64_t first = 0; first < columns; first += PANEL) {
        int64_t vectors = (columns - first + LANES - 1) / LANES;
        if (vectors > VECTORS) vectors = VECTORS;
        const int64_t size = (depth + STEP - 1) / STEP * STEP * vectors * LANES;
        /* The tiles of a panel share the loading of the next panel. */
        const item *next = first + PANEL < columns ? packed + size : packed;
        for (int64_t row = 0, rows, tiles = 0; row < count; row += rows, tiles++) {
            rows = tile_rows(row, count);
            product(left + row * stride, stride, depth, packed, next + tiles % 4 * depth * LANES,
                    out + row * out_stride + first, out_stride, add, (int)rows, (int)vectors);
        }
        packed += size;
    }
}
