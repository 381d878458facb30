"""What the demo reads from its environment, and what it says of what it cannot use."""

from pathlib import Path

import pytest

from board.settings import Settings, SettingsError, read_settings


def test_an_empty_environment_has_all_defaults() -> None:
    settings = read_settings({})
    assert settings == Settings()
    assert settings.origin == "http://127.0.0.1:9009"
    assert settings.other_origin == "http://127.0.0.1:9010"
    assert settings.refused_origin == "http://localhost:9010"


def test_an_empty_variable_is_as_good_as_none() -> None:
    empty = {"PORT": "", "OTHER_PORT": "", "DATABASE": "", "TICK_SECONDS": ""}
    assert read_settings(empty) == Settings()


def test_every_variable_is_read(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite3"
    environ = {
        "PORT": "8000",
        "OTHER_PORT": "1",
        "DATABASE": str(file),
        "TICK_SECONDS": "2.5",
    }
    assert read_settings(environ) == Settings(8000, 1, 2.5, file)


def test_the_other_port_is_the_next_one() -> None:
    assert read_settings({"PORT": "8000"}).other_port == 8001


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "80a"),
        ("PORT", "8 0"),
        ("PORT", "\u0661\u0662"),
        # The next one is none.
        ("PORT", "65535"),
        ("OTHER_PORT", "9009"),
        ("OTHER_PORT", "http"),
        ("TICK_SECONDS", "0"),
        ("TICK_SECONDS", "-1"),
        ("TICK_SECONDS", "nan"),
        ("TICK_SECONDS", "inf"),
        ("TICK_SECONDS", "often"),
        ("DATABASE", "no-such-folder/board.sqlite3"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_with_its_name(
    name: str, value: str
) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings({name: value})
