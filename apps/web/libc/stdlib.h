/* Takes the place of the C library's header; apps/web/engine.c defines the functions. */
#pragma once
#include <stddef.h>
void *malloc(size_t size);
void *calloc(size_t count, size_t size); /* not there: kernels take memory of the engine */
void *aligned_alloc(size_t alignment, size_t size);
void free(void *pointer);
