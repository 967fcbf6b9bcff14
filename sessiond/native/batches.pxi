# What a batch of tokens came to.

cdef class _Batch:
    """
    What many tokens came to, in their order.

    ``len`` counts them. ``batch[i]`` is the verified token at place i, made each time it is asked for, or raises what
    ``verify`` would have raised for it at the call; so iterating over a batch raises at the first token that is
    refused. What expires or is revoked after the call changes nothing in a batch. It keeps the texts, is immutable and
    may be used from any thread.

    Attributes:
        verdicts: One byte for each token: 0 for a good one, else the number of its sessiond.errors.Cause. So
            ``Cause(batch.verdicts[i])`` names why place i is refused.
        fields: What each says, packed into as many bytes for each, one after another; zeros where the verdict is not
            0. The classes below say what stands where.

    """

    cdef readonly bytes verdicts
    cdef readonly bytes fields
    cdef tuple _texts

    def __cinit__(self, proof=None):
        check_proof(self, proof)

    def __len__(self):
        return len(self._texts)

    def __getitem__(self, place):
        cdef Py_ssize_t n_texts = len(self._texts)
        cdef Py_ssize_t at = PyNumber_AsSsize_t(place, IndexError)
        if at < 0:
            at += n_texts
        if not 0 <= at < n_texts:
            raise IndexError(f"the batch has {n_texts} tokens")
        return self._token(at)

    def __repr__(self):
        return f"<{type(self).__name__} of {len(self)} tokens, {self.verdicts.count(VERDICT_GOOD)} of them good>"

    cdef _Verified _token(self, Py_ssize_t at):
        raise NotImplementedError


@cython.final
cdef class RefreshBatch(_Batch):
    """
    What many refresh tokens came to, in their order; see the base.

    The fields of a token are REFRESH_FIELDS_SIZE bytes, integers big-endian: the id of its key (8 bytes), the second
    of its expiry (u32) and of its issue (u32), its session (16 bytes) and its generation (u32).
    """

    cdef RefreshVerifier _verifier
    cdef object _now

    cdef _Verified _token(self, Py_ssize_t at):
        if self.verdicts[at] == VERDICT_GOOD:
            return verified_refresh(span_of(self.fields).start + at * REFRESH_FIELDS_LEN)
        return self._verifier.verify(self._texts[at], now=self._now)


@cython.final
cdef class AccessBatch(_Batch):
    """
    What many access tokens came to, in their order; see the base.

    The fields of a token are ACCESS_FIELDS_SIZE bytes, integers big-endian: those of a refresh token, then the second
    of its issue again (u32), the hashes of its tenant (8 bytes) and subject (8 bytes), and the revision of the store
    that its session was born with (u64).
    """

    cdef AccessVerifier _verifier
    cdef object _audience
    cdef object _now
    cdef object _leeway

    cdef _Verified _token(self, Py_ssize_t at):
        cdef verdict given = <verdict>self.verdicts[at]
        cdef object text = self._texts[at]
        cdef VerifiedAccessToken verified = None
        cdef signed_access signed
        if verdict_is_of_signed(given):
            access_reread_verified(&signed, text_span(text), &self._verifier._keys._known)
            verified = verified_access(&signed)
        if given == VERDICT_GOOD:
            return verified
        raise self._verifier._refused(
            given, str_of(text), verified, audience=self._audience, now=self._now, leeway=self._leeway
        )
