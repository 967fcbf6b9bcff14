/* Which implementation verifies and decodes in this process: the best one that the machine can run, or one by name. */
#ifndef SESSIOND_DISPATCH_H
#define SESSIOND_DISPATCH_H

#include <stddef.h>

typedef enum {
    IMPLEMENTATION_GOOD = 0,
    IMPLEMENTATION_NOT_RUNNABLE, /* none of that name runs on this machine */
    IMPLEMENTATION_NO_MEMORY,
    IMPLEMENTATION_MISCALCULATED, /* a table did not pass its check: this machine cannot be trusted */
} implementation_fault;

/*
 * Choose the implementation, once, before anything else of ed25519.h and base64url.h is called: *forced* by name, or
 * the best one if it is NULL; and make the small table of the base point. To start again is for tests; keys stay good.
 */
implementation_fault implementation_start(const char *forced);

/* The name of the chosen implementation. */
const char *implementation_name(void);

/* The name of the nth implementation that this machine can run, best first; NULL when there are no more. */
const char *implementation_runnable(size_t n);

#endif
