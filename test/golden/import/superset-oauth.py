# Superset specific config, as the documentation has it
import os
from datetime import timedelta

from flask_appbuilder.security.manager import AUTH_OAUTH
from custom_sso_security_manager import CustomSsoSecurityManager
from superset_config_docker import *  # noqa

ROW_LIMIT = 5000
SECRET_KEY = "thisIsNotTheSecretKeyThatAnybodyShouldSee"
SQLALCHEMY_DATABASE_URI = "postgresql://superset:pgPassw0rd@db:5432/superset"
PERMANENT_SESSION_LIFETIME = timedelta(hours=8)
TALISMAN_CONFIG = {"content_security_policy": {"default-src": ["'self'"]}, "force_https": False}
API_KEYS = {"keyNobodyMaySee": "reader"}

CUSTOM_SECURITY_MANAGER = CustomSsoSecurityManager

# Set the authentication type to OAuth
AUTH_TYPE = AUTH_OAUTH

OAUTH_PROVIDERS = [
    {
        'name': 'egaSSO',
        'token_key': 'access_token',  # Name of the token in the response of access_token_url
        'icon': 'fa-address-card',    # Icon for the provider
        'remote_app': {
            'client_id': 'myClientId',  # Client Id (Identify Superset application)
            'client_secret': 'MySecretThatNobodyMaySee',  # Secret for this Client Id
            'client_kwargs': {
                'scope': 'read'       # Scope for the Authorization
            },
            'access_token_method': 'POST',  # HTTP Method to call access_token_url
            'access_token_params': {  # Additional parameters for calls to access_token_url
                'client_id': 'myClientId'
            },
            'jwks_uri': 'https://myAuthorizationServe/adfs/discovery/keys',  # may be required to generate token
            'access_token_headers': {  # Additional headers for calls to access_token_url
                'Authorization': 'Basic QmFzZTY0RW5jb2RlZENsaWVudElkQW5kU2VjcmV0'
            },
            'api_base_url': 'https://myAuthorizationServer/oauth2AuthorizationServer/',
            'access_token_url': 'https://myAuthorizationServer/oauth2AuthorizationServer/token',
            'authorize_url': 'https://myAuthorizationServer/oauth2AuthorizationServer/authorize'
        }
    },
    dict(
        name="okta",
        icon="fa-circle-o",
        token_key="access_token",
        remote_app=dict(
            client_id=os.environ["OKTA_KEY"],
            client_secret=os.environ.get("OKTA_SECRET"),
            api_base_url="https://acme.okta.com/oauth2/v1/",
            client_kwargs={"scope": "openid profile email groups"},
            access_token_url="https://acme.okta.com/oauth2/v1/token",
            authorize_url="https://acme.okta.com/oauth2/v1/authorize",
            server_metadata_url=f"https://acme.okta.com/.well-known/openid-configuration",
        ),
    ),
]

# Will allow user self registration, allowing to create Flask users from Authorized User
AUTH_USER_REGISTRATION = True

# The default user self registration role
AUTH_USER_REGISTRATION_ROLE = "Public"

AUTH_ROLES_MAPPING = {
    "superset_users": ["Gamma", "Alpha"],
    "superset_admins": ["Admin"],
    "team*": ["Team"],
    "unused": [],
    "finance, EMEA": ("Finance",),
    os.environ["ADMIN_GROUP"]: ["Admin"],
}

# if we should replace ALL the user's roles each login, or only on registration
AUTH_ROLES_SYNC_AT_LOGIN = True

if os.environ.get("DEBUG"):
    AUTH_RATE_LIMITED = False
FEATURE_FLAGS = {"EMBEDDED_SUPERSET": True}
FEATURE_FLAGS["ALERT_REPORTS"] = True
