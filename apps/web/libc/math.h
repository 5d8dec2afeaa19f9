/* Takes the place of the C library's header. */
#define sqrtf __builtin_sqrtf /* an instruction of WebAssembly */
#define logf __builtin_logf   /* the compiler computes it, as its argument is constant */
