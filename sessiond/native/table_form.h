/* What whoever holds a table must know of it: how large it is, and what can be wrong with one that is given. */
#ifndef SESSIOND_TABLE_FORM_H
#define SESSIOND_TABLE_FORM_H

#include <stddef.h>

/*
 * Sizes of tables, in windows: fewer are faster and take more memory. The small table, of TABLE_WINDOWS_MAX, is made at
 * once, in about two milliseconds; a wide one takes ten times as long and more.
 */
#define TABLE_WINDOWS_MIN 16 /* windows of 16 bits, a digit with its shift within 32 bits: 45.6 MB */
#define TABLE_WINDOWS_MAX 32 /* windows of 8 bits: 0.4 MB */

#define TABLE_ALIGNMENT 64

typedef enum {
    TABLE_GOOD = 0,
    TABLE_WRONG_LEN,    /* there is no table of so many bytes with so many windows */
    TABLE_WRONG_LAYOUT, /* the windows are not where they belong */
    TABLE_WRONG_ENTRY,  /* an entry is not its multiple of the point, or not in canonical words */
    TABLE_NOT_WIDER,    /* the table in use has as few windows */
} table_fault;

/* The bytes of a table: a multiple of TABLE_ALIGNMENT. Needs TABLE_WINDOWS_MIN <= n_windows <= TABLE_WINDOWS_MAX. */
size_t table_len(int n_windows);

#endif
