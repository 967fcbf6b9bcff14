# Well-signed tokens: C keeps what they say, and a Python object of it is made when it is asked for.

cdef object _PROOF = object()  # in no namespace of Python: only the code here can show it

cdef int check_proof(object made, object proof) except -1:
    if proof is not _PROOF:
        raise TypeError(f"{type(made).__name__} objects come from a verifier and from nowhere else")
    return 0


cdef tuple _REFRESH_NAMES = ("key_id", "session_id", "generation", "issued_at", "expires_at")
cdef tuple _ACCESS_NAMES = _REFRESH_NAMES + (
    "tenant_hash", "subject_hash", "born", "issuer", "audience", "subject", "client_id", "tenant", "claims_json"
)


cdef class _Verified:
    """What every well-signed token says."""

    cdef uint8_t _fields[ACCESS_FIELDS_LEN]  # zeros after REFRESH_FIELDS_LEN in a refresh token

    def __cinit__(self, proof=None):
        check_proof(self, proof)

    @property
    def key_id(self) -> bytes:
        """The key that signed it, 8 bytes."""
        return self._bytes(FIELDS_KEY_ID, KEY_ID_LEN)

    @property
    def session_id(self) -> bytes:
        """The session, 16 bytes."""
        return self._bytes(FIELDS_SESSION_ID, SESSION_ID_LEN)

    @property
    def generation(self) -> int:
        """The generation of the session that it belongs to, a u32."""
        return load_be32(self._fields + FIELDS_GENERATION)

    @property
    def issued_at(self) -> int:
        """When it was issued, in seconds since the epoch, a u32."""
        return load_be32(self._fields + FIELDS_ISSUED_AT)

    @property
    def expires_at(self) -> int:
        """The second in which it dies, since the epoch, a u32."""
        return load_be32(self._fields + FIELDS_EXPIRES_AT)

    def __eq__(self, other):
        if type(self) is not type(other):
            return NotImplemented
        return self._is_same(<_Verified>other)

    def __hash__(self):
        return hash(self._bytes(0, ACCESS_FIELDS_LEN))

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    cdef bytes _bytes(self, size_t start, Py_ssize_t length):
        return PyBytes_FromStringAndSize(<const char *>self._fields + start, length)

    cdef bint _is_same(self, _Verified other):
        return memcmp(self._fields, other._fields, ACCESS_FIELDS_LEN) == 0

    cdef str _shown(self, tuple names):
        return f"{type(self).__name__}({', '.join([f'{name}={getattr(self, name)!r}' for name in names])})"


@cython.final
cdef class VerifiedRefreshToken(_Verified):
    """
    A refresh token whose signature was found good. Nothing but a RefreshVerifier can make one.

    It is immutable, compared and hashed by what it says, and may be used from any thread. Its attributes are made each
    time they are asked for. It holds neither the text nor the signature, and cannot be pickled.
    """

    def __repr__(self):
        return self._shown(_REFRESH_NAMES)


@cython.final
cdef class VerifiedAccessToken(_Verified):
    """
    An access token whose signature was found good. Nothing but an AccessVerifier can make one.

    It is immutable, compared and hashed by what it says, and may be used from any thread. Its attributes are made each
    time they are asked for: keep one that is used often. It holds the payload, but neither the text nor the signature,
    and cannot be pickled.
    """

    cdef bytes _payload
    cdef payload_text _issuer, _audience, _subject, _client_id, _tenant, _claims  # where they stand in it

    @property
    def tenant_hash(self) -> bytes:
        """The tenant's name in the revocation index, 8 bytes."""
        return self._bytes(FIELDS_TENANT_HASH, SCOPE_HASH_LEN)

    @property
    def subject_hash(self) -> bytes:
        """The subject's name in the revocation index, 8 bytes."""
        return self._bytes(FIELDS_SUBJECT_HASH, SCOPE_HASH_LEN)

    @property
    def born(self) -> int:
        """The revision of the store that the session began with, a u64."""
        return load_be64(self._fields + FIELDS_BORN)

    @property
    def issuer(self) -> str:
        """Who issued it."""
        return self._read_text(self._issuer)

    @property
    def audience(self) -> str:
        """Who it is for."""
        return self._read_text(self._audience)

    @property
    def subject(self) -> str:
        """Who it speaks for."""
        return self._read_text(self._subject)

    @property
    def client_id(self) -> str:
        """The client that the session was opened with."""
        return self._read_text(self._client_id)

    @property
    def tenant(self) -> str:
        """The tenant of the subject."""
        return self._read_text(self._tenant)

    @property
    def claims_json(self) -> str:
        """The application's claims: one JSON object, verbatim."""
        return f"{{{self._decoded(self._claims)}}}"

    def __repr__(self):
        return self._shown(_ACCESS_NAMES)

    cdef bint _is_same(self, _Verified other):
        return (
            memcmp(self._fields, other._fields, ACCESS_FIELDS_LEN) == 0
            and self._payload == (<VerifiedAccessToken>other)._payload
        )

    cdef str _decoded(self, payload_text text):
        return PyUnicode_DecodeUTF8(PyBytes_AS_STRING(self._payload) + text.at, text.len, NULL)

    cdef str _read_text(self, payload_text text):
        """Take the escapes of a JSON string back; the parser has seen that they are right."""
        cdef str spelled = self._decoded(text)
        if memchr(PyBytes_AS_STRING(self._payload) + text.at, c"\\", text.len) is NULL:
            return spelled
        return json.loads(f'"{spelled}"')


cdef VerifiedRefreshToken verified_refresh(const uint8_t *fields):
    """Make the token of REFRESH_FIELDS_LEN bytes of fields that a good signature covers."""
    cdef VerifiedRefreshToken token = VerifiedRefreshToken.__new__(VerifiedRefreshToken, _PROOF)
    memcpy(token._fields, fields, REFRESH_FIELDS_LEN)
    return token


cdef VerifiedAccessToken verified_access(const signed_access *signed):
    """Make the token of what a good signature covers."""
    cdef VerifiedAccessToken token = VerifiedAccessToken.__new__(VerifiedAccessToken, _PROOF)
    memcpy(token._fields, signed.fields, ACCESS_FIELDS_LEN)
    token._payload = PyBytes_FromStringAndSize(<const char *>signed.payload_json, <Py_ssize_t>signed.payload_len)
    token._issuer = signed.content.issuer
    token._audience = signed.content.audience
    token._subject = signed.content.subject
    token._client_id = signed.content.client_id
    token._tenant = signed.content.tenant
    token._claims = signed.content.claims
    return token
