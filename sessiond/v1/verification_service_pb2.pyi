import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RequiredClaim(_message.Message):
    __slots__ = ("name", "equals_json", "contains_json", "max_age")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EQUALS_JSON_FIELD_NUMBER: _ClassVar[int]
    CONTAINS_JSON_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    equals_json: str
    contains_json: str
    max_age: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., equals_json: _Optional[str] = ..., contains_json: _Optional[str] = ..., max_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class VerifyRequest(_message.Message):
    __slots__ = ("access_token", "audience", "tenant", "min_revision", "required_claims")
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_CLAIMS_FIELD_NUMBER: _ClassVar[int]
    access_token: str
    audience: str
    tenant: str
    min_revision: int
    required_claims: _containers.RepeatedCompositeFieldContainer[RequiredClaim]
    def __init__(self, access_token: _Optional[str] = ..., audience: _Optional[str] = ..., tenant: _Optional[str] = ..., min_revision: _Optional[int] = ..., required_claims: _Optional[_Iterable[_Union[RequiredClaim, _Mapping]]] = ...) -> None: ...

class VerifyResponse(_message.Message):
    __slots__ = ("session_id", "tenant", "subject", "client_id", "audience", "generation", "issued_at", "expires_at", "claims_json", "revision")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_JSON_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    tenant: str
    subject: str
    client_id: str
    audience: str
    generation: int
    issued_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    claims_json: str
    revision: int
    def __init__(self, session_id: _Optional[str] = ..., tenant: _Optional[str] = ..., subject: _Optional[str] = ..., client_id: _Optional[str] = ..., audience: _Optional[str] = ..., generation: _Optional[int] = ..., issued_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., claims_json: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class BatchVerifyRequest(_message.Message):
    __slots__ = ("access_tokens", "audience", "tenant", "min_revision", "required_claims", "with_texts")
    ACCESS_TOKENS_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_CLAIMS_FIELD_NUMBER: _ClassVar[int]
    WITH_TEXTS_FIELD_NUMBER: _ClassVar[int]
    access_tokens: _containers.RepeatedScalarFieldContainer[str]
    audience: str
    tenant: str
    min_revision: int
    required_claims: _containers.RepeatedCompositeFieldContainer[RequiredClaim]
    with_texts: bool
    def __init__(self, access_tokens: _Optional[_Iterable[str]] = ..., audience: _Optional[str] = ..., tenant: _Optional[str] = ..., min_revision: _Optional[int] = ..., required_claims: _Optional[_Iterable[_Union[RequiredClaim, _Mapping]]] = ..., with_texts: bool = ...) -> None: ...

class FailedClaims(_message.Message):
    __slots__ = ("token_place", "required_claim_places")
    TOKEN_PLACE_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_CLAIM_PLACES_FIELD_NUMBER: _ClassVar[int]
    token_place: int
    required_claim_places: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, token_place: _Optional[int] = ..., required_claim_places: _Optional[_Iterable[int]] = ...) -> None: ...

class BatchVerifyResponse(_message.Message):
    __slots__ = ("verdicts", "session_ids", "generations", "issued_at", "expires_at", "tenants", "subjects", "client_ids", "claims_json", "failed_claims", "revision")
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    SESSION_IDS_FIELD_NUMBER: _ClassVar[int]
    GENERATIONS_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_IDS_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_JSON_FIELD_NUMBER: _ClassVar[int]
    FAILED_CLAIMS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    verdicts: bytes
    session_ids: bytes
    generations: _containers.RepeatedScalarFieldContainer[int]
    issued_at: _containers.RepeatedScalarFieldContainer[int]
    expires_at: _containers.RepeatedScalarFieldContainer[int]
    tenants: _containers.RepeatedScalarFieldContainer[str]
    subjects: _containers.RepeatedScalarFieldContainer[str]
    client_ids: _containers.RepeatedScalarFieldContainer[str]
    claims_json: _containers.RepeatedScalarFieldContainer[str]
    failed_claims: _containers.RepeatedCompositeFieldContainer[FailedClaims]
    revision: int
    def __init__(self, verdicts: _Optional[bytes] = ..., session_ids: _Optional[bytes] = ..., generations: _Optional[_Iterable[int]] = ..., issued_at: _Optional[_Iterable[int]] = ..., expires_at: _Optional[_Iterable[int]] = ..., tenants: _Optional[_Iterable[str]] = ..., subjects: _Optional[_Iterable[str]] = ..., client_ids: _Optional[_Iterable[str]] = ..., claims_json: _Optional[_Iterable[str]] = ..., failed_claims: _Optional[_Iterable[_Union[FailedClaims, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...
