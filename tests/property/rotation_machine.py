"""
One client with one token store, thieves, administrators, and a network and clocks that do what they like.

The authority holds every decision against the model. The invariants of this file do not know the model: they say what
the rules are there for.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sessiond.authority import rotation
from sessiond.authority.policy import Policy, Profile
from sessiond.authority.rotation import Call, Outcome
from sessiond.errors import Cause
from sessiond.store.records import ScopeKind
from tests.property.rotation_authority import IDLE_SECONDS, Authority, Rotate, Token

T = TypeVar("T")

recent = st.sampled_from([0, 0, 1, 2, 3])

# How often client and thief can both be served after a theft, in turns, by a client with one request at a time:
# the thief has the token alone, or one whole request. test_rotation_search.py finds the same numbers in every course
# of a smaller world.
ROUNDS = {Profile.BALANCED: (3, 4), Profile.STRICT: (0, 2), Profile.FORGIVING: (3, 4)}

WEEK = 7 * 86_400


@dataclass(frozen=True)
class Request:
    """A refresh on its way."""

    token: Token
    call: Call


def _recent(things: list[T], age: int) -> T:
    """Take the last of a list, or one a little before it."""
    return things[-1 - min(age, len(things) - 1)]


def alone(machine: RefreshMachine) -> bool:
    """Tell whether nobody but the client has ever had a token."""
    return machine.alone


class Scene(enum.Enum):
    """
    Who takes part, beside administrators.

    LONE: nobody but the client ever has a token. THEFT: a client with one
    request at a time, whose copies do not stray, is robbed once. CROWD: any
    number of holders, and the client's requests in any number at once.
    """

    LONE = "lone client"
    THEFT = "one theft"
    CROWD = "many holders"


class RefreshMachine(RuleBasedStateMachine):
    """What can happen to a session, in any order. :func:`machine` makes the classes that run."""

    rotate: Rotate
    policy: Policy
    scene: Scene

    @initialize(keyed=st.booleans())
    def begin(self, *, keyed: bool) -> None:
        """Log in; a client that is *keyed* sends retry keys, and under STRICT a lone one cannot do without."""
        self.alone, self.careful = self.scene is Scene.LONE, self.scene is Scene.THEFT
        self.keyed = keyed or (self.alone and self.policy.profile is Profile.STRICT)
        self.requests = 0
        self.key_was_revoked = False
        self.authority = Authority(type(self).rotate, self.policy)
        self._start_over(self.authority.handed[0])

    def _start_over(self, token: Token) -> None:
        self.store = token
        self.sent: list[Request] = []
        self.answers: list[Token] = []
        self.loot: list[Request] = []
        self.robbed = False
        self.took_request = False
        self.rounds = (0, 0)
        self.latest_wall = self.authority.now
        self.idle_at = self._idle_at()

    def _idle_at(self) -> int:
        return self.authority.session.pending_by.at + IDLE_SECONDS

    def is_over(self) -> bool:
        """Tell whether the client can only log in again."""
        return self.authority.is_over or self.store.key_id in self.authority.revoked

    def _owner(self, token: Token, *, named: bool) -> Call:
        """Call as the client does: the retry key is a function of the token, the request id of the attempt."""
        self.requests += 1
        return Call(
            retry_hash=b"owner of " + token.text[-8:].encode() if self.keyed else b"",
            request_hash=b"request %d" % self.requests if named else b"",
            ip=b"\x0a\0\0\1",
            caller="gateway",
        )

    # The clocks.

    @rule(
        serving_ms=st.sampled_from([0, 500, 4_000, 9_999, 10_000, 65_000]),
        jump=st.sampled_from([0, 0, 0, 1800, 1800, 3500, -61, -3500]),
    )
    def let_time_pass(self, serving_ms: int, jump: int) -> None:
        """Both clocks go on; then the wall clock alone jumps, for the authority was down or somebody set it."""
        self.authority.serving_ms += serving_ms
        self.authority.now += serving_ms // 1000 + jump

    # The client, in any number of tabs: all of them read and write one token store.

    @rule(
        named=st.booleans(),
        fate=st.sampled_from(["served", "copied", "copied", "guessed", "answer underway", "request underway"]),
    )
    def refresh(self, *, named: bool, fate: str) -> None:
        """
        Send what the store holds.

        What is underway may come late, or never; a careful client has given it
        up. A request that is copied is sent once more, by somebody else and
        without its ids; one whose id is guessed, with that alone.
        """
        if self.careful:
            self.sent.clear()
            self.answers.clear()
        request = Request(self.store, self._owner(self.store, named=named))
        self.sent.append(request)
        if fate == "request underway":
            return
        self._arrive(request)
        if self.careful:
            self.sent.clear()
        if fate in ("served", "copied", "guessed") and self.answers:
            self._receive(self.answers.pop())
        if fate in ("copied", "guessed") and self.scene is Scene.CROWD:
            request_hash = request.call.request_hash if fate == "guessed" else b""
            self.authority.refresh(request.token, Call(request_hash=request_hash, caller="elsewhere"))

    @precondition(lambda self: self.sent)
    @rule(age=recent)
    def deliver(self, age: int) -> None:
        """Let a request arrive, for the first time or as a stray copy."""
        request = _recent(self.sent, age)
        if self.careful:
            self.sent.clear()
        self._arrive(request)

    @precondition(lambda self: self.answers)
    @rule(age=recent)
    def receive(self, age: int) -> None:
        """Let an answer come back, in any order."""
        answer = _recent(self.answers, age)
        self.answers.remove(answer)
        self._receive(answer)

    @precondition(lambda self: not self.careful and not self.is_over())
    @rule(age=recent, turned=st.booleans())
    def race(self, age: int, *, turned: bool) -> None:
        """Decide two requests at once on what one transaction sees; the one that commits second is decided again."""
        request = Request(self.store, self._owner(self.store, named=False))
        other = _recent([*self.sent, request], age)
        first, second = (other, request) if turned else (request, other)
        authority = self.authority
        before, died = authority.session.pending, authority.session.pending_by.key_id in authority.revoked
        authority.probe(second.token, second.call)
        self._arrive(first)
        self._arrive(second)
        if first.token == second.token and self.policy.profile is not Profile.FORGIVING and not died:
            assert authority.session.pending - before <= 1, "one token made two generations"

    def _arrive(self, request: Request) -> None:
        if self.alone and self._comes_too_late(request):
            return
        answer = self.authority.refresh(request.token, request.call)
        if isinstance(answer, Token):
            self.answers.append(answer)
        elif self.alone:
            assert answer not in (Cause.REUSED, Cause.STATE_LOST), "a lone client is taken for a thief"
            if answer is Cause.SUPERSEDED:
                assert self.store.generation > request.token.generation, "the client has nothing newer to use"

    def _receive(self, answer: Token) -> None:
        """Store an answer, but never over a newer token."""
        if answer.generation > self.store.generation:
            self.store = answer
        if self.robbed:
            client, thief = self.rounds
            self.rounds = (min(client + 1, thief + 1), thief)

    def _comes_too_late(self, request: Request) -> bool:
        """Tell whether a request arrives after the windows in which a lone client is promised to be safe."""
        session, policy = self.authority.session, self.policy
        if request.token.generation == session.pending:
            return False
        if request.token.generation == session.confirmed:
            age_ms = self.authority.serving_ms - session.pending_by.serving_ms
            return not self.keyed and age_ms >= policy.retry_window_ms
        age_ms = self.authority.serving_ms - session.confirmed_ms
        return request.token.generation != session.parent or age_ms >= policy.straggler_window_ms

    # Thieves.

    @precondition(lambda self: not (self.alone or self.is_over() or (self.careful and self.robbed)))
    @rule(whole_request=st.booleans())
    def steal(self, *, whole_request: bool) -> None:
        """Copy the token from the store, or a whole request from the wire."""
        self.robbed, self.took_request, self.rounds = True, whole_request, (0, 0)
        call = self._owner(self.store, named=True) if whole_request else Call()
        self.loot.append(Request(self.store, call))

    @precondition(lambda self: self.loot)
    @rule(age=st.sampled_from([0, 0, 0, 1, 2]), proof=st.sampled_from(["none", "own", "captured"]))
    def use_loot(self, age: int, proof: str) -> None:
        """Present a stolen token, without ids, with the thief's own, or with those of the request it came in."""
        loot = _recent(self.loot, age)
        call = loot.call if proof == "captured" else Call()
        if proof == "own":
            call = Call(retry_hash=b"thief of " + loot.token.text[-8:].encode())
        answer = self.authority.refresh(loot.token, replace(call, ip=b"\x7f\0\0\1", caller="elsewhere"))
        if isinstance(answer, Token):
            self.loot.append(Request(answer, Call()))
            client, thief = self.rounds
            self.rounds = (client, min(thief + 1, client + 1))

    # Whoever else can reach a session that has lived for a while.

    @precondition(lambda self: self.scene is Scene.CROWD and self.authority.session.confirmed is not None)
    @rule(way=st.sampled_from([-4, -3, -2, -1, -1, 1, 2]))
    def present_from_nowhere(self, way: int) -> None:
        """Present a token that was spent lately or long ago, or one that a record out of a backup has not made."""
        self.authority.judge(max(0, self.authority.session.pending + way), Call(caller="elsewhere"))

    @precondition(lambda self: self.authority.session.parent is not None and not self.is_over())
    @rule(what=st.sampled_from([None, *ScopeKind]), wrong_tenant=st.booleans())
    def meddle(self, what: ScopeKind | None, *, wrong_tenant: bool) -> None:
        """Present the newest token for another tenant, or end the session or a scope that it is in."""
        if wrong_tenant:
            self.authority.judge(self.authority.session.pending, Call(tenant="other"))
        elif what is None:
            self.authority.end()
        else:
            self.authority.cut(what)

    @precondition(lambda self: self.authority.unused_keys and self.authority.session.confirmed is not None)
    @rule(revoke=st.booleans())
    def change_keys(self, *, revoke: bool) -> None:
        """Sign with the next key; the one before it retires, or is revoked."""
        self.authority.change_keys(revoke=revoke)
        self.key_was_revoked |= revoke

    @precondition(lambda self: len(self.authority.unused_keys) > 1 and self.authority.session.confirmed is not None)
    @rule()
    def leak_a_key(self) -> None:
        """Revoke a key that has signed nothing but an answer on its way."""
        self.change_keys(revoke=False)
        self.refresh(named=False, fate="answer underway")
        self.change_keys(revoke=True)

    @precondition(lambda self: self.is_over())
    @rule()
    def log_in(self) -> None:
        """Log in again where nothing else is left."""
        self._start_over(self.authority.log_in())

    # What the rules are there for.

    @invariant()
    def each_generation_has_one_living_successor(self) -> None:
        """Of the newest tokens that one generation was traded for, one at most would be taken."""
        authority = self.authority
        living: dict[int | None, set[str]] = {}
        for token in list(authority.handed.values())[-6:]:
            made = authority.history.birth(token.generation)
            calls = (Call(), made.call, self._owner(token, named=False))
            if any(isinstance(authority.probe(token, call), Outcome) for call in calls):
                living.setdefault(authority.history.of(token.generation), set()).add(token.text)
        assert all(len(texts) == 1 for texts in living.values()), living

    @invariant()
    @precondition(alone)
    def lone_client_is_never_logged_out(self) -> None:
        """What stands in a lone client's store would be taken, unless time or an administrator ended the session."""
        authority, token = self.authority, self.store
        if not self.keyed and self._comes_too_late(Request(token, Call())):
            return
        answer = authority.probe(token, self._owner(token, named=False))
        excused = authority.is_over or token.key_id in authority.revoked or authority.now >= authority.history.idle_at
        assert isinstance(answer, Outcome) or excused, answer

    @invariant()
    def clock_that_steps_back_logs_nobody_out(self) -> None:
        """What is taken at this wall time is taken just so at any earlier one."""
        call = self._owner(self.store, named=False)
        answer = self.authority.probe(self.store, call)
        if isinstance(answer, Outcome):
            assert answer == self.authority.probe(self.store, call, now=self.authority.now - WEEK)

    @invariant()
    def deadlines_are_moved_by_new_generations_alone(self) -> None:
        """The idle deadline never comes nearer, nor goes beyond the idle limit after the latest time ever seen."""
        self.latest_wall = max(self.latest_wall, self.authority.now)
        before, self.idle_at = self.idle_at, self._idle_at()
        assert before <= self.idle_at <= self.latest_wall + IDLE_SECONDS

    @invariant()
    def thief_and_client_part_soon(self) -> None:
        """Where the client sends retry keys, one request at a time, both are served a few times in turns at most."""
        if self.robbed and self.careful and self.keyed and not self.key_was_revoked:
            bounds = ROUNDS[self.policy.profile]
            assert min(self.rounds) <= bounds[self.took_request]


def machine(profile: Profile, scene: Scene, rotate: Rotate = rotation.rotate) -> type[RefreshMachine]:
    """Make the machine of a profile and a scene, for the real rules or for some with a fault."""
    members = {"rotate": staticmethod(rotate), "policy": Policy(profile=profile), "scene": scene}
    return type("RefreshMachine", (RefreshMachine,), members)
