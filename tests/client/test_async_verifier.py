"""The asyncio face of the local verifier: the same answers, and a loop that never waits."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from sessiond.client import AsyncLocalVerifier, Client, RequiredClaim
from sessiond.errors import Cause, ClaimsNotMetError, InvalidAccessToken
from tests.client.local_verifiers import AUDIENCE, Fetches, foreign
from tests.client.waiting import until
from tests.client.wire import Wire
from tests.rpc.world import World


async def cause(verifier: AsyncLocalVerifier, access_token: str) -> Cause | None:
    """Say why a token is refused; None where it is good."""
    try:
        await verifier.verify(access_token)
    except InvalidAccessToken as refusal:
        return refusal.cause
    return None


def test_loop_gets_the_same_answers(here: World, client: Client) -> None:
    """Good, revoked and unfit tokens have the answers of the sync face, alone and in a batch, until it is closed."""
    good, gone = (client.create_session("acme", "alice", claims={"plan": "team"}) for _ in range(2))
    solo = RequiredClaim("plan", equals_json='"solo"')

    async def play() -> None:
        async with AsyncLocalVerifier(here.app.address, audience=AUDIENCE, clock=here.clock) as verifier:
            await verifier.wait_ready()
            revision = client.revoke_session(gone.session_id).revision
            await asyncio.to_thread(until, lambda: verifier.status().revision >= revision)
            verified = await verifier.verify(good.access_token)
            batch = await verifier.verify_batch([good.access_token, gone.access_token])
            try:
                await verifier.verify(good.access_token, required_claims=[solo])
            except ClaimsNotMetError as error:
                failures = error.failures

            assert "alice" == verified.subject
            assert Cause.REVOKED is await cause(verifier, gone.access_token)
            assert [0, Cause.REVOKED] == list(batch.verdicts)
            assert ["plan"] == [name for name, _ in failures]
            assert 0 == verifier.staleness_seconds

    asyncio.run(play())
    assert "sessiond-verifier" not in {one.name for one in threading.enumerate()}


def test_loop_goes_on_while_a_key_is_asked_for(there: World, fetches: Fetches) -> None:
    """While one task waits for an unknown key, another has its answer."""
    good = there.login().access_token

    async def play() -> None:
        async with AsyncLocalVerifier(there.app.address, audience=AUDIENCE, clock=there.clock) as verifier:
            await verifier.wait_ready()
            fetches.may_answer.clear()
            pending = asyncio.create_task(cause(verifier, foreign(0)))
            await asyncio.to_thread(until, lambda: fetches.count == 1)
            answered = await cause(verifier, good)
            waits = not pending.done()
            fetches.may_answer.set()

            assert (None, True) == (answered, waits)
            assert Cause.UNKNOWN_KEY is await pending

    asyncio.run(play())


def test_loop_waits_for_keys_without_a_thread(there: World, fetches: Fetches) -> None:
    """However many tasks wait for unknown keys, none takes a thread of the loop; a silent authority ends the wait."""

    async def play() -> None:
        async with AsyncLocalVerifier(there.app.address, audience=AUDIENCE, clock=there.clock) as verifier:
            await verifier.wait_ready()
            threads = Counting(1)
            asyncio.get_running_loop().set_default_executor(threads)
            fetches.may_answer.clear()
            causes = await asyncio.gather(*(cause(verifier, foreign(number)) for number in range(20)))
            given = threads.n_given
            fetches.may_answer.set()

            assert [Cause.UNKNOWN_KEY] * 20 == causes
            assert 0 == given

    asyncio.run(play())


def test_stale_loop_asks_in_a_thread(here: World, client: Client) -> None:
    """A verifier that asks where it is stale does so without holding up the loop, and has the authority's answer."""
    good, gone = (client.create_session("acme", "alice") for _ in range(2))

    async def play() -> None:
        with Wire(here.app.address) as wire:
            async with AsyncLocalVerifier(
                wire.address, audience=AUDIENCE, clock=here.clock, when_stale="ask"
            ) as verifier:
                await verifier.wait_ready()
                wire.lose_answers_of_connected()
                client.revoke_session(gone.session_id)
                here.clock.advance(30)

                assert Cause.REVOKED is await cause(verifier, gone.access_token)
                assert [0] == list((await verifier.verify_batch([good.access_token])).verdicts)

    asyncio.run(play())


class Counting(ThreadPoolExecutor):
    """Threads that say how much they were given."""

    n_given = 0

    def submit(self, *call: Any, **arguments: Any) -> Future[Any]:
        """Take one more."""
        self.n_given += 1
        return super().submit(*call, **arguments)


def test_loop_needs_no_thread_for_what_is_known(there: World) -> None:
    """Good and bad tokens, and unknown keys too while they were just asked for, are judged in the loop itself."""
    good = there.login().access_token

    async def play() -> None:
        async with AsyncLocalVerifier(there.app.address, audience=AUDIENCE, clock=there.clock) as verifier:
            await verifier.wait_ready()
            await cause(verifier, foreign(0))
            threads = Counting(1)
            asyncio.get_running_loop().set_default_executor(threads)
            causes = [await cause(verifier, token) for token in (good, "no token", foreign(1))]

            assert [None, Cause.MALFORMED, Cause.UNKNOWN_KEY] == causes
            assert 0 == threads.n_given

    asyncio.run(play())
