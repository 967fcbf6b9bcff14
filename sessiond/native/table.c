#include "table.h"

#include <string.h>

#include "inverse.h"

/* Entries that share one inversion: beyond this its share is below a tenth of the work. */
#define RUN_LEN 128

_Static_assert(sizeof(table) % TABLE_ALIGNMENT == 0, "entries begin with a cache line");

static int window_width(int n_windows, int window)
{
    return TABLE_SCALAR_BITS / n_windows + (window < TABLE_SCALAR_BITS % n_windows);
}

static uint32_t window_len(int width)
{
    return (UINT32_C(1) << (width - 1)) + 1;
}

/* The bytes up to the end of the last entry; zeros follow up to table_len. */
static size_t entries_end(int n_windows)
{
    size_t n_entries = 0;
    for (int i = 0; i < n_windows; i++) {
        n_entries += window_len(window_width(n_windows, i));
    }
    return sizeof(table) + n_entries * sizeof(table_entry);
}

size_t table_len(int n_windows)
{
    return (entries_end(n_windows) + TABLE_ALIGNMENT - 1) / TABLE_ALIGNMENT * TABLE_ALIGNMENT;
}

/* Say where the windows are. */
static void cut_windows(table *made, int n_windows)
{
    memset(made, 0, sizeof *made);
    made->n_windows = (uint64_t)n_windows;
    uint32_t bit = 0, first = 0;
    for (int i = 0; i < n_windows; i++) {
        const int width = window_width(n_windows, i);
        made->bit[i] = bit;
        made->mask[i] = (UINT32_C(1) << width) - 1;
        made->first[i] = first;
        if (i < n_windows - 1) { /* the last digit is never negative */
            const uint32_t top = bit + (uint32_t)width - 1;
            made->half[i] = UINT32_C(1) << (width - 1);
            made->halves[top / 64] |= UINT64_C(1) << top % 64;
        }
        bit += (uint32_t)width;
        first += window_len(width);
    }
}

/* Fill a run of up to RUN_LEN entries with P, P + step, P + 2 step, ...; *P* becomes the point after them. */
static void build_run(table_entry *run, int run_len, point *P, const point *step)
{
    /* One inversion for all: prefix[i] is the product of the first i Z, and walking back takes one Z off at a time. */
    point multiple[RUN_LEN];
    field prefix[RUN_LEN + 1];
    prefix[0] = FIELD_ONE;
    for (int i = 0; i < run_len; i++) {
        multiple[i] = *P;
        field_mul(&prefix[i + 1], &prefix[i], &P->Z);
        point_add(P, P, step);
    }
    field inverse;
    field_invert(&inverse, &prefix[run_len]);
    for (int i = run_len - 1; i >= 0; i--) {
        field z_inverse, x, y, t;
        field_mul(&z_inverse, &inverse, &prefix[i]);
        field_mul(&inverse, &inverse, &multiple[i].Z);
        field_mul(&x, &multiple[i].X, &z_inverse);
        field_mul(&y, &multiple[i].Y, &z_inverse);
        field_add(&t, &y, &x);
        field_to_words(run[i].y_plus_x, &t);
        field_sub(&t, &y, &x);
        field_to_words(run[i].y_minus_x, &t);
        field_mul(&t, &x, &y);
        field_mul(&t, &t, &GROUP_2D);
        field_to_words(run[i].xy2d, &t);
    }
}

bool table_build(table *made, int n_windows, const point *P)
{
    cut_windows(made, n_windows);
    point base = *P;
    for (int i = 0; i < n_windows; i++) {
        const uint32_t len = window_len(window_width(n_windows, i));
        table_entry *entry = &made->entry[made->first[i]];
        point multiple;
        point_from_affine(&multiple, &FIELD_ZERO, &FIELD_ONE);
        for (uint32_t done = 0; done < len; done += RUN_LEN) {
            build_run(entry + done, len - done < RUN_LEN ? (int)(len - done) : RUN_LEN, &multiple, &base);
        }
        /* It stands one base beyond the last entry, which is 2^(w - 1) times the base: half of the next window's. */
        point minus_base;
        point_negate(&minus_base, &base);
        point_add(&multiple, &multiple, &minus_base);
        point_double(&base, &multiple);
    }
    memset((char *)made + entries_end(n_windows), 0, table_len(n_windows) - entries_end(n_windows));
    return table_check(made, table_len(n_windows), P) == TABLE_GOOD;
}

/*
 * The check. It uses nothing of what built the table but the layout, and needs no inversion.
 *
 * Let (x1, y1) and (x2, y2) be points of the curve and (x, y) their sum. The addition law (RFC 8032, section 5.1.4) is
 * complete: with t = d x1 x2 y1 y2, neither 1 + t nor 1 - t is 0, and
 *
 *     x (1 + t) = x1 y2 + y1 x2,    y (1 - t) = y1 y2 + x1 x2.
 *
 * In the terms of an entry, a = y + x and b = y - x, the sum and the difference of the two are
 *
 *     a = a1 a2 + t b,    b = b1 b2 + t a.
 *
 * These are linear in a and b with the determinant 1 - t^2, which is not 0: they hold for the sum and for nothing else.
 * The third part of an entry is c = 2 d x y = (d/2) (a + b) (a - b), and t = c1 c2 / (4 d).
 *
 * So by induction every entry is proved, from P alone: entry 0 is compared with the neutral element; entry 1 of the
 * first window with P, entry 1 of any other with the double of the last entry before it, which is half of its window's
 * base; and entry i + 1 is the sum of entry i and entry 1. Each of them is compared as canonical words, so an entry has
 * one spelling. The header and the padding have one value. Nothing is left that could be otherwise.
 */

/* d/2 and 1/(4 d) */
static const field HALF_D = {
    {0x5a6e509acbc48, 0x4d4141d8ab75e, 0x6f3d13000e014, 0x79ce331d01e5d, 0x6901b67715b7f}};
static const field QUARTER_1_D = {
    {0x03c9db3727e0c, 0x4c213caa1712f, 0x5b9cf660b5dd6, 0x1c86562c42299, 0x30241fb485357}};

/* Tell whether *words* are the value of *a* fully reduced. Needs limbs <= FIELD_FACTOR_MAX. */
FIELD_INLINE bool words_are(const uint64_t words[4], const field *a)
{
    uint64_t canonical[4];
    field_to_words(canonical, a);
    return ((words[0] ^ canonical[0]) | (words[1] ^ canonical[1]) | (words[2] ^ canonical[2]) |
            (words[3] ^ canonical[3])) == 0;
}

/* Limbs <= FIELD_CANONICAL_MAX; the values are those of the entry only where its words are found to be canonical. */
FIELD_INLINE void entry_read(point_addend *out, const table_entry *entry)
{
    field_from_words(&out->y_plus_x, entry->y_plus_x);
    field_from_words(&out->y_minus_x, entry->y_minus_x);
    field_from_words(&out->xy2d, entry->xy2d);
}

/* Tell whether c of *entry*, read as *read*, follows from its a and b. */
FIELD_INLINE bool xy2d_fits(const table_entry *entry, const point_addend *read)
{
    field sum, difference, product;
    field_add(&sum, &read->y_plus_x, &read->y_minus_x);
    field_sub(&difference, &read->y_plus_x, &read->y_minus_x);
    field_mul(&product, &sum, &difference);
    field_mul(&product, &product, &HALF_D);
    return words_are(entry->xy2d, &product);
}

/* Tell whether *entry*, which is read into *read*, is P + Q; *Q_t* is c of Q over 4 d. */
FIELD_INLINE bool entry_is_sum(
    point_addend *read, const table_entry *entry, const point_addend *P, const point_addend *Q, const field *Q_t)
{
    field t, a, b, product;
    entry_read(read, entry);
    field_mul(&t, &P->xy2d, Q_t);
    field_mul(&a, &P->y_plus_x, &Q->y_plus_x);
    field_mul(&product, &t, &read->y_minus_x);
    field_add(&a, &a, &product); /* limbs <= 2 FIELD_CARRIED_MAX */
    field_mul(&b, &P->y_minus_x, &Q->y_minus_x);
    field_mul(&product, &t, &read->y_plus_x);
    field_add(&b, &b, &product);
    return words_are(entry->y_plus_x, &a) && words_are(entry->y_minus_x, &b) && xy2d_fits(entry, read);
}

/* Tell whether *entry*, which is read into *read*, is P: a Z = Y + X and b Z = Y - X, and no Z is 0. */
static bool entry_is_point(point_addend *read, const table_entry *entry, const point *P)
{
    field scaled, expected;
    entry_read(read, entry);
    bool fits = words_are(entry->y_plus_x, &read->y_plus_x) && words_are(entry->y_minus_x, &read->y_minus_x);
    field_mul(&scaled, &read->y_plus_x, &P->Z);
    field_add(&expected, &P->Y, &P->X);
    fits = fits && field_equal(&scaled, &expected);
    field_mul(&scaled, &read->y_minus_x, &P->Z);
    field_sub(&expected, &P->Y, &P->X);
    return fits && field_equal(&scaled, &expected) && xy2d_fits(entry, read);
}

/* Tell whether the *n_more* entries after *base*, of a window, are 2 base, 3 base, ...; *last* becomes the last. */
static bool multiples_follow(point_addend *last, const table_entry *base, uint32_t n_more)
{
    point_addend step, previous, read;
    field step_t;
    entry_read(&step, base);
    field_mul(&step_t, &step.xy2d, &QUARTER_1_D);
    previous = step;
    for (uint32_t i = 1; i <= n_more; i++) {
        if (!entry_is_sum(&read, base + i, &previous, &step, &step_t)) {
            return false;
        }
        previous = read;
    }
    *last = previous;
    return true;
}

table_fault table_check(const table *given, size_t len, const point *P)
{
    static const table_entry neutral = {.y_plus_x = {1}, .y_minus_x = {1}};
    if (len < sizeof *given || given->n_windows < TABLE_WINDOWS_MIN || given->n_windows > TABLE_WINDOWS_MAX ||
        len != table_len((int)given->n_windows)) {
        return TABLE_WRONG_LEN;
    }
    const int n_windows = (int)given->n_windows;
    table layout;
    cut_windows(&layout, n_windows);
    if (memcmp(given, &layout, sizeof layout) != 0) {
        return TABLE_WRONG_LAYOUT;
    }
    point_addend last, base;
    for (int i = 0; i < n_windows; i++) {
        const table_entry *entry = &given->entry[layout.first[i]];
        bool fits = memcmp(entry, &neutral, sizeof neutral) == 0;
        if (i == 0) {
            fits = fits && entry_is_point(&base, entry + 1, P);
        } else {
            field last_t;
            field_mul(&last_t, &last.xy2d, &QUARTER_1_D);
            fits = fits && entry_is_sum(&base, entry + 1, &last, &last, &last_t);
        }
        if (!fits || !multiples_follow(&last, entry + 1, window_len(window_width(n_windows, i)) - 2)) {
            return TABLE_WRONG_ENTRY;
        }
    }
    for (size_t i = entries_end(n_windows); i < len; i++) {
        if (((const char *)given)[i] != 0) {
            return TABLE_WRONG_ENTRY;
        }
    }
    return TABLE_GOOD;
}
