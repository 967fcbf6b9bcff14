/* Borrowed bytes, and words from bytes and back, whatever the byte order of the machine. */
#ifndef SESSIOND_BYTES_H
#define SESSIOND_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that somebody else keeps alive. */
typedef struct {
    const uint8_t *start;
    size_t len;
} span;

static inline uint32_t load_be32(const uint8_t bytes[4])
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline void store_be32(uint8_t bytes[4], uint32_t word)
{
    for (int i = 3; i >= 0; i--) {
        bytes[i] = (uint8_t)(word & 0xff);
        word >>= 8;
    }
}

static inline uint64_t load_le64(const uint8_t bytes[8])
{
    uint64_t word = 0;
    for (int i = 7; i >= 0; i--) {
        word = word << 8 | bytes[i];
    }
    return word;
}

static inline uint64_t load_be64(const uint8_t bytes[8])
{
    uint64_t word = 0;
    for (int i = 0; i < 8; i++) {
        word = word << 8 | bytes[i];
    }
    return word;
}

static inline void store_be64(uint8_t bytes[8], uint64_t word)
{
    for (int i = 7; i >= 0; i--) {
        bytes[i] = (uint8_t)(word & 0xff);
        word >>= 8;
    }
}

#endif
