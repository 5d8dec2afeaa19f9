/* Supplements the kernels of model/layers/kernels in WebAssembly: the functions of a C library that
 * they call, and the linear layer of a recogniser. `make web` compiles all into engine.wasm.
 *
 * Memory is a stack: `release` frees all memory that was allocated since a `mark`. */

#include "../../model/layers/kernels/step.h"

#include <stdlib.h>

enum { PAGE = 65536 };   /* bytes of a page of WebAssembly's memory */
extern char __heap_base; /* defined by the linker */
static char *top = &__heap_base;

/* Allocate memory, aligned to 64 bytes; return null if the browser gives no more memory. */
void *aligned_alloc(size_t alignment, size_t size) {
    (void)alignment;
    const uint64_t start = ((uintptr_t)top + 63) / 64 * 64, end = start + size;
    const uint64_t present = (uint64_t)__builtin_wasm_memory_size(0) * PAGE;
    const uint64_t pages = end > present ? (end - present + PAGE - 1) / PAGE : 0;
    if (pages > PAGE || __builtin_wasm_memory_grow(0, pages) == (size_t)-1) return 0;
    top = (char *)(uintptr_t)end;
    return (char *)(uintptr_t)start;
}

void *malloc(size_t size) { return aligned_alloc(64, size); }
void free(void *pointer) { (void)pointer; }
void *calloc(size_t count, size_t size) {
    void *space = malloc(count * size);
    return space ? memset(space, 0, count * size) : 0;
}

char *mark(void) { return top; }
void release(char *marked) { top = marked; }

/* out (rows, columns padded) = left (rows, depth) times a packed matrix (depth, columns), plus a
 * bias (columns padded). Rows of `left` begin `stride` numbers apart, and may overlap. */
void linear(const float *left, int stride, int rows, int depth, const float *packed,
            const float *bias, int columns, float *out) {
    const int64_t width = padded(columns);
    multiply(left, stride, rows, depth, packed, columns, out, width, 0);
    for (int64_t row = 0; row < rows; row++)
        for (int64_t n = 0; n < width; n += LANES)
            store(out + row * width + n, load(out + row * width + n) + load(bias + n));
}
