/* Borrowed bytes, and words from bytes and back, whatever the byte order of the machine. */
#ifndef SESSIOND_BYTES_H
#define SESSIOND_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that somebody else keeps alive. */
typedef struct {
    const uint8_t *start;
    size_t len;
} span;

/* The length of a literal without its terminator. */
#define LITERAL_LEN(literal) (sizeof(literal) - 1)

/* Tell whether a literal stands at, or ends just before, a place with that much room. */
#define STANDS_AT(place, literal) (memcmp(place, literal, LITERAL_LEN(literal)) == 0)
#define STANDS_BEFORE(place, literal) STANDS_AT((place) - LITERAL_LEN(literal), literal)

/* A word in the order of the machine, as the bytes of a big-endian or of a little-endian one, and back. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTES_BE32(word) __builtin_bswap32(word)
#define BYTES_BE64(word) __builtin_bswap64(word)
#define BYTES_LE64(word) (word)
#else
#define BYTES_BE32(word) (word)
#define BYTES_BE64(word) (word)
#define BYTES_LE64(word) __builtin_bswap64(word)
#endif

static inline uint32_t load_be32(const uint8_t bytes[4])
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return BYTES_BE32(word);
}

static inline void store_be32(uint8_t bytes[4], uint32_t word)
{
    word = BYTES_BE32(word);
    memcpy(bytes, &word, sizeof word);
}

static inline uint64_t load_le64(const uint8_t bytes[8])
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return BYTES_LE64(word);
}

static inline uint64_t load_be64(const uint8_t bytes[8])
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return BYTES_BE64(word);
}

static inline void store_be64(uint8_t bytes[8], uint64_t word)
{
    word = BYTES_BE64(word);
    memcpy(bytes, &word, sizeof word);
}

#endif
