import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from producer.contrib.conftest import Read
from support.broker import Broker
from support.nkeys import Nkey
from tailrace_producer import JobEnded, SyncProducer, current_job
from tailrace_producer.contrib import get_default_producer, require_default_producer, set_default_producer
from tailrace_producer.testing import capture
from tailrace_protocol.errors import InvalidInput, TailraceError

pytest.importorskip("django")

import django
from django.conf import settings

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "tailrace_producer.contrib.django"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        LOGGING_CONFIG=None,
        ROOT_URLCONF=__name__,
        TIME_ZONE="UTC",
        USE_TZ=True,
    )
    django.setup()

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.http import HttpRequest, JsonResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from tailrace_producer.contrib.django import JobTracker, get_producer


def sync_view(request: HttpRequest) -> JsonResponse:
    tracker = JobTracker("sync", user=User(pk=7))
    tracker.send_start("Import")
    tracker.send_progress(40, "40 %")
    tracker.send_warning("slow", {"row": 9})
    tracker.send_complete({"n": 9})
    return JsonResponse({"topic": tracker.topic, "job": tracker.job_id})


async def async_view(request: HttpRequest) -> JsonResponse:
    with JobTracker("async", user=User(pk=7), title="Import", total=2) as tracker:
        for number in range(2):
            tracker.send_progress(number + 1)
            await asyncio.sleep(0)
    return JsonResponse({"topic": tracker.topic})


urlpatterns = [path("sync", sync_view), path("async", async_view)]


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """No producer from another test."""
    set_default_producer(None)
    yield
    set_default_producer(None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "the setting TAILRACE is missing"),
        ("nats://nats", "the setting TAILRACE is a str, and has to be a dict"),
        ({"TENANT": "acme"}, 'TAILRACE has no "URL"'),
        ({"URL": "nats://nats", "TENNANT": "acme"}, "TAILRACE has the unknown key 'TENNANT'"),
        ({"URL": ["nats://user:secret@nats"]}, "TAILRACE['URL'] is a list"),
        ({"URL": "nats://nats", "WINDOW": "9"}, "TAILRACE['WINDOW'] is a str"),
        ({"URL": "nats://nats", "LEASE": True}, "TAILRACE['LEASE'] is a bool"),
        ({"URL": "nats://nats", "DESCRIBE_ERROR": "str"}, "TAILRACE['DESCRIBE_ERROR'] is a str"),
        ({"URL": "nats://nats", "TENANT": "Acme Inc."}, "TAILRACE cannot work: "),
        ({"URL": "http://user:secret@nats"}, "TAILRACE cannot work: "),
        ({"URL": "nats://nats", "WINDOW": 0}, "TAILRACE cannot work: window=0"),
    ],
)
def test_mistakes_in_the_settings_are_told(given: Any, said: str) -> None:
    with override_settings(TAILRACE=given):
        with pytest.raises(SystemCheckError) as found:
            call_command("check")
        with pytest.raises(ImproperlyConfigured) as raised:
            get_producer()

    assert said in str(found.value)
    assert "(tailrace.E001)" in str(found.value)
    assert str(raised.value).startswith(said)
    assert "secret" not in str(found.value) + str(raised.value)


@pytest.mark.parametrize(
    "given",
    [
        {"URL": "nats://nats:4222"},
        {"URL": "nats://nats", "TENANT": "acme", "CLOSE_TIMEOUT": 3, "LEASE": None},
        {"URL": "nats://nats", "DESCRIBE_ERROR": repr, "TEXT_INTERVAL": 0.1, "TEXT_BATCH": 9},
    ],
)
def test_settings_that_can_work(given: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    with override_settings(TAILRACE=given):
        call_command("check")
        assert get_producer() is get_producer() is get_default_producer()

    assert "no issues" in capsys.readouterr().out


class TestWhatTheProducerIsMadeOf:
    """Of the settings, whatever the environment says, and whoever asks first."""

    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TAILRACE_NATS_URL", "nats://127.0.0.1:1")
        monkeypatch.setenv("TAILRACE_TENANT", "other")

    @pytest.mark.parametrize("ask", [get_producer, get_default_producer, require_default_producer])
    def test_the_settings_stand_before_the_environment(self, ask: Callable[[], SyncProducer | None]) -> None:
        with override_settings(TAILRACE={"URL": "nats://nats", "TENANT": "acme"}):
            found = ask()
            assert get_producer() is found

        assert publish_captured(found) == "acme"

    def test_without_settings_it_is_what_the_environment_says(self) -> None:
        assert publish_captured(get_producer()) == "other"

    def test_who_is_set_stands_before_both(self) -> None:
        mine = SyncProducer("nats://nats", tenant="mine")
        set_default_producer(mine)

        with override_settings(TAILRACE={"URL": "nats://nats", "TENANT": "acme"}):
            assert get_producer() is mine


def publish_captured(producer: SyncProducer | None) -> str:
    """Return the tenant that a producer publishes to."""
    assert producer is not None
    with capture() as events, producer:
        producer.enqueue("a")
        tenant: str = events[0].tenant
    return tenant


@pytest.mark.parametrize("kind", [Path, str])
def test_the_settings_may_name_a_login(kind: type[Path] | type[str], tmp_path: Path) -> None:
    given = {"URL": "nats://nats", "CREDENTIALS": kind(tmp_path / "a.nk")}
    with override_settings(TAILRACE=given), pytest.raises(SystemCheckError, match=r"a\.nk cannot be read"):
        call_command("check")
    (tmp_path / "a.nk").write_text(Nkey("user").seed)
    with override_settings(TAILRACE=given):
        call_command("check")


@pytest.mark.parametrize("kind", [Path, str])
def test_the_settings_may_name_an_outbox(kind: type[Path] | type[str], tmp_path: Path) -> None:
    with override_settings(TAILRACE={"URL": "nats://nats", "OUTBOX_PATH": kind(tmp_path / "outbox")}):
        call_command("check")


async def test_the_settings_name_broker_and_tenant(broker: Broker) -> None:
    with override_settings(TAILRACE={"URL": broker.url, "TENANT": "acme"}):
        event_id = await anyio.to_thread.run_sync(lambda: get_producer().publish("a"))
        get_producer().close()

    assert event_id


@pytest.mark.usefixtures("default_producer")
class TestJobTracker:
    async def test_a_job_of_a_sync_view(self, read: Read) -> None:
        answer = await anyio.to_thread.run_sync(lambda: Client().get("/sync").json())

        events = await read()
        assert answer == {"topic": "users.7.jobs.sync", "job": "sync"}
        assert {topic for topic, _, _ in events} == {"users.7.jobs.sync"}
        assert [kind for _, kind, _ in events if kind != "progress"] == ["start", "warning", "complete"]
        state = events[-1][2]
        assert (state["title"], state["user"], state["done"], state["percent"]) == ("Import", "7", 100, 100)
        assert (state["message"], state["result"]) == ("40 %", {"n": 9})
        assert [(warning["message"], warning["data"]) for warning in state["warnings"]] == [("slow", {"row": 9})]

    async def test_a_job_of_an_async_view(self, read: Read) -> None:
        response = await AsyncClient().get("/async")

        events = await read()
        assert response.json() == {"topic": "users.7.jobs.async"}
        assert (events[0][1], events[-1][1], events[-1][2]["done"]) == ("start", "complete", 2)

    async def test_failure(self, read: Read) -> None:
        tracker = JobTracker("one")
        tracker.send_start()
        tracker.send_error("boom")

        topic, kind, state = (await read())[-1]
        assert (topic, kind, state["error"]) == ("jobs.one", "failed", {"type": "Error", "message": "boom"})

    async def test_as_a_context_manager_it_is_the_current_job(self, read: Read) -> None:
        def work() -> None:
            with JobTracker("one", title="One") as tracker:
                assert current_job() is tracker.job
                raise OSError("disk full")

        with pytest.raises(OSError, match="disk full"):
            work()

        _, kind, state = (await read())[-1]
        assert (kind, state["title"], state["error"]["type"]) == ("failed", "One", "OSError")
        assert current_job() is None

    async def test_what_the_start_says_takes_the_place_of_what_the_tracker_was_given(self, read: Read) -> None:
        tracker = JobTracker("one", title="One", total=5, metadata={"a": 1})
        tracker.send_start("First", total=9)
        tracker.send_progress(3, metadata={"b": 2})
        tracker.send_complete()

        state = (await read())[-1][2]
        assert (state["title"], state["total"], state["done"]) == ("First", 9, 3)
        assert state["metadata"] == {"a": 1, "b": 2}

    @pytest.mark.usefixtures("read")
    async def test_what_cannot_be_reported_is_told(self, producer: SyncProducer) -> None:
        tracker = JobTracker("one")
        with pytest.raises(JobEnded, match=r"was not started: .* call start \(a JobTracker: send_start\)"):
            tracker.send_progress(1)
        tracker.send_start()
        with pytest.raises(JobEnded, match="started before"):
            tracker.send_start("Again")
        tracker.send_complete()
        with pytest.raises(TailraceError, match="has ended"):
            tracker.send_warning("late")

    @pytest.mark.parametrize(
        ("user", "topic"),
        [
            (User(pk=7), "users.7.jobs.1"),
            (7, "users.7.jobs.1"),
            ("a.b", "users.a%2Eb.jobs.1"),
            (None, "jobs.1"),
        ],
    )
    async def test_whose_job_it_is(self, user: Any, topic: str) -> None:
        assert JobTracker(1, user).topic == topic

    @pytest.mark.parametrize(("user", "said"), [(AnonymousUser(), "anonymous"), (User(), "no primary key")])
    async def test_a_user_who_is_nobody_does_not_make_the_job_everybodys(self, user: Any, said: str) -> None:
        with pytest.raises(InvalidInput, match=said):
            JobTracker("one", user)
