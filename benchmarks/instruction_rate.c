/*
 * How fast this processor carries out instructions when nothing holds it up: no operand comes from memory, and none
 * waits for the result of another but those of the clock.
 */
#include <stdint.h>

/* Carry out n additions, each of which needs the one before: one a cycle. */
void rate_clock(uint64_t n)
{
    uint64_t sum = 0;
    for (uint64_t done = 0; done < n; done += 8) {
        __asm__ volatile("add %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\t"
                         "add %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0"
                         : "+r"(sum)
                         : "r"(n));
    }
}

/* Sixteen chains of one instruction: more than the product of its latency and the ports that take it. */
#define ONE(instruction, chain) instruction " %%zmm16, %%zmm16, %%zmm" #chain "\n\t"
#define FOUR(instruction, a, b, c, d) ONE(instruction, a) ONE(instruction, b) ONE(instruction, c) ONE(instruction, d)
#define SIXTEEN(instruction)                                                                                           \
    FOUR(instruction, 0, 1, 2, 3)                                                                                      \
    FOUR(instruction, 4, 5, 6, 7)                                                                                      \
    FOUR(instruction, 8, 9, 10, 11) FOUR(instruction, 12, 13, 14, 15)
#define CHANGED "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",     \
    "xmm12", "xmm13", "xmm14", "xmm15"

/* Carry out n multiplications of 52 bits in eight lanes. */
void rate_ifma(uint64_t n)
{
    for (uint64_t done = 0; done < n; done += 16) {
        __asm__ volatile(SIXTEEN("vpmadd52luq") : : : CHANGED);
    }
    __asm__ volatile("vzeroupper");
}

/* Carry out n of the simplest instructions on eight lanes: no mix of instructions is faster. */
void rate_vector(uint64_t n)
{
    for (uint64_t done = 0; done < n; done += 16) {
        __asm__ volatile(SIXTEEN("vpaddq") : : : CHANGED);
    }
    __asm__ volatile("vzeroupper");
}
