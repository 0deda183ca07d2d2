"""The OpenAPI document is valid, and schemathesis finds no answer that it does not describe, whoever asks."""

import asyncio
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import requests
from openapi_spec_validator import OpenAPIV31SpecValidator

from check import check

URL = os.environ["E2E_REST_URL"]
WELCOME = os.environ["E2E_REST_WELCOME"]
DOCUMENT = URL + "/api/v1/openapi.json"
PASSWORD = "correct horse battery"
# Of each caller, seconds; what is left of them after the fixed cases goes into random ones.
TIME = os.environ.get("E2E_REST_SECONDS", "15")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# It would end the session that asks.
EXCEPT = "signOut"


def set_password(link: str, **filled) -> None:
    page = requests.post(link, data={"password": PASSWORD, **filled}, timeout=30)
    assert page.status_code == 200, page.text


def sign_in(email: str) -> dict[str, str]:
    """The headers of somebody who has signed in."""
    answer = requests.post(URL + "/api/v1/session", json={"email": email, "password": PASSWORD}, timeout=30)
    assert answer.status_code == 200, answer.text
    cookies = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
    return {"Cookie": cookies, "X-CSRF-Token": answer.json()["csrf"]}


def invited(owner: dict[str, str], role: str) -> dict[str, str]:
    email = f"{role}@shop.example"
    body = {"email": email, "name": role.title(), "role": role}
    answer = requests.post(URL + "/api/v1/people", json=body, headers=owner, timeout=30)
    assert answer.status_code == 201, answer.text
    set_password(answer.json()["link"])
    return sign_in(email)


def agent(owner: dict[str, str]) -> dict[str, str]:
    answer = requests.post(URL + "/api/v1/keys", json={"name": "agent"}, headers=owner, timeout=30)
    assert answer.status_code == 201, answer.text
    return {"Authorization": "Bearer " + answer.json()["key"]}


async def valid() -> str:
    document = requests.get(DOCUMENT, timeout=30).json()
    OpenAPIV31SpecValidator(document).validate()
    return f"{sum(map(len, document['paths'].values()))} operations"


async def conforms(headers: dict[str, str]) -> str:
    program = Path(sys.executable).with_name("schemathesis")
    given = [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
    command = [program, "run", DOCUMENT, "--checks", CHECKS, "--max-examples", "15", "--max-time", TIME]
    command += ["--phases", "examples,coverage,fuzzing", "--exclude-operation-id", EXCEPT, "--warnings", "off"]
    command += ["--generation-database", "none", "--max-redirects", "0", "--no-color", "--continue-on-failure", *given]
    # What it remembers goes where it runs.
    with tempfile.TemporaryDirectory() as folder:
        run = partial(subprocess.run, command, capture_output=True, text=True, timeout=240, cwd=folder)
        ran = await asyncio.to_thread(run)
    if ran.returncode != 0:
        print(ran.stdout, ran.stderr, file=sys.stderr)
        faults = [line.strip() for line in ran.stdout.splitlines() if line.strip().startswith("- ")]
        raise AssertionError(" ".join(faults) or ran.stdout[-400:] + ran.stderr[-400:])
    lines = [line.strip() for line in ran.stdout.splitlines() if "generated" in line or "Operations" in line]
    return ", ".join(lines[:2])


async def main():
    await check("the OpenAPI document is valid", valid())
    set_password(WELCOME, email="owner@shop.example", name="Owner")
    owner = sign_in("owner@shop.example")
    callers = {role: invited(owner, role) for role in ("admin", "operator", "viewer")}
    callers = {"a stranger": {}, "an agent": agent(owner), **callers, "owner": owner}
    for name, headers in callers.items():
        await check(f"schemathesis: answers to {name} are as described", conforms(headers))


asyncio.run(main())
