/* Takes the place of the C library's header: both are instructions (-mbulk-memory). */
#define memcpy __builtin_memcpy
#define memset __builtin_memset
