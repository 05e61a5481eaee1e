import { GrafanaLogin, listed } from './grafana-login.ts';
import { addressText, escaped, plainFlag, plainText } from './literals.ts';
import { nameOf } from './names.ts';

/** The section `auth.saml`. */
export class GrafanaSaml extends GrafanaLogin {
  entry(): Record<string, unknown> {
    const address = addressText(this.value('idp_metadata_url'));
    const url = address !== undefined && /^(?:https:\/\/[^/?#]|\$\{)/.test(address) ? address : undefined;
    if (address !== undefined && url === undefined)
      this.all.migration.left(`auth.${this.login}.idp_metadata_url`, 'metadata: an address of https://, or a file');
    const path = this.text('idp_metadata_path');
    this.carried('idp_metadata_url', 'metadata');
    if (url === undefined) this.carried('idp_metadata_path', 'metadata');
    else this.all.migration.todo(`login.${this.login}.idp_entity_id: entityID of the metadata at that address.`);
    this.close(['assertion_attribute_role', 'org_mapping'], ['allowed_organizations']);
    const key = this.value('private_key_path');
    const keyPath = plainText(key);
    if (keyPath !== undefined)
      this.carried('private_key_path', 'signing_key; its certificate has to stand behind it in the same file');
    for (const [option, attribute] of SAML_ATTRIBUTES) {
      const name = this.text(option);
      if (name === undefined) continue;
      this.claims[attribute] = [escaped(name)];
      this.carried(option, `claims.${attribute}`);
    }
    this.#samlRoles();
    this.organisations('groups');
    const isInitiated = plainFlag(this.value('allow_idp_initiated')) === true;
    this.carried('allow_idp_initiated', 'idp_initiated');
    this.carried('single_logout', 'logout is at the provider too, where its metadata have an address');
    this.carried('name_id_format', 'name_id_format');
    this.carried('entity_id', 'entity_id');
    const format = this.text('name_id_format');
    const entity = this.text('entity_id');
    return {
      type: 'saml',
      ...this.label(),
      metadata: url === undefined ? `\${file:${path ?? '/etc/latchgate/idp-metadata.xml'}}` : url,
      ...(url === undefined ? {} : { idp_entity_id: '${SAML_IDP_ENTITY_ID:-https://id.example.com}' }),
      ...(entity === undefined ? {} : { entity_id: escaped(entity) }),
      ...(keyPath === undefined ? {} : { signing_key: `\${file:${keyPath}}` }),
      ...(format === undefined ? {} : { name_id_format: escaped(format) }),
      ...(isInitiated ? { idp_initiated: true } : {}),
      ...(Object.keys(this.claims).length === 0 ? {} : { claims: this.claims }),
      groups_absent: 'empty',
    };
  }

  #samlRoles(): void {
    const attribute = this.text('assertion_attribute_role');
    if (attribute === undefined) return;
    // Privileged roles are given by groups, so that the roles are those, and groups an attribute of their own.
    const groups = this.claims['groups'];
    if (groups !== undefined) this.claims['grafana_groups'] = groups;
    this.claims['groups'] = [escaped(attribute)];
    this.carried('assertion_attribute_role', 'claims.groups: roles are given by it');
    const values = SAML_ROLES.map(([role, option]) => [role, listed(this.text(option)), option] as const);
    for (const [role, list, option] of values)
      if (list.length > 0) this.carried(option, `rules.${nameOf(`${this.login}-${role}`, 'rule')}`);
    this.rolesByValue(values.map(([role, list]) => [role, list] as const));
    this.all.fallback(undefined, false);
  }
}

const SAML_ATTRIBUTES = [
  ['assertion_attribute_email', 'email'],
  ['assertion_attribute_login', 'preferred_username'],
  ['assertion_attribute_name', 'name'],
  ['assertion_attribute_groups', 'groups'],
] as const;

const SAML_ROLES = [
  ['GrafanaAdmin', 'role_values_grafana_admin'],
  ['Admin', 'role_values_admin'],
  ['Editor', 'role_values_editor'],
  ['Viewer', 'role_values_viewer'],
  ['None', 'role_values_none'],
] as const;
