"""GoHighLevel's own Python SDK against the sandbox, which speaks API v3 where the npm one does not."""

import asyncio
import json
import os
import urllib.request

from check import check
from highlevel import HighLevel
from highlevel.storage import MemorySessionStorage

ACCOUNT = json.loads(os.environ["E2E_SANDBOX"])["gohighlevel"]
URL, LOCATION = ACCOUNT["base_url"], ACCOUNT["location_id"]
HighLevel.BASE_URL = URL


def post(path, body):
    data = json.dumps(body).encode()
    request = urllib.request.Request(f"{URL}/__sandbox{path}", data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        text = response.read()
    return json.loads(text) if text else None


async def contacts(ghl):
    page = await ghl.contacts.search_contacts_advanced({"locationId": LOCATION, "pageLimit": 10})
    assert len(page["contacts"]) == 10 and page["total"] > 1000
    one = page["contacts"][0]["id"]
    assert (await ghl.contacts.get_contact(one))["contact"]["id"] == one
    body = {"locationId": LOCATION, "email": "python@example.com", "firstName": "Py", "lastName": "Thon"}
    first, second = await ghl.contacts.upsert_contact(body), await ghl.contacts.upsert_contact(body)
    assert (first["new"], second["new"]) == (True, False)
    return f"{page['total']} contacts"


async def business(ghl):
    pipelines = (await ghl.opportunities.get_pipelines(LOCATION))["pipelines"]
    assert pipelines[0]["stages"]
    found = await ghl.opportunities.search_opportunity(LOCATION, pipeline_id=pipelines[0]["id"], limit=5)
    assert found["opportunities"]
    talks = await ghl.conversations.search_conversation(LOCATION, limit=3)
    assert len(talks["conversations"]) == 3


async def refresh():
    code = post("/oauth/code", {"userType": "Location"})["code"]
    storage = MemorySessionStorage()
    ghl = HighLevel(client_id=ACCOUNT["client_id"], client_secret=ACCOUNT["client_secret"], session_storage=storage)
    granted = await ghl.oauth.get_access_token(
        {
            "clientId": ACCOUNT["client_id"],
            "clientSecret": ACCOUNT["client_secret"],
            "grantType": "authorization_code",
            "code": code,
        }
    )
    assert granted["locationId"] == LOCATION
    again = await ghl.oauth.refresh_token(
        granted["refreshToken"], ACCOUNT["client_id"], ACCOUNT["client_secret"], "refresh_token", "Location"
    )
    assert again["accessToken"] != granted["accessToken"]
    ghl = HighLevel(
        client_id=ACCOUNT["client_id"], client_secret=ACCOUNT["client_secret"], location_access_token=again["accessToken"]
    )
    assert (await ghl.locations.get_location(LOCATION))["location"]["id"] == LOCATION


async def main():
    ghl = HighLevel(private_integration_token=ACCOUNT["private_token"], log_level="error")
    await check("GoHighLevel SDK (PyPI): contacts", contacts(ghl))
    await check("GoHighLevel SDK (PyPI): pipelines, opportunities, conversations", business(ghl))
    await check("GoHighLevel SDK (PyPI): a code becomes tokens, and tokens new tokens", refresh())


asyncio.run(main())
