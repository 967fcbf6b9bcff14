# The cache of verified access tokens.

cdef enum:
    CACHE_WAYS = 4  # entries that a text can stand in
    CACHE_ENTRIES_MAX = 1 << 24

# Secret, so that nobody can choose tokens that fall into one set: whoever signs them does not know it.
cdef uint8_t _cache_secret[SIPHASH_KEY_LEN]


cdef int draw_cache_secret() except -1:
    cdef bytes drawn = os.urandom(SIPHASH_KEY_LEN)
    memcpy(_cache_secret, PyBytes_AS_STRING(drawn), SIPHASH_KEY_LEN)
    return 0


cdef struct cache_entry:
    # All of one token, or nothing. What can be judged without looking at the objects stands here.
    uint64_t hash
    PyObject *text  # exactly a str, which is ASCII, or exactly bytes; owned, like the others
    PyObject *token
    PyObject *audience  # bytes: as it is spelled in the token
    uint32_t issued_at
    uint32_t expires_at


@cython.final
cdef class _Cache:
    """
    Access tokens of one issuer that were found good, by their whole text.

    A text can stand in one set of CACHE_WAYS entries, which a hash of its signature chooses; where they are taken, the
    token that dies first makes room. Everything happens under the GIL, and nothing that is held can run code of
    Python's when it goes or be part of a cycle: all are immutable leaves.
    """

    cdef cache_entry *_entries
    cdef size_t _n_sets

    def __cinit__(self, size_t n_entries):
        self._n_sets = n_entries / CACHE_WAYS
        self._entries = <cache_entry *>calloc(n_entries, sizeof(cache_entry))
        if self._entries is NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef size_t i
        if self._entries is NULL:
            return
        for i in range(self._n_sets * CACHE_WAYS):
            Py_XDECREF(self._entries[i].text)
            Py_XDECREF(self._entries[i].token)
            Py_XDECREF(self._entries[i].audience)
        free(self._entries)

    cdef VerifiedAccessToken find(
        self, object text, bytes audience, int64_t now, int64_t leeway, revocations *index
    ):
        """
        Give the token of *text* where it is held and good still, else None.

        Judged is what a good signature leaves open, of a token of this issuer; why not is for others to say.
        """
        if type(text) is not str and type(text) is not bytes:
            return None
        cdef span characters = text_span(text)
        if characters.len < SIGNATURE_TEXT_LEN:
            return None
        cdef uint64_t hash = hash_of(characters)
        cdef cache_entry *entry = self._set(hash)
        cdef int way
        for way in range(CACHE_WAYS):
            if entry[way].hash == hash and entry[way].text is not NULL:
                entry += way
                break
        else:
            return None
        cdef const uint8_t *fields = (<VerifiedAccessToken>entry.token)._fields
        prefetch(fields)  # while the text is compared
        prefetch(fields + ACCESS_FIELDS_LEN - 1)
        if not (
            (entry.text == <PyObject *>text or is_text(<object>entry.text, characters))
            and access_judge_window(entry.issued_at, entry.expires_at, now, leeway) == VERDICT_GOOD
            and (entry.audience == <PyObject *>audience or <bytes>entry.audience == audience)
            and access_judge_revocation(fields, index) == VERDICT_GOOD
        ):
            return None
        return <VerifiedAccessToken>entry.token

    cdef int put(self, object text, bytes audience, VerifiedAccessToken token) except -1:
        """Hold *token*, good for *audience*, whose whole text is *text*, where that is a plain str or bytes object."""
        if type(text) is not str and type(text) is not bytes:
            return 0
        cdef uint64_t hash = hash_of(text_span(text))
        cdef cache_entry *entry = self._set(hash)
        cdef cache_entry *place = entry
        cdef int way
        for way in range(CACHE_WAYS):
            if entry[way].text is NULL or entry[way].hash == hash:
                place = entry + way
                break
            if entry[way].expires_at < place.expires_at:
                place = entry + way
        cdef cache_entry old = place[0]
        Py_INCREF(text)
        Py_INCREF(token)
        Py_INCREF(audience)
        place.hash = hash
        place.text = <PyObject *>text
        place.token = <PyObject *>token
        place.audience = <PyObject *>audience
        place.issued_at = load_be32(token._fields + FIELDS_ISSUED_AT)
        place.expires_at = load_be32(token._fields + FIELDS_EXPIRES_AT)
        Py_XDECREF(old.text)
        Py_XDECREF(old.token)
        Py_XDECREF(old.audience)
        return 0

    cdef cache_entry *_set(self, uint64_t hash):
        return self._entries + CACHE_WAYS * ((hash >> 32) * self._n_sets >> 32)


cdef inline uint64_t hash_of(span text):
    """Hash the signature, the last part of *text*, which is long enough to have one."""
    return siphash13(_cache_secret, text.start + text.len - SIGNATURE_TEXT_LEN, SIGNATURE_TEXT_LEN)


cdef extern from *:
    void prefetch "__builtin_prefetch" (const void *place) nogil


cdef inline bint is_text(object held, span text):
    cdef span characters = text_span(held)
    return characters.len == text.len and memcmp(characters.start, text.start, text.len) == 0


cdef _Cache new_cache(object entries):
    """Make a cache of so many entries; None for 0."""
    cdef int64_t n_entries = take_int(entries, "cache_entries")
    if not 0 <= n_entries <= CACHE_ENTRIES_MAX or n_entries % CACHE_WAYS != 0:
        raise ValueError(f"cache_entries must be a multiple of {CACHE_WAYS} from 0 to {CACHE_ENTRIES_MAX}")
    return _Cache(<size_t>n_entries) if n_entries else None
