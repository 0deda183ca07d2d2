"""The Python SDK: both eras over HTTP and stdio, and progress while a sync runs."""

import asyncio
import os
import sys

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from check import check

URL = os.environ["E2E_URL"] + "/mcp"
KEY = os.environ["E2E_KEY"]
LOCAL = StdioServerParameters(
    command=os.environ["E2E_BINARY"],
    args=["stdio"],
    env={"DATA_DIR": os.environ["E2E_STDIO_DATA"], "PATH": os.environ["PATH"], "LOG_LEVEL": "warn"},
)


async def tour(client: Client) -> str:
    """What any client does first."""
    tools = (await client.list_tools()).tools
    assert len(tools) > 20
    answer = await client.call_tool("gohighlevel_read_contacts", {"limit": 2})
    assert not answer.is_error, answer.content
    assert len(answer.structured_content["contacts"]) == 2
    wrong = await client.call_tool("gohighlevel_get_contact", {})
    assert wrong.is_error and "contact_id" in wrong.content[0].text
    resources = (await client.list_resources()).resources
    page = await client.read_resource(str(resources[0].uri))
    assert page.contents[0].text
    prompt = await client.get_prompt("daily_briefing")
    assert prompt.messages
    return f"{client.protocol_version}, {len(tools)} tools"


async def over_http(mode: str, body):
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, timeout=120) as http:
        async with Client(streamable_http_client(URL, http_client=http), mode=mode) as client:
            return await body(client)


async def over_stdio(mode: str):
    async with Client(LOCAL, mode=mode) as client:
        return await tour(client)


async def sync(client: Client) -> str:
    """Progress only grows, and all of it comes before the answer."""
    seen = []

    async def note(done, total, message):
        seen.append((done, total, message))

    answer = await client.call_tool("gohighlevel_sync_all_contacts", {"mode": "full"}, progress_callback=note)
    assert not answer.is_error, answer.content
    before = len(seen)
    await asyncio.sleep(0.5)
    assert len(seen) == before, "progress after the answer"
    values = [done for done, _, _ in seen]
    assert len(values) > 1 and values == sorted(set(values)), values
    assert any(total for _, total, _ in seen), "a total is known"
    return f"{len(seen)} steps"


async def main():
    await check("Python SDK, initialize", over_http("legacy", tour))
    await check("Python SDK, 2026-07-28", over_http("auto", tour))
    await check("Python SDK, initialize: progress of a sync", over_http("legacy", sync))
    await check("Python SDK, 2026-07-28: progress of a sync", over_http("auto", sync))
    await check("Python SDK, stdio", over_stdio("legacy"))
    await check("Python SDK, stdio, 2026-07-28", over_stdio("auto"))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
