/* Takes the place of the C library's header. The first three are instructions (-mbulk-memory);
 * apps/web/engine.c defines the functions. */
#pragma once
#include <stddef.h>
#define memcpy __builtin_memcpy
#define memmove __builtin_memmove
#define memset __builtin_memset
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
char *strchr(const char *text, int sign);
