"""An identity provider as Microsoft's, played inside the browser: what MSAL asks of it never leaves the page."""

import base64
import json
import time
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from playwright.async_api import Page, Request, Route

AUTHORITY = "https://login.microsoftonline.com"
TENANT = "99999999-8888-7777-6666-555555555555"
CLIENT = "11111111-2222-3333-4444-555555555555"
USER = "77777777-0000-0000-0000-000000000000"


class Identity:
    """Signs everybody in who asks. Gives out the access tokens of a list in turn, and the last one ever after."""

    def __init__(self, tokens: list[str]) -> None:
        self.grants: list[str] = []
        self._tokens = tokens
        self._nonce = ""

    async def attach(self, page: Page) -> None:
        await page.route(f"{AUTHORITY}/**", self._answer)

    async def _answer(self, route: Route, request: Request) -> None:
        path = urlsplit(request.url).path
        if path.endswith("/authorize"):
            await route.fulfill(status=302, headers={"location": self._authorize(request.url)})
            return
        answer = self._grant(request.post_data or "") if path.endswith("/token") else _describe()
        headers = {"access-control-allow-origin": "*", "content-type": "application/json"}
        await route.fulfill(headers=headers, body=json.dumps(answer))

    def _authorize(self, url: str) -> str:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self._nonce = asked["nonce"]
        answer = {"code": "code", "state": asked["state"], "client_info": _client_info()}
        return f"{asked['redirect_uri']}#{urlencode(answer)}"

    def _grant(self, body: str) -> dict[str, Any]:
        self.grants.append(parse_qs(body)["grant_type"][0])
        now = int(time.time())
        claims = {
            "aud": CLIENT, "iss": f"{AUTHORITY}/{TENANT}/v2.0", "iat": now, "exp": now + 3600, "nonce": self._nonce,
            "sub": USER, "oid": USER, "tid": TENANT, "preferred_username": "seven@example.org", "ver": "2.0",
        }  # fmt: skip
        return {
            "token_type": "Bearer",
            "scope": "api://tailrace/events.read openid profile offline_access",
            "expires_in": 3600,
            "access_token": self._tokens.pop(0) if len(self._tokens) > 1 else self._tokens[0],
            "refresh_token": "refresh",
            "id_token": jwt.encode(claims, "i" * 32),
            "client_info": _client_info(),
        }


def _describe() -> dict[str, str]:
    place = f"{AUTHORITY}/{TENANT}"
    return {
        "issuer": f"{place}/v2.0",
        "authorization_endpoint": f"{place}/oauth2/v2.0/authorize",
        "token_endpoint": f"{place}/oauth2/v2.0/token",
        "end_session_endpoint": f"{place}/oauth2/v2.0/logout",
        "jwks_uri": f"{place}/discovery/v2.0/keys",
    }


def _client_info() -> str:
    return base64.urlsafe_b64encode(json.dumps({"uid": USER, "utid": TENANT}).encode()).decode().rstrip("=")
