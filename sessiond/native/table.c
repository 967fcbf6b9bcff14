#include "table.h"

#include "inverse.h"

/* Fill one window with 0, 1, ..., TABLE_MULTIPLES - 1 times P; *last* becomes the last of them. */
static void build_window(table_entry *window, const point *P, point *last)
{
    /* One inversion for all: prefix[i] is the product of the first i Z, and walking back takes one Z off at a time. */
    point multiple[TABLE_MULTIPLES];
    field prefix[TABLE_MULTIPLES + 1];
    point_from_affine(&multiple[0], &FIELD_ZERO, &FIELD_ONE);
    prefix[0] = FIELD_ONE;
    for (int i = 0; i < TABLE_MULTIPLES; i++) {
        if (i > 0) {
            point_add(&multiple[i], &multiple[i - 1], P);
        }
        field_mul(&prefix[i + 1], &prefix[i], &multiple[i].Z);
    }
    field inverse;
    field_invert(&inverse, &prefix[TABLE_MULTIPLES]);
    for (int i = TABLE_MULTIPLES - 1; i >= 0; i--) {
        field z_inverse, x, y, t;
        field_mul(&z_inverse, &inverse, &prefix[i]);
        field_mul(&inverse, &inverse, &multiple[i].Z);
        field_mul(&x, &multiple[i].X, &z_inverse);
        field_mul(&y, &multiple[i].Y, &z_inverse);
        field_add(&t, &y, &x);
        field_to_words(window[i].y_plus_x, &t);
        field_sub(&t, &y, &x);
        field_to_words(window[i].y_minus_x, &t);
        field_mul(&t, &x, &y);
        field_mul(&t, &t, &GROUP_2D);
        field_to_words(window[i].xy2d, &t);
    }
    *last = multiple[TABLE_MULTIPLES - 1];
}

void table_build(table *out, const point *P)
{
    point base = *P;
    for (int i = 0; i < TABLE_WINDOWS; i++) {
        point last;
        build_window(out->window[i], &base, &last);
        point_double(&base, &last); /* 2 * 2^(TABLE_WIDTH - 1) times the base is the next window's */
    }
}
