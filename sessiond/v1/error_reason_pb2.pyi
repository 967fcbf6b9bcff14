from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    INVALID_REFRESH_TOKEN: _ClassVar[ErrorReason]
    INVALID_ACCESS_TOKEN: _ClassVar[ErrorReason]
    SESSION_NOT_FOUND: _ClassVar[ErrorReason]
    SESSION_ENDED: _ClassVar[ErrorReason]
    KEY_NOT_FOUND: _ClassVar[ErrorReason]
    INVALID_REQUEST: _ClassVar[ErrorReason]
    REQUEST_ID_REUSED: _ClassVar[ErrorReason]
    ETAG_MISMATCH: _ClassVar[ErrorReason]
    LOGIN_OVERTAKEN: _ClassVar[ErrorReason]
    PERMISSION_DENIED: _ClassVar[ErrorReason]
    OVERLOADED: _ClassVar[ErrorReason]
    STORE_UNAVAILABLE: _ClassVar[ErrorReason]
    OUTCOME_UNKNOWN: _ClassVar[ErrorReason]
    DEADLINE_PASSED: _ClassVar[ErrorReason]
    INTERNAL_FAULT: _ClassVar[ErrorReason]
    TOO_MANY_SESSIONS: _ClassVar[ErrorReason]
    CLAIMS_NOT_MET: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
INVALID_REFRESH_TOKEN: ErrorReason
INVALID_ACCESS_TOKEN: ErrorReason
SESSION_NOT_FOUND: ErrorReason
SESSION_ENDED: ErrorReason
KEY_NOT_FOUND: ErrorReason
INVALID_REQUEST: ErrorReason
REQUEST_ID_REUSED: ErrorReason
ETAG_MISMATCH: ErrorReason
LOGIN_OVERTAKEN: ErrorReason
PERMISSION_DENIED: ErrorReason
OVERLOADED: ErrorReason
STORE_UNAVAILABLE: ErrorReason
OUTCOME_UNKNOWN: ErrorReason
DEADLINE_PASSED: ErrorReason
INTERNAL_FAULT: ErrorReason
TOO_MANY_SESSIONS: ErrorReason
CLAIMS_NOT_MET: ErrorReason
