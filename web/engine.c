/* The kernels of model/layers/kernels in WebAssembly: what they need of a C library, and what a
 * recogniser needs besides them. `make web` compiles all into engine.wasm; engine.js calls it.
 *
 * Memory is a stack: what was allocated since `mark` is freed by `release`, all at once.
 */

#include "../model/layers/kernels/step.h"

#include <math.h>
#include <stdlib.h>

extern uint8_t __heap_base; /* the linker's */
static uintptr_t top;

/* Of any alignment up to 64 bytes; null where the browser gives no more memory. */
void *aligned_alloc(size_t alignment, size_t size) {
    enum { PAGE = 65536 };
    (void)alignment;
    if (!top) top = (uintptr_t)&__heap_base;
    const uint64_t start = ((uint64_t)top + 63) / 64 * 64, end = start + size;
    const uint64_t now = (uint64_t)__builtin_wasm_memory_size(0) * PAGE;
    const uint64_t pages = end > now ? (end - now + PAGE - 1) / PAGE : 0;
    if (pages > PAGE || __builtin_wasm_memory_grow(0, pages) == (size_t)-1) return 0;
    top = (uintptr_t)end;
    return (void *)(uintptr_t)start;
}

void *malloc(size_t size) { return aligned_alloc(64, size); }

void *calloc(size_t count, size_t size) {
    void *space = malloc(count * size);
    return space ? memset(space, 0, count * size) : 0;
}

void free(void *pointer) { (void)pointer; }

uintptr_t mark(void) { return top; }

void release(uintptr_t marked) { top = marked; }

/* Of positive numbers: relative error below 3e-7. The polynomial is that of the Cephes library. */
float logf(float value) {
    union {
        float number;
        uint32_t bits;
    } mantissa = {value};
    int exponent = (int)(mantissa.bits >> 23) - 126;
    mantissa.bits = (mantissa.bits & 0x7fffffu) | 0x3f000000u; /* in [0.5, 1) */
    float x = mantissa.number;
    if (x < 0.707106781186547524f) exponent--, x += x;
    x -= 1.0f;
    static const float factors[] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                                    -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                                    2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
    float sum = 0.0f;
    for (int i = 0; i < 9; i++) sum = sum * x + factors[i];
    sum = sum * x * x * x - 0.5f * x * x;
    return (x + (sum - 2.12194440e-4f * exponent)) + 0.693359375f * exponent;
}

/* out (rows, columns padded) = left (rows, depth), of which each row is `stride` after the one
 * before, times a packed matrix, plus a bias, itself padded. A convolution is that, with rows that
 * overlap. */
void linear(const float *left, int stride, int rows, int depth, const float *packed,
            const float *bias, int columns, float *out) {
    const int64_t width = padded(columns);
    multiply(left, stride, rows, depth, packed, columns, out, width, 0);
    for (int64_t row = 0; row < rows; row++)
        for (int64_t n = 0; n < width; n += LANES)
            store(out + row * width + n, load(out + row * width + n) + load(bias + n));
}

/* x Phi(x) of numbers, padded, in their place. Phi by the error function's approximation 7.1.26 of
 * Abramowitz and Stegun, whose absolute error is below 1.5e-7. */
void gelu(float *values, int count) {
    for (int i = 0; i < count; i += LANES) {
        vec x = load(values + i), size = at_least(x, -x) * 0.707106781186547524f;
        vec t = 1.0f / (1.0f + 0.3275911f * size), sum = all(1.061405429f);
        sum = sum * t - 1.453152027f;
        sum = sum * t + 1.421413741f;
        sum = sum * t - 0.284496736f;
        sum = sum * t + 0.254829592f;
        vec beyond = 0.5f * sum * t * exponential(-size * size); /* of the normal distribution */
        ints negative = x < 0.0f;
        vec phi = (vec)(((ints)beyond & negative) | ((ints)(1.0f - beyond) & ~negative));
        store(values + i, x * phi);
    }
}

/* Turn outputs (rows, columns padded) into log-probabilities, in their place. */
void log_softmax(float *values, int rows, int columns) {
    for (float *row = values; rows--; row += padded(columns)) {
        float largest = row[0];
        for (int n = 1; n < columns; n++) largest = row[n] > largest ? row[n] : largest;
        vec sum = {0};
        for (int n = 0; n < columns; n += LANES) {
            vec shifted = load(row + n) - largest;
            store(row + n, shifted);
            vec inside = (vec)((ints)exponential(shifted) & (positions(n) <= (float)columns));
            sum += inside;
        }
        const float log_sum = logf(total(sum));
        for (int n = 0; n < columns; n++) row[n] -= log_sum;
    }
}
