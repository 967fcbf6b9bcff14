import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sessiond.v1 import error_pb2 as _error_pb2
from sessiond.v1 import key_service_pb2 as _key_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ScopeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCOPE_KIND_UNSPECIFIED: _ClassVar[ScopeKind]
    SCOPE_KIND_ALL: _ClassVar[ScopeKind]
    SCOPE_KIND_TENANT: _ClassVar[ScopeKind]
    SCOPE_KIND_SUBJECT: _ClassVar[ScopeKind]
SCOPE_KIND_UNSPECIFIED: ScopeKind
SCOPE_KIND_ALL: ScopeKind
SCOPE_KIND_TENANT: ScopeKind
SCOPE_KIND_SUBJECT: ScopeKind

class WatchRevocationsRequest(_message.Message):
    __slots__ = ("cursor",)
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    cursor: int
    def __init__(self, cursor: _Optional[int] = ...) -> None: ...

class WatchRevocationsResponse(_message.Message):
    __slots__ = ("cursor", "reset", "caught_up", "entries", "keyset", "server_time")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    CAUGHT_UP_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    KEYSET_FIELD_NUMBER: _ClassVar[int]
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    cursor: int
    reset: bool
    caught_up: bool
    entries: _containers.RepeatedCompositeFieldContainer[RevocationEntry]
    keyset: AccessKeyset
    server_time: _timestamp_pb2.Timestamp
    def __init__(self, cursor: _Optional[int] = ..., reset: bool = ..., caught_up: bool = ..., entries: _Optional[_Iterable[_Union[RevocationEntry, _Mapping]]] = ..., keyset: _Optional[_Union[AccessKeyset, _Mapping]] = ..., server_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RevocationEntry(_message.Message):
    __slots__ = ("revision", "keep_until", "session_ended", "scope_cut")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    KEEP_UNTIL_FIELD_NUMBER: _ClassVar[int]
    SESSION_ENDED_FIELD_NUMBER: _ClassVar[int]
    SCOPE_CUT_FIELD_NUMBER: _ClassVar[int]
    revision: int
    keep_until: int
    session_ended: SessionEnded
    scope_cut: ScopeCut
    def __init__(self, revision: _Optional[int] = ..., keep_until: _Optional[int] = ..., session_ended: _Optional[_Union[SessionEnded, _Mapping]] = ..., scope_cut: _Optional[_Union[ScopeCut, _Mapping]] = ...) -> None: ...

class SessionEnded(_message.Message):
    __slots__ = ("session_id", "cause")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    session_id: bytes
    cause: _error_pb2.Cause
    def __init__(self, session_id: _Optional[bytes] = ..., cause: _Optional[_Union[_error_pb2.Cause, str]] = ...) -> None: ...

class ScopeCut(_message.Message):
    __slots__ = ("scope_kind", "scope_hash", "except_session_id", "except_until")
    SCOPE_KIND_FIELD_NUMBER: _ClassVar[int]
    SCOPE_HASH_FIELD_NUMBER: _ClassVar[int]
    EXCEPT_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    EXCEPT_UNTIL_FIELD_NUMBER: _ClassVar[int]
    scope_kind: ScopeKind
    scope_hash: bytes
    except_session_id: bytes
    except_until: int
    def __init__(self, scope_kind: _Optional[_Union[ScopeKind, str]] = ..., scope_hash: _Optional[bytes] = ..., except_session_id: _Optional[bytes] = ..., except_until: _Optional[int] = ...) -> None: ...

class AccessKeyset(_message.Message):
    __slots__ = ("keys", "issuer", "leeway")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    LEEWAY_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[_key_service_pb2.Key]
    issuer: str
    leeway: _duration_pb2.Duration
    def __init__(self, keys: _Optional[_Iterable[_Union[_key_service_pb2.Key, _Mapping]]] = ..., issuer: _Optional[str] = ..., leeway: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
