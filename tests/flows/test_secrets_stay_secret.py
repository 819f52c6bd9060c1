"""Secrets that go through the whole platform are found nowhere afterwards, but in the hands of their owner."""

import base64
import re
import time
from collections.abc import Iterator

import psycopg
import pytest
import requests
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from psycopg import sql
from redis import Redis

from tests.flows.live import connected_account, deployed, fills, script, stop
from tests.flows.stack import Stack, Visitor, eventually, mails_in, register, subscribe, text_of

pytestmark = [
    pytest.mark.flow,
    pytest.mark.timeout(400),
]

TOTP_PERIOD_S = 30


def test_secrets_appear_nowhere(stack: Stack):
    visitor = register(stack)
    answers: list[str] = []
    visitor.session.hooks["response"].append(lambda answer, **_: answers.append(answer.text))
    script(stack, "BTC/USDT", *[(8 * n, 60_000 * (1.01 if n % 2 else 0.995)) for n in range(40)])
    subscribe(visitor)
    account_id = connected_account(visitor)
    deployment_id = deployed(visitor, account_id, symbol="BTC/USDT")
    eventually(lambda: fills(visitor, deployment_id), what="it trades")
    stop(visitor, deployment_id)
    for path in ("/dashboard/", "/exchange-accounts/", f"/exchange-accounts/{account_id}/"):
        visitor.page(path)

    seed, recovery_codes = second_factor(visitor)
    token = visitor.post(
        "/auth/personal-tokens",
        {
            "name": "Canary",
            "scopes": ["read:account"],
            "expires_in_days": 7,
            "password": visitor.password,
            "code": recovery_codes[2],
        },
    ).json()["token"]
    signed_in = requests.post(
        f"{stack.url}/api/v1/auth/tokens",
        json={"email": visitor.email, "password": visitor.password, "code": recovery_codes[0]},
        timeout=20,
    ).json()
    for bearer in (token, signed_in["access"]):
        answer = requests.get(
            f"{stack.url}/api/v1/deployments",
            headers={"Authorization": f"Bearer {bearer}"},
            timeout=20,
        )
        assert answer.status_code == 200, answer.text
    # The answers that hand a secret to its owner are done; from here on no answer may show one.
    answers.clear()
    for path in ("/account/tokens/", "/account/security/", f"/deployments/{deployment_id}/"):
        visitor.page(path)

    visitor.submit("/accounts/password/reset/", email=visitor.email)
    reset_link = stack.link_mailed_to(visitor.email, "/accounts/password/reset/key/")
    confirmation_link = stack.link_mailed_to(visitor.email, "/accounts/confirm-email/")
    api_key, secret = stack.keys[account_id]
    never_again = {
        "the password": visitor.password,
        "the exchange's secret": secret,
        "the exchange's key": api_key,
        "the reset link": reset_link.rstrip("/").rsplit("/", 1)[-1],
        "the seed": seed,
        "a recovery code": recovery_codes[1],
        "the personal token": token,
        "the refresh token": signed_in["refresh"],
        "the access token": signed_in["access"],
        "the confirmation link": confirmation_link.rstrip("/").rsplit("/", 1)[-1],
        **_secrets_of_the_installation(stack),
    }
    everything = {
        "answers": "\n".join(answers),
        "mails to others": "\n".join(
            text_of(mail) for mail in mails_in(stack.folder / "mail") if mail["To"] != visitor.email
        ),
        "logs": stack.logs(),
        "database": "\n".join(_database_as_text(stack)),
        "broker": "\n".join(_broker_as_text(stack)),
    }

    leaks = [
        f"{what} is in the {where}"
        for what, value in never_again.items()
        for where, text in everything.items()
        if any(form in text for form in _forms(value))
    ]
    assert leaks == []
    assert visitor.email in everything["database"]
    assert len(everything["logs"]) > 1_000


def _secrets_of_the_installation(stack: Stack) -> dict[str, str]:
    """Return the keys of the rings and what signs, as the processes were given them."""
    environment = stack.application.environment
    rings = ("API_ENCRYPTION_KEY", "FIELD_ENCRYPTION_KEY")
    keys = {name: environment[name].rpartition(":")[2] for name in rings}
    return keys | {
        name: environment[name] for name in ("SECRET_KEY", "JWT_SECRET_KEY", "INSTALLATION_SALT")
    }


def second_factor(visitor: Visitor) -> tuple[str, list[str]]:
    """Switch the second factor on; return its seed and the recovery codes."""
    visitor.submit("/accounts/reauthenticate/", password=visitor.password)
    page = visitor.page("/accounts/2fa/totp/activate/")
    seed = re.findall(r'id="seed">([A-Z2-7]+)<', page)[0]
    code = format_hotp_value(hotp_value(seed, int(time.time()) // TOTP_PERIOD_S))
    answer = visitor.submit_again("/accounts/2fa/totp/activate/", code=code)
    codes = re.findall(r"<li><code>([^<]+)</code></li>", answer.text)
    assert len(codes) == 10, answer.text[:2_000]
    return seed, codes


def _forms(value: str) -> list[str]:
    """Return a secret as it is, and as it looks in a column of bytes or in base64."""
    raw = value.encode()
    return [value, raw.hex(), base64.b64encode(raw).decode().rstrip("=")]


def _database_as_text(stack: Stack) -> Iterator[str]:
    with psycopg.connect(stack.application.environment["DATABASE_URL"]) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name !~ 'chunk$'"
        ).fetchall()
        for (table,) in tables:
            query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table))
            for (row,) in connection.execute(query):
                yield row


def _broker_as_text(stack: Stack) -> Iterator[str]:
    readers = {
        "string": lambda redis, key: [redis.get(key)],
        "list": lambda redis, key: redis.lrange(key, 0, -1),
        "set": lambda redis, key: redis.smembers(key),
        "zset": lambda redis, key: redis.zrange(key, 0, -1),
        "hash": lambda redis, key: [part for pair in redis.hgetall(key).items() for part in pair],
        # Gone since it was listed: a message taken, a throttle run out.
        "none": lambda redis, key: [],
    }
    with Redis.from_url(stack.application.environment["REDIS_URL"]) as redis:
        for key in redis.scan_iter():
            kind = redis.type(key).decode()
            for value in readers[kind](redis, key):
                text = value.decode(errors="replace")
                yield text
                # The body of a message is JSON in base64.
                for body in re.findall(r'"body": ?"([A-Za-z0-9+/=]+)"', text):
                    yield base64.b64decode(body).decode(errors="replace")
