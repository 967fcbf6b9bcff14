# The keys of a verifier, and its two kinds of tokens.

@cython.final
cdef class _KnownKeys:
    """The keys of a verifier, from (key id, table, revoked) rows. Keeps the tables alive."""

    cdef known_keys _known
    cdef list _tables

    def __cinit__(self, keys):
        cdef tuple rows = tuple(keys)
        self._tables = []
        self._known.keys = <known_key *>malloc((len(rows) + 1) * sizeof(known_key))
        if self._known.keys is NULL:
            raise MemoryError
        seen = set()
        for key_id, table, revoked in rows:
            if not isinstance(key_id, bytes) or PyBytes_GET_SIZE(key_id) != KEY_ID_LEN:
                raise ValueError(f"a key id is {KEY_ID_LEN} bytes")
            if key_id in seen:
                raise ValueError(f"the key id {key_id.hex()} stands for two keys")
            seen.add(key_id)
            self._tables.append(table)
            known_key_set(
                &self._known.keys[self._known.n_keys], span_of(key_id).start, (<KeyTable?>table)._key, bool(revoked)
            )
            self._known.n_keys += 1

    def __dealloc__(self):
        free(self._known.keys)


cdef class RefreshVerifier:
    """
    Verifies refresh tokens under the keys it was made with.

    *keys* are (key id of 8 bytes, table, revoked) rows; ValueError when two rows share a key id.

    The methods give verified tokens, and raise where one is refused; what they raise is for a subclass to say: it has
    ``_refused``. Tokens are str, bytes or any other bytes-like objects. A text that cannot be a token, for its length
    or its characters, is MALFORMED like any other.
    """

    cdef _KnownKeys _keys

    def __cinit__(self, keys):
        self._keys = _KnownKeys(keys)

    def verify(self, token, *, now) -> VerifiedRefreshToken:
        """
        Accept *token* at *now*, whole seconds since the epoch, or say why not.

        A token is dead in the second that it names as its expiry. Its time of issue is not judged: a clock that
        stepped back logs nobody out. The GIL is kept.

        Raises InvalidRefreshToken, with causes up to EXPIRED, when the token is refused.
        """
        cdef object text = take_text(token, "a token")
        cdef uint8_t fields[REFRESH_FIELDS_LEN]
        cdef verdict given = self._judge(fields, text, check_now(now))
        if given == VERDICT_GOOD:
            return verified_refresh(fields)
        cdef VerifiedRefreshToken verified = verified_refresh(fields) if verdict_is_of_signed(given) else None
        raise self._refused(given, str_of(text), verified, now=now)

    def read_signed(self, token) -> VerifiedRefreshToken:
        """
        Accept *token* whenever its signature is good, expired or not: to name its session, not to trade it.

        Raises InvalidRefreshToken, with causes up to TAMPERED, when the token is refused.
        """
        cdef object text = take_text(token, "a token")
        cdef uint8_t fields[REFRESH_FIELDS_LEN]
        cdef verdict given = self._judge(fields, text, 0)
        if verdict_is_of_signed(given):
            return verified_refresh(fields)
        raise self._refused(given, str_of(text), None, now=0)

    def verify_batch(self, tokens, *, now) -> RefreshBatch:
        """
        Judge many tokens as ``verify`` does, each by itself, and raise for none: the batch raises where it is asked.

        *tokens*, any iterable, is read once, before the work starts: what another thread does to it or to a bytearray
        in it changes nothing. Tokens under different keys may be mixed. Batches of 64 and more work without the GIL; a
        token costs least in batches of a thousand and more. The call takes some 110 kB of the thread's stack: where
        threading.stack_size() gives threads less than 256 kB, give those that verify batches more.

        Raises:
            TypeError: *tokens* is a str or no iterable; or one of them, whose place is named, is neither str nor
                bytes-like; *now* is no int.
            ValueError: *now* is below 0 or not below 2**53.

        """
        cdef RefreshBatch batch = RefreshBatch.__new__(RefreshBatch, _PROOF)
        cdef _Texts texts = _Texts(tokens)
        batch.verdicts, batch.fields = self._judge_all(texts, check_now(now))
        batch._texts = texts.held
        batch._verifier = self
        batch._now = now
        return batch

    cdef verdict _judge(self, uint8_t *fields, object text, int64_t now):
        return refresh_verify(fields, text_span(text), &self._keys._known, now)

    cdef tuple _judge_all(self, _Texts texts, int64_t now):
        cdef bytes verdicts = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>texts.n_texts)
        cdef bytes fields = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(texts.n_texts * REFRESH_FIELDS_LEN))
        cdef uint8_t *verdicts_out = <uint8_t *>PyBytes_AS_STRING(verdicts)
        cdef uint8_t *fields_out = <uint8_t *>PyBytes_AS_STRING(fields)
        cdef const known_keys *keys = &self._keys._known
        if texts.n_texts < <size_t>BATCH_LEN_WITHOUT_GIL:
            refresh_verify_batch(verdicts_out, fields_out, texts.spans, texts.n_texts, keys, now)
        else:
            with nogil:
                refresh_verify_batch(verdicts_out, fields_out, texts.spans, texts.n_texts, keys, now)
        return verdicts, fields

    def _refused(self, int verdict, str token, VerifiedRefreshToken verified, *, now):
        """
        Give the exception that tells why *token* is refused at *now*.

        *verified* is what it says, None while its signature was not found good.
        """
        raise NotImplementedError("the verdict is put into words by a subclass")


cdef class AccessVerifier:
    """
    Verifies access tokens of one issuer under the keys it was made with.

    *keys* are (key id of 8 bytes, table, revoked) rows; ValueError when two rows share a key id. *issuer* is given as
    it stands between the quotes of a JSON string. *revocations*, if any, is asked last, about tokens that are good so
    far; every call sees what it was told before the call.

    With *cache_entries*, a multiple of 4, ``verify`` keeps that many tokens that it found good, with their texts, and
    gives the same object for the same text, for as long as it is good: its times, its audience and the revocation
    index are judged at every call. An entry keeps a token's text and payload, which are 4 kB and 3 kB at
    most. The other methods do not use the cache.

    The methods give verified tokens, and raise where one is refused; what they raise is for a subclass to say: it has
    ``_refused``, and ``_spelled``, which gives an audience as it stands between the quotes of a JSON string. Tokens are
    str, bytes or any other bytes-like objects. A text that cannot be a token, for its length or its characters, is
    MALFORMED like any other.
    """

    cdef _KnownKeys _keys
    cdef bytes _issuer
    cdef RevocationIndex _revocations
    cdef _Cache _cache
    cdef tuple _audience  # the last one asked for, and how it is spelled; only ever replaced whole

    def __cinit__(self, keys, bytes issuer not None, RevocationIndex revocations=None, cache_entries=0):
        self._keys = _KnownKeys(keys)
        self._issuer = issuer
        self._revocations = revocations
        self._cache = new_cache(cache_entries)
        self._audience = (None, b"")

    def verify(self, token, *, audience, now, leeway) -> VerifiedAccessToken:
        """
        Accept *token* for *audience* at *now*, or say why not.

        *audience* is who the token must be for, compared character by character. *now* is in whole seconds since the
        epoch; a token is dead in the second that it names as its expiry. *leeway* are seconds that a token may be used
        before its time of issue, since clocks differ; its end is never stretched. The GIL is kept.

        Raises InvalidAccessToken when the token is refused, with causes up to WRONG_AUDIENCE and then the one that
        ended its session, and ValueError when *audience* is not Unicode.
        """
        cdef bytes spelled = self._spelling(audience)
        cdef VerifiedAccessToken verified = None
        if self._cache is not None:
            verified = self._cache.find(token, spelled, check_now(now), check_leeway(leeway), self._index())
            if verified is not None:
                return verified
        cdef object text = take_text(token, "a token")
        cdef signed_access signed
        cdef verdict given = self._judge(&signed, text, spelled, now, leeway)
        if verdict_is_of_signed(given):
            verified = verified_access(&signed)
        if given == VERDICT_GOOD:
            if self._cache is not None:
                self._cache.put(text, spelled, verified)
            return verified
        raise self._refused(given, str_of(text), verified, audience=audience, now=now, leeway=leeway)

    def read_signed(self, token) -> VerifiedAccessToken:
        """
        Accept *token* whenever its signature is good, whatever its times and audience, and though it was revoked: to
        name its session.

        Raises InvalidAccessToken, with causes up to TAMPERED, when the token is refused.
        """
        cdef object text = take_text(token, "a token")
        cdef signed_access signed
        cdef verdict given = self._judge(&signed, text, b"", 0, 0)
        if verdict_is_of_signed(given):
            return verified_access(&signed)
        raise self._refused(given, str_of(text), None, audience="", now=0, leeway=0)

    def verify_batch(self, tokens, *, audience, now, leeway) -> AccessBatch:
        """
        Judge many tokens as ``verify`` does, each by itself, and raise for none: the batch raises where it is asked.

        *tokens*, any iterable, is read once, before the work starts: what another thread does to it or to a bytearray
        in it changes nothing. Tokens under different keys may be mixed. Batches of 64 and more work without the GIL; a
        token costs least in batches of a thousand and more. The call takes some 110 kB of the thread's stack: where
        threading.stack_size() gives threads less than 256 kB, give those that verify batches more.

        Raises:
            TypeError: *tokens* is a str or no iterable; or one of them, whose place is named, is neither str nor
                bytes-like; *audience* is no str; *now* or *leeway* is no int.
            ValueError: *now* is below 0 or not below 2**53, *leeway* below 0 or not below 2**32; or *audience* is not
                Unicode.

        """
        cdef AccessBatch batch = AccessBatch.__new__(AccessBatch, _PROOF)
        cdef _Texts texts = _Texts(tokens)
        batch.verdicts, batch.fields = self._judge_all(texts, self._spelling(audience), now, leeway)
        batch._texts = texts.held
        batch._verifier = self
        batch._audience, batch._now, batch._leeway = audience, now, leeway
        return batch

    cdef verdict _judge(self, signed_access *signed, object text, bytes audience, now, leeway) except *:
        cdef access_terms terms = self._terms(audience, now, leeway)
        return access_verify(signed, text_span(text), &terms)

    cdef tuple _judge_all(self, _Texts texts, bytes audience, now, leeway):
        cdef access_terms terms = self._terms(audience, now, leeway)
        cdef bytes verdicts = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>texts.n_texts)
        cdef bytes fields = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(texts.n_texts * ACCESS_FIELDS_LEN))
        cdef uint8_t *verdicts_out = <uint8_t *>PyBytes_AS_STRING(verdicts)
        cdef uint8_t *fields_out = <uint8_t *>PyBytes_AS_STRING(fields)
        if texts.n_texts < <size_t>BATCH_LEN_WITHOUT_GIL:
            access_verify_batch(verdicts_out, fields_out, texts.spans, texts.n_texts, &terms)
        else:
            with nogil:
                access_verify_batch(verdicts_out, fields_out, texts.spans, texts.n_texts, &terms)
        return verdicts, fields

    cdef access_terms _terms(self, bytes audience, now, leeway) except *:
        """Gather what is asked of tokens; good for as long as *audience* lives."""
        cdef access_terms terms
        terms.keys = &self._keys._known
        terms.issuer = span_of(self._issuer)
        terms.audience = span_of(audience)
        terms.now = check_now(now)
        terms.leeway = check_leeway(leeway)
        terms.revocations = self._index()
        return terms

    cdef inline revocations *_index(self):
        return NULL if self._revocations is None else self._revocations._index

    cdef bytes _spelling(self, audience):
        """Spell *audience* for C; a caller asks for the same one again and again."""
        cdef tuple last = self._audience
        if type(audience) is not str:
            if not isinstance(audience, str):
                raise TypeError(f"audience must be a str, not {type(audience).__name__}")
            audience = PyUnicode_FromObject(audience)
        if audience != last[0]:
            spelled = self._spelled(audience)
            if type(spelled) is not bytes:
                raise TypeError(f"_spelled must give bytes, not {type(spelled).__name__}")
            last = (audience, spelled)
            self._audience = last
        return last[1]

    def _spelled(self, str audience):
        """Give *audience* as it stands between the quotes of a JSON string."""
        raise NotImplementedError("the audience is spelled by a subclass")

    def _refused(self, int verdict, str token, VerifiedAccessToken verified, *, audience, now, leeway):
        """
        Give the exception that tells why *token* is refused for *audience* at *now*.

        *verified* is what it says, None while its signature was not found good.
        """
        raise NotImplementedError("the verdict is put into words by a subclass")
