import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sessiond.v1 import error_pb2 as _error_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SessionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SESSION_STATE_UNSPECIFIED: _ClassVar[SessionState]
    SESSION_STATE_ACTIVE: _ClassVar[SessionState]
    SESSION_STATE_ENDED: _ClassVar[SessionState]
SESSION_STATE_UNSPECIFIED: SessionState
SESSION_STATE_ACTIVE: SessionState
SESSION_STATE_ENDED: SessionState

class DeviceContext(_message.Message):
    __slots__ = ("label", "ip", "user_agent")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    IP_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    label: str
    ip: str
    user_agent: str
    def __init__(self, label: _Optional[str] = ..., ip: _Optional[str] = ..., user_agent: _Optional[str] = ...) -> None: ...

class SessionEnd(_message.Message):
    __slots__ = ("cause", "reason", "actor", "ended_at")
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    cause: _error_pb2.Cause
    reason: str
    actor: str
    ended_at: _timestamp_pb2.Timestamp
    def __init__(self, cause: _Optional[_Union[_error_pb2.Cause, str]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RefreshCounters(_message.Message):
    __slots__ = ("shared", "retried", "superseded", "refusals")
    SHARED_FIELD_NUMBER: _ClassVar[int]
    RETRIED_FIELD_NUMBER: _ClassVar[int]
    SUPERSEDED_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    shared: int
    retried: int
    superseded: int
    refusals: int
    def __init__(self, shared: _Optional[int] = ..., retried: _Optional[int] = ..., superseded: _Optional[int] = ..., refusals: _Optional[int] = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("session_id", "tenant", "subject", "client_id", "audience", "claims_json", "data_json", "device", "state", "end", "created_at", "refreshed_at", "expires_at", "idle_expires_at", "generation", "counters", "etag")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_JSON_FIELD_NUMBER: _ClassVar[int]
    DATA_JSON_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    REFRESHED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    IDLE_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    tenant: str
    subject: str
    client_id: str
    audience: str
    claims_json: str
    data_json: str
    device: DeviceContext
    state: SessionState
    end: SessionEnd
    created_at: _timestamp_pb2.Timestamp
    refreshed_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    idle_expires_at: _timestamp_pb2.Timestamp
    generation: int
    counters: RefreshCounters
    etag: str
    def __init__(self, session_id: _Optional[str] = ..., tenant: _Optional[str] = ..., subject: _Optional[str] = ..., client_id: _Optional[str] = ..., audience: _Optional[str] = ..., claims_json: _Optional[str] = ..., data_json: _Optional[str] = ..., device: _Optional[_Union[DeviceContext, _Mapping]] = ..., state: _Optional[_Union[SessionState, str]] = ..., end: _Optional[_Union[SessionEnd, _Mapping]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., refreshed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., idle_expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., generation: _Optional[int] = ..., counters: _Optional[_Union[RefreshCounters, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class IssuedTokens(_message.Message):
    __slots__ = ("refresh_token", "access_token", "refresh_token_expires_at", "access_token_expires_at", "refresh_after", "server_time", "session_id", "generation", "revision")
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TOKEN_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    ACCESS_TOKEN_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    REFRESH_AFTER_FIELD_NUMBER: _ClassVar[int]
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    refresh_token: str
    access_token: str
    refresh_token_expires_at: _timestamp_pb2.Timestamp
    access_token_expires_at: _timestamp_pb2.Timestamp
    refresh_after: _timestamp_pb2.Timestamp
    server_time: _timestamp_pb2.Timestamp
    session_id: str
    generation: int
    revision: int
    def __init__(self, refresh_token: _Optional[str] = ..., access_token: _Optional[str] = ..., refresh_token_expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., access_token_expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., refresh_after: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., server_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., session_id: _Optional[str] = ..., generation: _Optional[int] = ..., revision: _Optional[int] = ...) -> None: ...
