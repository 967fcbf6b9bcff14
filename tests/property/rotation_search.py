"""
Every course that a small world can take: one session, a client that loses and repeats, a thief that copies one token.

The rules are the real ones, on real records. What does not reach them is left out (addresses, counters, wall time), the
numbers of the generations in anyone's hands are renamed to the smallest ones in the same order, and time counts up to
the end of the windows. So the world has finitely many states, and all of them are looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from sessiond.authority.policy import Policy
from sessiond.authority.rotation import Call, rotate
from sessiond.errors import Cause
from sessiond.store.contract import Cuts, View
from sessiond.store.records import Session, Trace
from tests.property.rotation_authority import Rotate

NOW = 1_800_000_000
SERVING = 1_000_000
STEP_MS = 5_000
LATE_MS = 10_000

OWNER, THIEF, NOBODY = b"owner", b"thief", b""

STRAY = -1
"""The tab of a request that nobody waits for any more."""

UNDERWAY = 2
"""How many requests, and how many answers, can be underway at once."""


class Line(NamedTuple):
    """What the rules see of the session; ages are in serving time, and end at LATE_MS."""

    pending: int = 0
    made_by: bytes = NOBODY
    pending_age: int = 0
    confirmed: int | None = None
    confirmed_age: int = 0
    parent: int | None = None
    shared_in_row: int = 0
    pending_shared: bool = False
    ended: bool = False


class State(NamedTuple):
    """The whole world. A tab waits for the successor of a generation, or for nothing."""

    line: Line
    store: int
    tabs: tuple[int | None, ...]
    sent: tuple[tuple[int, int], ...] = ()
    answers: tuple[tuple[int, int], ...] = ()
    loot: frozenset[int] = frozenset()
    captured: int | None = None
    stolen: bool = False


class Move(NamedTuple):
    """One thing that can happen, and whom it served."""

    state: State
    client_served: bool = False
    thief_served: bool = False


@dataclass(frozen=True)
class World:
    """
    Who takes part.

    ``proofs`` are what the thief presents beside the token: nothing, a retry
    key of its own, or the owner's in the request that it copied; without any
    there is no thief, and then stray copies arrive, in the straggler window.
    """

    policy: Policy
    tabs: int = 1
    proofs: tuple[bytes, ...] = ()
    rotate: Rotate = field(default=rotate)

    def start(self) -> State:
        """Begin with a login that the client has stored."""
        return State(Line(), 0, (None,) * self.tabs)

    def moves(self, state: State) -> Iterator[Move]:
        """Give everything that can happen next; nothing happens to a session that has ended."""
        if state.line.ended:
            return
        if state.line.pending_age < LATE_MS or state.line.confirmed_age < LATE_MS:
            yield Move(state._replace(line=_older(state.line)))
        for tab, waits in enumerate(state.tabs):
            if waits is not None:
                yield Move(self._given_up(state, tab))
            elif len(state.sent) < UNDERWAY:
                sent = (*state.sent, (tab, state.store))
                yield Move(state._replace(tabs=_put(state.tabs, tab, state.store), sent=sent))
        for number, (tab, generation) in enumerate(state.sent):
            yield from self._arrivals(state._replace(sent=_without(state.sent, number)), tab, generation)
        for number, (tab, generation) in enumerate(state.answers):
            back = state._replace(answers=_without(state.answers, number), tabs=_put(state.tabs, tab, None))
            yield Move(back)
            yield Move(back._replace(store=max(back.store, generation)), client_served=True)
        if self.proofs:
            yield from self._thefts(state)

    def _given_up(self, state: State, tab: int) -> State:
        """A tab times out or crashes, and starts again from the store; where nobody steals, its requests stray."""
        stray = not self.proofs
        sent = tuple((STRAY if of == tab else of, what) for of, what in state.sent if stray or of != tab)
        answers = tuple(answer for answer in state.answers if answer[0] != tab)
        return state._replace(tabs=_put(state.tabs, tab, None), sent=sent, answers=answers)

    def _arrivals(self, state: State, tab: int, generation: int) -> Iterator[Move]:
        """A request is lost, or judged; its answer is lost, or comes back."""
        yield Move(state)
        line = state.line
        if not self.proofs and generation not in (line.pending, line.confirmed, self._straggler(line)):
            return
        granted, after, cause = self.judge(line, generation, OWNER)
        judged = state._replace(line=after)
        yield Move(judged)
        if granted is not None and tab != STRAY and len(state.answers) < UNDERWAY:
            yield Move(judged._replace(answers=(*state.answers, (tab, granted))))
        if cause is Cause.SUPERSEDED and tab != STRAY:
            yield Move(judged._replace(tabs=_put(state.tabs, tab, None)))

    def _straggler(self, line: Line) -> int | None:
        return line.parent if line.confirmed_age < LATE_MS else None

    def _thefts(self, state: State) -> Iterator[Move]:
        """The thief copies a token, once, or presents one that it holds."""
        if not state.stolen:
            for generation in {state.store, *(waits for waits in state.tabs if waits is not None)}:
                yield Move(state._replace(stolen=True, loot=frozenset({generation}), captured=generation))
        for generation in state.loot:
            for proof in self.proofs:
                if proof == OWNER and generation != state.captured:
                    continue
                granted, after, _ = self.judge(state.line, generation, proof)
                loot = state.loot if granted is None else state.loot | {granted}
                yield Move(state._replace(line=after, loot=loot), thief_served=granted is not None)

    def judge(self, line: Line, generation: int, proof: bytes) -> tuple[int | None, Line, Cause | None]:
        """Present a generation: which one is handed out, the session afterwards, and why nothing is handed out."""
        return _judged(self, line, generation, proof)


@cache
def _judged(world: World, line: Line, generation: int, proof: bytes) -> tuple[int | None, Line, Cause | None]:
    decision = world.rotate(
        View(session=_record(line), cuts=Cuts(), prior=None, revision=9, serving_ms=SERVING),
        generation,
        Call(retry_hash=proof),
        now=NOW,
        policy=world.policy,
        signing_key_id=b"signing.",
        revoked_key_ids=frozenset(),
    )
    session = decision.session
    assert session is not None
    after = Line(
        pending=session.pending,
        made_by=session.pending_by.retry_hash,
        pending_age=min(SERVING - session.pending_by.serving_ms, LATE_MS),
        confirmed=session.confirmed,
        confirmed_age=0 if session.confirmed is None else min(SERVING - session.confirmed_ms, LATE_MS),
        parent=session.parent,
        shared_in_row=session.shared_in_row,
        pending_shared=session.pending_shared,
        ended=session.end is not None,
    )
    return (None if decision.outcome is None else session.pending), after, decision.cause


def _record(line: Line) -> Session:
    return Session(
        id=b"0123456789abcdef",
        tenant="acme",
        subject="ada",
        tenant_hash=b"tenant..",
        subject_hash=b"subject.",
        audience="api",
        created_at=NOW,
        expires_at=NOW + 1000,
        idle_seconds=1000,
        access_seconds=300,
        born=9,
        pending=line.pending,
        pending_by=Trace(NOW, SERVING - line.pending_age, b"signing.", retry_hash=line.made_by),
        confirmed=line.confirmed,
        confirmed_ms=0 if line.confirmed is None else SERVING - line.confirmed_age,
        parent=line.parent,
        shared_in_row=line.shared_in_row,
        pending_shared=line.pending_shared,
    )


def _older(line: Line) -> Line:
    return line._replace(
        pending_age=min(line.pending_age + STEP_MS, LATE_MS), confirmed_age=min(line.confirmed_age + STEP_MS, LATE_MS)
    )


def _put(tabs: tuple[int | None, ...], tab: int, waits: int | None) -> tuple[int | None, ...]:
    return (*tabs[:tab], waits, *tabs[tab + 1 :])


def _without(things: tuple[tuple[int, int], ...], number: int) -> tuple[tuple[int, int], ...]:
    return things[:number] + things[number + 1 :]


def renamed(state: State) -> State:
    """Give the generations in anyone's hands the smallest numbers in the same order; a thief drops what is spent."""
    line = state.line
    loot = {generation for generation in state.loot if generation in (line.pending, line.confirmed)}
    held = {line.pending, line.confirmed, line.parent, state.store, *state.tabs, *loot}
    held |= {generation for _, generation in (*state.sent, *state.answers)}
    name = {old: new for new, old in enumerate(sorted(old for old in held if old is not None))}
    captured = state.captured if state.captured in loot else None
    return State(
        line=line._replace(
            pending=name[line.pending],
            confirmed=None if line.confirmed is None else name[line.confirmed],
            parent=None if line.parent is None else name[line.parent],
        ),
        store=name[state.store],
        tabs=tuple(None if waits is None else name[waits] for waits in state.tabs),
        sent=tuple(sorted((tab, name[generation]) for tab, generation in state.sent)),
        answers=tuple(sorted((tab, name[generation]) for tab, generation in state.answers)),
        loot=frozenset(name[generation] for generation in loot),
        captured=None if captured is None else name[captured],
        stolen=state.stolen,
    )


def states(world: World) -> set[State]:
    """Find every state that the world can come to."""
    first = world.start()
    found, ahead = {first}, deque([first])
    while ahead:
        for move in world.moves(ahead.popleft()):
            state = renamed(move.state)
            if state not in found:
                found.add(state)
                ahead.append(state)
    return found


def rounds(world: World, most: int) -> int:
    """
    Find how often client and thief can both be served after the theft, in turns, while the session lives.

    Looks no further than *most*, which stands for any number.
    """
    first = (world.start(), 0, 0)
    found, ahead, best = {first}, deque([first]), 0
    while ahead and best < most:
        state, client, thief = ahead.popleft()
        for move in world.moves(state):
            if move.state.line.ended:
                continue
            # One who is served twice before the other is ahead by one all the same.
            served = (
                min(client + (move.client_served and state.stolen), thief + 1),
                min(thief + move.thief_served, client + 1),
            )
            entry = (renamed(move.state), *served)
            if entry not in found:
                found.add(entry)
                ahead.append(entry)
                best = max(best, min(served))
    return best
