"""Sets passwords and adds roles in a copy of the metadata database, before Superset serves it.

Reads one JSON object from the environment variable PREPARE: {"database", "passwords": {name: password}, "roles": []}.
"""

import json
import os
import sqlite3

from werkzeug.security import generate_password_hash

order = json.loads(os.environ["PREPARE"])
with sqlite3.connect(order["database"]) as database:
    for username, password in order["passwords"].items():
        hashed = generate_password_hash(password)
        done = database.execute("UPDATE ab_user SET password = ? WHERE username = ?", (hashed, username))
        if done.rowcount != 1:
            raise SystemExit(f"no account {username} in the metadata database")
    for role in order["roles"]:
        database.execute(
            "INSERT INTO ab_role (name) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM ab_role WHERE name = ?)", (role, role)
        )
