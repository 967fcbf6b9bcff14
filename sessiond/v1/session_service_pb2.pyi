import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sessiond.v1 import session_pb2 as _session_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RefreshOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REFRESH_OUTCOME_UNSPECIFIED: _ClassVar[RefreshOutcome]
    REFRESH_OUTCOME_ROTATED: _ClassVar[RefreshOutcome]
    REFRESH_OUTCOME_RETRIED: _ClassVar[RefreshOutcome]
    REFRESH_OUTCOME_SHARED: _ClassVar[RefreshOutcome]
    REFRESH_OUTCOME_REPLACED: _ClassVar[RefreshOutcome]

class RevocationVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVOCATION_VERDICT_UNSPECIFIED: _ClassVar[RevocationVerdict]
    REVOCATION_VERDICT_ENDED: _ClassVar[RevocationVerdict]
    REVOCATION_VERDICT_ENDED_BEFORE: _ClassVar[RevocationVerdict]
    REVOCATION_VERDICT_NOT_FOUND: _ClassVar[RevocationVerdict]
REFRESH_OUTCOME_UNSPECIFIED: RefreshOutcome
REFRESH_OUTCOME_ROTATED: RefreshOutcome
REFRESH_OUTCOME_RETRIED: RefreshOutcome
REFRESH_OUTCOME_SHARED: RefreshOutcome
REFRESH_OUTCOME_REPLACED: RefreshOutcome
REVOCATION_VERDICT_UNSPECIFIED: RevocationVerdict
REVOCATION_VERDICT_ENDED: RevocationVerdict
REVOCATION_VERDICT_ENDED_BEFORE: RevocationVerdict
REVOCATION_VERDICT_NOT_FOUND: RevocationVerdict

class CreateSessionRequest(_message.Message):
    __slots__ = ("tenant", "subject", "client_id", "audience", "claims_json", "data_json", "device", "absolute_lifetime", "idle_lifetime", "access_token_lifetime", "authenticated_revision", "request_id")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_JSON_FIELD_NUMBER: _ClassVar[int]
    DATA_JSON_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    ABSOLUTE_LIFETIME_FIELD_NUMBER: _ClassVar[int]
    IDLE_LIFETIME_FIELD_NUMBER: _ClassVar[int]
    ACCESS_TOKEN_LIFETIME_FIELD_NUMBER: _ClassVar[int]
    AUTHENTICATED_REVISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    subject: str
    client_id: str
    audience: str
    claims_json: str
    data_json: str
    device: _session_pb2.DeviceContext
    absolute_lifetime: _duration_pb2.Duration
    idle_lifetime: _duration_pb2.Duration
    access_token_lifetime: _duration_pb2.Duration
    authenticated_revision: int
    request_id: str
    def __init__(self, tenant: _Optional[str] = ..., subject: _Optional[str] = ..., client_id: _Optional[str] = ..., audience: _Optional[str] = ..., claims_json: _Optional[str] = ..., data_json: _Optional[str] = ..., device: _Optional[_Union[_session_pb2.DeviceContext, _Mapping]] = ..., absolute_lifetime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., idle_lifetime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., access_token_lifetime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., authenticated_revision: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateSessionResponse(_message.Message):
    __slots__ = ("tokens",)
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokens: _session_pb2.IssuedTokens
    def __init__(self, tokens: _Optional[_Union[_session_pb2.IssuedTokens, _Mapping]] = ...) -> None: ...

class RefreshRequest(_message.Message):
    __slots__ = ("refresh_token", "retry_key", "request_id", "device", "tenant")
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RETRY_KEY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    refresh_token: str
    retry_key: bytes
    request_id: str
    device: _session_pb2.DeviceContext
    tenant: str
    def __init__(self, refresh_token: _Optional[str] = ..., retry_key: _Optional[bytes] = ..., request_id: _Optional[str] = ..., device: _Optional[_Union[_session_pb2.DeviceContext, _Mapping]] = ..., tenant: _Optional[str] = ...) -> None: ...

class RefreshResponse(_message.Message):
    __slots__ = ("tokens", "outcome")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    tokens: _session_pb2.IssuedTokens
    outcome: RefreshOutcome
    def __init__(self, tokens: _Optional[_Union[_session_pb2.IssuedTokens, _Mapping]] = ..., outcome: _Optional[_Union[RefreshOutcome, str]] = ...) -> None: ...

class GetSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class GetSessionResponse(_message.Message):
    __slots__ = ("session", "revision")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    session: _session_pb2.Session
    revision: int
    def __init__(self, session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class ListSessionsRequest(_message.Message):
    __slots__ = ("tenant", "subject", "page_size", "page_token")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    subject: str
    page_size: int
    page_token: str
    def __init__(self, tenant: _Optional[str] = ..., subject: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSessionsResponse(_message.Message):
    __slots__ = ("sessions", "next_page_token", "revision")
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    sessions: _containers.RepeatedCompositeFieldContainer[_session_pb2.Session]
    next_page_token: str
    revision: int
    def __init__(self, sessions: _Optional[_Iterable[_Union[_session_pb2.Session, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class UpdateSessionRequest(_message.Message):
    __slots__ = ("session", "update_mask", "request_id")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    session: _session_pb2.Session
    update_mask: _field_mask_pb2.FieldMask
    request_id: str
    def __init__(self, session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class UpdateSessionResponse(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: _session_pb2.Session
    def __init__(self, session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ...) -> None: ...

class RevokeSessionRequest(_message.Message):
    __slots__ = ("session_id", "token", "reason", "actor", "request_id")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    token: str
    reason: str
    actor: str
    request_id: str
    def __init__(self, session_id: _Optional[str] = ..., token: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class RevokeSessionResponse(_message.Message):
    __slots__ = ("session_id", "end", "ended_by_this_call", "revision")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    ENDED_BY_THIS_CALL_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    end: _session_pb2.SessionEnd
    ended_by_this_call: bool
    revision: int
    def __init__(self, session_id: _Optional[str] = ..., end: _Optional[_Union[_session_pb2.SessionEnd, _Mapping]] = ..., ended_by_this_call: bool = ..., revision: _Optional[int] = ...) -> None: ...

class BatchRevokeSessionsRequest(_message.Message):
    __slots__ = ("session_ids", "reason", "actor", "request_id")
    SESSION_IDS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    session_ids: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    actor: str
    request_id: str
    def __init__(self, session_ids: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class BatchRevokeSessionsResponse(_message.Message):
    __slots__ = ("verdicts", "revision")
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    verdicts: _containers.RepeatedScalarFieldContainer[RevocationVerdict]
    revision: int
    def __init__(self, verdicts: _Optional[_Iterable[_Union[RevocationVerdict, str]]] = ..., revision: _Optional[int] = ...) -> None: ...

class RevokeDeviceRequest(_message.Message):
    __slots__ = ("tenant", "subject", "device_label", "reason", "actor", "request_id")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    DEVICE_LABEL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    subject: str
    device_label: str
    reason: str
    actor: str
    request_id: str
    def __init__(self, tenant: _Optional[str] = ..., subject: _Optional[str] = ..., device_label: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class RevokeDeviceResponse(_message.Message):
    __slots__ = ("session_ids", "revision")
    SESSION_IDS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    session_ids: _containers.RepeatedScalarFieldContainer[str]
    revision: int
    def __init__(self, session_ids: _Optional[_Iterable[str]] = ..., revision: _Optional[int] = ...) -> None: ...

class RevokeSubjectRequest(_message.Message):
    __slots__ = ("tenant", "subject", "except_session_id", "reason", "actor", "request_id")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    EXCEPT_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    subject: str
    except_session_id: str
    reason: str
    actor: str
    request_id: str
    def __init__(self, tenant: _Optional[str] = ..., subject: _Optional[str] = ..., except_session_id: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class RevokeSubjectResponse(_message.Message):
    __slots__ = ("ended_at", "revision")
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ended_at: _timestamp_pb2.Timestamp
    revision: int
    def __init__(self, ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class RevokeTenantRequest(_message.Message):
    __slots__ = ("tenant", "reason", "actor", "request_id")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    reason: str
    actor: str
    request_id: str
    def __init__(self, tenant: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class RevokeTenantResponse(_message.Message):
    __slots__ = ("ended_at", "revision")
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ended_at: _timestamp_pb2.Timestamp
    revision: int
    def __init__(self, ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class RevokeAllRequest(_message.Message):
    __slots__ = ("reason", "actor", "request_id")
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    reason: str
    actor: str
    request_id: str
    def __init__(self, reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class RevokeAllResponse(_message.Message):
    __slots__ = ("ended_at", "revision")
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ended_at: _timestamp_pb2.Timestamp
    revision: int
    def __init__(self, ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...
