"""
Runs the C of ``native/*.h`` on values that are not known, only bounded: what holds for the run holds for every input.

It reads the very text that is compiled, so a proof cannot drift from the code. It knows the C that is written there and
refuses any other. An operation that could overflow ends the run; so does a value that is read before it is set.
A branch that the bounds do not decide is taken both ways, one run each.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pycparser import c_ast

from tests.native import c_value
from tests.native.c_source import parse
from tests.native.c_value import INT, UINT64, Type, Value

_TYPES = {
    "char": Type(8, signed=True),
    "int": INT,
    "_Bool": Type(8, signed=False),
    "uint8_t": Type(8, signed=False),
    "int16_t": Type(16, signed=True),
    "int32_t": INT,
    "uint32_t": Type(32, signed=False),
    "int64_t": Type(64, signed=True),
    "uint64_t": UINT64,
    "size_t": UINT64,
    "int128": Type(128, signed=True),
    "uint128": Type(128, signed=False),
}

# The functions whose unsigned numbers wrap around on purpose.
_WRAPS = {"field_negate_if", "inverse_correction", "scalar_words_sub"}
# Those that cut words into limbs and limbs into words: their shifts to the left drop bits on purpose.
_DROPS = {"field_from_words", "field_to_words", "inverse_from_words", "inverse_to_field", "point_encode"}

Object = Any  # a Value, a list of objects, a dict of members, a Pointer, or Unset


@dataclass(frozen=True)
class Unset:
    """What stands in an integer before it is set."""

    type: Type


class Pointer:
    """A place in an array."""

    def __init__(self, array: list[Object], at: int) -> None:
        self.array = array
        self.at = at

    def __getitem__(self, index: int) -> Object:
        """Read what stands *index* places on."""
        return self.array[self._checked(index)]

    def __setitem__(self, index: int, value: Object) -> None:
        self.array[self._checked(index)] = value

    def _checked(self, index: int) -> int:
        if not 0 <= self.at + index < len(self.array):
            message = f"place {self.at + index} of an array of {len(self.array)}"
            raise IndexError(message)
        return self.at + index


class _ReturnError(Exception):
    """Unwinds to the call."""

    def __init__(self, value: Object) -> None:
        self.value = value


class _Undecided(Exception):  # noqa: N818 - no error: it starts another run
    """A branch has no decision yet."""


class Machine:
    """The functions and constants of headers, ready to be called."""

    def __init__(
        self,
        *files: str,
        macros: Sequence[str] = (),
        more: str = "",
        trusted: Mapping[str, Callable[[list[Object]], Object]] | None = None,
    ) -> None:
        """
        Read *files* of native/ and what they include of ours, then *more*.

        *macros* are ``NAME`` or ``NAME=VALUE``, *more* is C that may use what the files declare. The functions that are
        *trusted* are not run: each is given as what it does to its arguments and returns.
        """
        self._trusted = trusted or {}
        self._types = dict(_TYPES)
        self._structs: dict[str, c_ast.Struct] = {}
        self._functions: dict[str, c_ast.FuncDef] = {}
        self._globals: dict[str, Object] = {}
        self._calls: list[str] = []
        self._decisions: list[bool] = []
        self._n_decided = 0
        for node in parse(files, macros, more):
            self._declare(node)

    def _declare(self, node: c_ast.Node) -> None:
        if isinstance(node, c_ast.FuncDef):
            self._functions[node.decl.name] = node
        elif isinstance(node, c_ast.Typedef) and isinstance(node.type.type, c_ast.Struct):
            self._structs[node.name] = node.type.type
        elif isinstance(node, c_ast.Typedef) and isinstance(node.type.type, c_ast.IdentifierType):
            named = self._types.get(self._type_name(node.type))
            if named is not None and node.name not in self._types:
                self._types[node.name] = named
        elif isinstance(node, c_ast.Decl) and node.init is not None:
            self._globals[node.name] = self._initial(node.type, node.init, self._globals)

    def constant(self, name: str) -> int:
        """Give the value of a global constant."""
        value = self._globals[name]
        assert isinstance(value, Value)
        assert value.known is not None
        return value.known

    # --- Objects ---

    def new(self, struct: str, make: Callable[[str], Value | None] = lambda _: None) -> Object:
        """Make a struct; *make* gives its integers for their names, such as X.limb[0], None for one that is not set."""
        return self._filled(c_ast.TypeDecl(None, None, None, c_ast.IdentifierType([struct])), "", make)

    def _filled(self, kind: c_ast.Node, path: str, make: Callable[[str], Value | None]) -> Object:
        if isinstance(kind, c_ast.ArrayDecl):
            return [self._filled(kind.type, f"{path}[{place}]", make) for place in range(self._length(kind))]
        name = self._type_name(kind)
        if name in self._structs:
            members = self._structs[name].decls
            return {one.name: self._filled(one.type, f"{path}.{one.name}".lstrip("."), make) for one in members}
        if isinstance(kind, c_ast.PtrDecl):
            return None
        return make(path) or Unset(self._types[name])

    def _length(self, kind: c_ast.ArrayDecl) -> int:
        length = self._evaluate(kind.dim, {})
        assert isinstance(length, Value)
        assert length.known is not None
        return length.known

    def _initial(self, kind: c_ast.Node, init: c_ast.Node | None, scope: dict[str, Object]) -> Object:
        """Make a variable; what has no initializer is not set."""
        if init is None:
            return self._filled(kind, "", lambda _: None)
        if not isinstance(init, c_ast.InitList):
            return self._converted(kind, self._evaluate(init, scope))
        if isinstance(kind, c_ast.ArrayDecl):
            rows = [self._initial(kind.type, one, scope) for one in init.exprs]
            zero = Value.exactly(UINT64, 0)
            return rows + [self._converted(kind.type, zero) for _ in range(self._length(kind) - len(rows))]
        members = self._structs[self._type_name(kind)].decls
        return {
            member.name: self._initial(member.type, one, scope) for member, one in zip(members, init.exprs, strict=True)
        }

    @staticmethod
    def _type_name(kind: c_ast.Node) -> str:
        while not isinstance(kind, c_ast.IdentifierType):
            kind = kind.type
        return " ".join(kind.names)

    def _converted(self, kind: c_ast.Node, value: Object) -> Object:
        """Give *value* as an object of its own of a declared type; pointers stay what they are."""
        if isinstance(kind, (c_ast.PtrDecl, c_ast.ArrayDecl)):
            return value
        if isinstance(value, Value):
            return value.cast(self._types[self._type_name(kind)])
        return copy.deepcopy(value)

    # --- Calls ---

    def run(self, name: str, make_arguments: Callable[[], list[Object]]) -> Iterator[tuple[Object, list[Object]]]:
        """Call a function once for each way through it; give what it returned and its arguments afterwards."""
        pending: list[list[bool]] = [[]]
        while pending:
            self._decisions, self._n_decided = pending.pop(), 0
            arguments = make_arguments()
            try:
                result = self._call(name, arguments)
            except _Undecided:
                pending += [[*self._decisions, True], [*self._decisions, False]]
            else:
                yield result, arguments

    def _call(self, name: str, arguments: list[Object]) -> Object:
        if name in self._trusted:
            return self._trusted[name](arguments)
        function = self._functions[name]
        parameters = function.decl.type.args.params
        scope = {
            parameter.name: self._converted(parameter.type, argument)
            for parameter, argument in zip(parameters, arguments, strict=True)
        }
        self._calls.append(name)
        try:
            self._execute(function.body, scope)
        except _ReturnError as returned:
            return self._converted(function.decl.type.type, returned.value)
        finally:
            self._calls.pop()
        return None

    def _decide(self, condition: Object) -> bool:
        """Say which way a branch goes."""
        assert isinstance(condition, Value)
        decided = c_value.compare(condition, "!=", Value.exactly(condition.type, 0))
        if decided is not None:
            return decided
        if self._n_decided == len(self._decisions):
            raise _Undecided
        self._n_decided += 1
        return self._decisions[self._n_decided - 1]

    # --- Statements ---

    def _execute(self, node: c_ast.Node, scope: dict[str, Object]) -> None:  # noqa: C901 - one case per kind of node
        match node:
            case c_ast.Compound():
                inner = _Scope(scope)
                for statement in node.block_items or []:
                    self._execute(statement, inner)
            case c_ast.Decl():
                assert isinstance(scope, _Scope)
                scope.declare(node.name, self._initial(node.type, node.init, scope))
            case c_ast.DeclList():
                for one in node.decls:
                    self._execute(one, scope)
            case c_ast.For():
                inner = _Scope(scope)
                self._execute(node.init, inner)
                while self._decide(self._evaluate(node.cond, inner)):
                    self._execute(node.stmt, inner)
                    self._evaluate(node.next, inner)
            case c_ast.If():
                if self._decide(self._evaluate(node.cond, scope)):
                    self._execute(node.iftrue, scope)
                elif node.iffalse is not None:
                    self._execute(node.iffalse, scope)
            case c_ast.Return():
                raise _ReturnError(None if node.expr is None else self._evaluate(node.expr, scope))
            case _:
                self._evaluate(node, scope)

    # --- Expressions ---

    def _evaluate(self, node: c_ast.Node, scope: dict[str, Object]) -> Object:  # noqa: C901, PLR0911, PLR0912 - likewise
        match node:
            case c_ast.Constant():
                return _literal(node)
            case c_ast.ID() | c_ast.ArrayRef() | c_ast.StructRef():
                container, key = self._place(node, scope)
                if isinstance(container[key], Unset):
                    message = f"{self._calls[-1]}: {key} is read before it is set"
                    raise ValueError(message)  # noqa: TRY004 - the C is at fault
                return container[key]
            case c_ast.Cast():
                return self._converted(node.to_type.type, self._evaluate(node.expr, scope))
            case c_ast.Assignment():
                return self._assign(node, scope)
            case c_ast.UnaryOp():
                return self._unary(node, scope)
            case c_ast.BinaryOp(op="&&" | "||"):
                left = self._decide(self._evaluate(node.left, scope))
                short = left is (node.op == "||")
                return _truth(left if short else self._decide(self._evaluate(node.right, scope)))
            case c_ast.TernaryOp():
                return self._evaluate(
                    node.iftrue if self._decide(self._evaluate(node.cond, scope)) else node.iffalse, scope
                )
            case c_ast.BinaryOp():
                return self._binary(node.op, self._evaluate(node.left, scope), self._evaluate(node.right, scope))
            case c_ast.FuncCall(name=c_ast.ID(name="memcmp")):
                return Value(INT, -1, 1)  # whatever the bytes are
            case c_ast.FuncCall(name=c_ast.ID(name="memcpy")):
                return self._read_bytes(node.args.exprs[0], scope)
            case c_ast.FuncCall():
                arguments = [] if node.args is None else [self._evaluate(one, scope) for one in node.args.exprs]
                return self._call(node.name.name, arguments)
            case _:
                raise NotImplementedError(type(node))

    def _read_bytes(self, target: c_ast.Node, scope: dict[str, Object]) -> None:
        """Copy bytes, which may be any, into the word that *target* points to."""
        assert isinstance(target, c_ast.UnaryOp)
        assert target.op == "&"
        container, key = self._place(target.expr, scope)
        kind = container[key].type
        container[key] = Value(kind, *kind.range)

    def _place(self, node: c_ast.Node, scope: dict[str, Object]) -> tuple[Any, Any]:
        """Find the container and the key of what can be assigned to."""
        match node:
            case c_ast.ID():
                return (scope, node.name) if node.name in scope else (self._globals, node.name)
            case c_ast.StructRef():
                return self._evaluate(node.name, scope), node.field.name
            case c_ast.ArrayRef():
                array, index = self._evaluate(node.name, scope), self._evaluate(node.subscript, scope)
                assert index.known is not None
                return (array if isinstance(array, Pointer) else Pointer(array, 0)), index.known
            case _:
                raise NotImplementedError(type(node))

    def _assign(self, node: c_ast.Assignment, scope: dict[str, Object]) -> Object:
        value = self._evaluate(node.rvalue, scope)
        if isinstance(node.lvalue, c_ast.UnaryOp) and node.lvalue.op == "*":
            target = self._evaluate(node.lvalue.expr, scope)  # a whole struct, or one place of an array
            if isinstance(target, dict):
                target.update(copy.deepcopy(value))
            else:
                target[0] = value.cast(target[0].type)
            return value
        container, key = self._place(node.lvalue, scope)
        if node.op != "=":
            value = self._binary(node.op[:-1], container[key], value)
        old = container[key]
        container[key] = value.cast(old.type) if isinstance(old, (Value, Unset)) else copy.deepcopy(value)
        return container[key]

    def _unary(self, node: c_ast.UnaryOp, scope: dict[str, Object]) -> Object:
        match node.op:
            case "sizeof":
                return Value(UINT64, 1, UINT64.range[1])
            case "&":
                container, key = self._place(node.expr, scope)
                target = container[key]
                return target if isinstance(target, (dict, list)) else Pointer(container.array, container.at + key)
            case "!":
                return _truth(not self._decide(self._evaluate(node.expr, scope)))
            case "-":
                return self._binary("-", Value.exactly(INT, 0), self._evaluate(node.expr, scope))
            case "p++" | "p--":
                container, key = self._place(node.expr, scope)
                old = container[key]
                moved = self._binary(node.op[1], old, Value.exactly(INT, 1))
                container[key] = moved.cast(old.type) if isinstance(moved, Value) else moved
                return old
            case "*":
                target = self._evaluate(node.expr, scope)
                return target if isinstance(target, dict) else target[0]
            case _:
                raise NotImplementedError(node.op)

    def _binary(self, operator: str, a: Object, b: Object) -> Object:
        if isinstance(a, (list, Pointer)):  # an array moves by a known number
            assert operator == "+"
            return Pointer(a, b.known) if isinstance(a, list) else Pointer(a.array, a.at + b.known)
        operation = _OPERATIONS.get(operator)
        if operation is None:
            equal = c_value.compare(a, operator, b)
            return Value(INT, 0, 1) if equal is None else _truth(equal)
        result = operation(a, b)
        if result.fits():
            return result
        function = self._calls[-1]
        if operator == "<<" and function in _DROPS:
            return Value(result.type, *result.type.range)
        if function in _WRAPS:
            return result.wrapped()
        message = f"{function}: {operator} gives up to {result.high}, {result.type} holds {result.type.range[1]}"
        raise OverflowError(message)


class _Scope(dict[str, Object]):
    """The variables of a block; those of the blocks around it are seen and set through it."""

    def __init__(self, outer: dict[str, Object]) -> None:
        super().__init__()
        self._outer = outer

    def declare(self, name: str, value: Object) -> None:
        """Add a variable to this block."""
        super().__setitem__(name, value)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._outer

    def __missing__(self, name: str) -> Object:
        return self._outer[name]

    def __setitem__(self, name: str, value: Object) -> None:
        if not super().__contains__(name) and name in self._outer:
            self._outer[name] = value
        else:
            super().__setitem__(name, value)


_OPERATIONS: dict[str, Callable[[Value, Value], Value]] = {
    "+": c_value.add,
    "-": c_value.subtract,
    "*": c_value.multiply,
    "/": c_value.divide,
    ">>": c_value.shift_right,
    "<<": c_value.shift_left,
    "&": c_value.bit_and,
    "^": c_value.bit_xor,
    "|": c_value.bit_or,
}


def _truth(value: bool) -> Value:  # noqa: FBT001 - it is the value
    return Value.exactly(INT, int(value))


def _literal(node: c_ast.Constant) -> Value:
    text = node.value.rstrip("uUlL")
    value = int(text, 0)
    unsigned = "u" in node.value[len(text) :].lower()
    long = len(node.value) > len(text) and "l" in node.value[len(text) :].lower()
    if not unsigned and not long and value <= INT.range[1]:
        return Value.exactly(INT, value)
    return Value.exactly(Type(64, signed=not unsigned), value)
