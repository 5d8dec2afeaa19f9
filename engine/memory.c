/* Work handles, memory and messages. */

#include "internal.h"

#include <stdarg.h>

enum { ALIGNMENT = 64, LEAST_CHUNK = 1 << 14, MOST_CHUNK = 1 << 20 };
static const uint32_t MAX_POINTS = 1000000, MAX_STROKES = 20000;

struct Chunk {
    Chunk *next;
    size_t size, used; /* bytes, from the chunk's first aligned address on */
    char *begin;
};

static void *allocate_by_default(void *context, size_t size) {
    (void)context;
    return malloc(size);
}

static void release_by_default(void *context, void *memory) {
    (void)context;
    free(memory);
}

void *take(Arena *arena, size_t count, size_t size) {
    if (size && count > ((size_t)-1 >> 1) / size) return NULL;
    const size_t bytes = (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    Chunk *chunk = arena->chunks;
    if (!chunk || bytes > chunk->size - chunk->used) {
        size_t wanted = chunk ? 2 * chunk->size : LEAST_CHUNK;
        if (wanted > MOST_CHUNK) wanted = MOST_CHUNK;
        if (wanted < bytes) wanted = bytes;
        const size_t head = sizeof(Chunk) + ALIGNMENT;
        Chunk *added = arena->options.allocate(arena->options.context, head + wanted);
        if (!added) return NULL;
        char *begin = (char *)(added + 1);
        begin += (ALIGNMENT - (uintptr_t)begin % ALIGNMENT) % ALIGNMENT;
        *added = (Chunk){chunk, wanted, 0, begin};
        arena->chunks = chunk = added;
    }
    char *memory = chunk->begin + chunk->used;
    chunk->used += bytes;
    return memset(memory, 0, bytes);
}

char *take_text(Arena *arena, const char *text, size_t length) {
    char *copy = take(arena, length + 1, 1);
    if (copy) memcpy(copy, text, length);
    return copy;
}

Mark mark(const Arena *arena) {
    return (Mark){arena->chunks, arena->chunks ? arena->chunks->used : 0};
}

void rewind_to(Arena *arena, Mark mark) {
    while (arena->chunks != mark.chunk) {
        Chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        arena->options.release(arena->options.context, chunk);
    }
    if (mark.chunk) mark.chunk->used = mark.used;
}

void discard(Arena *arena) { rewind_to(arena, (Mark){0}); }

hw_status hw_begin(const hw_options *options, hw_work **work) {
    if (!work) return HW_BAD_ARGUMENT;
    *work = NULL;
    hw_options used = {0};
    if (options) used = *options;
    if (!used.allocate != !used.release) return HW_BAD_ARGUMENT;
    if (!used.allocate) {
        used.allocate = allocate_by_default;
        used.release = release_by_default;
    }
    if (!used.max_points) used.max_points = MAX_POINTS;
    if (!used.max_strokes) used.max_strokes = MAX_STROKES;
    hw_work *begun = used.allocate(used.context, sizeof *begun);
    if (!begun) return HW_NO_MEMORY;
    *begun = (hw_work){.options = used, .scratch = {.options = used}};
    *work = begun;
    return HW_OK;
}

void hw_end(hw_work *work) {
    if (!work) return;
    discard(&work->scratch);
    work->options.release(work->options.context, work);
}

const char *hw_message(const hw_work *work) { return work ? work->message : ""; }

void start(hw_work *work) {
    work->message[0] = 0;
    work->done = 0.0;
    work->part = 1.0;
    discard(&work->scratch);
}

/* Append a text; what has no room is left out, whole characters only. */
static size_t append(char *message, size_t end, const char *text) {
    size_t length = strlen(text);
    if (length > MESSAGE_SIZE - 1 - end) {
        length = MESSAGE_SIZE - 1 - end;
        while (length && ((unsigned char)text[length] & 0xC0) == 0x80) length--;
    }
    memcpy(message + end, text, length);
    return end + length;
}

hw_status fail(hw_work *work, hw_status status, const char *format, ...) {
    va_list values;
    va_start(values, format);
    size_t end = 0;
    for (const char *next = format; *next; next++) {
        char piece[24] = {*next};
        const char *text = piece;
        if (*next == '%' && next[1] == 's') {
            text = va_arg(values, const char *);
            next++;
        } else if (*next == '%' && next[1] == 'u') {
            unsigned number = va_arg(values, unsigned);
            char *digit = piece + sizeof piece - 1;
            *digit = 0;
            do *--digit = (char)('0' + number % 10);
            while (number /= 10);
            text = digit;
            next++;
        }
        end = append(work->message, end, text ? text : "");
    }
    work->message[end] = 0;
    va_end(values);
    return status;
}

hw_status no_memory(hw_work *work) {
    return fail(work, HW_NO_MEMORY, "There is not enough memory.");
}

hw_status go_on(hw_work *work, double fraction) {
    const hw_options *options = &work->options;
    fraction = work->done + work->part * fraction;
    if (!options->progress || !options->progress(options->context, (float)fraction)) return HW_OK;
    return fail(work, HW_STOPPED, "The work was stopped.");
}

/* The arena of a result stands in front of its structure. */
typedef struct Head {
    Arena arena;
} Head;

hw_status begin_result(hw_work *work, size_t size, Result *result) {
    *result = (Result){.arena = {.options = work->options}};
    char *memory = take(&result->arena, 1, rounded_up(sizeof(Head), ALIGNMENT) + size);
    NEED(work, memory);
    result->content = memory + rounded_up(sizeof(Head), ALIGNMENT);
    return HW_OK;
}

void *finished(Result *result) {
    Head *head = (Head *)((char *)result->content - rounded_up(sizeof(Head), ALIGNMENT));
    head->arena = result->arena;
    return result->content;
}

void hw_free(const void *result) {
    if (!result) return;
    const size_t size = rounded_up(sizeof(Head), ALIGNMENT);
    Arena arena = ((const Head *)((const char *)result - size))->arena;
    discard(&arena);
}
