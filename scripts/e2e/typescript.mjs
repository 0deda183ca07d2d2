// Both generations of the TypeScript SDK, over HTTP and stdio.

import assert from "node:assert/strict";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as OldClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as OldStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as OldHttp } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { check, given } from "./check.mjs";

const url = new URL(`${given("E2E_URL")}/mcp`);
const requestInit = { headers: { Authorization: `Bearer ${given("E2E_KEY")}` } };
const me = { name: "e2e", version: "1.0.0" };
const local = () => ({
  command: given("E2E_BINARY"),
  args: ["stdio"],
  env: { PATH: process.env.PATH, HOME: process.env.HOME, DATA_DIR: given("E2E_STDIO_DATA") },
  stderr: "ignore",
});

/** What any client does first: list, call, read, and hear of a mistake. */
async function tour(client) {
  const { tools } = await client.listTools();
  assert.ok(tools.length > 20);
  const answer = await client.callTool({ name: "gohighlevel_read_contacts", arguments: { limit: 2 } });
  assert.ok(!answer.isError, JSON.stringify(answer.content));
  assert.equal(answer.structuredContent.contacts.length, 2);
  const wrong = await client.callTool({ name: "gohighlevel_get_contact", arguments: {} });
  assert.ok(wrong.isError, "a missing argument is told as a result");
  const { resources } = await client.listResources();
  const page = await client.readResource({ uri: resources[0].uri });
  assert.ok(page.contents[0].text);
  const { prompts } = await client.listPrompts();
  assert.ok(prompts.length >= 2);
  await assert.rejects(client.callTool({ name: "no_such_tool", arguments: {} }));
  return `${tools.length} tools`;
}

async function visit(client, transport, body = tour) {
  await client.connect(transport);
  try {
    return await body(client);
  } finally {
    await client.close();
  }
}

const auto = { versionNegotiation: { mode: "auto" } };
const web = () => new StreamableHTTPClientTransport(url, { requestInit });

await check("TypeScript SDK 2, initialize", () => visit(new Client(me), web()));
await check("TypeScript SDK 2, 2026-07-28", () =>
  visit(new Client(me, auto), web(), async (client) => {
    assert.equal(client.getNegotiatedProtocolVersion(), "2026-07-28");
    return tour(client);
  }));
await check("TypeScript SDK 2: progress arrives before the answer and only grows", () =>
  visit(new Client(me), web(), async (client) => {
    const seen = [];
    const options = { onprogress: ({ progress }) => seen.push(progress), timeout: 120_000 };
    const answer = await client.callTool({ name: "gohighlevel_sync_all_contacts", arguments: { mode: "full" } }, options);
    assert.ok(!answer.isError, JSON.stringify(answer.content));
    assert.ok(seen.length > 1 && seen.every((value, i) => i === 0 || value > seen[i - 1]), String(seen));
    return `${seen.length} steps`;
  }));
await check("TypeScript SDK 2, stdio", () => visit(new Client(me), new StdioClientTransport(local())));
await check("TypeScript SDK 2, stdio, 2026-07-28", () => visit(new Client(me, auto), new StdioClientTransport(local())));
await check("TypeScript SDK 1, HTTP", () => visit(new OldClient(me), new OldHttp(url, { requestInit })));
await check("TypeScript SDK 1, stdio", () => visit(new OldClient(me), new OldStdio(local())));
await check("TypeScript SDK 2: without a key there is no connection", () =>
  assert.rejects(new Client(me).connect(new StreamableHTTPClientTransport(url))));
