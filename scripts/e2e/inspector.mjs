// The MCP Inspector's command line: the whole catalogue, a call, a page and a prompt, in both eras
// of the protocol, over HTTP and over stdio.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { check, given, run } from "./check.mjs";

const home = dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/inspector/package.json"));
const inspector = join(home, "clients/launcher/build/index.js");
const http = [`${given("E2E_URL")}/mcp`, "--transport", "http", "--header", `Authorization: Bearer ${given("E2E_KEY")}`];
const stdio = [given("E2E_BINARY"), "stdio", "--transport", "stdio", "-e", `DATA_DIR=${given("E2E_STDIO_DATA")}`];

async function inspect(target, ...options) {
  const { status, out, err } = await run(process.execPath, [inspector, "--cli", ...target, "--quiet", ...options]);
  assert.equal(status, 0, `status ${status}: ${err || out}`);
  return JSON.parse(out);
}

for (const era of ["legacy", "modern"]) {
  const ask = (...options) => inspect(http, "--protocol-era", era, ...options);
  await check(`Inspector, ${era}: the catalogue has no portability finding`, async () => {
    const { status, out, err } = await run(process.execPath, [inspector, "--cli", ...http, "--protocol-era", era, "--method", "tools/list", "--strict"]);
    assert.equal(status, 0, err);
    assert.ok(!/^Warning:/m.test(err), err.trim().split("\n").slice(0, 3).join(" "));
    const { tools } = JSON.parse(out);
    assert.ok(tools.length > 20, `${tools.length} tools`);
    return `${tools.length} tools`;
  });
  await check(`Inspector, ${era}: contacts_search answers a question`, async () => {
    const answer = await ask("--method", "tools/call", "--tool-name", "contacts_search", "--tool-arg", "query=who is at acme supply");
    assert.ok(!answer.isError, answer.content[0].text);
    const { contacts } = answer.structuredContent;
    assert.ok(contacts.some((contact) => contact.company === "Acme Supply"), JSON.stringify(contacts));
    return `${contacts.length} people`;
  });
  await check(`Inspector, ${era}: gohighlevel_read_contacts answers from the vendor's side`, async () => {
    const answer = await ask("--method", "tools/call", "--tool-name", "gohighlevel_read_contacts", "--tool-arg", "limit=3");
    assert.equal(answer.structuredContent.contacts.length, 3);
    assert.equal(answer.structuredContent.metadata.source, "sample");
  });
  await check(`Inspector, ${era}: every resource can be read`, async () => {
    const { resources } = await ask("--method", "resources/list");
    for (const { uri } of resources) {
      const page = await ask("--method", "resources/read", "--uri", uri);
      assert.ok(page.contents[0].text.length > 100, uri);
    }
    return `${resources.length} resources`;
  });
  await check(`Inspector, ${era}: prompts are listed and filled in`, async () => {
    const { prompts } = await ask("--method", "prompts/list");
    assert.ok(prompts.length >= 2);
    const prompt = await ask("--method", "prompts/get", "--prompt-name", "prepare_for_a_call", "--prompt-args", "contact=Laura Hayward");
    assert.match(prompt.messages[0].content.text, /Acme Supply/);
  });
  await check(`Inspector, ${era}: the catalogue over stdio`, async () => {
    const { tools } = await inspect(stdio, "--protocol-era", era, "--method", "tools/list");
    return `${tools.length} tools`;
  });
}

await check("Inspector: a wrong key is refused", async () => {
  const target = [http[0], "--transport", "http", "--stored-auth-only", "--header", "Authorization: Bearer wrong-key-0123456789"];
  const { status } = await run(process.execPath, [inspector, "--cli", ...target, "--method", "tools/list"]);
  assert.notEqual(status, 0);
});
