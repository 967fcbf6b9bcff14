# Bytes that Python objects hold, lent to C.

cdef inline span span_of(object data):
    """Borrow the bytes of *data*, a bytes object or one of a subclass."""
    cdef span borrowed
    borrowed.start = <const uint8_t *>PyBytes_AS_STRING(data)
    borrowed.len = <size_t>PyBytes_GET_SIZE(data)
    return borrowed


cdef inline span text_span(object text):
    """Borrow the characters of what take_text gives; of a str that is not ASCII none, since no token is empty."""
    cdef span characters
    if not isinstance(text, str):
        return span_of(text)
    characters.start = NULL
    characters.len = 0
    if PyUnicode_IS_ASCII(text):
        characters.start = <const uint8_t *>PyUnicode_DATA(text)
        characters.len = <size_t>PyUnicode_GET_LENGTH(text)
    return characters


cdef str str_of(object text):
    """Give the characters of what take_text gives, whatever they are, for a message."""
    if isinstance(text, str):
        return PyUnicode_FromObject(text)
    return PyUnicode_DecodeLatin1(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), NULL)


@cython.final
cdef class _Texts:
    """The texts of a batch as they are when it is made: whatever happens to the tokens, nothing read below is freed."""

    cdef tuple held
    cdef span *spans
    cdef size_t n_texts

    def __cinit__(self, tokens):
        if isinstance(tokens, str):
            raise TypeError("tokens must be several tokens, not a str")
        cdef tuple given = tuple(tokens)
        cdef list texts = None
        cdef Py_ssize_t place
        for place in range(len(given)):
            if not isinstance(given[place], (str, bytes)):
                texts = texts or list(given)
                texts[place] = take_text(given[place], f"tokens[{place}]")
        self.held = given if texts is None else tuple(texts)
        self.n_texts = <size_t>len(given)
        self.spans = <span *>malloc((self.n_texts + 1) * sizeof(span))
        if self.spans is NULL:
            raise MemoryError
        for place in range(len(given)):
            self.spans[place] = text_span(self.held[place])

    def __dealloc__(self):
        free(self.spans)
