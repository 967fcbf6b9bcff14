/* Refresh tokens: sdr_ and a CWT in COSE_Sign1 (RFC 8392, 9052), constant but for the fields. */
#ifndef SESSIOND_REFRESH_H
#define SESSIOND_REFRESH_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "fields.h"
#include "known_keys.h"
#include "verdict.h"

/*
 * Judge *text* at *now*, seconds since the epoch. The window is half-open: a token is dead in the second that it names
 * as its expiry. iat is not judged. *fields* are of use only where verdict_is_of_signed the verdict.
 */
verdict refresh_verify(uint8_t fields[REFRESH_FIELDS_LEN], span text, const known_keys *keys, int64_t now);

/*
 * Judge many texts as refresh_verify does, each by itself: a verdict and REFRESH_FIELDS_LEN bytes of fields for each,
 * zeros where the verdict is not VERDICT_GOOD.
 */
void refresh_verify_batch(
    uint8_t *verdicts, uint8_t *fields, const span *texts, size_t n_texts, const known_keys *keys, int64_t now);

/* Tell whether *text* has the shape of a refresh token, whatever it holds. */
bool refresh_is_shape_of(span text);

#endif
