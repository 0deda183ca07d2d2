// GoHighLevel's own SDK against the sandbox: if it is content, the wire is theirs.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { HighLevel, MemorySessionStorage } from "@gohighlevel/api-client";
import { check, given } from "./check.mjs";

const account = JSON.parse(given("E2E_SANDBOX")).gohighlevel;
const { base_url: url, location_id: locationId } = account;
HighLevel.BASE_URL = url;
const ghl = new HighLevel({ privateIntegrationToken: account.private_token, logLevel: "error" });
const post = (path, body) =>
  fetch(`${url}/__sandbox${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

let someone;
await check("GoHighLevel SDK (npm): contacts are searched and fetched", async () => {
  const page = await ghl.contacts.searchContactsAdvanced({ locationId, pageLimit: 20 });
  assert.equal(page.contacts.length, 20);
  assert.ok(page.total > 1000);
  someone = page.contacts[0];
  const { contact } = await ghl.contacts.getContact({ contactId: someone.id });
  assert.equal(contact.id, someone.id);
  return `${page.total} contacts`;
});
await check("GoHighLevel SDK (npm): an upsert makes one contact, and then finds it", async () => {
  const body = { locationId, email: "e2e@example.com", firstName: "End", lastName: "Toend" };
  const first = await ghl.contacts.upsertContact(body);
  const second = await ghl.contacts.upsertContact(body);
  assert.deepEqual([first.new, second.new], [true, false]);
  assert.equal(first.contact.id, second.contact.id);
});
await check("GoHighLevel SDK (npm): pipelines and their opportunities", async () => {
  const { pipelines } = await ghl.opportunities.getPipelines({ locationId });
  assert.ok(pipelines[0].stages.length > 0);
  const found = await ghl.opportunities.searchOpportunity({ locationId, pipelineId: pipelines[0].id, limit: 5 });
  assert.ok(found.opportunities.length > 0 && found.opportunities.every((one) => one.pipelineId === pipelines[0].id));
});
await check("GoHighLevel SDK (npm): conversations and their messages", async () => {
  const { conversations } = await ghl.conversations.searchConversation({ locationId, limit: 3 });
  assert.equal(conversations.length, 3);
  const { messages } = await ghl.conversations.getMessages({ conversationId: conversations[0].id });
  assert.ok(messages.messages.length > 0);
});
await check("GoHighLevel SDK (npm): a contact that does not exist is its own kind of error", () =>
  assert.rejects(ghl.contacts.getContact({ contactId: "doesNotExist000000000" }), (error) => [400, 404].includes(error.statusCode)));

await check("GoHighLevel SDK (npm): an expired token is refreshed and the call repeated", async () => {
  const { code } = await (await post("/oauth/code", { userType: "Location" })).json();
  const app = { clientId: account.client_id, clientSecret: account.client_secret };
  const sessionStorage = new MemorySessionStorage();
  const client = new HighLevel({ ...app, sessionStorage, logLevel: "error" });
  const granted = await client.oauth.getAccessToken({
    client_id: app.clientId, client_secret: app.clientSecret, grant_type: "authorization_code", code, user_type: "Location",
  });
  await sessionStorage.setSession(locationId, granted);
  await client.contacts.getContact({ contactId: someone.id }, { headers: { locationId } });
  await post("/faults", { fault: "expiredToken", times: 1, path: "/contacts" });
  await client.contacts.getContact({ contactId: someone.id }, { headers: { locationId } });
  const now = await sessionStorage.getSession(locationId);
  assert.notEqual(now.refresh_token, granted.refresh_token, "the refresh token works once");
});

await check("GoHighLevel SDK (npm): a burst beyond the limit is waited out by the vendor's headers", async () => {
  const patient = new HighLevel({ privateIntegrationToken: account.private_token, rateLimitRetry: { maxDelayMs: 11_000 }, logLevel: "error" });
  const calls = Array.from({ length: 110 }, () => patient.contacts.getContact({ contactId: someone.id }));
  assert.equal((await Promise.all(calls)).length, 110);
});

await check("GoHighLevel SDK (npm): its verifier accepts the signature of a webhook, and no other", async () => {
  const received = new Promise((resolve) => {
    const server = createServer((request, response) => {
      const parts = [];
      request.on("data", (part) => parts.push(part));
      request.on("end", () => {
        response.end();
        server.close();
        resolve({ body: Buffer.concat(parts), signature: request.headers["x-ghl-signature"] });
      });
    });
    server.listen(0, "127.0.0.1", async () => {
      await post("/webhooks", { url: `http://127.0.0.1:${server.address().port}/hook` });
      await post("/contacts", { firstName: "Web", lastName: "Hook", email: "hook@example.com" });
    });
    setTimeout(() => resolve({}), 10_000).unref();
  });
  const { body, signature } = await received;
  assert.ok(signature, "a webhook came");
  const key = account.webhook_public_key;
  assert.equal(ghl.webhooks.verifyEd25519Signature(body, signature, key), true);
  assert.equal(ghl.webhooks.verifyEd25519Signature(Buffer.concat([body, Buffer.from(" ")]), signature, key), false);
});
process.exit(0);
