/* What a C library has, for the engine in WebAssembly: memory and texts. `make web` compiles it and
 * engine/ into engine.wasm; the functions of math.h are those of JavaScript. */

#include <stdlib.h>
#include <string.h>

enum { PAGE = 65536, UNIT = 16 }; /* bytes of a page of memory, and of a unit of a block */
extern char __heap_base;          /* defined by the linker */

/* Blocks lie side by side from `first` up to `end`. */
typedef struct Block {
    size_t size; /* bytes, with this header */
    size_t is_used;
    char padding[UNIT - 2 * sizeof(size_t)];
} Block;

static char *end; /* null before the first block */

static Block *first(void) { return (Block *)(((size_t)&__heap_base + UNIT - 1) / UNIT * UNIT); }
static Block *after(Block *block) { return (Block *)((char *)block + block->size); }

/* Make place for a block behind the last one; return 0 if the browser gives no more memory. */
static int grow(size_t size) {
    const size_t present = __builtin_wasm_memory_size(0) * PAGE, wanted = (size_t)end + size;
    if (wanted < size || wanted > (size_t)-1 - PAGE) return 0;
    if (wanted > present && __builtin_wasm_memory_grow(0, (wanted - present + PAGE - 1) / PAGE) ==
                                (size_t)-1) return 0;
    end += size;
    return 1;
}

void *malloc(size_t size) {
    if (size > (size_t)-1 / 2) return 0;
    const size_t needed = (size + sizeof(Block) + UNIT - 1) / UNIT * UNIT;
    if (!end) end = (char *)first();
    Block *block = first();
    for (; (char *)block < end; block = after(block)) {
        if (block->is_used) continue;
        while ((char *)after(block) < end && !after(block)->is_used)
            block->size += after(block)->size;
        if ((char *)after(block) == end) { /* the last one */
            if (block->size < needed && !grow(needed - block->size)) return 0;
            if (block->size < needed) block->size = needed;
        }
        if (block->size >= needed) break;
    }
    if ((char *)block == end) {
        if (!grow(needed)) return 0;
        block->size = needed;
    }
    if (block->size >= needed + 2 * UNIT) {
        const size_t rest = block->size - needed;
        block->size = needed;
        *after(block) = (Block){.size = rest};
    }
    block->is_used = 1;
    return block + 1;
}

void free(void *memory) {
    if (memory) ((Block *)memory - 1)->is_used = 0;
}

size_t strlen(const char *text) {
    size_t length = 0;
    while (text[length]) length++;
    return length;
}

int strcmp(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

char *strchr(const char *text, int sign) {
    while (*text && *text != (char)sign) text++;
    return *text == (char)sign ? (char *)text : 0;
}

int memcmp(const void *a, const void *b, size_t size) {
    const unsigned char *left = a, *right = b;
    for (size_t i = 0; i < size; i++)
        if (left[i] != right[i]) return left[i] - right[i];
    return 0;
}
