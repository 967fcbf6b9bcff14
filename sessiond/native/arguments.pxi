# Checks of what is handed in: what is wrong, under the name that the caller gave it.

cdef int64_t take_int(object value, str name) except? -1:
    """
    Take *value*, an int, as C has it: one that is out of reach becomes the nearest that is not.

    Limits are held against this number, since the operators of a subclass of int may lie.
    """
    if not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    cdef int overflow
    cdef int64_t given = PyLong_AsLongLongAndOverflow(value, &overflow)
    if overflow:
        return INT64_MAX if overflow > 0 else INT64_MIN
    return given


cdef int64_t check_seconds(object value, str name, int64_t limit) except -1:
    """Take *value*, an int from 0 to below *limit*: so small that no sum of times overflows."""
    cdef int64_t given = take_int(value, name)
    if not 0 <= given < limit:
        raise ValueError(f"{name} must be whole seconds from 0 to {limit - 1}")
    return given


cdef int64_t check_now(object now) except -1:
    return check_seconds(now, "now", 1 << 53)


cdef int64_t check_leeway(object leeway) except -1:
    return check_seconds(leeway, "leeway", 1 << 32)


cdef int64_t check_keep_until(object keep_until, str name) except -1:
    return check_seconds(keep_until, name, 1 << 53)


cdef uint64_t check_whole(object value, str name) except? 0:
    """Take *value*, an int of 64 bits without a sign."""
    if not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    try:
        return PyLong_AsUnsignedLongLong(value)
    except OverflowError:
        raise ValueError(f"{name} must be from 0 to {(1 << 64) - 1}") from None


cdef int check_windows(object windows) except -1:
    cdef int64_t n_windows = take_int(windows, "windows")
    if not TABLE_WINDOWS_MIN <= n_windows <= TABLE_WINDOWS_MAX:
        raise ValueError(f"a table has {TABLE_WINDOWS_MIN} to {TABLE_WINDOWS_MAX} windows, not {windows}")
    return <int>n_windows


cdef const uint8_t *check_length(bytes data, Py_ssize_t length, str name) except NULL:
    """Borrow the bytes of *data*, which must be *length* of them."""
    if PyBytes_GET_SIZE(data) != length:
        raise ValueError(f"{name} must be {length} bytes, not {PyBytes_GET_SIZE(data)}")
    return <const uint8_t *>PyBytes_AS_STRING(data)


cdef bytes take_bytes(object data, str name):
    """
    Take *data* as bytes: itself, or a copy of any other bytes-like object.

    The copy is what makes a bytearray safe that another thread changes while its signature is verified.
    """
    if type(data) is bytes:
        return data
    if not PyObject_CheckBuffer(data):
        raise TypeError(f"{name} must be bytes-like, not {type(data).__name__}")
    return bytes(memoryview(data))


cdef bytes take_key(object public_key):
    """Take *public_key* as bytes, of the length that a key has."""
    cdef bytes key_bytes = take_bytes(public_key, "public_key")
    if len(key_bytes) != ED25519_PUBLIC_KEY_LEN:
        raise ValueError(f"an Ed25519 public key has {ED25519_PUBLIC_KEY_LEN} bytes, not {len(key_bytes)}")
    return key_bytes


cdef object take_text(object token, str name):
    """Take *token* as the str or bytes that it is, or a copy of any other bytes-like object."""
    if isinstance(token, (str, bytes)):
        return token
    if not PyObject_CheckBuffer(token):
        raise TypeError(f"{name} must be str or bytes-like, not {type(token).__name__}")
    return bytes(memoryview(token))
