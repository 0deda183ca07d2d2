// Cloudflare's own client against the sandbox.

import assert from "node:assert/strict";
import Cloudflare from "cloudflare";
import { check, given } from "./check.mjs";

const { config, credentials } = JSON.parse(given("E2E_SANDBOX")).cloudflare;
const client = (apiToken) => new Cloudflare({ apiToken, baseURL: config.base_url, maxRetries: 0 });
const cloudflare = client(credentials.token);

await check("cloudflare (npm): the token is verified and zones are listed", async () => {
  assert.equal((await cloudflare.user.tokens.verify()).status, "active");
  const zones = [];
  for await (const zone of cloudflare.zones.list()) zones.push(zone.name);
  assert.ok(zones.length > 0);
  return zones.join(", ");
});
await check("cloudflare (npm): records are paged through, each once", async () => {
  const ids = [];
  for await (const record of cloudflare.dns.records.list({ zone_id: config.zone_id, per_page: 5 })) ids.push(record.id);
  assert.ok(ids.length > 5 && new Set(ids).size === ids.length);
  return `${ids.length} records`;
});
await check("cloudflare (npm): a record is made, changed and removed", async () => {
  const zone_id = config.zone_id;
  const made = await cloudflare.dns.records.create({ zone_id, type: "TXT", name: "e2e", content: '"one"', ttl: 300 });
  const changed = await cloudflare.dns.records.edit(made.id, { zone_id, type: "TXT", name: "e2e", content: '"two"', ttl: 300 });
  assert.equal(changed.content, '"two"');
  assert.equal((await cloudflare.dns.records.delete(made.id, { zone_id })).id, made.id);
  const gone = await cloudflare.dns.records.get(made.id, { zone_id }).then(() => assert.fail("it is there"), (error) => error);
  assert.equal(gone.status, 404);
});
await check("cloudflare (npm): a twin, a token that may not write and a wrong token are refused with Cloudflare's codes", async () => {
  const zone_id = config.zone_id;
  const record = { zone_id, type: "TXT", name: "twin", content: '"same"', ttl: 300 };
  const codes = async (who, asked) => (await asked(who).then(() => assert.fail("it was taken"), (error) => error)).errors[0].code;
  await cloudflare.dns.records.create(record);
  assert.equal(await codes(cloudflare, (who) => who.dns.records.create(record)), 81058);
  assert.equal(await codes(client(credentials.read_token), (who) => who.dns.records.create({ ...record, name: "no" })), 10000);
  await codes(client("x".repeat(40)), (who) => who.zones.list());
});
