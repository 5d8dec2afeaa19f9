/* In place of the C library's. */
#define sqrtf __builtin_sqrtf /* an instruction */
#define logf __builtin_logf   /* of a constant: the compiler's */
