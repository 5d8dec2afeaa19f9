/* In place of the C library's. */
#pragma once
#define sqrtf __builtin_sqrtf /* an instruction */
float logf(float value);
