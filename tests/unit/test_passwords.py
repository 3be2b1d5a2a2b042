"""What is asked of a password, and that a hash tells nothing."""

import pytest

from services.runtime.access.accounts import NewAccount
from services.runtime.access.passwords import PasswordRuleError, Passwords, check_rules


@pytest.mark.parametrize(
    "password",
    ["mười hai chữ", "x1" * 5 + "yz", "con mèo trèo cây cau", "ab cd " * 33],
)
def test_length_is_enough(password: str) -> None:
    check_rules(password, "lan")


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("mười một ch", "12 to 200"),
        ("x" * 201, "12 to 200"),
        ("tôi là LAN ở đây", "login"),
        ("aaaaaaaaaaaaaaaa", "repeat"),
        ("", "12 to 200"),
    ],
)
def test_what_is_refused_says_why(password: str, said: str) -> None:
    with pytest.raises(PasswordRuleError, match=said) as refused:
        check_rules(password, "lan")
    assert refused.value.vi


async def test_a_password_matches_its_own_hash_however_it_was_composed() -> None:
    passwords = Passwords()
    kept = await passwords.hash("c\u00e2u d\u1ec5 nh\u1edb nh\u1ea5t")
    assert kept.startswith("$argon2id$")
    assert await passwords.matches(
        kept, "ca\u0302u de\u0302\u0303 nho\u031b\u0301 nha\u0302\u0301t"
    )
    assert not await passwords.matches(kept, "câu dễ nhớ nhì")
    assert not await passwords.matches(None, "câu dễ nhớ nhất")
    assert not await passwords.matches("damaged", "câu dễ nhớ nhất")
    assert kept != await passwords.hash("câu dễ nhớ nhất")


def test_a_login_is_compared_without_case_and_space() -> None:
    assert NewAccount(login="  Lan.TanBinh ", name=" Lan ", grants={}).login == "lan.tanbinh"
