"""Superset behind Latchgate: integrations/superset/README.md says what each line is for."""

import os
from pathlib import Path

from flask_appbuilder.security.manager import AUTH_REMOTE_USER
from latchgate_superset import LatchgateSecurityManager

SECRET_KEY = Path(os.environ["SUPERSET_SECRET_KEY_FILE"]).read_text().strip()
SQLALCHEMY_DATABASE_URI = os.environ.get("SUPERSET_DATABASE", "sqlite:////app/superset_home/superset.db")

AUTH_TYPE = AUTH_REMOTE_USER
CUSTOM_SECURITY_MANAGER = LatchgateSecurityManager
AUTH_USER_REGISTRATION = False
FAB_ADD_SECURITY_API = True
ENABLE_PROXY_FIX = True

# Inside the network of the two, which nobody else is in.
LATCHGATE_JWKS = "http://latchgate:4180/.latchgate/jwks.json"
LATCHGATE_ISSUER = "https://bi.example.com"
LATCHGATE_AUDIENCE = "superset"
