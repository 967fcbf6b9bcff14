import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sessiond.v1 import error_pb2 as _error_pb2
from sessiond.v1 import key_service_pb2 as _key_service_pb2
from sessiond.v1 import session_pb2 as _session_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TokenKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOKEN_KIND_UNSPECIFIED: _ClassVar[TokenKind]
    TOKEN_KIND_REFRESH: _ClassVar[TokenKind]
    TOKEN_KIND_ACCESS: _ClassVar[TokenKind]

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_SESSION_CREATED: _ClassVar[EventKind]
    EVENT_KIND_REFRESH_ROTATED: _ClassVar[EventKind]
    EVENT_KIND_REFRESH_RETRIED: _ClassVar[EventKind]
    EVENT_KIND_REFRESH_SHARED: _ClassVar[EventKind]
    EVENT_KIND_REFRESH_REPLACED: _ClassVar[EventKind]
    EVENT_KIND_REFRESH_SUPERSEDED: _ClassVar[EventKind]
    EVENT_KIND_REFRESH_REFUSED: _ClassVar[EventKind]
    EVENT_KIND_REFRESH_REUSED: _ClassVar[EventKind]
    EVENT_KIND_REFRESH_STATE_LOST: _ClassVar[EventKind]
    EVENT_KIND_SESSION_UPDATED: _ClassVar[EventKind]
    EVENT_KIND_SESSION_REVOKED: _ClassVar[EventKind]
    EVENT_KIND_SCOPE_CUT: _ClassVar[EventKind]
    EVENT_KIND_KEY_CREATED: _ClassVar[EventKind]
    EVENT_KIND_KEY_ACTIVATED: _ClassVar[EventKind]
    EVENT_KIND_KEY_RETIRED: _ClassVar[EventKind]
    EVENT_KIND_KEY_REVOKED: _ClassVar[EventKind]
    EVENT_KIND_KEY_REMOVED: _ClassVar[EventKind]
    EVENT_KIND_SESSION_EVICTED: _ClassVar[EventKind]
TOKEN_KIND_UNSPECIFIED: TokenKind
TOKEN_KIND_REFRESH: TokenKind
TOKEN_KIND_ACCESS: TokenKind
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_SESSION_CREATED: EventKind
EVENT_KIND_REFRESH_ROTATED: EventKind
EVENT_KIND_REFRESH_RETRIED: EventKind
EVENT_KIND_REFRESH_SHARED: EventKind
EVENT_KIND_REFRESH_REPLACED: EventKind
EVENT_KIND_REFRESH_SUPERSEDED: EventKind
EVENT_KIND_REFRESH_REFUSED: EventKind
EVENT_KIND_REFRESH_REUSED: EventKind
EVENT_KIND_REFRESH_STATE_LOST: EventKind
EVENT_KIND_SESSION_UPDATED: EventKind
EVENT_KIND_SESSION_REVOKED: EventKind
EVENT_KIND_SCOPE_CUT: EventKind
EVENT_KIND_KEY_CREATED: EventKind
EVENT_KIND_KEY_ACTIVATED: EventKind
EVENT_KIND_KEY_RETIRED: EventKind
EVENT_KIND_KEY_REVOKED: EventKind
EVENT_KIND_KEY_REMOVED: EventKind
EVENT_KIND_SESSION_EVICTED: EventKind

class ExplainTokenRequest(_message.Message):
    __slots__ = ("token", "audience", "tenant")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    token: str
    audience: str
    tenant: str
    def __init__(self, token: _Optional[str] = ..., audience: _Optional[str] = ..., tenant: _Optional[str] = ...) -> None: ...

class TokenContent(_message.Message):
    __slots__ = ("session_id", "generation", "issued_at", "expires_at", "tenant", "subject", "client_id", "audience", "issuer", "claims_json")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_JSON_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    generation: int
    issued_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    tenant: str
    subject: str
    client_id: str
    audience: str
    issuer: str
    claims_json: str
    def __init__(self, session_id: _Optional[str] = ..., generation: _Optional[int] = ..., issued_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tenant: _Optional[str] = ..., subject: _Optional[str] = ..., client_id: _Optional[str] = ..., audience: _Optional[str] = ..., issuer: _Optional[str] = ..., claims_json: _Optional[str] = ...) -> None: ...

class TokenUse(_message.Message):
    __slots__ = ("generation", "used_at", "device", "caller")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    USED_AT_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    generation: int
    used_at: _timestamp_pb2.Timestamp
    device: _session_pb2.DeviceContext
    caller: str
    def __init__(self, generation: _Optional[int] = ..., used_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., device: _Optional[_Union[_session_pb2.DeviceContext, _Mapping]] = ..., caller: _Optional[str] = ...) -> None: ...

class ReuseEvidence(_message.Message):
    __slots__ = ("rotation", "reuse", "generation_distance", "seconds_since_rotation")
    ROTATION_FIELD_NUMBER: _ClassVar[int]
    REUSE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_DISTANCE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_SINCE_ROTATION_FIELD_NUMBER: _ClassVar[int]
    rotation: TokenUse
    reuse: TokenUse
    generation_distance: int
    seconds_since_rotation: int
    def __init__(self, rotation: _Optional[_Union[TokenUse, _Mapping]] = ..., reuse: _Optional[_Union[TokenUse, _Mapping]] = ..., generation_distance: _Optional[int] = ..., seconds_since_rotation: _Optional[int] = ...) -> None: ...

class ExplainTokenResponse(_message.Message):
    __slots__ = ("kind", "content", "key_id", "key_state", "signature_good", "cause", "explanation", "advice", "session", "timeline", "reuse", "server_time")
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_STATE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_GOOD_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    TIMELINE_FIELD_NUMBER: _ClassVar[int]
    REUSE_FIELD_NUMBER: _ClassVar[int]
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    kind: TokenKind
    content: TokenContent
    key_id: str
    key_state: _key_service_pb2.KeyState
    signature_good: bool
    cause: _error_pb2.Cause
    explanation: str
    advice: _error_pb2.Advice
    session: _session_pb2.Session
    timeline: _containers.RepeatedCompositeFieldContainer[Event]
    reuse: ReuseEvidence
    server_time: _timestamp_pb2.Timestamp
    def __init__(self, kind: _Optional[_Union[TokenKind, str]] = ..., content: _Optional[_Union[TokenContent, _Mapping]] = ..., key_id: _Optional[str] = ..., key_state: _Optional[_Union[_key_service_pb2.KeyState, str]] = ..., signature_good: bool = ..., cause: _Optional[_Union[_error_pb2.Cause, str]] = ..., explanation: _Optional[str] = ..., advice: _Optional[_Union[_error_pb2.Advice, str]] = ..., session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ..., timeline: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., reuse: _Optional[_Union[ReuseEvidence, _Mapping]] = ..., server_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("sequence", "kind", "happened_at", "session_id", "tenant", "subject", "cause", "generation", "device", "caller", "actor", "details")
    class DetailsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    HAPPENED_AT_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    kind: EventKind
    happened_at: _timestamp_pb2.Timestamp
    session_id: str
    tenant: str
    subject: str
    cause: _error_pb2.Cause
    generation: int
    device: _session_pb2.DeviceContext
    caller: str
    actor: str
    details: _containers.ScalarMap[str, str]
    def __init__(self, sequence: _Optional[int] = ..., kind: _Optional[_Union[EventKind, str]] = ..., happened_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., session_id: _Optional[str] = ..., tenant: _Optional[str] = ..., subject: _Optional[str] = ..., cause: _Optional[_Union[_error_pb2.Cause, str]] = ..., generation: _Optional[int] = ..., device: _Optional[_Union[_session_pb2.DeviceContext, _Mapping]] = ..., caller: _Optional[str] = ..., actor: _Optional[str] = ..., details: _Optional[_Mapping[str, str]] = ...) -> None: ...

class EventFilter(_message.Message):
    __slots__ = ("session_id", "tenant", "subject", "kinds", "causes")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    tenant: str
    subject: str
    kinds: _containers.RepeatedScalarFieldContainer[EventKind]
    causes: _containers.RepeatedScalarFieldContainer[_error_pb2.Cause]
    def __init__(self, session_id: _Optional[str] = ..., tenant: _Optional[str] = ..., subject: _Optional[str] = ..., kinds: _Optional[_Iterable[_Union[EventKind, str]]] = ..., causes: _Optional[_Iterable[_Union[_error_pb2.Cause, str]]] = ...) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ("filter", "cursor", "page_size")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    filter: EventFilter
    cursor: int
    page_size: int
    def __init__(self, filter: _Optional[_Union[EventFilter, _Mapping]] = ..., cursor: _Optional[int] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListEventsResponse(_message.Message):
    __slots__ = ("events", "cursor", "more")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    cursor: int
    more: bool
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., cursor: _Optional[int] = ..., more: bool = ...) -> None: ...

class WatchEventsRequest(_message.Message):
    __slots__ = ("filter", "cursor")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    filter: EventFilter
    cursor: int
    def __init__(self, filter: _Optional[_Union[EventFilter, _Mapping]] = ..., cursor: _Optional[int] = ...) -> None: ...

class WatchEventsResponse(_message.Message):
    __slots__ = ("events", "cursor", "server_time")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    cursor: int
    server_time: _timestamp_pb2.Timestamp
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., cursor: _Optional[int] = ..., server_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
