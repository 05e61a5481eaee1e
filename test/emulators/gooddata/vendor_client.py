"""Walks a GoodData organization through the vendor's own SDK and prints, as JSON, what the SDK made of the answers.

Usage: vendor_client.py URL TOKEN JWK_MODULUS
"""

import json
import sys

from gooddata_sdk import (
    CatalogAssigneeIdentifier,
    CatalogDeclarativeSingleWorkspacePermission,
    CatalogDeclarativeWorkspaceHierarchyPermission,
    CatalogDeclarativeWorkspacePermissions,
    CatalogJwk,
    CatalogOrganizationSetting,
    CatalogPermissionAssignments,
    CatalogPermissionsAssignment,
    CatalogRsaSpecification,
    CatalogUser,
    CatalogUserGroup,
    CatalogWorkspacePermissionAssignment,
    GoodDataSdk,
)


def user_facts(user):
    attributes = user.attributes
    return {
        "id": user.id,
        "email": attributes.email,
        "name": [attributes.firstname, attributes.lastname],
        "authenticationId": attributes.authentication_id,
        "groups": sorted(group.id for group in user.user_groups),
    }


def error_status(call):
    try:
        call()
    except Exception as error:  # each generated exception type has its own class
        return getattr(error, "status", type(error).__name__)
    return None


def users_and_groups(sdk):
    users = sdk.catalog_user
    facts = {}
    users.create_or_update_user_group(CatalogUserGroup.init(user_group_id="sales", user_group_name="Sales"))
    users.create_or_update_user_group(
        CatalogUserGroup.init(user_group_id="sales-eu", user_group_name="Sales EU", user_group_parent_ids=["sales"])
    )
    users.create_or_update_user(
        CatalogUser.init(
            user_id="alice",
            authentication_id="auth0|alice",
            email="alice@example.org",
            firstname="Alice",
            lastname="Liddell",
            user_group_ids=["sales"],
        )
    )
    facts["created"] = user_facts(users.get_user("alice"))
    users.create_or_update_user(
        CatalogUser.init(user_id="alice", email="new@example.org", user_group_ids=["sales", "sales-eu"])
    )
    facts["updated"] = user_facts(users.get_user("alice"))
    for number in range(3):
        users.create_or_update_user(CatalogUser.init(user_id=f"more-{number}"))
    facts["users"] = [user.id for user in users.list_users()]
    facts["groups"] = {group.id: group.get_parents for group in users.list_user_groups()}
    users.delete_user("more-2")
    facts["gone"] = error_status(lambda: users.get_user("more-2"))
    facts["unknownGroup"] = error_status(
        lambda: users.create_or_update_user(CatalogUser.init(user_id="eve", user_group_ids=["ghosts"]))
    )
    facts["token"] = users.create_user_api_token("alice", "t1").bearer_token is not None
    facts["tokens"] = [token.id for token in users.list_user_api_tokens("alice")]
    return facts


def permissions(sdk):
    facts = {}
    group = CatalogAssigneeIdentifier(id="sales", type="userGroup")
    alice = CatalogAssigneeIdentifier(id="alice", type="user")
    sdk.catalog_permission.put_declarative_permissions(
        "demo",
        CatalogDeclarativeWorkspacePermissions(
            permissions=[CatalogDeclarativeSingleWorkspacePermission(name="VIEW", assignee=group)],
            hierarchy_permissions=[CatalogDeclarativeWorkspaceHierarchyPermission(name="MANAGE", assignee=alice)],
        ),
    )
    layout = sdk.catalog_permission.get_declarative_permissions("demo")
    facts["layout"] = [[entry.assignee.id, entry.name] for entry in layout.permissions + layout.hierarchy_permissions]
    analyze = CatalogWorkspacePermissionAssignment(
        id="demo", name="Demo", permissions=["ANALYZE"], hierarchy_permissions=["VIEW"]
    )
    sdk.catalog_user.manage_user_permissions(
        "alice", CatalogPermissionAssignments(workspaces=[analyze], data_sources=[])
    )
    held = sdk.catalog_user.get_user_permissions("alice")
    facts["managed"] = [[held_on.id, held_on.permissions, held_on.hierarchy_permissions] for held_on in held.workspaces]
    both = CatalogPermissionsAssignment(assignees=[group, alice], workspaces=[analyze], data_sources=[])
    sdk.catalog_user.assign_permissions_bulk(both)
    facts["assigned"] = sdk.catalog_user.get_user_group_permissions("sales").workspaces[0].permissions
    sdk.catalog_user.revoke_permissions_bulk(both)
    facts["revoked"] = sdk.catalog_user.get_user_group_permissions("sales").workspaces
    facts["organization"] = sorted(
        [entry.assignee.id, entry.name] for entry in sdk.catalog_permission.get_declarative_organization_permissions()
    )
    return facts


def organization(sdk, modulus):
    facts = {}

    def key(kid):
        specification = CatalogRsaSpecification(
            alg="RS256", e="AQAB", kid=kid, kty="RSA", n=modulus, use="sig", x5c=[], x5t=""
        )
        return CatalogJwk.init(jwk_id=kid, rsa_spec=specification)

    service = sdk.catalog_organization
    service.create_or_update_jwk(key("gw-1"))
    service.create_or_update_jwk(key("gw-1"))
    service.create_or_update_jwk(key("gw-2"))
    service.delete_jwk("gw-1")
    facts["keys"] = [jwk.attributes.content.kid for jwk in service.list_jwks()]
    service.create_organization_setting(
        CatalogOrganizationSetting.init(setting_id="jit", setting_type="JIT_PROVISIONING", content={"enabled": True})
    )
    facts["settings"] = [[setting.id, setting.attributes.type] for setting in service.list_organization_settings()]
    service.update_name("Wonderland")
    facts["organizationId"] = service.organization_id
    return facts


def layouts(sdk):
    everything = sdk.catalog_user.get_declarative_users_user_groups()
    everything.users = [user for user in everything.users if not user.id.startswith("more-")]
    sdk.catalog_user.put_declarative_users_user_groups(everything)
    return {"left": [user.id for user in sdk.catalog_user.get_declarative_users().users]}


def main():
    url, token, modulus = sys.argv[1:]
    sdk = GoodDataSdk.create(url, token)
    print(
        json.dumps(
            {
                "people": users_and_groups(sdk),
                "permissions": permissions(sdk),
                "organization": organization(sdk, modulus),
                "layouts": layouts(sdk),
            }
        )
    )


if __name__ == "__main__":
    main()
