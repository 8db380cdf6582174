"""However people write the brokers, every client gets the same addresses, or the start says why."""

from __future__ import annotations

from typing import Any

import aiokafka.conn
import kafka.cluster
import pytest
from faust.transport.drivers.aiokafka import server_list

from schemas.brokers import brokers_of
from schemas.errors import BadSetting
from schemas.settings import Settings, load_settings
from streams.app import StreamApp


@pytest.mark.parametrize(
    ("written", "brokers"),
    [
        ("kafka:9092", "kafka:9092"),
        ("kafka", "kafka:9092"),
        (" kafka:9092 , other:9093,, ", "kafka:9092,other:9093"),
        ("kafka:9092,", "kafka:9092"),
        ('"kafka:9092"', "kafka:9092"),
        ("'kafka:9092,other:9093'", "kafka:9092,other:9093"),
        ('"kafka:9092","other:9093"', "kafka:9092,other:9093"),
        ("PLAINTEXT://kafka:9092,plaintext://other:9093", "kafka:9092,other:9093"),
        ("kafka:9092,kafka:9092", "kafka:9092"),
        ("[::1]:9192,[fe80::2]", "[::1]:9192,[fe80::2]:9092"),
        ("PLAINTEXT://[::1]:9192", "[::1]:9192"),
        ("my_kafka-1.example.com.:1", "my_kafka-1.example.com.:1"),
    ],
)
def test_what_people_write_is_one_list_for_every_client(
    monkeypatch: pytest.MonkeyPatch, written: str, brokers: str
) -> None:
    """The settings hold the one form, and each library reads the same hosts and ports in it."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", written)
    settings = load_settings()
    assert settings.kafka_bootstrap_servers == brokers
    assert brokers_of(brokers) == brokers
    wanted = [_split(one) for one in brokers.split(",")]
    assert _read(kafka.cluster.collect_hosts(brokers.split(","), randomize=False)) == wanted
    assert sorted(_read(aiokafka.conn.collect_hosts(brokers))) == sorted(wanted)
    assert _read(map(aiokafka.conn.get_ip_port_afi, _faust_servers(brokers))) == wanted


def _split(place: str) -> tuple[str, int]:
    """Return the host, without brackets, and the port of *place*."""
    host, _, port = place.rpartition(":")
    return host.strip("[]"), int(port)


def _read(found: Any) -> list[tuple[str, int]]:
    """Return hosts and ports as a library read them."""
    return [(host, port) for host, port, _ in found]


def _faust_servers(brokers: str) -> list[str]:
    """Return what Faust makes of *brokers* for its own client."""
    transport = StreamApp(Settings(_env_file=None), brokers).transport
    servers: list[str] = server_list(transport.url, 9092)
    return servers


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (",", "names no broker"),
        (" ", "names no broker"),
        ('""', "names no broker"),
        ("kafka:9092/", "'kafka:9092/' is not host:port"),
        ("kafka:9092;other:9092", "is not host:port"),
        ("kafka 9092", "is not host:port"),
        ("kafka:", "is not host:port"),
        (":9092", "is not host:port"),
        ("kafka:port", "is not host:port"),
        ("kafka:0", "no port between 1 and 65535"),
        ("kafka:99999", "no port between 1 and 65535"),
        ("SASL_SSL://kafka:9092", "none of Kafka's PLAINTEXT listeners"),
        ("http://kafka:9092", "none of Kafka's PLAINTEXT listeners"),
        ("::1", "stands in brackets"),
        ("::1:9092", "stands in brackets"),
        ("[kafka]:9092", "no IPv6 address"),
        ("[fe80::1%eth0]:9092", "no IPv6 address"),
        ("kafká:9092", "is not host:port"),
        ('"kafka:9092', "is not host:port"),
    ],
)
def test_what_no_client_could_use_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, written: str, said: str
) -> None:
    """The start ends with the variable, what is wrong, and what to write."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", written)
    with pytest.raises(BadSetting, match=r"KAFKA_BOOTSTRAP_SERVERS: ") as refused:
        load_settings()
    assert said in str(refused.value)


def test_a_password_in_an_address_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the value shows: what stands before the @ may be one."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "user:secret@kafka:9092")
    with pytest.raises(BadSetting) as refused:
        load_settings()
    assert "no user and no password" in str(refused.value)
    assert "secret" not in str(refused.value)
