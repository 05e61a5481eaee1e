"""Looks through the vendor's own SDK at what the gateway's target made, and prints it as JSON.

Usage: vendor_look.py URL TOKEN
"""

import json
import sys

from gooddata_sdk import GoodDataSdk


def held(assignments):
    return sorted(
        [one.id, sorted(one.permissions), sorted(one.hierarchy_permissions)] for one in assignments.workspaces
    )


def main():
    url, token = sys.argv[1:]
    sdk = GoodDataSdk.create(url, token)
    users = sdk.catalog_user
    layout = sdk.catalog_permission.get_declarative_permissions("lab")
    in_team = [user.id for user in users.list_users() if "team" in [group.id for group in user.user_groups]]
    facts = {
        "group": held(users.get_user_group_permissions("team")),
        "person": held(users.get_user_permissions("dora")),
        "layout": sorted([entry.assignee.id, entry.name] for entry in layout.permissions),
        "members": sorted(in_team),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
