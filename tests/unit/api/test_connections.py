"""Connections, alone: who waits is given up for those who ask, and who is answered never is."""

from __future__ import annotations

from dataclasses import dataclass

from api.connections import NO_ROOM, PATIENCE, TOO_SLOW, Connections


@dataclass(eq=False)
class Client:
    """A connection that notes its end."""

    address: str = "10.0.0.1"
    moves: bool = False
    is_over: bool = False

    def has_moved(self) -> bool:
        """Whether it takes something of an answer."""
        return self.moves

    def give_up(self) -> None:
        """Note that it was ended."""
        assert not self.is_over
        self.is_over = True


def admitted(connections: Connections, *clients: Client) -> list[Client | None]:
    """Admit *clients*, a second apart, and return who is given up for each."""
    given = [connections.admit(client, float(now)) for now, client in enumerate(clients)]
    return [one for one in given if one is None or isinstance(one, Client)]


def test_who_waits_longest_makes_room() -> None:
    """Accepting always works: the oldest goes, be it of another address."""
    connections = Connections(4)
    a, b, c, d, e = (Client(f"10.0.0.{number}") for number in range(5))

    assert admitted(connections, a, b, c, d, e) == [None, None, None, None, a]
    assert (len(connections), a.is_over, b.is_over) == (4, True, False)
    assert connections.ended == {NO_ROOM: 1, TOO_SLOW: 0}


def test_one_address_has_half_of_the_room() -> None:
    """Whoever opens more pushes out their own, and nobody else."""
    connections = Connections(4)
    other = Client("10.0.0.2")
    many = [Client() for _ in range(10)]
    admitted(connections, other, *many)

    assert [client.is_over for client in many] == [True] * 8 + [False] * 2
    assert not other.is_over


def test_who_is_answered_is_never_given_up() -> None:
    """Where everybody is being answered, it is the newcomer who goes."""
    connections = Connections(2)
    a, b, new = Client("a"), Client("b"), Client("c")
    admitted(connections, a, b)
    for client in (a, b):
        connections.answer(client)

    assert connections.admit(new, 2.0) is new
    assert not (a.is_over or b.is_over)
    connections.wait(b, 3.0)
    assert connections.admit(Client("d"), 4.0) is b


def test_waiting_has_an_end() -> None:
    """A wait counts from where it began, and one that began anew counts anew."""
    connections = Connections()
    silent, asks, answered = Client(), Client(), Client()
    admitted(connections, silent, asks, answered)
    connections.wait(asks, 5.0)
    connections.answer(answered)
    connections.sweep(PATIENCE - 0.1)
    assert not silent.is_over
    connections.sweep(PATIENCE)
    assert (silent.is_over, asks.is_over) == (True, False)
    connections.keep_waiting(asks, 6.0)
    connections.sweep(5.0 + PATIENCE)
    assert (asks.is_over, answered.is_over) == (True, False)
    assert connections.ended[TOO_SLOW] == 2


def test_who_takes_an_answer_slowly_may_take_it() -> None:
    """A long answer over a slow line lives for as long as something of it is taken."""
    connections = Connections()
    slow = Client(moves=True)
    admitted(connections, slow)
    for round_ in range(1, 10):
        connections.sweep(round_ * PATIENCE)
    assert not slow.is_over
    slow.moves = False
    connections.sweep(10 * PATIENCE)
    assert slow.is_over


def test_what_is_gone_is_counted_no_more() -> None:
    """However often we hear of its end, and nothing of it is kept."""
    connections = Connections(2)
    for _ in range(5):
        client = Client()
        assert connections.admit(client, 0.0) is None
        connections.forget(client)
        connections.forget(client)
        connections.wait(client, 1.0)
    connections.sweep(100.0)

    assert len(connections) == 0
    assert not connections._addresses
    assert not connections._waiting
