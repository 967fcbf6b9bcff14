# The revision of a store in memory that processes share.

@cython.final
cdef class SharedRevision:
    """
    A number of 64 bits in memory that processes share, such as an mmap of a file: 8 bytes at a multiple of 8.

    Safe to use from any thread of any process that has the memory mapped. What a process wrote before it raised the
    number is seen by whoever finds it raised. The memory is held for as long as the object lives.
    """

    cdef Py_buffer _view

    def __cinit__(self, memory):
        PyObject_GetBuffer(memory, &self._view, PyBUF_WRITABLE)
        if self._view.len != SHARED_REVISION_LEN or <uintptr_t>self._view.buf % SHARED_REVISION_LEN != 0:
            raise ValueError(
                f"a shared revision is {SHARED_REVISION_LEN} bytes that begin at a multiple of {SHARED_REVISION_LEN} "
                "in memory, as an mmap does"
            )

    def __dealloc__(self):
        PyBuffer_Release(&self._view)

    def load(self) -> int:
        """Read the number."""
        return shared_revision_load(<const uint64_t *>self._view.buf)

    def raise_to(self, revision) -> None:
        """Make the number *revision*, unless it is that or more already; of several at once the greatest stays."""
        shared_revision_raise(<uint64_t *>self._view.buf, check_whole(revision, "revision"))
