/*
 * The instructions of the implementation avx512ifma.
 *
 * What stands between FOR_THE_INSTRUCTIONS and FOR_ANY_MACHINE may be compiled into any of INSTRUCTIONS. So it runs only
 * where instructions_run_here says so, which asks for the same ones and stands outside.
 */
#ifndef SESSIOND_INSTRUCTIONS_H
#define SESSIOND_INSTRUCTIONS_H

#include <stdbool.h>

#ifdef SESSIOND_EMULATED_AVX512
#define FOR_THE_INSTRUCTIONS
#define FOR_ANY_MACHINE
#else
#define INSTRUCTIONS "avx512f,avx512bw,avx512dq,avx512ifma,avx512vbmi,avx512vbmi2,bmi,bmi2"
#define DO_PRAGMA(text) _Pragma(#text)
#ifdef __clang__
#define PUSH_TARGET(list) DO_PRAGMA(clang attribute push(__attribute__((target(list))), apply_to = function))
#define FOR_THE_INSTRUCTIONS PUSH_TARGET(INSTRUCTIONS)
#define FOR_ANY_MACHINE _Pragma("clang attribute pop")
#else
#define PUSH_TARGET(list) _Pragma("GCC push_options") DO_PRAGMA(GCC target(list))
#define FOR_THE_INSTRUCTIONS PUSH_TARGET(INSTRUCTIONS)
#define FOR_ANY_MACHINE _Pragma("GCC pop_options")
#endif
#endif

static inline bool instructions_run_here(void)
{
#ifdef SESSIOND_EMULATED_AVX512
    return true;
#else
    /* This asks the operating system too, which must keep the wide registers of every thread. */
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512ifma") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
#endif
}

#endif
