# The revocation index.

@cython.final
cdef class RevocationIndex:
    """
    Which sessions ended, and which scopes were cut, for as long as a token of theirs may live.

    A cut may spare one session, which then counts as born at its revision. Tokens from before the cut say otherwise,
    so the index remembers it until the last of them is dead; whoever asks knows both or neither.

    Safe to use from any thread. What was put in before a call began is seen by that call, a batch that runs without
    the GIL too; such a batch holds writers off for some tens of microseconds at a time. An entry takes less than 58
    bytes, that of a spared session less than 76. Session ids have 16 bytes and scope hashes 8; other lengths are
    ValueErrors, like numbers out of range. Where there is no memory for an entry, MemoryError says so and nothing is
    known that was not.

    The index, and verifiers that ask it, are made after a fork, not before: in a child that was made while another
    thread held the lock, whoever asks waits for ever.
    """

    cdef revocations *_index

    def __cinit__(self):
        self._index = revocations_new()
        if self._index is NULL:
            raise MemoryError

    def __dealloc__(self):
        revocations_free(self._index)

    def __len__(self) -> int:
        """Count the ended sessions, the cuts and the spared sessions that are known."""
        return revocations_count(self._index)

    @property
    def memory_bytes(self) -> int:
        """The memory that the index takes; while it grows, its old place is there besides."""
        return revocations_memory_len(self._index)

    def end_session(self, bytes session_id not None, cause, keep_until) -> None:
        """
        Know that a session ended with *cause*, until *keep_until*, seconds since the epoch.

        *cause* is a number of sessiond.errors.Cause that says how sessions end. Of a session that comes again the last
        cause holds, and the longer memory.
        """
        cdef const uint8_t *id_bytes = check_length(session_id, SESSION_ID_LEN, "session_id")
        cdef uint64_t number = check_whole(cause, "cause")
        if <uint64_t><verdict>number != number or not verdict_is_of_revoked(<verdict>number):
            raise ValueError(f"no session ends with the cause {number}")
        cdef int64_t end = check_keep_until(keep_until, "keep_until")
        if not revocations_end_session(self._index, id_bytes, <verdict>number, end):
            raise MemoryError

    def cut_subject(
        self,
        bytes subject_hash not None,
        revision,
        keep_until,
        bytes except_session_id not None = b"",
        except_until = 0,
    ) -> None:
        """
        Know that all sessions of a subject that were born before *revision* are dead, until *keep_until*.

        All but that of *except_session_id*, empty for none, whose tokens from before live until *except_until*. Times
        are in seconds since the epoch. Of a scope that is cut again, and of a session that is spared again, the larger
        revision holds, and the longer memory.
        """
        cdef const uint8_t *scope_hash = check_length(subject_hash, SCOPE_HASH_LEN, "subject_hash")
        self._cut(REVOCATIONS_SUBJECT, scope_hash, revision, keep_until, except_session_id, except_until)

    def cut_tenant(
        self,
        bytes tenant_hash not None,
        revision,
        keep_until,
        bytes except_session_id not None = b"",
        except_until = 0,
    ) -> None:
        """Know the same of all sessions of a tenant; see ``cut_subject``."""
        cdef const uint8_t *scope_hash = check_length(tenant_hash, SCOPE_HASH_LEN, "tenant_hash")
        self._cut(REVOCATIONS_TENANT, scope_hash, revision, keep_until, except_session_id, except_until)

    def cut_all(self, revision, keep_until, bytes except_session_id not None = b"", except_until = 0) -> None:
        """Know the same of all sessions there are; see ``cut_subject``."""
        self._cut(REVOCATIONS_ALL, NULL, revision, keep_until, except_session_id, except_until)

    def expire(self, now) -> None:
        """
        Forget what is kept until *now*, seconds since the epoch, or less, and give its memory back.

        Goes through all that is known, without the GIL; every reader waits meanwhile.
        """
        cdef int64_t instant = check_now(now)
        with nogil:
            revocations_expire(self._index, instant)

    def cause_of(
        self, bytes session_id not None, bytes tenant_hash not None, bytes subject_hash not None, born
    ) -> int:
        """
        Give the cause that ended a session, 0 while it lives.

        Its own end comes first, then the cuts of its subject, its tenant and everything. A cut covers what was *born*
        before its revision; a session that was spared counts as born at the cut that spared it, if that is later.
        """
        cdef revocable who
        who.session_id = check_length(session_id, SESSION_ID_LEN, "session_id")
        who.tenant_hash = check_length(tenant_hash, SCOPE_HASH_LEN, "tenant_hash")
        who.subject_hash = check_length(subject_hash, SCOPE_HASH_LEN, "subject_hash")
        who.born = check_whole(born, "born")
        revocations_read_lock(self._index)
        cdef verdict found = revocations_judge(self._index, &who)
        revocations_read_unlock(self._index)
        return found

    cdef int _cut(
        self,
        revocations_scope scope,
        const uint8_t *scope_hash,
        revision,
        keep_until,
        bytes except_session_id,
        except_until,
    ) except -1:
        cdef uint64_t born_before = check_whole(revision, "revision")
        cdef int64_t end = check_keep_until(keep_until, "keep_until")
        cdef revocations_spared spared
        cdef revocations_spared *spares = NULL
        if except_session_id:
            spares = &spared
            spared.session_id = check_length(except_session_id, SESSION_ID_LEN, "except_session_id")
            spared.keep_until = check_keep_until(except_until, "except_until")
        if not revocations_cut(self._index, scope, scope_hash, born_before, end, spares):
            raise MemoryError
        return 0
