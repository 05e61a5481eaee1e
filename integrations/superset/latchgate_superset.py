"""Signs people in to Apache Superset with Latchgate's assertion.

Latchgate adds one short-lived signed JWT, `X-Latchgate-Assertion`, to every
request that it forwards. With this security manager Superset takes the person
from that JWT, on every request, and from nothing else that a browser can send:

* no assertion, or one that does not verify: nobody is signed in;
* the session cookie keeps CSRF tokens and messages, never who somebody is;
* the person must have an active account whose user name is exactly `sub`.

superset_config.py::

    from flask_appbuilder.security.manager import AUTH_REMOTE_USER
    from latchgate_superset import LatchgateSecurityManager

    AUTH_TYPE = AUTH_REMOTE_USER
    CUSTOM_SECURITY_MANAGER = LatchgateSecurityManager
    LATCHGATE_JWKS = "https://bi.example.com/.latchgate/jwks.json"  # or a file
    LATCHGATE_ISSUER = "https://bi.example.com"  # public_url of the gateway
    LATCHGATE_AUDIENCE = "superset"  # name of the target in latchgate.yaml

Needs Superset 6.1 and PyJWT 2.10 or later (Superset brings it).
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any
from urllib.parse import unquote

import jwt
from flask import Flask, Request, Response, current_app, g, redirect, request
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import no_cache
from flask_appbuilder.security.views import AuthView
from flask_login import LoginManager
from superset.security import SupersetSecurityManager

log = logging.getLogger(__name__)

ASSERTION_HEADER = "X-Latchgate-Assertion"
LOGOUT_PATH = "/.latchgate/logout"
ALGORITHM = "ES256"
REQUIRED_CLAIMS = ["exp", "iat", "iss", "aud", "sub"]
LEEWAY_S = 5

# One compact JWS and nothing else. Servers join repeated headers with a comma,
# so two copies never match, even when one of them is empty.
COMPACT_JWS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
ASSERTION_MAX_CHARS = 8190
KEY_SET_MAX_BYTES = 65_536

REFUSED_TEXT = (
    "Superset did not sign you in. Either you have no active account here, "
    "or this request did not come through the login gateway.\n"
)


class AssertionRefused(Exception):
    """The assertion proves nothing. The text is a fixed reason, safe to log."""


class KeySet:
    """The gateway's public keys by `kid`, kept in memory.

    Keys that were read once stay in use while a newer set cannot be read.
    """

    def __init__(self, read: Callable[[], bytes | None]) -> None:
        self._read = read
        self._keys: dict[str, jwt.PyJWK] = {}

    def get(self, kid: str) -> jwt.PyJWK | None:
        return self._keys.get(kid)

    def refresh(self) -> bool:
        """Reads the source; False when that failed and the old keys stay."""
        try:
            body = self._read()
            if body is not None:
                self._keys = usable_keys(body)
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            log.error("latchgate: cannot read the key set: %s", type(error).__name__)
            return False
        return True

    def clear(self) -> None:
        self._keys = {}

    def __len__(self) -> int:
        return len(self._keys)


def usable_keys(body: bytes) -> dict[str, jwt.PyJWK]:
    """ES256 verification keys of a JWK set (RFC 7517 §5), by `kid`.

    Keys of other algorithms are left out, so that no choice of `kid` can make
    this module verify with anything but ECDSA on P-256.
    """
    document = json.loads(body)
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise ValueError("not a JWK set")
    usable = {key["kid"]: parsed for key in keys if (parsed := _es256_key(key))}
    if keys and not usable:
        raise ValueError("no usable key")
    return usable


def _es256_key(key: Any) -> jwt.PyJWK | None:
    if (
        not isinstance(key, dict)
        or not isinstance(key.get("kid"), str)
        or (key.get("kty"), key.get("crv")) != ("EC", "P-256")
        or key.get("alg", ALGORITHM) != ALGORITHM
        or key.get("use", "sig") != "sig"
    ):
        return None
    try:
        return jwt.PyJWK(key, algorithm=ALGORITHM)
    except (jwt.PyJWTError, TypeError, ValueError):
        return None


class KeyFile:
    """Keys from a JWKS file, read again as soon as the file has changed.

    Replace the file by renaming a new one over it. While the file is missing or
    cannot be parsed, the keys that were read last stay in use.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._keys = KeySet(self._read)
        self._lock = threading.Lock()

    def find(self, kid: str) -> jwt.PyJWK | None:
        with self._lock:
            self._keys.refresh()
        return self._keys.get(kid)

    def _read(self) -> bytes | None:
        status = os.stat(self._path)
        version = (status.st_mtime_ns, status.st_size, status.st_ino)
        if version == self._seen:
            return None
        with open(self._path, "rb") as file:
            body = file.read(KEY_SET_MAX_BYTES)
        self._seen = version
        return body


class KeyAddress:
    """Keys from a JWKS address.

    The address is asked when the keys are 300 s old, and for a `kid` that is
    not known, but then at most every 30 s (5 s after a failure), by one thread
    while the others go on: a flood of invented `kid`s costs the gateway next to
    nothing. Latchgate publishes a new key 300 s before it signs with it.
    """

    FRESH_S = 300
    UNKNOWN_KID_S = 30
    AFTER_FAILURE_S = 5
    # A withdrawn key must not live on for ever because the address is blocked.
    STALE_S = 3600
    TIMEOUT_S = 5

    def __init__(self, address: str) -> None:
        self._address = address
        self._keys = KeySet(self._read)
        self._lock = threading.Lock()
        self._read_at = -float("inf")
        self._failed_at = -float("inf")

    def find(self, kid: str) -> jwt.PyJWK | None:
        key = self._keys.get(kid)
        if self._due(self.FRESH_S if key else self.UNKNOWN_KID_S):
            self._refresh(self.FRESH_S if key else self.UNKNOWN_KID_S)
            key = self._keys.get(kid)
        return key

    def _due(self, after_s: float) -> bool:
        now = time.monotonic()
        return (
            now - self._read_at >= after_s
            and now - self._failed_at >= self.AFTER_FAILURE_S
        )

    def _refresh(self, after_s: float) -> None:
        # Wait for another thread's answer only when there is no key at all.
        if not self._lock.acquire(blocking=len(self._keys) == 0):
            return
        try:
            if not self._due(after_s):
                return
            if self._keys.refresh():
                self._read_at = time.monotonic()
                return
            self._failed_at = time.monotonic()
            if self._failed_at - self._read_at > self.STALE_S:
                self._keys.clear()
        finally:
            self._lock.release()

    def _read(self) -> bytes:
        ask = urllib.request.Request(
            self._address, headers={"Accept": "application/json"}
        )
        with _opener.open(ask, timeout=self.TIMEOUT_S) as answer:
            body = answer.read(KEY_SET_MAX_BYTES + 1)
        if len(body) > KEY_SET_MAX_BYTES:
            raise ValueError("key set too large")
        return body


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


class AssertionVerifier:
    """Turns an assertion into a user name, or raises AssertionRefused."""

    def __init__(self, jwks: str, issuer: str, audience: str) -> None:
        is_address = jwks.startswith(("https://", "http://"))
        self._keys = KeyAddress(jwks) if is_address else KeyFile(jwks)
        self._issuer = issuer
        self._audience = audience

    def user_name(self, assertion: str) -> str:
        if len(assertion) > ASSERTION_MAX_CHARS:
            raise AssertionRefused("too long")
        if not COMPACT_JWS.fullmatch(assertion):
            raise AssertionRefused("not exactly one compact JWT")
        try:
            return self._verified_subject(assertion)
        except (AssertionRefused, jwt.PyJWTError) as error:
            raise AssertionRefused(_reason(error)) from None
        except (ValueError, TypeError, RecursionError, OverflowError) as error:
            # What a hostile header or payload can provoke inside the parsers.
            raise AssertionRefused(f"malformed ({type(error).__name__})") from None

    def _verified_subject(self, assertion: str) -> str:
        kid = jwt.get_unverified_header(assertion).get("kid")
        if not isinstance(kid, str):
            raise AssertionRefused("no kid")
        key = self._keys.find(kid)
        if key is None:
            raise AssertionRefused("unknown kid")
        claims = jwt.decode(
            assertion,
            # The PyJWK carries its own algorithm; with the bare key the
            # assertion's `alg` would choose how the key is used.
            key,
            algorithms=[ALGORITHM],
            issuer=self._issuer,
            audience=self._audience,
            leeway=LEEWAY_S,
            options={"require": REQUIRED_CLAIMS, "strict_aud": True},
        )
        subject = claims["sub"]
        # Control characters and lone surrogates would fail in the database.
        if not isinstance(subject, str) or not subject or not subject.isprintable():
            raise AssertionRefused("sub is not a user name")
        return subject


def _reason(error: Exception) -> str:
    """Messages of PyJWT can hold claim values, its class names cannot."""
    return str(error) if isinstance(error, AssertionRefused) else type(error).__name__


class LatchgateAuthView(AuthView):
    """/login/ and /logout/ without a form: the gateway does both."""

    @expose("/login/", methods=["GET"])
    @no_cache
    def login(self) -> Any:
        if g.user is not None and g.user.is_authenticated:
            return redirect(_own_path(request.args.get("next", "")) or self._index())
        # A redirect would come back here for ever: "/" sends people without
        # an account to /login/.
        return Response(REFUSED_TEXT, status=403, mimetype="text/plain")

    @expose("/logout/", methods=["GET"])
    @no_cache
    def logout(self) -> Any:
        # Superset holds no login to end. The gateway asks, then ends its own.
        return redirect(LOGOUT_PATH)

    def _index(self) -> str:
        return self.appbuilder.get_url_for_index


def _own_path(target: str) -> str | None:
    """`target` as a path on this host, or None when it leads elsewhere.

    Superset itself writes absolute addresses into `next`.
    """
    own_origin = request.host_url.rstrip("/")
    path = target.removeprefix(own_origin)
    decoded = unquote(path)
    if not path.startswith("/") or path.startswith("//") or decoded[1:2] in ("/", "\\"):
        return None
    # A browser drops tabs and line ends before it looks for "//" or "/\\".
    if any(character.isspace() or not character.isprintable() for character in decoded):
        return None
    return path


class LatchgateSecurityManager(SupersetSecurityManager):
    """Superset's security manager with the gateway as the only way to sign in.

    Bearer tokens, API keys and guest tokens of embedded dashboards are
    Superset's own and keep working.
    """

    # Otherwise Superset's own page is registered at /login/ first.
    register_superset_auth_view = False
    authremoteuserview = LatchgateAuthView

    def create_login_manager(self, app: Flask) -> LoginManager:
        self._verifier = AssertionVerifier(
            jwks=_setting(app, "LATCHGATE_JWKS"),
            issuer=_setting(app, "LATCHGATE_ISSUER"),
            audience=_setting(app, "LATCHGATE_AUDIENCE"),
        )
        # Flask-Login skips request_loader when a cookie of this name arrives,
        # and any program on the same domain may have set "remember_token".
        app.config["REMEMBER_COOKIE_NAME"] = "latchgate_unused"
        manager = super().create_login_manager(app)
        manager.user_loader(self._user_of_cookie)
        return manager

    def request_loader(self, request: Request) -> Any:
        # Superset's own loader reads the guest tokens of embedded dashboards.
        return self._asserted_user() or super().request_loader(request)

    def _user_of_cookie(self, user_id: str) -> Any:
        """A cookie signs nobody in; it may only repeat what the gateway says."""
        user = self._asserted_user()
        return user if user is not None and str(user.id) == user_id else None

    def _asserted_user(self) -> Any:
        # Flask-Login may ask twice in one request: for the cookie, then here.
        if "latchgate_user" not in g:
            g.latchgate_user = self._find_asserted_user()
        return g.latchgate_user

    def _find_asserted_user(self) -> Any:
        assertion = request.headers.get(ASSERTION_HEADER)
        if assertion is None:
            return None
        try:
            name = self._verifier.user_name(assertion)
        except AssertionRefused as refusal:
            log.warning("latchgate: assertion refused: %s", refusal)
            return None
        user = self._active_user(name)
        if user is None:
            log.warning("latchgate: no active account for a verified assertion")
        return user

    def _active_user(self, name: str) -> Any:
        # find_user() folds case in the database, whose idea of it may differ
        # from the gateway's: the name of one person could be that of another.
        query = self.session.query(self.user_model)
        same = query.filter(self.user_model.username == name).all()
        exact = [user for user in same if user.username == name]
        return exact[0] if len(exact) == 1 and exact[0].is_active else None


def _setting(app: Flask, name: str) -> str:
    value = app.config.get(name)
    if not isinstance(value, str) or not value:
        raise RuntimeError(f"superset_config.py must set {name} (see latchgate_superset)")
    return value
