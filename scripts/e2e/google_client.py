"""Google's own API client for Python against the sandbox."""

import asyncio
import base64
import json
import os
from email.message import EmailMessage
from urllib.parse import urlsplit

from check import check
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

ACCOUNT = json.loads(os.environ["E2E_SANDBOX"])["google_workspace"]
CONFIG, KEYS = ACCOUNT["config"], ACCOUNT["credentials"]


def login():
    """Without an access token, so that the client has to ask for one."""
    return Credentials(
        None,
        refresh_token=KEYS["refresh_token"],
        token_uri=CONFIG["token_url"],
        client_id=KEYS["client_id"],
        client_secret=KEYS["client_secret"],
    )


def service(name, version, credentials=None):
    """The client keeps the vendor's paths; only the host and what stands before the path are the sandbox's."""
    opened = build(name, version, credentials=credentials or login(), static_discovery=True, cache_discovery=False)
    # Sheets is the only one whose own paths do not begin with its name.
    before = CONFIG["sheets_url"].removesuffix("v4") if name == "sheets" else CONFIG["drive_url"].removesuffix("drive/v3")
    opened._baseUrl = before + urlsplit(opened._baseUrl).path.lstrip("/")
    return opened


async def drive():
    files, seen = service("drive", "v3").files(), []
    asked = files.list(pageSize=10, fields="nextPageToken, files(id, name, mimeType)")
    while asked is not None:
        page = asked.execute()
        seen += [file["id"] for file in page["files"]]
        asked = files.list_next(asked, page)
    assert len(seen) > 10 and len(set(seen)) == len(seen)
    assert files.get(fileId=seen[0], fields="id,name").execute()["id"] == seen[0]
    return f"{len(seen)} files"


async def sheets():
    files = service("drive", "v3").files()
    found = files.list(q="mimeType = 'application/vnd.google-apps.spreadsheet'", pageSize=1).execute()["files"]
    sheets = service("sheets", "v4").spreadsheets()
    sheet = sheets.get(spreadsheetId=found[0]["id"]).execute()
    title = sheet["sheets"][0]["properties"]["title"]
    values = sheets.values().get(spreadsheetId=found[0]["id"], range=f"'{title}'!A1:C5").execute()
    assert values["values"]
    body = {"values": [["from", "the", "client"]]}
    added = sheets.values().append(
        spreadsheetId=found[0]["id"], range=f"'{title}'!A1", valueInputOption="RAW", body=body
    )
    assert added.execute()["updates"]["updatedRows"] == 1


async def gmail():
    users = service("gmail", "v1").users()
    ids, asked = [], users.messages().list(userId="me", maxResults=5)
    while asked is not None and len(ids) < 15:
        page = asked.execute()
        ids += [row["id"] for row in page.get("messages", [])]
        asked = users.messages().list_next(asked, page)
    assert len(set(ids)) == len(ids) == 15
    mail = users.messages().get(userId="me", id=ids[0], format="metadata", metadataHeaders=["Subject"]).execute()
    assert mail["payload"]["headers"][0]["name"] == "Subject"
    letter = EmailMessage()
    letter["To"], letter["Subject"] = "end@example.com", "From the client"
    letter.set_content("One draft.")
    raw = base64.urlsafe_b64encode(letter.as_bytes()).decode()
    draft = users.drafts().create(userId="me", body={"message": {"raw": raw}}).execute()
    sent = users.drafts().send(userId="me", body={"id": draft["id"]}).execute()
    assert "SENT" in users.messages().get(userId="me", id=sent["id"]).execute()["labelIds"]


async def calendar():
    events = service("calendar", "v3").events()
    asked, seen, token = events.list(calendarId="primary", maxResults=10), 0, None
    while asked is not None:
        page = asked.execute()
        seen += len(page["items"])
        token = page.get("nextSyncToken")
        asked = events.list_next(asked, page)
    assert seen > 0 and token
    assert events.list(calendarId="primary", syncToken=token).execute()["items"] == []
    return f"{seen} events"


async def refusals():
    for asked, status in [
        (service("drive", "v3").files().get(fileId="not-there"), 404),
        (service("drive", "v3", Credentials("wrong")).files().list(), 401),
        (service("calendar", "v3").events().list(calendarId="primary", syncToken="expired"), 410),
    ]:
        try:
            asked.execute()
        except HttpError as error:
            assert error.status_code == status, error
        except Exception as error:  # a token that cannot be refreshed is refused by the client itself
            assert status == 401 and "refresh" in str(error), error
        else:
            raise AssertionError(f"{status} was expected")


async def main():
    await check("Google's API client (PyPI): Drive's files are paged through, each once", drive())
    await check("Google's API client (PyPI): a sheet is read and a row appended", sheets())
    await check("Google's API client (PyPI): mails are paged through, a draft is written and sent", gmail())
    await check("Google's API client (PyPI): events, and what has changed since", calendar())
    await check("Google's API client (PyPI): what is not there, a wrong token, a sync token that ended", refusals())


asyncio.run(main())
