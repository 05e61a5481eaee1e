"""Makes the account by which Latchgate manages the others, as integrations/superset/README.md describes it."""

import os

from superset.app import create_app

with create_app().app_context():
    from superset.extensions import db, security_manager as security

    role = security.add_role("gateway_provisioner")
    for view in ("User", "Role", "Group"):
        for action in ("can_info", "can_get", "can_post", "can_put", "can_delete"):
            permission = security.find_permission_view_menu(action, view)
            assert permission, f"no permission {action} on {view}: run superset init first"
            security.add_permission_role(role, permission)
    if not security.find_user("latchgate"):
        assert security.add_user(
            username="latchgate",
            first_name="Latchgate",
            last_name="Service",
            email="latchgate@service.invalid",
            role=[role],
            password=os.environ["SERVICE_PASSWORD"],
        )
    db.session.commit()
