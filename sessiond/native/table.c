#define _DEFAULT_SOURCE /* madvise */
#include "table.h"

#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include "inverse.h"

#define LARGE_PAGE_LEN ((size_t)1 << 21)

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

size_t table_len(int n_windows)
{
    size_t n_entries = 0;
    for (int i = 0; i < n_windows; i++) {
        n_entries += window_len(window_width(n_windows, i));
    }
    const size_t len = sizeof(table) + n_entries * sizeof(table_entry);
    return (len + TABLE_ALIGNMENT - 1) / TABLE_ALIGNMENT * TABLE_ALIGNMENT;
}

table *table_new(int n_windows)
{
    const size_t len = table_len(n_windows);
    if (len < LARGE_PAGE_LEN) {
        return aligned_alloc(TABLE_ALIGNMENT, len);
    }
    /* Entries are read at random: in small pages nearly every one would cost a walk through the page tables too. */
    const size_t whole_pages_len = (len + LARGE_PAGE_LEN - 1) / LARGE_PAGE_LEN * LARGE_PAGE_LEN;
    table *made = aligned_alloc(LARGE_PAGE_LEN, whole_pages_len);
#ifdef __linux__
    if (made != NULL) {
        (void)madvise(made, whole_pages_len, MADV_HUGEPAGE); /* refused, it is only slower */
    }
#endif
    return made;
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

void table_build(table *made, int n_windows, const point *P)
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
}
