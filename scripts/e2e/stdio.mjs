// Nothing but MCP on stdout, from the first byte to the last.

import assert from "node:assert/strict";
import { check, given, run } from "./check.mjs";

const client = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "e2e", version: "1.0.0" } };
const messages = [
  { id: 1, method: "initialize", params: client },
  { method: "notifications/initialized" },
  { id: 2, method: "tools/list", params: {} },
  { id: 3, method: "tools/call", params: { name: "gohighlevel_read_contacts", arguments: { limit: 1 } } },
  { id: 4, method: "tools/call", params: { name: "no_such_tool", arguments: {} } },
];
const input = messages.map((message) => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`).join("");

for (const level of ["info", "debug"]) {
  await check(`stdio: nothing but MCP on stdout, and it ends with its client (log level ${level})`, async () => {
    const env = { ...process.env, DATA_DIR: given("E2E_STDIO_DATA"), LOG_LEVEL: level };
    const { status, out, err } = await run(given("E2E_BINARY"), ["stdio"], { input, env });
    assert.equal(status, 0, err.slice(-300));
    const answers = out.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.ok(answers.every((answer) => answer.jsonrpc === "2.0"));
    const ids = answers.map((answer) => answer.id).sort();
    assert.deepEqual(ids, [1, 2, 3, 4], "every request is answered, also when stdin closes at once");
  });
}
