/* The kernels for this processor. */

#include "internal.h"

#define DECLARE(level) \
    int lanes##level(void); \
    void pack##level(int64_t, int64_t, int64_t, const float *, int64_t, int64_t, float *); \
    void run_linear_layer##level(const Linear *, const float *, int64_t, int64_t, float *); \
    int run_bidirectional##level(const Bidirection *, Arena *, int64_t, const float *, float *); \
    int run_drawing##level(const Drawing *, Arena *); \
    static const Kernels KERNELS##level = {lanes##level, pack##level, run_linear_layer##level, \
                                           run_bidirectional##level, run_drawing##level};

DECLARE()
#ifdef LEVELS
DECLARE(_avx2)
DECLARE(_avx512)
#endif

const Kernels *best_kernels(void) {
#ifdef LEVELS
    if (__builtin_cpu_supports("avx512f")) return &KERNELS_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &KERNELS_avx2;
#endif
    return &KERNELS;
}
