import { ENTERPRISE_USER } from '../../ops/scim/urns.ts';
import { attribute, byName, MAX_KEY_CHARACTERS, type Schema } from './attribute.ts';

/** RFC 7643 §4.3. */
export const enterpriseSchema: Schema = {
  id: ENTERPRISE_USER,
  name: 'EnterpriseUser',
  description: 'Enterprise User',
  attributes: byName([
    attribute('employeeNumber', 'An identifier that the organization gives.'),
    attribute('costCenter', 'The cost center.'),
    attribute('organization', 'The organization.'),
    attribute('division', 'The division.'),
    attribute('department', 'The department.'),
    attribute('manager', 'The manager of the user.', {
      type: 'complex',
      subAttributes: [
        attribute('value', 'The id of the user who is the manager.', {
          caseExact: true,
          maxLength: MAX_KEY_CHARACTERS,
        }),
        attribute('$ref', 'The address of that user.', { type: 'reference', referenceTypes: ['User'] }),
        attribute('displayName', 'The name of the manager.', { mutability: 'readOnly' }),
      ],
    }),
  ]),
};
