"""Creates Superset's metadata database: tables, roles, two accounts without usable passwords.

Run with the virtual environment's Python and SUPERSET_CONFIG_PATH set. One process instead of the three commands
`superset db upgrade`, `superset fab create-admin` and `superset init`, which start Superset three times.
"""

import os
import secrets

import superset.migrations
from flask_migrate import upgrade
from superset.app import create_app

SERVICE_ROLE = "gateway_provisioner"
SERVICE_VIEWS = ("User", "Role", "Group")
SERVICE_ACTIONS = ("can_info", "can_get", "can_post", "can_put", "can_delete")


def add_service_role(security):
    role = security.add_role(SERVICE_ROLE)
    for view in SERVICE_VIEWS:
        for action in SERVICE_ACTIONS:
            permission = security.find_permission_view_menu(action, view)
            if permission is None:
                raise SystemExit(f"Superset has no permission {action} on {view}")
            security.add_permission_role(role, permission)


def add_account(security, username, role):
    added = security.add_user(
        username=username,
        first_name=username.title(),
        last_name="Account",
        email=f"{username}@superset.invalid",
        role=[security.find_role(role)],
        password=secrets.token_urlsafe(32),
    )
    if not added:
        raise SystemExit(f"Superset refused to create the account {username}")


app = create_app()
with app.app_context():
    from superset.extensions import appbuilder, db

    upgrade(directory=os.path.dirname(superset.migrations.__file__))
    appbuilder.add_permissions(update_perms=True)
    appbuilder.sm.sync_role_definitions()
    add_service_role(appbuilder.sm)
    add_account(appbuilder.sm, "admin", "Admin")
    add_account(appbuilder.sm, "latchgate", SERVICE_ROLE)
    db.session.commit()
