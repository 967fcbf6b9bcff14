# Signatures alone, whatever was signed.

def verify_signature(public_key, message, signature) -> bool:
    """
    Tell whether *signature* is good for *message* under *public_key*.

    The rule is that of the libsodium releases 1.0.18 to 1.0.22, for keys too: S < L, the key canonical and not of
    small order, R not of small order, no cofactor, R compared byte by byte. Keys with a torsion component are taken;
    refusing them is the business of whoever loads keys. Wrong lengths are False. Any bytes-like objects do; the
    message may have any length. Use a KeyTable for a key that verifies more than once: it is several times faster.
    """
    cdef bytes key_bytes = take_bytes(public_key, "public_key")
    cdef bytes message_bytes = take_bytes(message, "message")
    cdef bytes signature_bytes = take_bytes(signature, "signature")
    if len(key_bytes) != ED25519_PUBLIC_KEY_LEN or len(signature_bytes) != ED25519_SIGNATURE_LEN:
        return False
    cdef span A = span_of(key_bytes), M = span_of(message_bytes), R_and_S = span_of(signature_bytes)
    cdef bint good
    with nogil:
        good = ed25519_verify_once(A.start, M.start, M.len, R_and_S.start)
    return good


# Not cleared by the garbage collector: what is held must outlive every use of the key.
@cython.final
@cython.no_gc_clear
cdef class KeyTable:
    """
    The precomputed table of one public key, which makes its verifications several times faster.

    Making one takes about two milliseconds; every entry of it is verified. Share it between verifiers and threads: what
    it answers never changes. The memory is freed with the object. Keys with a torsion component are taken, as by
    libsodium: refuse them where keys are loaded.

    Raises ValueError when *public_key* is not 32 bytes, not the canonical encoding of a point, or of small order, and
    RuntimeError when the finished table does not pass its check.
    """

    cdef ed25519_key *_key
    cdef bytes _public_key
    cdef list _held

    def __cinit__(self, public_key):
        cdef bytes key_bytes = take_key(public_key)
        cdef span A = span_of(key_bytes)
        cdef ed25519_key_fault fault
        with nogil:
            fault = ed25519_key_new(&self._key, A.start)
        raise_key_fault(fault)
        self._public_key = key_bytes
        self._held = []

    def __dealloc__(self):
        ed25519_key_free(self._key)

    @property
    def public_key(self) -> bytes:
        """The 32 bytes that the table was made from."""
        return self._public_key

    @property
    def memory_bytes(self) -> int:
        """The memory that the tables take, whether other processes share it or not."""
        return ed25519_key_memory_len(self._key) + sum((<_Held>held).view.len for held in self._held)

    @property
    def windows(self) -> int:
        """How many windows the table in use has: SMALL_TABLE_WINDOWS, or fewer in a wider one, which is faster."""
        return ed25519_key_windows(self._key)

    def widen(self, table) -> None:
        """
        Verify with *table*, a wider one of the same key, from here on, while other threads verify and never wait.

        It is memory that begins at a multiple of 64, filled by ``build_table``, by whomever: every entry is verified
        first, without the GIL, so a file that is mapped needs no trust. After that it must not change, or wrong answers
        come of it: map a file with ACCESS_READ, let no other process write or cut it, and write no more to what is
        writable. It is held until the key is freed, and so are the tables that were in use before it.

        Raises ValueError when it is not such memory, not a table of this key, or no wider than the one in use.
        """
        cdef _Held held = _Held(table, False)
        cdef table_fault fault
        self._held.append(held)  # before it is read, so that nothing can fail between its first use and this
        with nogil:
            fault = ed25519_key_widen(self._key, held.view.buf, <size_t>held.view.len)
        if fault != TABLE_GOOD:
            self._held.remove(held)
        raise_table_fault(fault, <size_t>held.view.len)

    def verify(self, message, signature) -> bool:
        """Tell whether *signature* is good for *message*, by the rule of verify_signature."""
        cdef bytes message_bytes = take_bytes(message, "message")
        cdef bytes signature_bytes = take_bytes(signature, "signature")
        if len(signature_bytes) != ED25519_SIGNATURE_LEN:
            return False
        cdef span M = span_of(message_bytes), R_and_S = span_of(signature_bytes)
        cdef bint good
        if M.len < <size_t>MESSAGE_LEN_WITHOUT_GIL:
            return ed25519_verify(self._key, M.start, M.len, R_and_S.start)
        with nogil:
            good = ed25519_verify(self._key, M.start, M.len, R_and_S.start)
        return good

    def verify_batch(self, items) -> bytes:
        """
        Verify (message, signature) pairs: one byte each, 1 for good and 0 for bad, in order.

        Each answer is that of ``verify`` for the pair alone. The items are read once, before the work starts, which
        runs without the GIL. Messages are hashed in groups of up to eight neighbours, in the time of the longest: keep
        messages of many kilobytes apart from short ones, or give them to ``verify``.
        """
        cdef list pairs = []
        cdef bytes message_bytes, signature_bytes
        for message, signature in tuple(items):
            pairs.append((take_bytes(message, "message"), take_bytes(signature, "signature")))
        cdef size_t n_pairs = <size_t>len(pairs), n_items = 0, i
        cdef bytearray answers = bytearray(n_pairs)
        cdef ed25519_item *batch = <ed25519_item *>malloc((n_pairs + 1) * sizeof(ed25519_item))
        cdef size_t *places = <size_t *>malloc((n_pairs + 1) * sizeof(size_t))
        cdef uint8_t *good = <uint8_t *>malloc(n_pairs + 1)
        try:
            if batch is NULL or places is NULL or good is NULL:
                raise MemoryError
            for i in range(n_pairs):
                message_bytes, signature_bytes = pairs[i]
                if len(signature_bytes) != ED25519_SIGNATURE_LEN:
                    continue
                batch[n_items].key = self._key
                batch[n_items].message = span_of(message_bytes).start
                batch[n_items].message_len = span_of(message_bytes).len
                batch[n_items].signature = span_of(signature_bytes).start
                places[n_items] = i
                n_items += 1
            with nogil:
                ed25519_verify_batch(batch, n_items, good)
            for i in range(n_items):
                answers[places[i]] = good[i]
            return bytes(answers)
        finally:
            free(batch)
            free(places)
            free(good)
