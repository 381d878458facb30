"""What a worker reads from its environment."""

from dataclasses import fields

import pytest

from board.settings import SettingsError
from scale_out.settings import Settings, read_settings


def test_every_setting_has_a_default() -> None:
    assert read_settings({}) == Settings()


def test_every_setting_is_read_from_the_variable_of_its_name() -> None:
    environ = {
        "PORT": "8001",
        "OTHER_PORT": "8002",
        "TICK_SECONDS": "0.25",
        "BIND": "0.0.0.0:8000",
        "DATABASE_URL": "postgresql://me@db/board",
        "DATABASE_CONNECTIONS": "7",
        "DATABASE_SECONDS": "2.5",
        "REDIS_URL": "redis://cache:6379/1",
        "STALE_SECONDS": "4",
        "DRAIN_SECONDS": "5",
    }
    settings = read_settings(environ)
    assert {field.name.upper() for field in fields(Settings)} == set(environ)
    for name, text in environ.items():
        assert str(getattr(settings, name.lower())) in {text, f"{text}.0"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "0"),
        ("BIND", "9101"),
        ("BIND", ":9101"),
        ("BIND", "127.0.0.1:http"),
        ("BIND", "127.0.0.1:65536"),
        ("DATABASE_URL", "mysql://me:secret@db/board"),
        ("REDIS_URL", "cache:6379"),
        ("DATABASE_CONNECTIONS", "0"),
        ("DATABASE_CONNECTIONS", "1.5"),
        ("DATABASE_SECONDS", "nan"),
        ("STALE_SECONDS", "soon"),
        ("DRAIN_SECONDS", "-1"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_variable(
    name: str, text: str
) -> None:
    with pytest.raises(SettingsError, match=f"^{name} must ") as caught:
        read_settings({name: text})
    assert "secret" not in str(caught.value)
