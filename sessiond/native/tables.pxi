# Tables in memory that Python objects hold.

@cython.final
cdef class _Held:
    """The memory of an object, which cannot be closed, resized or freed for as long as this lives."""

    cdef Py_buffer view

    def __cinit__(self, data, bint writable):
        PyObject_GetBuffer(data, &self.view, PyBUF_WRITABLE if writable else PyBUF_SIMPLE)
        if <uintptr_t>self.view.buf % TABLE_ALIGNMENT != 0:
            PyBuffer_Release(&self.view)
            raise ValueError(
                f"a table must begin at a multiple of {TABLE_ALIGNMENT} bytes in memory, as an mmap does: "
                "a bytes object does not"
            )

    def __dealloc__(self):
        PyBuffer_Release(&self.view)


cdef int raise_key_fault(ed25519_key_fault fault) except -1:
    """Raise what is wrong with a key or with the making of its table."""
    if fault == ED25519_KEY_NO_MEMORY:
        raise MemoryError
    if fault == ED25519_KEY_MISCALCULATED:
        raise RuntimeError(
            "a table did not pass its check after it was built: this machine miscalculates, do not verify with it"
        )
    if fault == ED25519_KEY_SMALL_ORDER:
        raise ValueError("the public key is a point of small order")
    if fault != ED25519_KEY_GOOD:
        raise ValueError("the public key is not the canonical encoding of a point of the curve")
    return 0


cdef int raise_table_fault(table_fault fault, size_t n_bytes) except -1:
    """Raise what is wrong with *n_bytes* bytes that were given as a table."""
    if fault == TABLE_WRONG_LEN:
        raise ValueError(f"no table has {n_bytes} bytes and as many windows as these tell: it was cut, or is no table")
    if fault == TABLE_WRONG_LAYOUT:
        raise ValueError("the table is damaged: its header says that windows lie where they do not")
    if fault == TABLE_WRONG_ENTRY:
        raise ValueError("the table is damaged, or of another key: an entry is not the multiple that belongs there")
    if fault == TABLE_NOT_WIDER:
        raise ValueError("the table is no wider than the one in use")
    return 0


def table_size(windows) -> int:
    """
    Say how many bytes a table of so many *windows* takes, from WIDEST_TABLE_WINDOWS to SMALL_TABLE_WINDOWS.

    Fewer windows are faster and take more memory.
    """
    return table_len(check_windows(windows))


def build_table(into, windows, public_key) -> None:
    """
    Fill *into* with the table of *public_key*, or with that of the base point where it is None.

    *into* is writable memory of ``table_size(windows)`` bytes that begins at a multiple of 64, such as an mmap. It
    takes 20 ms and more, without the GIL; every entry is verified. The bytes are the same on every machine of one byte
    order, and ``widen`` checks them again, wherever they were in between.

    Raises:
        ValueError: The key or the memory is not as said.
        RuntimeError: The finished table did not pass its check: the machine miscalculates.

    """
    cdef int n_windows = check_windows(windows)
    cdef bytes key_bytes = None
    cdef const uint8_t *A = NULL
    if public_key is not None:
        key_bytes = take_key(public_key)
        A = span_of(key_bytes).start
    cdef _Held held = _Held(into, True)
    cdef size_t len_of_table = table_len(n_windows)
    if <size_t>held.view.len != len_of_table:
        raise ValueError(f"a table of {windows} windows takes {len_of_table} bytes, not {held.view.len}")
    cdef ed25519_key_fault fault
    with nogil:
        fault = ed25519_table_build(held.view.buf, n_windows, A)
    raise_key_fault(fault)


def widen_base(table) -> None:
    """
    Verify under every key with *table*, a wider table of the base point, from here on. See ``KeyTable.widen``.

    It is held until the process ends.
    """
    cdef _Held held = _Held(table, False)
    cdef table_fault fault
    with nogil:
        fault = ed25519_base_widen(held.view.buf, <size_t>held.view.len)
    raise_table_fault(fault, <size_t>held.view.len)
    Py_INCREF(held)  # a thread that verifies without the GIL may still read it while the interpreter ends


def base_windows() -> int:
    """Say how many windows the table of the base point has that is in use."""
    return ed25519_base_windows()
