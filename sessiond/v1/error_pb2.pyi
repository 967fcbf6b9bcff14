import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sessiond.v1 import error_reason_pb2 as _error_reason_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Cause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAUSE_UNSPECIFIED: _ClassVar[Cause]
    CAUSE_MALFORMED: _ClassVar[Cause]
    CAUSE_UNKNOWN_KEY: _ClassVar[Cause]
    CAUSE_KEY_REVOKED: _ClassVar[Cause]
    CAUSE_TAMPERED: _ClassVar[Cause]
    CAUSE_NOT_YET_VALID: _ClassVar[Cause]
    CAUSE_EXPIRED: _ClassVar[Cause]
    CAUSE_IDLE_TIMEOUT: _ClassVar[Cause]
    CAUSE_REVOKED: _ClassVar[Cause]
    CAUSE_SUBJECT_REVOKED: _ClassVar[Cause]
    CAUSE_TENANT_REVOKED: _ClassVar[Cause]
    CAUSE_ALL_REVOKED: _ClassVar[Cause]
    CAUSE_REUSED: _ClassVar[Cause]
    CAUSE_SUPERSEDED: _ClassVar[Cause]
    CAUSE_STATE_LOST: _ClassVar[Cause]
    CAUSE_UNKNOWN_SESSION: _ClassVar[Cause]
    CAUSE_WRONG_TENANT: _ClassVar[Cause]
    CAUSE_WRONG_TOKEN_KIND: _ClassVar[Cause]
    CAUSE_WRONG_AUDIENCE: _ClassVar[Cause]
    CAUSE_VERIFIER_STALE: _ClassVar[Cause]
    CAUSE_EVICTED: _ClassVar[Cause]

class Advice(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ADVICE_UNSPECIFIED: _ClassVar[Advice]
    ADVICE_LOG_IN_AGAIN: _ClassVar[Advice]
    ADVICE_REFRESH: _ClassVar[Advice]
    ADVICE_RETRY_WITH_BACKOFF: _ClassVar[Advice]
    ADVICE_KEEP_CURRENT_TOKENS: _ClassVar[Advice]
    ADVICE_CHECK_CLOCK: _ClassVar[Advice]
    ADVICE_FIX_THE_CALLER: _ClassVar[Advice]
CAUSE_UNSPECIFIED: Cause
CAUSE_MALFORMED: Cause
CAUSE_UNKNOWN_KEY: Cause
CAUSE_KEY_REVOKED: Cause
CAUSE_TAMPERED: Cause
CAUSE_NOT_YET_VALID: Cause
CAUSE_EXPIRED: Cause
CAUSE_IDLE_TIMEOUT: Cause
CAUSE_REVOKED: Cause
CAUSE_SUBJECT_REVOKED: Cause
CAUSE_TENANT_REVOKED: Cause
CAUSE_ALL_REVOKED: Cause
CAUSE_REUSED: Cause
CAUSE_SUPERSEDED: Cause
CAUSE_STATE_LOST: Cause
CAUSE_UNKNOWN_SESSION: Cause
CAUSE_WRONG_TENANT: Cause
CAUSE_WRONG_TOKEN_KIND: Cause
CAUSE_WRONG_AUDIENCE: Cause
CAUSE_VERIFIER_STALE: Cause
CAUSE_EVICTED: Cause
ADVICE_UNSPECIFIED: Advice
ADVICE_LOG_IN_AGAIN: Advice
ADVICE_REFRESH: Advice
ADVICE_RETRY_WITH_BACKOFF: Advice
ADVICE_KEEP_CURRENT_TOKENS: Advice
ADVICE_CHECK_CLOCK: Advice
ADVICE_FIX_THE_CALLER: Advice

class ErrorDetail(_message.Message):
    __slots__ = ("reason", "cause", "advice", "session_id", "server_time")
    REASON_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    reason: _error_reason_pb2.ErrorReason
    cause: Cause
    advice: Advice
    session_id: str
    server_time: _timestamp_pb2.Timestamp
    def __init__(self, reason: _Optional[_Union[_error_reason_pb2.ErrorReason, str]] = ..., cause: _Optional[_Union[Cause, str]] = ..., advice: _Optional[_Union[Advice, str]] = ..., session_id: _Optional[str] = ..., server_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
