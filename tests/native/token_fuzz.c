/*
 * Texts of any kind, judged as tokens: the entry point of libFuzzer, and without -DLIBFUZZER a program of its own.
 *
 * Signatures are taken as good unless their last byte is ff, so that the readers and not the curve are tried: link with
 * --wrap for ed25519_verify and ed25519_verify_batch. A text that is found GOOD must be the one that is written from
 * what was read out of it; a batch must say what each call says. SESSIOND_FORCE_IMPL names the implementation.
 *
 *     token_fuzz SEED RUNS EVERY FILE...
 *
 * judges the files and prints what was said of each, then judges RUNS mutations of them, and prints in hex every EVERYth
 * and all whose signature counted; the same for a seed wherever it runs. At the end it prints how often each verdict was
 * given, and a digest of all.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "base64url.h"
#include "dispatch.h"
#include "known_keys.h"
#include "refresh.h"

enum { TEXT_MAX = 5000, N_KEYS = 4 };

/* The ids of TEST KEYs of tests/vectors: of access tokens, of refresh tokens; the second of each is revoked. */
static const uint8_t key_ids[N_KEYS][KEY_ID_LEN] = {
    {0xa0, 0xb1, 0x47, 0x6c, 0x19, 0x9a, 0x6d, 0x21},
    {0xdb, 0x10, 0xc8, 0xc1, 0x9b, 0xf4, 0xad, 0x2b},
    {0x6a, 0x6e, 0x76, 0x3e, 0x61, 0x3d, 0x32, 0x1e},
    {0xb9, 0x4a, 0x6a, 0x31, 0x92, 0xf3, 0x44, 0xef},
};
static known_key keys[N_KEYS];
static const known_keys known = {.keys = keys, .n_keys = N_KEYS};

#define SPAN_OF(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}
static const access_terms terms = {
    .keys = &known,
    .issuer = SPAN_OF("https://login.example.com"),
    .audience = SPAN_OF("https://api.example.com"),
    .now = 1800000000,
    .leeway = 30,
};

typedef struct {
    verdict access, refresh;
    uint8_t access_fields[ACCESS_FIELDS_LEN], refresh_fields[REFRESH_FIELDS_LEN];
} said;

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "token_fuzz: %s\n", what);
        abort();
    }
}

#define FIND(what) require(what, #what)

bool __wrap_ed25519_verify(
    const ed25519_key *key, const uint8_t *message, size_t message_len, const uint8_t *signature)
{
    uint8_t any = 0;
    (void)key;
    for (size_t i = 0; i < message_len; i++) {
        any |= message[i]; /* all of it can be read */
    }
    FIND(any != 0);
    return signature[ED25519_SIGNATURE_LEN - 1] != 0xff;
}

void __wrap_ed25519_verify_batch(const ed25519_item *items, size_t n_items, uint8_t *good)
{
    for (size_t i = 0; i < n_items; i++) {
        good[i] = __wrap_ed25519_verify(items[i].key, items[i].message, items[i].message_len, items[i].signature);
    }
}

/* What is written, piece by piece. */
typedef struct {
    uint8_t bytes[TEXT_MAX];
    size_t len;
} written;

static void put(written *out, const void *bytes, size_t len)
{
    FIND(out->len + len <= TEXT_MAX);
    memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
}

#define PUT(out, literal) put(out, literal, sizeof(literal) - 1)

/* base64url, written apart from the one that is tried. */
static void put_base64url(written *out, const uint8_t *data, size_t len)
{
    for (size_t bit = 0; bit < 8 * len; bit += 6) {
        int digit = 0;
        for (size_t i = bit; i < bit + 6; i++) {
            digit = digit << 1 | (i < 8 * len ? data[i / 8] >> (7 - i % 8) & 1 : 0);
        }
        put(out, &"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[digit], 1);
    }
}

static void put_text(written *out, const char *before, payload_text text, const uint8_t *json)
{
    put(out, before, strlen(before));
    put(out, json + text.at, text.len);
}

/* Write the access token that says what was read, with the signature of *text*. */
static void write_access(written *out, const signed_access *read, span text)
{
    const uint8_t *fields = read->fields, *json = read->payload_json;
    const payload *content = &read->content;
    static written payload_json;
    char times[64], session[40], *digit = session;
    const uint8_t *jti = fields + 16, *rev = fields + 40;
    sprintf(times, "{\"exp\":%u,\"iat\":%u,\"jti\":\"", load_be32(fields + 8), load_be32(fields + 12));
    for (int i = 0; i < 16; i++) {
        digit += sprintf(digit, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", jti[i]);
    }
    payload_json.len = 0;
    put(&payload_json, times, strlen(times));
    put_base64url(&payload_json, jti, 24);
    PUT(&payload_json, "\",\"rev\":\"");
    put_base64url(&payload_json, rev, 24);
    put_text(&payload_json, "\",\"iss\":\"", content->issuer, json);
    put_text(&payload_json, "\",\"aud\":\"", content->audience, json);
    put_text(&payload_json, "\",\"sub\":\"", content->subject, json);
    put_text(&payload_json, "\",\"client_id\":\"", content->client_id, json);
    PUT(&payload_json, "\",\"sid\":\"");
    put(&payload_json, session, strlen(session));
    put_text(&payload_json, "\",\"tenant\":\"", content->tenant, json);
    put_text(&payload_json, content->claims.len > 0 ? "\"," : "\"", content->claims, json);
    PUT(&payload_json, "}");

    char header[80];
    int header_len = sprintf(header, "{\"alg\":\"EdDSA\",\"kid\":\"");
    for (int i = 0; i < KEY_ID_LEN; i++) {
        header_len += sprintf(header + header_len, "%02x", fields[i]);
    }
    header_len += sprintf(header + header_len, "\",\"typ\":\"at+jwt\"}");
    uint8_t signature[ED25519_SIGNATURE_LEN];
    FIND(base64url_decode(signature, text.start + text.len - SIGNATURE_TEXT_LEN, SIGNATURE_TEXT_LEN));
    put_base64url(out, (const uint8_t *)header, (size_t)header_len);
    PUT(out, ".");
    put_base64url(out, payload_json.bytes, payload_json.len);
    PUT(out, ".");
    put_base64url(out, signature, sizeof signature);
}

/* Write the refresh token that has these fields and the signature of *text*. */
static void write_refresh(written *out, const uint8_t *fields, span text)
{
    static written token;
    uint8_t read[120];
    FIND(base64url_decode(read, text.start + 4, 160));
    token.len = 0;
    PUT(&token, "\xd2\x84\x4d\xa2\x01\x27\x04\x48");
    put(&token, fields, 8);
    PUT(&token, "\xa0\x58\x23\xa3\x04\x1a");
    put(&token, fields + 8, 4);
    PUT(&token, "\x06\x1a");
    put(&token, fields + 12, 4);
    PUT(&token, "\x07\x54");
    put(&token, fields + 16, 20);
    PUT(&token, "\x58\x40");
    put(&token, read + 56, 64);
    PUT(out, "sdr_");
    put_base64url(out, token.bytes, token.len);
}

static bool is_verdict(verdict given)
{
    return given <= VERDICT_EXPIRED || given == VERDICT_WRONG_TOKEN_KIND || given == VERDICT_WRONG_AUDIENCE;
}

/* Judge a text in every way and hold that they agree. */
static said judge(const uint8_t *data, size_t len)
{
    said found = {0};
    signed_access read;
    static written again;
    uint8_t *copy = malloc(len + (len == 0)); /* exactly as long, so that one byte beyond is noticed */
    FIND(copy != NULL);
    memcpy(copy, data, len);
    const span text = {copy, len};

    found.access = access_verify(&read, text, &terms);
    found.refresh = refresh_verify(found.refresh_fields, text, &known, terms.now);
    FIND(is_verdict(found.access) && is_verdict(found.refresh));
    FIND((found.access == VERDICT_WRONG_TOKEN_KIND) == (found.access != VERDICT_MALFORMED && refresh_is_shape_of(text)));
    FIND(!verdict_is_of_signed(found.access) || found.refresh == VERDICT_WRONG_TOKEN_KIND);
    if (verdict_is_of_signed(found.access)) {
        again.len = 0;
        write_access(&again, &read, text);
        FIND(again.len == len && memcmp(again.bytes, copy, len) == 0);
        memcpy(found.access_fields, read.fields, ACCESS_FIELDS_LEN);
    }
    if (verdict_is_of_signed(found.refresh)) {
        again.len = 0;
        write_refresh(&again, found.refresh_fields, text);
        FIND(again.len == len && memcmp(again.bytes, copy, len) == 0);
    } else {
        memset(found.refresh_fields, 0, sizeof found.refresh_fields);
    }

    const span texts[3] = {text, {copy, 0}, text};
    const uint8_t none[ACCESS_FIELDS_LEN] = {0};
    uint8_t verdicts[3], fields[3 * ACCESS_FIELDS_LEN];
    access_verify_batch(verdicts, fields, texts, 3, &terms);
    for (int i = 0; i < 3; i += 2) {
        const uint8_t *expected = found.access == VERDICT_GOOD ? found.access_fields : none;
        FIND(verdicts[i] == found.access);
        FIND(memcmp(fields + i * ACCESS_FIELDS_LEN, expected, ACCESS_FIELDS_LEN) == 0);
    }
    FIND(verdicts[1] == VERDICT_MALFORMED);
    refresh_verify_batch(verdicts, fields, texts, 3, &known, terms.now);
    for (int i = 0; i < 3; i += 2) {
        const uint8_t *expected = found.refresh == VERDICT_GOOD ? found.refresh_fields : none;
        FIND(verdicts[i] == found.refresh);
        FIND(memcmp(fields + i * REFRESH_FIELDS_LEN, expected, REFRESH_FIELDS_LEN) == 0);
    }
    FIND(verdicts[1] == VERDICT_MALFORMED);
    free(copy);
    return found;
}

int LLVMFuzzerInitialize(const int *n_arguments, char ***arguments)
{
    (void)n_arguments;
    (void)arguments;
    FIND(implementation_start(getenv("SESSIOND_FORCE_IMPL")) == IMPLEMENTATION_GOOD);
    for (int i = 0; i < N_KEYS; i++) {
        known_key_set(&keys[i], key_ids[i], NULL, i % 2 == 1);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    judge(data, len);
    return 0;
}

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static size_t below(uint64_t *state, size_t n)
{
    return n == 0 ? 0 : (size_t)(next(state) % n);
}

/* What readers look for. */
static const span pieces[] = {
    SPAN_OF("\""), SPAN_OF("\\"), SPAN_OF("\\\""), SPAN_OF("\\u001f"), SPAN_OF("\\u0008"), SPAN_OF("\\u000c"),
    SPAN_OF("\\u001F"), SPAN_OF("\\u00"),
    SPAN_OF("\\n"), SPAN_OF("\\/"), SPAN_OF("}"), SPAN_OF(","), SPAN_OF("\",\"sid\":\""), SPAN_OF("\0"),
    SPAN_OF("\x1f"), SPAN_OF("\x7f"), SPAN_OF("\x80"), SPAN_OF("\xc2\x80"), SPAN_OF("\xc1\xbf"),
    SPAN_OF("\xe0\x80\x80"), SPAN_OF("\xe0\xa0\x80"),
    SPAN_OF("\xed\xa0\x80"), SPAN_OF("\xef\xbf\xbf"), SPAN_OF("\xf0\x90\x80\x80"), SPAN_OF("\xf4\x8f\xbf\xbf"),
    SPAN_OF("\xf4\x90\x80\x80"), SPAN_OF("\xff"), SPAN_OF("."), SPAN_OF("-_"), SPAN_OF("+/"), SPAN_OF("="),
    SPAN_OF("eyJ"), SPAN_OF("sdr_"), SPAN_OF("4294967295"), SPAN_OF("4294967296"), SPAN_OF("0"), SPAN_OF("A"),
};
#define N_PIECES (sizeof pieces / sizeof pieces[0])

/* Change *bytes* in one place; return how many there are then, at most *max*. */
static size_t edit(uint8_t *bytes, size_t len, size_t max, uint64_t *chance)
{
    static const uint8_t spans[] = {1, 1, 1, 2, 4, 8, 16, 64};
    const span piece = pieces[below(chance, N_PIECES)];
    const size_t at = below(chance, len + 1), from = below(chance, len + 1), wanted = spans[below(chance, sizeof spans)];
    const size_t n = wanted < len - at ? wanted : len - at;
    switch (below(chance, 6)) {
    case 0: /* flip a bit */
        if (at < len) {
            bytes[at] ^= (uint8_t)(1U << below(chance, 8));
        }
        return len;
    case 1: /* cut out */
        memmove(bytes + at, bytes + at + n, len - at - n);
        return len - n;
    case 2: /* repeat */
        if (len + n > max) {
            return len;
        }
        memmove(bytes + at + n, bytes + at, len - at);
        return len + n;
    case 3: /* copy over */
        memmove(bytes + at, bytes + from, n < len - from ? n : len - from);
        return len;
    case 4: /* write a piece over */
        memcpy(bytes + at, piece.start, piece.len < len - at ? piece.len : len - at);
        return len;
    default: /* insert a piece */
        if (len + piece.len > max) {
            return len;
        }
        memmove(bytes + at + piece.len, bytes + at, len - at);
        memcpy(bytes + at, piece.start, piece.len);
        return len + piece.len;
    }
}

/* Change a text, or the bytes that its second part spells, in one to three places. */
static size_t mutate(uint8_t *text, size_t len, size_t max, uint64_t *chance)
{
    static uint8_t bytes[TEXT_MAX];
    static written out;
    const size_t n_edits = 1 + below(chance, 3);
    const uint8_t *dot = len > 3 && memcmp(text, "sdr_", 4) == 0 ? text + 3 : memchr(text, '.', len);
    const uint8_t *end = dot == NULL ? NULL : memchr(dot + 1, '.', len - (size_t)(dot + 1 - text));
    const size_t start = dot == NULL ? 0 : (size_t)(dot + 1 - text);
    const size_t part_len = dot == NULL ? 0 : (end == NULL ? len : (size_t)(end - text)) - start;
    if (dot == NULL || below(chance, 4) == 0 || !base64url_decode(bytes, text + start, part_len)) {
        for (size_t i = 0; i < n_edits; i++) {
            len = edit(text, len, max, chance);
        }
        return len;
    }
    size_t n_bytes = BASE64URL_DECODED_LEN(part_len);
    for (size_t i = 0; i < n_edits; i++) {
        n_bytes = edit(bytes, n_bytes, TEXT_MAX / 2, chance);
    }
    out.len = 0;
    put(&out, text, start);
    put_base64url(&out, bytes, n_bytes);
    put(&out, text + start + part_len, len - start - part_len);
    len = out.len < max ? out.len : max;
    memcpy(text, out.bytes, len);
    return len;
}

#ifdef LIBFUZZER

size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t max);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed)
{
    uint64_t chance = seed;
    return len >= TEXT_MAX / 2 || below(&chance, 2) ? LLVMFuzzerMutate(data, len, max) : mutate(data, len, max, &chance);
}

#else

typedef struct {
    uint8_t bytes[TEXT_MAX];
    size_t len;
} text_file;

static void read_file(text_file *into, const char *path)
{
    FILE *file = fopen(path, "rb");
    require(file != NULL, path);
    into->len = fread(into->bytes, 1, TEXT_MAX, file);
    fclose(file);
}

int main(int n_arguments, char **arguments)
{
    enum { N_BEFORE_FILES = 4, N_VERDICTS = VERDICT_WRONG_AUDIENCE + 1 };
    FIND(n_arguments > N_BEFORE_FILES);
    LLVMFuzzerInitialize(&n_arguments, &arguments);
    uint64_t chance = strtoull(arguments[1], NULL, 10);
    const unsigned long long n_runs = strtoull(arguments[2], NULL, 10), every = strtoull(arguments[3], NULL, 10);
    const size_t n_files = (size_t)n_arguments - N_BEFORE_FILES;
    text_file *files = calloc(n_files, sizeof *files);
    FIND(files != NULL);
    for (size_t i = 0; i < n_files; i++) {
        read_file(&files[i], arguments[N_BEFORE_FILES + i]);
        const said found = judge(files[i].bytes, files[i].len);
        printf("file %s %d %d\n", arguments[N_BEFORE_FILES + i], found.access, found.refresh);
    }

    uint64_t n_access[N_VERDICTS] = {0}, n_refresh[N_VERDICTS] = {0}, digest = 0;
    static uint8_t text[TEXT_MAX];
    for (unsigned long long run = 0; run < n_runs; run++) {
        const text_file *file = &files[below(&chance, n_files)];
        memcpy(text, file->bytes, file->len);
        const size_t len = mutate(text, file->len, TEXT_MAX / 5 * 4 + 100, &chance);
        const said found = judge(text, len);
        n_access[found.access]++;
        n_refresh[found.refresh]++;
        for (size_t i = 0; i < sizeof found; i++) {
            digest = (digest ^ ((const uint8_t *)&found)[i]) * UINT64_C(0x100000001b3);
        }
        if (run % every == 0 || verdict_is_of_signed(found.access) || verdict_is_of_signed(found.refresh)) {
            printf("text ");
            for (size_t i = 0; i < len; i++) {
                printf("%02x", text[i]);
            }
            printf("- %d %d\n", found.access, found.refresh);
        }
    }
    for (int i = 0; i < N_VERDICTS; i++) {
        if (n_access[i] + n_refresh[i] > 0) {
            printf("verdict %d %llu %llu\n", i, (unsigned long long)n_access[i], (unsigned long long)n_refresh[i]);
        }
    }
    printf("digest %016llx\n", (unsigned long long)digest);
    free(files);
    return 0;
}

#endif
