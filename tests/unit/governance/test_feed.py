"""Following the news: nothing between reading and waiting is missed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from governance import handlers
from governance.desk import Desk
from governance.feed import Feed
from governance.store import Store
from tests.desks import alert, desk_at, trip


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return a desk at noon."""
    desk = desk_at(f"sqlite:///{tmp_path / 'governance.db'}")
    yield desk
    desk.store.close()


def test_a_follower_goes_on_where_it_was(desk: Desk) -> None:
    """What comes after a number is that, in order, of the topics that were asked for."""
    feed = Feed(desk.store)
    seen = feed.last()
    handlers.apply_action(desk, trip())
    rows = feed.after(seen)
    assert [row.topic for row in rows] == ["alerts", "state", "state", "alerts"]
    assert [row.seq for row in feed.after(seen, topics=["alerts"])] == [rows[0].seq, rows[3].seq]
    assert feed.after(rows[-1].seq) == []


def test_a_commit_between_reading_and_waiting_is_not_waited_for(desk: Desk) -> None:
    """Whoever took the number of commits before reading is woken at once."""
    feed = Feed(desk.store)
    commits = feed.commits
    handlers.apply_action(desk, trip())
    assert feed.wait(commits, timeout=30) == commits + 1


def test_waiting_ends_with_a_commit_of_another_thread(desk: Desk) -> None:
    """A follower sleeps until there is news."""
    feed = Feed(desk.store)
    commits = feed.commits
    with ThreadPoolExecutor(1) as follower:
        waiting = follower.submit(feed.wait, commits, 30)
        handlers.apply_action(desk, trip())
        assert waiting.result() > commits


def test_waiting_ends_without_news_too(desk: Desk) -> None:
    """After its time a follower gets the number that it had."""
    feed = Feed(desk.store)
    assert feed.wait(feed.commits, timeout=0.01) == feed.commits


def test_a_listener_is_called_until_it_stops(desk: Desk) -> None:
    """One call for each commit, and none after it was taken off."""
    feed = Feed(desk.store)
    calls: list[str] = []
    stop = feed.listen(lambda: calls.append(threading.current_thread().name))
    handlers.apply_action(desk, trip())
    stop()
    handlers.apply_action(desk, alert())
    assert calls == [threading.current_thread().name]


def test_news_of_another_process_is_found_by_looking(desk: Desk) -> None:
    """A standby's followers are woken by what the active service wrote, and only by that."""
    feed = Feed(Store(str(desk.store._engine.url)))
    feed.look()
    commits = feed.commits
    feed.look()
    assert feed.commits == commits
    handlers.apply_action(desk, trip())
    feed.look()
    assert feed.commits == commits + 1
    feed._store.close()
