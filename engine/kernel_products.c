/* Matrix products, from the kernels of the framework. */

#define BFLOAT16 0
#include "kernel_names.h"

#include "../model/layers/kernels/products.c"
