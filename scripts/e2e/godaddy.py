"""Certbot's plugin for GoDaddy (by Lexicon's client) against the sandbox: the DNS challenge of a certificate."""

import asyncio
import functools
import json
import os
import tempfile

import requests
import tldextract
from certbot import configuration, errors
from certbot_dns_godaddy import Authenticator
from check import check
from lexicon._private.providers import godaddy

ACCOUNT = json.loads(os.environ["E2E_SANDBOX"])["godaddy"]
URL, KEYS = ACCOUNT["config"]["base_url"] + "/v1", ACCOUNT["credentials"]


def domains():
    head = {"Authorization": f"sso-key {KEYS['key']}:{KEYS['secret']}"}
    rows = requests.get(f"{URL}/domains?statuses=ACTIVE", headers=head, timeout=10).json()
    # The DNS of the others is elsewhere.
    hosted = (row["domain"] for row in rows if requests.get(f"{URL}/domains/{row['domain']}/records", headers=head, timeout=10).ok)
    return next(hosted), head


def authenticator(key, secret):
    file = tempfile.NamedTemporaryFile("w", suffix=".ini", delete=False)
    file.write(f"dns_godaddy_key = {key}\ndns_godaddy_secret = {secret}\n")
    file.close()
    os.chmod(file.name, 0o600)
    namespace = configuration.argparse.Namespace(
        dns_godaddy_credentials=file.name,
        dns_godaddy_propagation_seconds=0,
        config_dir="/tmp",
        work_dir="/tmp",
        logs_dir="/tmp",
        http01_port=80,
        https_port=443,
        domains=[],
        server="https://127.0.0.1/",
    )
    made = Authenticator(configuration.NamespaceConfig(namespace), "dns-godaddy")
    made._setup_credentials()
    return made


def in_the_sandbox():
    """Sends the provider to the sandbox, and asks nobody outside which domains are public suffixes."""
    os.environ["TLDEXTRACT_CACHE_PATH"] = tempfile.mkdtemp()
    tldextract.TLDExtract = functools.partial(tldextract.TLDExtract, suffix_list_urls=(), extra_suffixes=("example",))
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract()
    made = godaddy.Provider.__init__

    def make(self, config):
        made(self, config)
        self.api_endpoint = URL

    godaddy.Provider.__init__ = make


async def challenge():
    domain, head = domains()
    name, value = f"_acme-challenge.{domain}", "the-value-of-the-challenge"
    records = lambda: [  # noqa: E731
        row["data"]
        for row in requests.get(f"{URL}/domains/{domain}/records/TXT/_acme-challenge", headers=head, timeout=10).json()
    ]
    made = authenticator(KEYS["key"], KEYS["secret"])
    made._perform(domain, name, value)
    made._perform(domain, name, value)
    assert records() == [value], records()
    made._cleanup(domain, name, value)
    assert records() == [], records()
    return domain


async def refusals():
    domain, _ = domains()
    for key, secret in [("wrong", "wrong"), (KEYS["small_key"], KEYS["small_secret"])]:
        try:
            authenticator(key, secret)._perform(domain, f"_acme-challenge.{domain}", "x")
        except errors.PluginError as error:
            assert "401" in str(error) or "403" in str(error), error
        else:
            raise AssertionError("it was taken")


async def main():
    in_the_sandbox()
    await check("certbot-dns-godaddy (PyPI): a challenge is put up once and taken down", challenge())
    await check("certbot-dns-godaddy (PyPI): a wrong key and an account that may not are refused", refusals())


asyncio.run(main())
