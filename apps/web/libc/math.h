/* Takes the place of the C library's header. */
#pragma once
#define sqrtf __builtin_sqrtf /* instructions of WebAssembly */
#define sqrt __builtin_sqrt
#define fabs __builtin_fabs
#define floor __builtin_floor
#define ceil __builtin_ceil
#define logf __builtin_logf /* the compiler computes it, as its argument is constant */
#define isnan __builtin_isnan
#define isfinite __builtin_isfinite
#define NAN __builtin_nanf("")
#define INFINITY __builtin_inff()

/* Functions of JavaScript's Math. */
#define MATH(name) __attribute__((import_module("math"), import_name(#name)))
MATH(exp) double exp(double x);
MATH(expm1) double expm1(double x);
MATH(log) double log(double x);
MATH(log1p) double log1p(double x);
MATH(sin) double sin(double x);
MATH(cos) double cos(double x);
MATH(tan) double tan(double x);
MATH(atan) double atan(double x);
MATH(tanh) double tanh(double x);
MATH(asinh) double asinh(double x);
MATH(hypot) double hypot(double x, double y);
MATH(pow) double pow(double x, double y);
#undef MATH
