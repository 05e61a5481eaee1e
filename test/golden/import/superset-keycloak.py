import os

AUTH_TYPE = 4
AUTH_USER_REGISTRATION = True
AUTH_USER_REGISTRATION_ROLE_JMESPATH = ("contains(role_keys, 'bi-admins') && 'Admin' || "
                                        "contains(['boss@acme.test'], email) && 'Alpha' || 'Gamma'")
AUTH_ROLES_SYNC_AT_LOGIN = False
OAUTH_PROVIDERS = [{
    "name": "keycloak",
    "icon": "fa-key",
    "token_key": "access_token",
    "remote_app": {
        "client_id": os.getenv("KEYCLOAK_CLIENT_ID", "superset"),
        "client_secret": os.getenv("KEYCLOAK_CLIENT_SECRET"),
        "api_base_url": "https://id.acme.test/realms/acme/protocol/openid-connect",
        "client_kwargs": {"scope": "email profile"},
        "access_token_url": "https://id.acme.test/realms/acme/protocol/openid-connect/token",
        "authorize_url": "https://id.acme.test/realms/acme/protocol/openid-connect/auth",
        "request_token_url": None,
    },
}]
