"""Slack's own SDK against the sandbox."""

import asyncio
import json
import os

from check import check
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

ACCOUNT = json.loads(os.environ["E2E_SANDBOX"])["slack"]


def client(token):
    return WebClient(token, base_url=ACCOUNT["config"]["base_url"] + "/")


async def channels():
    slack, names, cursor = client(ACCOUNT["credentials"]["token"]), [], None
    assert slack.auth_test()["ok"]
    while cursor != "":
        page = slack.conversations_list(limit=5, cursor=cursor)
        names += [channel["name"] for channel in page["channels"]]
        cursor = page["response_metadata"]["next_cursor"]
    assert len(names) > 5 and len(set(names)) == len(names)
    return f"{len(names)} channels"


async def messages():
    slack = client(ACCOUNT["credentials"]["token"])
    member = next(channel for channel in slack.conversations_list(limit=200)["channels"] if channel["is_member"])
    said = slack.chat_postMessage(channel=member["id"], text="from the SDK")
    assert said["message"]["text"] == "from the SDK"
    read = slack.conversations_history(channel=member["id"], limit=3)["messages"]
    assert any(message["ts"] == said["ts"] for message in read)


async def refusals():
    for token, asked, expected in [
        ("wrong", lambda slack: slack.auth_test(), "invalid_auth"),
        (ACCOUNT["credentials"]["token"], lambda slack: slack.chat_postMessage(channel="CNOTTHERE", text="x"), "channel_not_found"),
    ]:
        try:
            asked(client(token))
        except SlackApiError as error:
            assert error.response["error"] == expected, error
        else:
            raise AssertionError(f"{expected} was expected")


async def main():
    await check("slack_sdk (PyPI): channels are paged through, each once", channels())
    await check("slack_sdk (PyPI): a message is posted and read", messages())
    await check("slack_sdk (PyPI): a wrong token and an unknown channel are refused", refusals())


asyncio.run(main())
